#include "windows/assigner.h"

#include "base/error.h"
#include "windows/saturating.h"

#include <algorithm>
#include <string_view>
#include <utility>

namespace flott {

Timestamp window_start_with_offset(Timestamp timestamp,
                                   std::int64_t offset_ms,
                                   std::int64_t size_ms) {
  // Remainders first: timestamp - offset itself may overflow.
  std::int64_t remainder = (timestamp % size_ms - offset_ms % size_ms) % size_ms;
  if (remainder < 0) {
    remainder += size_ms;
  }
  return saturating_subtract(timestamp, remainder);
}

std::vector<WindowAssigner::Merge> WindowAssigner::merge(std::vector<Window> windows) {
  std::sort(windows.begin(), windows.end());
  windows.erase(std::unique(windows.begin(), windows.end()), windows.end());
  std::vector<Merge> merges;
  std::size_t begin = 0;
  while (begin < windows.size()) {
    Window result = windows[begin];
    std::size_t end = begin + 1;
    while (end < windows.size() && result.intersects(windows[end])) {
      result = result.cover(windows[end]);
      ++end;
    }
    if (end - begin > 1) {
      merges.push_back({std::move(result),
                        {windows.begin() + static_cast<std::ptrdiff_t>(begin),
                         windows.begin() + static_cast<std::ptrdiff_t>(end)}});
    }
    begin = end;
  }
  return merges;
}

namespace {

bool is_event(TimeCharacteristic time) {
  return time == TimeCharacteristic::kEventTime;
}

Timestamp require_timestamp(Timestamp timestamp) {
  if (timestamp == kNoTimestamp) [[unlikely]] {
    throw Error(ErrorKind::kInvalidArgument,
                "a record without a timestamp reached an event-time window; call "
                "assign_timestamps_and_watermarks(...) before the window, or use "
                "processing-time windows");
  }
  return timestamp;
}

bool offset_fits(std::int64_t offset_ms, std::int64_t period_ms) {
  return period_ms > 0 && offset_ms > -period_ms && offset_ms < period_ms;
}

class TumblingWindows final : public WindowAssigner {
 public:
  TumblingWindows(TimeCharacteristic time, std::int64_t size_ms, std::int64_t offset_ms)
      : event_time_(is_event(time)), size_ms_(size_ms), offset_ms_(offset_ms) {}

  void assign(const Value& /*value*/,
              Timestamp timestamp,
              Timestamp current_processing_time,
              std::vector<Window>& out) override {
    const Timestamp time = event_time_ ? require_timestamp(timestamp) : current_processing_time;
    // Neighbouring records mostly share a window: no division for them.
    if (time < last_.start || time >= last_.end) {
      last_.start = window_start_with_offset(time, offset_ms_, size_ms_);
      last_.end = saturating_add(last_.start, size_ms_);
    }
    out.push_back(last_);
  }
  bool is_event_time() const override { return event_time_; }
  bool needs_only_time() const override { return true; }

 private:
  bool event_time_;
  std::int64_t size_ms_;
  std::int64_t offset_ms_;
  Window last_;  ///< empty at first: holds no time
};

class SlidingWindows final : public WindowAssigner {
 public:
  SlidingWindows(TimeCharacteristic time,
                 std::int64_t size_ms,
                 std::int64_t slide_ms,
                 std::int64_t offset_ms)
      : event_time_(is_event(time)),
        size_ms_(size_ms),
        slide_ms_(slide_ms),
        offset_ms_(offset_ms) {}

  void assign(const Value& /*value*/,
              Timestamp timestamp,
              Timestamp current_processing_time,
              std::vector<Window>& out) override {
    const Timestamp time = event_time_ ? require_timestamp(timestamp) : current_processing_time;
    const Timestamp after = saturating_subtract(time, size_ms_);
    // The latest window first, as in Flink.
    for (Timestamp start = window_start_with_offset(time, offset_ms_, slide_ms_); start > after;
         start = saturating_subtract(start, slide_ms_)) {
      out.push_back({start, saturating_add(start, size_ms_), {}});
    }
  }
  bool is_event_time() const override { return event_time_; }
  bool needs_only_time() const override { return true; }

 private:
  bool event_time_;
  std::int64_t size_ms_;
  std::int64_t slide_ms_;
  std::int64_t offset_ms_;
};

class SessionWindows final : public WindowAssigner {
 public:
  SessionWindows(TimeCharacteristic time,
                 std::int64_t gap_ms,
                 std::unique_ptr<SessionGapExtractor> extractor)
      : event_time_(is_event(time)), gap_ms_(gap_ms), extractor_(std::move(extractor)) {}

  void assign(const Value& value,
              Timestamp timestamp,
              Timestamp current_processing_time,
              std::vector<Window>& out) override {
    const Timestamp time = event_time_ ? require_timestamp(timestamp) : current_processing_time;
    std::int64_t gap_ms = gap_ms_;
    if (extractor_ != nullptr) {
      gap_ms = extractor_->extract(value);
      if (gap_ms <= 0) {
        throw_error(ErrorKind::kUserCode,
                    "the session gap extractor returned {} ms for {}; a dynamic session gap must "
                    "be greater than 0",
                    gap_ms,
                    value.to_string());
      }
    }
    out.push_back({time, saturating_add(time, gap_ms), {}});
  }
  bool is_event_time() const override { return event_time_; }
  bool is_merging() const override { return true; }
  bool merges_intersecting() const override { return true; }
  bool uses_host() const override { return extractor_ != nullptr; }

