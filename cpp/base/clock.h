#pragma once

#include "base/time.h"

#include <atomic>

namespace flott {

/// Where processing time comes from. Operators never ask the system; tests advance a ManualClock.
/// Thread-safe.
class Clock {
 public:
  virtual ~Clock() = default;
  /// Wall-clock time in ms.
  virtual Timestamp now_ms() const = 0;
};

/// The machine's clock.
class SystemClock final : public Clock {
 public:
  Timestamp now_ms() const override;
};

/// A clock that moves only when told to.
class ManualClock final : public Clock {
 public:
  explicit ManualClock(Timestamp start_ms = 0) : now_ms_(start_ms) {}
  Timestamp now_ms() const override { return now_ms_.load(std::memory_order_relaxed); }
  void set(Timestamp now_ms) { now_ms_.store(now_ms, std::memory_order_relaxed); }
  void advance(Timestamp by_ms) { now_ms_.fetch_add(by_ms, std::memory_order_relaxed); }

 private:
  std::atomic<Timestamp> now_ms_;
};

/// Monotonic nanoseconds, for durations (slices, back-off); unrelated to any wall clock.
std::int64_t monotonic_ns();

}  // namespace flott
