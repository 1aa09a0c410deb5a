#include "runtime/watermark_valve.h"

#include <algorithm>

namespace flott {

WatermarkValve::Change WatermarkValve::input_watermark(std::size_t channel, Timestamp watermark) {
  ChannelState& state = channels_[channel];
  if (watermark <= state.watermark) {
    return {};
  }
  state.watermark = watermark;
  // An idle channel's watermark is remembered but does not count until it is active again.
  return state.status == WatermarkStatus::kIdle ? Change{} : update();
}

WatermarkValve::Change WatermarkValve::input_status(std::size_t channel, WatermarkStatus status) {
  if (channels_[channel].status == status) {
    return {};
  }
  channels_[channel].status = status;
  return update();
}

WatermarkValve::Change WatermarkValve::channel_ended(std::size_t channel) {
  channels_[channel].ended = true;
  return update();
}

WatermarkValve::Change WatermarkValve::update() {
  Change change;
  Timestamp minimum = kMaxTimestamp;
  Timestamp highest_idle = kMinWatermark;
  bool any_active = false;
  bool any_open = false;
  for (const ChannelState& channel : channels_) {
    if (channel.ended) {
      continue;
    }
    any_open = true;
    if (channel.status == WatermarkStatus::kIdle) {
      highest_idle = std::max(highest_idle, channel.watermark);
      continue;
    }
    any_active = true;
    minimum = std::min(minimum, channel.watermark);
  }
  if (!any_open) {
    // The last channel's maximum watermark came before its end; nothing is left to combine.
    minimum = kMinWatermark;
    for (const ChannelState& channel : channels_) {
      minimum = std::max(minimum, channel.watermark);
    }
  } else if (!any_active) {
    // All idle: what any of them promised holds for the others too (they send nothing).
    minimum = highest_idle;
  }
  if (minimum > combined_) {
    combined_ = minimum;
    change.watermark = minimum;
  }
  const WatermarkStatus status =
      any_active || !any_open ? WatermarkStatus::kActive : WatermarkStatus::kIdle;
  if (status != status_) {
    status_ = status;
    change.status = status;
  }
  return change;
}

}  // namespace flott
