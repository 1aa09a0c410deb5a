#pragma once

#include "base/time.h"

#include <cstdint>
#include <map>
#include <mutex>

namespace flott {

/// Keeps the sources of one job that share a group's name from running ahead of each other in event
/// time (Flink's withWatermarkAlignment): a subtask whose watermark is more than the drift ahead of
/// the slowest one's takes no input until that has caught up. Thread-safe: every source task of the
/// group reports and asks.
class WatermarkAlignment {
 public:
  WatermarkAlignment(std::int64_t max_drift_ms, std::int64_t update_interval_ms)
      : max_drift_ms_(max_drift_ms), update_interval_ms_(update_interval_ms) {}

  std::int64_t update_interval_ms() const { return update_interval_ms_; }

  int join() {
    const std::lock_guard lock(mutex_);
    return next_member_++;
  }
  /// A member without a watermark yet holds nobody back.
  void report(int member, Timestamp watermark) {
    const std::lock_guard lock(mutex_);
    if (watermark == kMinWatermark) {
      watermarks_.erase(member);
    } else {
      watermarks_[member] = watermark;
    }
  }
  /// Idle or ended: holds nobody back.
  void leave(int member) {
    const std::lock_guard lock(mutex_);
    watermarks_.erase(member);
  }
  bool is_ahead(Timestamp watermark) const {
    const std::lock_guard lock(mutex_);
    for (const auto& [member, other] : watermarks_) {
      if (other < watermark && watermark - max_drift_ms_ > other) {
        return true;
      }
    }
    return false;
  }

 private:
  const std::int64_t max_drift_ms_;
  const std::int64_t update_interval_ms_;
  mutable std::mutex mutex_;
  std::map<int, Timestamp> watermarks_;
  int next_member_ = 0;
};

}  // namespace flott
