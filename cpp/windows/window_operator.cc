#include "windows/window_operator.h"

#include "base/error.h"
#include "operators/output_collector.h"
#include "windows/merging_window_set.h"
#include "windows/saturating.h"
#include "windows/window_contents.h"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

namespace flott {
namespace {

/// So many windows without a single firing are no accident of the data.
constexpr std::int64_t kManyUnfired = 10;

/// The window that triggers and functions are asked about, and what they may use.
class WindowScope final : public TriggerContext, public WindowFunctionContext {
 public:
  void open(OperatorContext& context, bool is_merging) {
    context_ = &context;
    state_ = &context.keyed_state();
    timers_ = &context.timers();
    is_merging_ = is_merging;
  }
  void enter(const Window& window) { window_ = window; }

  Timestamp current_processing_time() const override { return context_->clock().now_ms(); }
  Timestamp current_watermark() const override { return timers_->current_watermark(); }
  void register_timer(TimeDomain domain, Timestamp time) override {
    timers_->register_timer(domain, window_, time);
  }
  void delete_timer(TimeDomain domain, Timestamp time) override {
    timers_->delete_timer(domain, window_, time);
  }
  KeyedStateBackend& state_backend() override { return *state_; }
  const Window& window() const override { return window_; }
  bool is_merging() const override { return is_merging_; }
  const Value& current_key() const override { return state_->current_key(); }
  MetricGroup& metrics() override { return context_->metrics(); }

 private:
  OperatorContext* context_ = nullptr;
  KeyedStateBackend* state_ = nullptr;
  TimerService* timers_ = nullptr;
  Window window_;
  bool is_merging_ = false;
};

/// Semantics of Flink's WindowOperator and EvictingWindowOperator. A record is added to the
/// contents of each of its windows, the trigger decides, and a clean-up timer ends the window: at
/// its last timestamp, in event time plus the allowed lateness. A timer of a window belongs to the
/// window itself, contents to its state window.
class WindowOperator final : public Operator {
 public:
  explicit WindowOperator(WindowOperatorOptions options)
      : options_(std::move(options)),
        domain_(options_.assigner->is_event_time() ? TimeDomain::kEventTime
                                                   : TimeDomain::kProcessingTime),
        window_end_trigger_(options_.trigger->registers_only_window_end()),
        reads_clock_(domain_ == TimeDomain::kProcessingTime || options_.assigner->uses_host()),
        takes_columns_(options_.takes_batches && options_.evictor == nullptr &&
                       window_end_trigger_.has_value() && options_.assigner->needs_only_time() &&
                       dynamic_cast<InPlaceAggregateFunction*>(options_.aggregate.get()) !=
                           nullptr),
        on_merge_([this](const Window& result,
                         const std::vector<Window>& merged,
                         const Window& state_window,
                         const std::vector<Window>& merged_state_windows) {
          merge(result, merged, state_window, merged_state_windows);
        }) {}

  Granularity granularity() const override {
    return options_.takes_batches && !uses_host() ? Granularity::kBatch : Granularity::kRow;
  }
  bool uses_host() const override {
    return options_.takes_host_values || options_.assigner->uses_host() ||
           options_.trigger->uses_host() ||
           (options_.function != nullptr && options_.function->uses_host()) ||
           (options_.reduce_life_cycle != nullptr && options_.reduce_life_cycle->uses_host());
  }

  void open(OperatorContext& context) override {
    KeyedStateBackend& backend = context.keyed_state();
    clock_ = &context.clock();
    state_ = &backend;
    timers_ = &context.timers();
    late_records_dropped_ = &context.metrics().counter("numLateRecordsDropped");
    windows_.open(*options_.assigner, backend);
    scope_.open(context, windows_.is_merging());
    contents_.open({options_.reduce,
                    options_.aggregate,
                    options_.evictor != nullptr,
                    options_.element_type,
                    options_.accumulator_type,
                    options_.assigner->windows_end()},
                   backend);
    options_.assigner->open(context);
    if (options_.reduce_life_cycle != nullptr) {
      options_.reduce_life_cycle->open(context);
    }
    if (options_.function != nullptr) {
      options_.function->open(context);
    }
  }

