#pragma once

#include "operators/functions.h"

#include <cstdint>
#include <memory>

namespace flott {

/// Flink's BoundedOutOfOrdernessWatermarks: periodically the largest timestamp seen - delay - 1.
/// Throws kInvalidArgument for a negative delay.
std::unique_ptr<WatermarkGenerator> make_bounded_out_of_orderness_watermarks(std::int64_t delay_ms);
/// AscendingTimestampsWatermarks: bounded out-of-orderness with delay 0.
std::unique_ptr<WatermarkGenerator> make_monotonous_watermarks();
/// NoWatermarksGenerator: never a watermark.
std::unique_ptr<WatermarkGenerator> make_no_watermarks();

/// Flink's WatermarksWithIdleness.IdlenessTimer as a plain object: whether nothing happened for
/// longer than the time-out, decided only when asked on the periodic interval.
class IdlenessTimer {
 public:
  /// `timeout_ms` <= 0: never idle.
  explicit IdlenessTimer(std::int64_t timeout_ms) : timeout_ms_(timeout_ms) {}

  void activity() { active_ = true; }
  /// The first check without activity starts the clock.
  bool check_idle(Timestamp now_ms) {
    if (timeout_ms_ <= 0) {
      return false;
    }
    if (active_) {
      active_ = false;
      inactive_ = false;
      return false;
    }
    if (!inactive_) {
      inactive_ = true;
      inactive_since_ms_ = now_ms;
      return false;
    }
    return now_ms - inactive_since_ms_ > timeout_ms_;
  }

 private:
  std::int64_t timeout_ms_;
  bool active_ = false;
  bool inactive_ = false;
  Timestamp inactive_since_ms_ = 0;
};

}  // namespace flott
