#pragma once

#include "runtime/operator.h"
#include "types/value.h"
#include "types/window.h"

#include <memory>
#include <string>
#include <vector>

namespace flott {

/// Which windows a record belongs to. One instance per subtask.
class WindowAssigner {
 public:
  virtual ~WindowAssigner() = default;
  /// Once, before the first record; assigners that count declare their keyed state here.
  virtual void open(OperatorContext& /*context*/) {}
  /// `current_processing_time` is the clock's, read once per record.
  virtual void assign(const Value& value,
                      Timestamp timestamp,
                      Timestamp current_processing_time,
                      std::vector<Window>& out) = 0;
  virtual bool is_event_time() const = 0;
  /// The windows follow from the time alone, without the record: assign() may be given a null
  /// value.
  virtual bool needs_only_time() const { return false; }
  /// Session-like: windows that intersect are merged.
  virtual bool is_merging() const { return false; }
  /// Which of `windows` belong together: each group of two or more is merged into `result`.
  struct Merge {
    Window result;
    std::vector<Window> merged;
  };
  /// The default merges intersecting time windows (touching ones too, as in Flink); `merged` is
  /// then sorted.
  virtual std::vector<Merge> merge(std::vector<Window> windows);
  /// True when merge() is the default one: then a new window is compared with those in flight,
  /// which never intersect each other, and merge() is not called.
  virtual bool merges_intersecting() const { return false; }
  /// Time passes the end of each window, and what it holds goes then. False: it stays until a
  /// trigger purges it.
  virtual bool windows_end() const { return true; }
  virtual bool uses_host() const { return false; }
};

/// Event- and processing-time assigners; sizes, slides and offsets in ms. Throw kInvalidArgument
/// for sizes <= 0 or offsets >= size, in Flink's terms.
enum class TimeCharacteristic { kEventTime, kProcessingTime };
std::unique_ptr<WindowAssigner> make_tumbling_windows(TimeCharacteristic time,
                                                      std::int64_t size_ms,
                                                      std::int64_t offset_ms);
std::unique_ptr<WindowAssigner> make_sliding_windows(TimeCharacteristic time,
                                                     std::int64_t size_ms,
                                                     std::int64_t slide_ms,
                                                     std::int64_t offset_ms);
std::unique_ptr<WindowAssigner> make_session_windows(TimeCharacteristic time, std::int64_t gap_ms);
/// Gap of each element in ms; called with the host's lock held.
class SessionGapExtractor {
 public:
  virtual ~SessionGapExtractor() = default;
  virtual std::int64_t extract(const Value& value) = 0;
};
std::unique_ptr<WindowAssigner> make_dynamic_session_windows(
    TimeCharacteristic time, std::unique_ptr<SessionGapExtractor> gap);
std::unique_ptr<WindowAssigner> make_global_windows();

/// PyFlink's count_window(size) and count_window(size, slide): windows of `size` records of a key,
/// one every `slide` records. A window has its number in `start` (slide: the window of records [n *
/// slide, n * slide + size)), so the first window fires when it is full, and an incomplete rest
/// never does. Use with make_count_window_trigger(size) (windows/trigger.h).
std::unique_ptr<WindowAssigner> make_count_tumbling_windows(std::int64_t size);
std::unique_ptr<WindowAssigner> make_count_sliding_windows(std::int64_t size, std::int64_t slide);

/// Start of the window of `size_ms` that holds `timestamp`; Flink's getWindowStartWithOffset with
/// floor semantics for negative timestamps and offsets.
Timestamp window_start_with_offset(Timestamp timestamp,
                                   std::int64_t offset_ms,
                                   std::int64_t size_ms);

}  // namespace flott
