#pragma once

#include <algorithm>
#include <cstdint>

namespace flott {

/// When periodic checkpoints begin: an interval after the one before began, and not before a pause
/// since the last one ended (Flink's CheckpointRequestDecider). Times are monotonic_ns(). A plain
/// calculation, used by the job's coordinator thread.
class CheckpointSchedule {
 public:
  CheckpointSchedule(std::int64_t interval_ms, std::int64_t min_pause_ms)
      : interval_ns_(interval_ms * kNsPerMs), min_pause_ns_(min_pause_ms * kNsPerMs) {}

  bool periodic() const { return interval_ns_ > 0; }
  /// An attempt of the job begins.
  void start(std::int64_t now_ns) { next_ns_ = now_ns + interval_ns_; }
  void begun(std::int64_t now_ns) { next_ns_ = now_ns + interval_ns_; }
  void completed(std::int64_t now_ns) { next_ns_ = std::max(next_ns_, now_ns + min_pause_ns_); }
  /// As the next one is likely to fail, too, it does not follow at once.
  void failed(std::int64_t now_ns) { next_ns_ = now_ns + std::max(interval_ns_, min_pause_ns_); }
  std::int64_t next_ns() const { return next_ns_; }

 private:
  static constexpr std::int64_t kNsPerMs = 1'000'000;
  const std::int64_t interval_ns_;
  const std::int64_t min_pause_ns_;
  std::int64_t next_ns_ = 0;
};

}  // namespace flott
