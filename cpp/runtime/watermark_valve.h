#pragma once

#include "runtime/element.h"

#include <optional>
#include <vector>

namespace flott {

/// Combines the watermarks of several channels: the minimum over the active ones, never falling. A
/// plain object without threads; Flink's StatusWatermarkValve.
class WatermarkValve {
 public:
  explicit WatermarkValve(std::size_t channels) : channels_(channels) {}

  struct Change {
    std::optional<Timestamp> watermark;     ///< rose to this
    std::optional<WatermarkStatus> status;  ///< all channels idle, or active again
  };
  Change input_watermark(std::size_t channel, Timestamp watermark);
  Change input_status(std::size_t channel, WatermarkStatus status);
  /// The channel ended and holds nobody back any more.
  Change channel_ended(std::size_t channel);
  Timestamp current() const { return combined_; }

 private:
  struct ChannelState {
    Timestamp watermark = kMinWatermark;
    WatermarkStatus status = WatermarkStatus::kActive;
    bool ended = false;
  };
  Change update();

  std::vector<ChannelState> channels_;
  Timestamp combined_ = kMinWatermark;
  WatermarkStatus status_ = WatermarkStatus::kActive;
};

}  // namespace flott
