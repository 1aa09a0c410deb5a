#pragma once

#include "runtime/event_time_board.h"
#include "runtime/operator.h"

#include <optional>
#include <string>
#include <vector>

namespace flott {

/// Notices that the windows or event-time timers of one operator wait in vain, and says why and
/// what to do. It is asked every few seconds (kIntervalMs) and only compares with what it saw
/// before: no work per record. A plain object without threads or a clock of its own; Task has one
/// for each operator that can wait.
///
/// Each cause is told once. A watermark that stands still is told again when it has risen in
/// between, each time after twice the patience, so that a stream with pauses does not fill the log.
class StallWatch {
 public:
  static constexpr std::int64_t kIntervalMs = 5'000;
  static constexpr std::int64_t kPatienceMs = 10'000;

  /// `what` names operator and subtask: "operator 'Window', subtask 1/2".
  explicit StallWatch(std::string what) : what_(std::move(what)) {}

  struct Line {
    std::string cause;  ///< the same for all subtasks that would say the same
    std::string text;
  };
  /// `wait` is what the operator holds, at its `watermark`, after `records` records; `origins` are
  /// those that the watermark comes from. Returns what to log.
  std::vector<Line> look(Timestamp now,
                         const EventTimeWait& wait,
                         Timestamp watermark,
                         std::int64_t records,
                         const std::vector<WatermarkOrigin>& origins);
  /// The input has ended: what is worth a line although nothing waits any more.
  std::vector<Line> look_at_end(Timestamp now, const EventTimeWait& wait);

 private:
  void look_at_unit(Timestamp now, const EventTimeWait& wait, std::vector<Line>& out);
  void look_at_late(Timestamp now,
                    const EventTimeWait& wait,
                    Timestamp watermark,
                    std::int64_t records,
                    std::vector<Line>& out);
  void look_at_never(const EventTimeWait& wait, std::vector<Line>& out);
  /// Nothing fires for so long that it should be told now.
  bool is_stalled(Timestamp now, const EventTimeWait& wait, Timestamp watermark);
  std::optional<std::string> why_stalled(Timestamp now,
                                         const EventTimeWait& wait,
                                         Timestamp watermark,
                                         const std::vector<WatermarkOrigin>& origins) const;

  const std::string what_;
  Timestamp since_ = kNoTimestamp;  ///< first seen waiting like this; kNoTimestamp: not waiting
  Timestamp watermark_ = kMinWatermark;
  std::int64_t fired_ = 0;
  std::int64_t patience_ms_ = kPatienceMs;
  bool told_stall_ = false;
  bool told_unit_ = false;
  bool told_late_ = false;
  bool told_never_ = false;
};

/// The timestamp is one in seconds, taken for milliseconds: as seconds it lies within some years of
/// `now`, as milliseconds in January 1970.
bool looks_like_seconds(Timestamp timestamp, Timestamp now);

/// "2026-01-31T12:00:00.000Z (1769860800000)", or "none yet".
std::string describe_time(Timestamp timestamp);

}  // namespace flott
