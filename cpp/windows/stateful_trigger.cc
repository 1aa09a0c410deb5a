#include "base/error.h"
#include "windows/saturating.h"
#include "windows/trigger.h"

#include <algorithm>
#include <memory>
#include <utility>

namespace flott {
namespace {

/// Reducing states of the triggers; integers only.
template <typename Combine>
class IntegerReduce final : public ReduceFunction {
 public:
  explicit IntegerReduce(Combine combine) : combine_(combine) {}
  Value reduce(const Value& accumulated, const Value& value) override {
    return Value::integer(combine_(accumulated.as_int(), value.as_int()));
  }

 private:
  Combine combine_;
};

/// One reducing state per window: what count and continuous triggers remember.
class TriggerState {
 public:
  template <typename Combine>
  TriggerState(const char* name, Combine combine) {
    descriptor_.kind = StateKind::kReducing;
    descriptor_.name = name;
    descriptor_.value_type = LogicalType::of(TypeKind::kBigInt);
    descriptor_.reduce = std::make_shared<IntegerReduce<Combine>>(combine);
    descriptor_.ends_by_itself = true;  // goes with the window; if that stays, its contents tell
  }

  /// The state of the context's window. One trigger serves one backend: looked up by name once.
  AppendingState& of(TriggerContext& context) {
    if (state_ == nullptr) {
      state_ = &context.state_backend().appending_state(descriptor_);
    }
    state_->set_namespace(context.window());
    return *state_;
  }
  void merge(const std::vector<Window>& merged, TriggerContext& context) {
    of(context).merge_namespaces(context.window(), merged);
  }

 private:
  StateDescriptor descriptor_;
  AppendingState* state_ = nullptr;
};

class CountTrigger final : public Trigger {
 public:
  explicit CountTrigger(std::int64_t max_count) : max_count_(max_count) {}

  bool only_counts() const override { return true; }

  TriggerResult on_element(const Value& /*value*/,
                           Timestamp /*timestamp*/,
                           const Window& /*window*/,
                           TriggerContext& context) override {
    AppendingState& count = count_.of(context);
    count.add(Value::integer(1));
    if (count.get().as_int() < max_count_) {
      return TriggerResult::kContinue;
    }
    count.clear();
    return TriggerResult::kFire;
  }
  TriggerResult on_processing_time(Timestamp /*time*/,
                                   const Window& /*window*/,
                                   TriggerContext& /*context*/) override {
    return TriggerResult::kContinue;
  }
  TriggerResult on_event_time(Timestamp /*time*/,
                              const Window& /*window*/,
                              TriggerContext& /*context*/) override {
    return TriggerResult::kContinue;
  }
  bool can_merge() const override { return true; }
  void on_merge(const Window& /*window*/,
                const std::vector<Window>& merged,
                TriggerContext& context) override {
    count_.merge(merged, context);
  }
  void clear(const Window& /*window*/, TriggerContext& context) override {
    count_.of(context).clear();
  }

 private:
  std::int64_t max_count_;
  TriggerState count_{"trigger-count", [](std::int64_t a, std::int64_t b) { return a + b; }};
};

/// The part that is the same in both domains: the next time to fire, kept in state, on multiples of
/// the interval and at the latest at the window's end.
class ContinuousTrigger : public Trigger {
 public:
  ContinuousTrigger(TimeDomain domain, std::int64_t interval_ms)
      : domain_(domain), interval_ms_(interval_ms) {}

  bool can_merge() const override { return true; }
  void on_merge(const Window& /*window*/,
                const std::vector<Window>& merged,
                TriggerContext& context) override {
    fire_time_.merge(merged, context);
    const Value next = fire_time_.of(context).get();
    if (!next.is_null()) {
      context.register_timer(domain_, next.as_int());
    }
  }
  void clear(const Window& /*window*/, TriggerContext& context) override {
    AppendingState& state = fire_time_.of(context);
    const Value next = state.get();
    if (!next.is_null()) {
      context.delete_timer(domain_, next.as_int());
      state.clear();
    }
  }

