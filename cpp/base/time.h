#pragma once

#include <cstdint>
#include <limits>

namespace flott {

/// Milliseconds since 1970-01-01T00:00:00Z; event time, processing time and watermarks alike.
using Timestamp = std::int64_t;

inline constexpr Timestamp kMinTimestamp = std::numeric_limits<std::int64_t>::min();
inline constexpr Timestamp kMaxTimestamp = std::numeric_limits<std::int64_t>::max();
/// A record without timestamp (Flink's Long.MIN_VALUE).
inline constexpr Timestamp kNoTimestamp = kMinTimestamp;
/// The watermark that says "no more records": end of a bounded input.
inline constexpr Timestamp kMaxWatermark = kMaxTimestamp;
/// The watermark before any was seen.
inline constexpr Timestamp kMinWatermark = kMinTimestamp;

}  // namespace flott
