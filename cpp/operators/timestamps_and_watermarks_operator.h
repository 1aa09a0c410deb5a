#pragma once

#include "operators/functions.h"
#include "runtime/operator.h"

#include <cstdint>
#include <memory>

namespace flott {

struct TimestampsAndWatermarksOptions {
  std::unique_ptr<TimestampAssigner> assigner;    ///< null: records keep their timestamps
  std::unique_ptr<WatermarkGenerator> generator;  ///< null: no watermarks
  /// Silence after which the stream counts as idle; <= 0: never.
  std::int64_t idle_timeout_ms = 0;
};

/// Flink's TimestampsAndWatermarksOperator: stamps each record and emits the generator's
/// watermarks - what on_event returns right behind its record, the periodic ones on the
/// auto-watermark interval of the clock. Watermarks and status from upstream end here, but for the
/// maximum watermark. Watermarks never fall, and emitting one ends idleness. In BATCH mode only
/// timestamps are assigned.
std::unique_ptr<Operator> make_timestamps_and_watermarks_operator(
    TimestampsAndWatermarksOptions options);

}  // namespace flott
