#pragma once

#include "base/clock.h"
#include "types/host.h"

#include <cstdint>
#include <utility>

namespace flott {

/// How long native work keeps the host's lock before others may have it: a slice of a task.
inline constexpr std::int64_t kHostSliceNs = 10'000'000;

/// The host's lock in long native work that meets opaque values here and there: taken for the first
/// of them, kept for those that follow closely, and given to others every kHostSliceNs. What meets
/// none never takes it. One thread.
class HostSlices {
 public:
  HostSlices() = default;
  ~HostSlices() { release(); }
  HostSlices(const HostSlices&) = delete;
  HostSlices& operator=(const HostSlices&) = delete;

  /// An opaque value comes next.
  void need() {
    if (held_ == nullptr && (held_ = host()) != nullptr) {
      held_->enter();
      since_ns_ = monotonic_ns();
    }
  }
  /// Between two pieces of the work.
  void pause() {
    if (held_ != nullptr && monotonic_ns() - since_ns_ >= kHostSliceNs) {
      release();
    }
  }
  /// Something that waits comes next: a disk, a database.
  void release() {
    if (held_ != nullptr) {
      std::exchange(held_, nullptr)->leave();
    }
  }

 private:
  Host* held_ = nullptr;  ///< whose lock is held
  std::int64_t since_ns_ = 0;
};

}  // namespace flott