  void process(Record&& record, int /*input*/, Output& out) override {
    note(record.timestamp);
    assigned_.clear();
    options_.assigner->assign(
        record.value, record.timestamp, reads_clock_ ? clock_->now_ms() : kMinTimestamp, assigned_);
    windows_.load();
    bool is_skipped = true;
    for (const Window& assigned : assigned_) {
      const Window window = windows_.add_window(assigned, on_merge_);
      if (is_window_late(window)) {
        windows_.retire(window);
        continue;
      }
      is_skipped = false;
      add(record, window, out);
    }
    windows_.persist();
    if (is_skipped && is_record_late(record)) {
      drop_late(std::move(record), out);
    }
  }

  void process_batch(const BatchPtr& batch, int input, Output& out) override {
    if (!takes_columns_ || batch->keys() == nullptr || *batch->type() != *options_.element_type) {
      Operator::process_batch(batch, input, out);
      return;
    }
    const Timestamp now = reads_clock_ ? clock_->now_ms() : kMinTimestamp;
    for (std::int64_t row = 0; row < batch->num_rows(); ++row) {
      note(batch->timestamp_at(row));
      assigned_.clear();
      options_.assigner->assign(Value(), batch->timestamp_at(row), now, assigned_);
      const Key key = batch->keys()->at(static_cast<std::size_t>(row));
      state_->set_current_key(key);
      bool is_skipped = true;
      for (const Window& window : assigned_) {
        if (!is_window_late(window)) {
          is_skipped = false;
          add_row(batch, row, window, out);
        }
      }
      if (is_skipped) {
        Record record{batch->value_at(row), batch->timestamp_at(row), batch->kind_at(row), &key};
        if (is_record_late(record)) {
          drop_late(std::move(record), out);
        }
      }
    }
  }

  void on_timer(TimeDomain domain, Timestamp time, const Window& window, Output& out) override {
    windows_.load();
    const Window* state_window = windows_.state_window(window);
    if (state_window == nullptr) {
      windows_.persist();
      return;  // a trigger left a timer of a window that has been merged away
    }
    scope_.enter(window);
    contents_.select(*state_window);
    fired_at_ = domain == TimeDomain::kEventTime ? time : scope_.window().max_timestamp();
    Trigger& trigger = *options_.trigger;
    obey(domain == TimeDomain::kEventTime
             ? trigger.on_event_time(time, scope_.window(), scope_)
             : trigger.on_processing_time(time, scope_.window(), scope_),
         out);
    if (domain == domain_ && time == cleanup_time(scope_.window())) {
      remove_window();
    }
    windows_.persist();
  }

  bool prepare_snapshot(CheckpointId /*id*/, Output& /*out*/) override {
    windows_.flush();
    return true;
  }

  EventTimeWait waiting() const override {
    EventTimeWait wait = Operator::waiting();
    wait.held_what = window_end_trigger_.has_value() && options_.allowed_lateness_ms == 0
                         ? "window"
                         : "window timer";
    wait.largest_timestamp = domain_ == TimeDomain::kEventTime ? largest_timestamp_ : kNoTimestamp;
    wait.fired = firings_;
    wait.late = late_records_dropped_->get();
    wait.never = why_never();
    return wait;
  }

  bool finish(Output& /*out*/) override {
    end_of_input();
    windows_.flush();  // the state of an ended task is kept without prepare_snapshot()
    return true;
  }

  void close() override {
    if (options_.function != nullptr) {
      options_.function->close();
    }
    if (options_.reduce_life_cycle != nullptr) {
      options_.reduce_life_cycle->close();
    }
  }

 private:
  void note(Timestamp timestamp) {
    has_records_ = true;
    largest_timestamp_ = std::max(largest_timestamp_, timestamp);
  }

  void add(const Record& record, const Window& window, Output& out) {
    const Window* state_window = windows_.state_window(window);
    STREAM_CHECK(
        state_window != nullptr, "window [{}, {}) is not in flight", window.start, window.end);
    contents_.select(*state_window);
    const bool has_timers = has_its_timers(window);
    contents_.add(record.value, record.timestamp);
    if (has_timers) {
      return;
    }
    scope_.enter(window);
    fired_at_ = record.timestamp;
    obey(options_.trigger->on_element(record.value, record.timestamp, scope_.window(), scope_),
         out);
    register_cleanup_timer();
  }

