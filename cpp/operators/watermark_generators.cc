#include "operators/watermark_generators.h"

#include "base/error.h"

#include <algorithm>

namespace flott {
namespace {

class BoundedOutOfOrderness final : public WatermarkGenerator {
 public:
  explicit BoundedOutOfOrderness(std::int64_t delay_ms)
      : delay_ms_(delay_ms), max_timestamp_(kMinTimestamp + delay_ms + 1) {}

  Timestamp on_event(const Value& /*value*/, Timestamp timestamp) override {
    on_batch(timestamp);
    return kMinWatermark;
  }
  Timestamp on_periodic() override { return max_timestamp_ - delay_ms_ - 1; }
  bool is_periodic_only() const override { return true; }
  void on_batch(Timestamp max_timestamp) override {
    max_timestamp_ = std::max(max_timestamp_, max_timestamp);
  }

 private:
  std::int64_t delay_ms_;
  Timestamp max_timestamp_;  ///< starts so low that the first watermark is kMinWatermark
};

class NoWatermarks final : public WatermarkGenerator {
 public:
  Timestamp on_event(const Value& /*value*/, Timestamp /*timestamp*/) override {
    return kMinWatermark;
  }
  Timestamp on_periodic() override { return kMinWatermark; }
  bool is_periodic_only() const override { return true; }
};

}  // namespace

std::unique_ptr<WatermarkGenerator> make_bounded_out_of_orderness_watermarks(
    std::int64_t delay_ms) {
  if (delay_ms < 0) {
    throw_error(
        ErrorKind::kInvalidArgument,
        "the out-of-orderness bound of a watermark strategy must not be negative, got {} ms",
        delay_ms);
  }
  return std::make_unique<BoundedOutOfOrderness>(delay_ms);
}

std::unique_ptr<WatermarkGenerator> make_monotonous_watermarks() {
  return std::make_unique<BoundedOutOfOrderness>(0);
}

std::unique_ptr<WatermarkGenerator> make_no_watermarks() {
  return std::make_unique<NoWatermarks>();
}

}  // namespace flott