 private:
  bool event_time_;
  std::int64_t gap_ms_;
  std::unique_ptr<SessionGapExtractor> extractor_;  ///< null: the gap is static
};

class GlobalWindows final : public WindowAssigner {
 public:
  void assign(const Value& /*value*/,
              Timestamp /*timestamp*/,
              Timestamp /*current_processing_time*/,
              std::vector<Window>& out) override {
    out.push_back(Window::global());
  }
  bool is_event_time() const override { return false; }
  bool windows_end() const override { return false; }
};

/// Numbers the records of a key; window n has the records [n * slide, n * slide + size).
class CountWindows final : public WindowAssigner {
 public:
  CountWindows(const char* state_name, std::int64_t size, std::int64_t slide)
      : state_name_(state_name), size_(size), slide_(slide) {}

  void open(OperatorContext& context) override {
    StateDescriptor descriptor;
    descriptor.name = state_name_;
    descriptor.value_type = LogicalType::of(TypeKind::kBigInt);
    count_ = &context.keyed_state().value_state(descriptor);
  }

  void assign(const Value& /*value*/,
              Timestamp /*timestamp*/,
              Timestamp /*current_processing_time*/,
              std::vector<Window>& out) override {
    STREAM_DCHECK(count_ != nullptr, "count windows were not opened");
    const Value seen = count_->value();
    const std::int64_t record = seen.is_null() ? 0 : seen.as_int();
    count_->update(Value::integer(record + 1));
    for (std::int64_t id = record / slide_; id >= 0 && record < id * slide_ + size_; --id) {
      out.push_back({id, kMaxTimestamp, {}});
    }
  }
  bool is_event_time() const override { return false; }
  bool windows_end() const override { return false; }

 private:
  const char* state_name_;
  std::int64_t size_;
  std::int64_t slide_;
  ValueState* count_ = nullptr;
};

std::string_view prefix_of(TimeCharacteristic time) {
  return is_event(time) ? "EventTime" : "ProcessingTime";
}

}  // namespace

std::unique_ptr<WindowAssigner> make_tumbling_windows(TimeCharacteristic time,
                                                      std::int64_t size_ms,
                                                      std::int64_t offset_ms) {
  if (!offset_fits(offset_ms, size_ms)) {
    throw_error(ErrorKind::kInvalidArgument,
                "Tumbling{}Windows parameters must satisfy abs(offset) < size, got size {} ms and "
                "offset {} ms",
                prefix_of(time),
                size_ms,
                offset_ms);
  }
  return std::make_unique<TumblingWindows>(time, size_ms, offset_ms);
}

std::unique_ptr<WindowAssigner> make_sliding_windows(TimeCharacteristic time,
                                                     std::int64_t size_ms,
                                                     std::int64_t slide_ms,
                                                     std::int64_t offset_ms) {
  if (size_ms <= 0 || !offset_fits(offset_ms, slide_ms)) {
    throw_error(ErrorKind::kInvalidArgument,
                "Sliding{}Windows parameters must satisfy abs(offset) < slide and size > 0, got "
                "size {} ms, slide {} ms and offset {} ms",
                prefix_of(time),
                size_ms,
                slide_ms,
                offset_ms);
  }
  return std::make_unique<SlidingWindows>(time, size_ms, slide_ms, offset_ms);
}

std::unique_ptr<WindowAssigner> make_session_windows(TimeCharacteristic time, std::int64_t gap_ms) {
  if (gap_ms <= 0) {
    throw_error(ErrorKind::kInvalidArgument,
                "{}SessionWindows parameters must satisfy 0 < size, got a gap of {} ms",
                prefix_of(time),
                gap_ms);
  }
  return std::make_unique<SessionWindows>(time, gap_ms, nullptr);
}

std::unique_ptr<WindowAssigner> make_dynamic_session_windows(
    TimeCharacteristic time, std::unique_ptr<SessionGapExtractor> gap) {
  return std::make_unique<SessionWindows>(time, 0, std::move(gap));
}

std::unique_ptr<WindowAssigner> make_global_windows() {
  return std::make_unique<GlobalWindows>();
}

std::unique_ptr<WindowAssigner> make_count_tumbling_windows(std::int64_t size) {
  if (size <= 0) {
    throw_error(
        ErrorKind::kInvalidArgument, "count_window(size) must satisfy 0 < size, got {}", size);
  }
  return std::make_unique<CountWindows>("tumble-count-assigner", size, size);
}

std::unique_ptr<WindowAssigner> make_count_sliding_windows(std::int64_t size, std::int64_t slide) {
  if (size <= 0 || slide <= 0) {
    throw_error(ErrorKind::kInvalidArgument,
                "count_window(size, slide) must satisfy 0 < size and 0 < slide, got size {} and "
                "slide {}",
                size,
                slide);
  }
  return std::make_unique<CountWindows>("slide-count-assigner", size, slide);
}

}  // namespace flott