  /// As add(), of a row whose windows do not merge.
  void add_row(const BatchPtr& batch, std::int64_t row, const Window& window, Output& out) {
    contents_.select(window);
    const bool had_contents = contents_.add_row(*batch, row);
    if (had_contents && !trigger_is_due(window)) {
      return;
    }
    scope_.enter(window);
    fired_at_ = batch->timestamp_at(row);
    obey(options_.trigger->on_element(
             batch->value_at(row), batch->timestamp_at(row), scope_.window(), scope_),
         out);
    register_cleanup_timer();
  }

  /// True when the trigger would do nothing for one more record but register a timer that exists:
  /// whoever put the first record into the contents registered that timer and the clean-up timer,
  /// and both stay until the contents are cleared. (A merged window has older contents than timers,
  /// so this never holds for those.)
  bool has_its_timers(const Window& window) {
    if (!window_end_trigger_.has_value() || windows_.is_merging()) {
      return false;
    }
    return !trigger_is_due(window) && !contents_.is_empty();
  }
  /// The trigger, which only waits for the end of the window, has nothing left to wait for.
  bool trigger_is_due(const Window& window) const {
    return *window_end_trigger_ == TimeDomain::kEventTime &&
           window.max_timestamp() <= timers_->current_watermark();
  }

  /// Why no window has fired and none will.
  std::string why_never() const {
    if (firings_ > 0 || !has_records_) {
      return {};
    }
    if (options_.trigger->never_fires()) {
      return "its windows never fire: global windows without a trigger wait for ever. Add "
             "trigger(CountTrigger.of(...)) or another one, or use count_window(...)";
    }
    if (ended_unfired_ >= kManyUnfired) {
      return fmt::format(
          "{} windows have ended and the trigger has not fired for any of them, so they gave no "
          "result. Return TriggerResult.FIRE from its on_element(), on_event_time() or "
          "on_processing_time(), and register the timer that calls the latter",
          ended_unfired_);
    }
    return {};
  }

  /// What is dropped without a result, as in Flink, is counted; the job says so in the end.
  void end_of_input() {
    if (context().batch_mode()) {
      return;
    }
    const auto waiting = static_cast<std::int64_t>(timers_->size(TimeDomain::kProcessingTime));
    if (domain_ == TimeDomain::kProcessingTime && waiting > 0) {
      context().metrics().counter(kWindowsDroppedAtEnd).inc(waiting);
    }
    if (options_.trigger->only_counts() && firings_ == 0 && has_records_) {
      MetricGroup& metrics = context().metrics();
      metrics.counter(kRecordsInNoFullWindow).inc(metrics.counter("numRecordsIn").get());
    }
  }

  /// For the window of the scope, its contents selected.
  void obey(TriggerResult result, Output& out) {
    if (fires(result)) {
      fire(out);
    }
    if (purges(result)) {
      contents_.clear();
    }
  }

  void fire(Output& out) {
    ++firings_;
    if (options_.evictor != nullptr) {
      fire_evicting(out);
      return;
    }
    std::vector<Value> elements = contents_.elements();
    if (!elements.empty()) {
      emit(std::move(elements), out);
    }
  }

  void fire_evicting(Output& out) {
    std::vector<TimestampedValue> elements = contents_.timestamped_elements();
    if (elements.empty()) {
      return;
    }
    options_.evictor->evict_before(elements, scope_.window(), scope_);
    if (!elements.empty() || options_.reduce == nullptr) {
      emit(contents_.reduced(elements), out);
    }
    options_.evictor->evict_after(elements, scope_.window(), scope_);
    if (elements.empty()) {
      contents_.clear();
    } else {
      contents_.replace(elements);
    }
  }

  void emit(std::vector<Value> elements, Output& out) {
    OutputCollector collector(out, fired_at_);
    if (options_.function != nullptr) {
      options_.function->process(scope_, std::move(elements), collector);
      return;
    }
    for (Value& value : elements) {
      collector.collect(std::move(value));
    }
  }

  void remove_window() {
    ended_unfired_ += firings_ == 0 ? 1 : 0;
    contents_.clear();
    options_.trigger->clear(scope_.window(), scope_);
    if (options_.function != nullptr) {
      options_.function->clear(scope_);
    }
    windows_.retire(scope_.window());
  }

  void merge(const Window& result,
             const std::vector<Window>& merged,
             const Window& state_window,
             const std::vector<Window>& merged_state_windows) {
    check_merge(result);
    scope_.enter(result);
    options_.trigger->on_merge(result, merged, scope_);
    for (const Window& window : merged) {
      if (window == result) {
        continue;
      }
      scope_.enter(window);
      options_.trigger->clear(window, scope_);
      delete_cleanup_timer();
    }
    if (!merged_state_windows.empty()) {
      contents_.merge(state_window, merged_state_windows);
    }
  }