 protected:
  /// First record of a window: the next multiple of the interval after `now`.
  void start(Timestamp now, const Window& window, TriggerContext& context) {
    AppendingState& state = fire_time_.of(context);
    if (state.get().is_null()) {
      std::int64_t past = now % interval_ms_;
      past += past < 0 ? interval_ms_ : 0;
      schedule(saturating_subtract(now, past), window, state, context);
    }
  }
  /// True when `time` is the one remembered; the next is scheduled.
  bool is_due(Timestamp time, const Window& window, TriggerContext& context) {
    AppendingState& state = fire_time_.of(context);
    const Value next = state.get();
    if (next.is_null() || next.as_int() != time) {
      return false;
    }
    state.clear();
    schedule(time, window, state, context);
    return true;
  }

 private:
  void schedule(Timestamp from,
                const Window& window,
                AppendingState& state,
                TriggerContext& context) {
    const Timestamp next = std::min(saturating_add(from, interval_ms_), window.max_timestamp());
    state.add(Value::integer(next));
    context.register_timer(domain_, next);
  }

  TimeDomain domain_;
  std::int64_t interval_ms_;
  TriggerState fire_time_{"trigger-fire-time",
                          [](std::int64_t a, std::int64_t b) { return std::min(a, b); }};
};

class ContinuousEventTimeTrigger final : public ContinuousTrigger {
 public:
  explicit ContinuousEventTimeTrigger(std::int64_t interval_ms)
      : ContinuousTrigger(TimeDomain::kEventTime, interval_ms) {}

  TriggerResult on_element(const Value& /*value*/,
                           Timestamp timestamp,
                           const Window& window,
                           TriggerContext& context) override {
    if (window.max_timestamp() <= context.current_watermark()) {
      return TriggerResult::kFire;
    }
    context.register_timer(TimeDomain::kEventTime, window.max_timestamp());
    start(timestamp, window, context);
    return TriggerResult::kContinue;
  }
  TriggerResult on_event_time(Timestamp time,
                              const Window& window,
                              TriggerContext& context) override {
    if (time == window.max_timestamp() || is_due(time, window, context)) {
      return TriggerResult::kFire;
    }
    return TriggerResult::kContinue;
  }
  TriggerResult on_processing_time(Timestamp /*time*/,
                                   const Window& /*window*/,
                                   TriggerContext& /*context*/) override {
    return TriggerResult::kContinue;
  }
};

class ContinuousProcessingTimeTrigger final : public ContinuousTrigger {
 public:
  explicit ContinuousProcessingTimeTrigger(std::int64_t interval_ms)
      : ContinuousTrigger(TimeDomain::kProcessingTime, interval_ms) {}

  TriggerResult on_element(const Value& /*value*/,
                           Timestamp /*timestamp*/,
                           const Window& window,
                           TriggerContext& context) override {
    start(context.current_processing_time(), window, context);
    return TriggerResult::kContinue;
  }
  TriggerResult on_processing_time(Timestamp time,
                                   const Window& window,
                                   TriggerContext& context) override {
    return is_due(time, window, context) ? TriggerResult::kFire : TriggerResult::kContinue;
  }
  TriggerResult on_event_time(Timestamp /*time*/,
                              const Window& /*window*/,
                              TriggerContext& /*context*/) override {
    return TriggerResult::kContinue;
  }
};

std::int64_t require_interval(std::int64_t interval_ms) {
  if (interval_ms <= 0) {
    throw_error(ErrorKind::kInvalidArgument,
                "the interval of a continuous trigger must be greater than 0, got {} ms",
                interval_ms);
  }
  return interval_ms;
}

}  // namespace

std::unique_ptr<Trigger> make_count_trigger(std::int64_t max_count) {
  if (max_count <= 0) {
    throw_error(
        ErrorKind::kInvalidArgument, "CountTrigger must count to more than 0, got {}", max_count);
  }
  return std::make_unique<CountTrigger>(max_count);
}

std::unique_ptr<Trigger> make_continuous_event_time_trigger(std::int64_t interval_ms) {
  return std::make_unique<ContinuousEventTimeTrigger>(require_interval(interval_ms));
}

std::unique_ptr<Trigger> make_continuous_processing_time_trigger(std::int64_t interval_ms) {
  return std::make_unique<ContinuousProcessingTimeTrigger>(require_interval(interval_ms));
}

}  // namespace flott
