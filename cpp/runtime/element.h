#pragma once

#include "base/time.h"
#include "checkpoint/snapshot.h"
#include "types/batch.h"

#include <variant>

namespace flott {

/// "No record with a smaller or equal timestamp follows."
struct Watermark {
  Timestamp timestamp = kMinWatermark;
};
/// A channel that goes idle is left out of the watermark until it is active again.
enum class WatermarkStatus : std::uint8_t { kActive, kIdle };
/// What a task does when it has taken its part of a checkpoint.
enum class AfterBarrier : std::uint8_t {
  kGoOn,
  kStop,   ///< waits until the checkpoint is complete and ends, as if nothing more would ever come
  kDrain,  ///< likewise, but the input counts as ended before the snapshot: time has run to its end
};
/// Cuts the stream into the part before and after a checkpoint.
struct CheckpointBarrier {
  CheckpointId id = 0;
  std::int64_t timestamp_ms = 0;
  SnapshotKind kind = SnapshotKind::kCheckpoint;
  AfterBarrier then = AfterBarrier::kGoOn;
};
/// Nothing follows on this channel.
struct EndOfInput {};

/// Everything that travels in-band through a channel.
using Element = std::variant<BatchPtr, Watermark, WatermarkStatus, CheckpointBarrier, EndOfInput>;

std::size_t size_bytes(const Element& element);

}  // namespace flott