  /// A custom assigner may merge windows into one that has already ended.
  void check_merge(const Window& result) const {
    const bool is_event_time = domain_ == TimeDomain::kEventTime;
    const Timestamp now = is_event_time ? timers_->current_watermark() : clock_->now_ms();
    const Timestamp end = is_event_time ? cleanup_time(result) : result.max_timestamp();
    if (end <= now) {
      throw_error(ErrorKind::kUserCode,
                  "The end timestamp of {} window cannot become earlier than the current {} by "
                  "merging: the window assigner merged into [{}, {}) at {}",
                  is_event_time ? "an event-time" : "a processing-time",
                  is_event_time ? "watermark" : "processing time",
                  result.start,
                  result.end,
                  now);
    }
  }

  Timestamp cleanup_time(const Window& window) const {
    return domain_ == TimeDomain::kEventTime
               ? saturating_add(window.max_timestamp(), options_.allowed_lateness_ms)
               : window.max_timestamp();
  }
  /// A window that ends never (global, count) has no clean-up timer.
  void register_cleanup_timer() {
    const Timestamp time = cleanup_time(scope_.window());
    if (time != kMaxTimestamp) {
      scope_.register_timer(domain_, time);
    }
  }
  void delete_cleanup_timer() {
    const Timestamp time = cleanup_time(scope_.window());
    if (time != kMaxTimestamp) {
      scope_.delete_timer(domain_, time);
    }
  }

  bool is_window_late(const Window& window) const {
    return domain_ == TimeDomain::kEventTime &&
           cleanup_time(window) <= timers_->current_watermark();
  }
  bool is_record_late(const Record& record) const {
    return domain_ == TimeDomain::kEventTime &&
           saturating_add(record.timestamp, options_.allowed_lateness_ms) <=
               timers_->current_watermark();
  }
  void drop_late(Record&& record, Output& out) {
    if (options_.late_output >= 0) {
      out.emit_side(options_.late_output, std::move(record));
    } else {
      late_records_dropped_->inc();
    }
  }

  WindowOperatorOptions options_;
  const TimeDomain domain_;
  const std::optional<TimeDomain> window_end_trigger_;
  const bool reads_clock_;
  const bool takes_columns_;
  const MergingWindowSet::OnMerge on_merge_;
  MergingWindowSet windows_;
  WindowContents contents_;
  WindowScope scope_;
  std::int64_t firings_ = 0;
  std::int64_t ended_unfired_ = 0;  ///< windows that ended before the first firing
  Timestamp largest_timestamp_ = kNoTimestamp;
  bool has_records_ = false;
  std::vector<Window> assigned_;        ///< reused
  Timestamp fired_at_ = kMinTimestamp;  ///< the timestamp of what the trigger makes us emit
  const Clock* clock_ = nullptr;
  KeyedStateBackend* state_ = nullptr;
  TimerService* timers_ = nullptr;
  Counter* late_records_dropped_ = nullptr;
};

void check_options(const WindowOperatorOptions& options) {
  const auto refuse = [](const char* why) { throw Error(ErrorKind::kInvalidArgument, why); };
  if (options.assigner == nullptr || options.trigger == nullptr) {
    refuse("a window operator needs a window assigner and a trigger");
  }
  if (options.reduce != nullptr && options.aggregate != nullptr) {
    refuse("a window operator takes a reduce or an aggregate function, not both");
  }
  if (options.reduce == nullptr && options.aggregate == nullptr && options.function == nullptr) {
    refuse("a window needs a function: reduce(), aggregate(), apply() or process()");
  }
  if (options.allowed_lateness_ms < 0) {
    throw_error(ErrorKind::kInvalidArgument,
                "The allowed lateness cannot be negative, got {} ms",
                options.allowed_lateness_ms);
  }
  if (options.assigner->is_merging() && !options.trigger->can_merge()) {
    refuse(
        "A merging window assigner cannot be used with a trigger that does not support merging; "
        "let can_merge() of the trigger return True and implement on_merge()");
  }
}

}  // namespace

std::unique_ptr<Operator> make_window_operator(WindowOperatorOptions options) {
  check_options(options);
  return std::make_unique<WindowOperator>(std::move(options));
}

}  // namespace flott
