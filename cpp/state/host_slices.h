#pragma once

#include "base/clock.h"
#include "types/host.h"

#include <cstdint>
#include <optional>

namespace flott {

/// How long native work keeps the host's lock before others may have it: a slice of a task.
inline constexpr std::int64_t kHostSliceNs = 10'000'000;

/// The host's lock in long native work that meets opaque values here and there: taken for the first
/// of them, kept for those that follow closely, and given to others every kHostSliceNs. What meets none never takes it. One thread.
class HostSlices {
 public:
  /// An opaque value comes next.
  void need() {
    if (!scope_) {
      scope_.emplace();
      since_ns_ = monotonic_ns();
    }
  }
  /// Between two pieces of the work.
  void pause() {
    if (scope_ && monotonic_ns() - since_ns_ >= kHostSliceNs) {
      scope_.reset();
    }
  }
  /// Something that waits comes next: a disk, a database.
  void release() { scope_.reset(); }

 private:
  std::optional<HostScope> scope_;
  std::int64_t since_ns_ = 0;
};

}  // namespace flott
