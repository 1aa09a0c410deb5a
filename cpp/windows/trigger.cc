#include "windows/trigger.h"

#include "base/error.h"

#include <utility>

namespace flott {
namespace {

/// Ends with the window, in event time.
class EventTimeTrigger final : public Trigger {
 public:
  TriggerResult on_element(const Value& /*value*/,
                           Timestamp /*timestamp*/,
                           const Window& window,
                           TriggerContext& context) override {
    if (window.max_timestamp() <= context.current_watermark()) {
      return TriggerResult::kFire;
    }
    context.register_timer(TimeDomain::kEventTime, window.max_timestamp());
    return TriggerResult::kContinue;
  }
  TriggerResult on_processing_time(Timestamp /*time*/,
                                   const Window& /*window*/,
                                   TriggerContext& /*context*/) override {
    return TriggerResult::kContinue;
  }
  TriggerResult on_event_time(Timestamp time,
                              const Window& window,
                              TriggerContext& /*context*/) override {
    return time == window.max_timestamp() ? TriggerResult::kFire : TriggerResult::kContinue;
  }
  std::optional<TimeDomain> registers_only_window_end() const override {
    return TimeDomain::kEventTime;
  }
  bool can_merge() const override { return true; }
  void on_merge(const Window& window,
                const std::vector<Window>& /*merged*/,
                TriggerContext& context) override {
    // Otherwise on_element fires the merged window at once.
    if (window.max_timestamp() > context.current_watermark()) {
      context.register_timer(TimeDomain::kEventTime, window.max_timestamp());
    }
  }
  void clear(const Window& window, TriggerContext& context) override {
    context.delete_timer(TimeDomain::kEventTime, window.max_timestamp());
  }
};

/// Ends with the window, in processing time.
class ProcessingTimeTrigger final : public Trigger {
 public:
  TriggerResult on_element(const Value& /*value*/,
                           Timestamp /*timestamp*/,
                           const Window& window,
                           TriggerContext& context) override {
    context.register_timer(TimeDomain::kProcessingTime, window.max_timestamp());
    return TriggerResult::kContinue;
  }
  TriggerResult on_processing_time(Timestamp /*time*/,
                                   const Window& /*window*/,
                                   TriggerContext& /*context*/) override {
    return TriggerResult::kFire;
  }
  TriggerResult on_event_time(Timestamp /*time*/,
                              const Window& /*window*/,
                              TriggerContext& /*context*/) override {
    return TriggerResult::kContinue;
  }
  std::optional<TimeDomain> registers_only_window_end() const override {
    return TimeDomain::kProcessingTime;
  }
  bool can_merge() const override { return true; }
  void on_merge(const Window& window,
                const std::vector<Window>& /*merged*/,
                TriggerContext& context) override {
    if (window.max_timestamp() > context.current_processing_time()) {
      context.register_timer(TimeDomain::kProcessingTime, window.max_timestamp());
    }
  }
  void clear(const Window& window, TriggerContext& context) override {
    context.delete_timer(TimeDomain::kProcessingTime, window.max_timestamp());
  }
};

class NeverTrigger final : public Trigger {
 public:
  bool never_fires() const override { return true; }
  TriggerResult on_element(const Value& /*value*/,
                           Timestamp /*timestamp*/,
                           const Window& /*window*/,
                           TriggerContext& /*context*/) override {
    return TriggerResult::kContinue;
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
  void clear(const Window& /*window*/, TriggerContext& /*context*/) override {}
};

class PurgingTrigger final : public Trigger {
 public:
  explicit PurgingTrigger(std::unique_ptr<Trigger> nested) : nested_(std::move(nested)) {}

  TriggerResult on_element(const Value& value,
                           Timestamp timestamp,
                           const Window& window,
                           TriggerContext& context) override {
    return purging(nested_->on_element(value, timestamp, window, context));
  }
  TriggerResult on_processing_time(Timestamp time,
                                   const Window& window,
                                   TriggerContext& context) override {
    return purging(nested_->on_processing_time(time, window, context));
  }
  TriggerResult on_event_time(Timestamp time,
                              const Window& window,
                              TriggerContext& context) override {
    return purging(nested_->on_event_time(time, window, context));
  }
  std::optional<TimeDomain> registers_only_window_end() const override {
    return nested_->registers_only_window_end();
  }
  bool only_counts() const override { return nested_->only_counts(); }
  bool never_fires() const override { return nested_->never_fires(); }
  bool can_merge() const override { return nested_->can_merge(); }
  void on_merge(const Window& window,
                const std::vector<Window>& merged,
                TriggerContext& context) override {
    nested_->on_merge(window, merged, context);
  }
  void clear(const Window& window, TriggerContext& context) override {
    nested_->clear(window, context);
  }
  bool uses_host() const override { return nested_->uses_host(); }

 private:
  static TriggerResult purging(TriggerResult result) {
    return fires(result) ? TriggerResult::kFireAndPurge : result;
  }
  std::unique_ptr<Trigger> nested_;
};

}  // namespace

std::unique_ptr<Trigger> make_event_time_trigger() {
  return std::make_unique<EventTimeTrigger>();
}

std::unique_ptr<Trigger> make_processing_time_trigger() {
  return std::make_unique<ProcessingTimeTrigger>();
}

std::unique_ptr<Trigger> make_never_trigger() {
  return std::make_unique<NeverTrigger>();
}

std::unique_ptr<Trigger> make_purging_trigger(std::unique_ptr<Trigger> nested) {
  return std::make_unique<PurgingTrigger>(std::move(nested));
}

std::unique_ptr<Trigger> make_count_window_trigger(std::int64_t size) {
  return make_purging_trigger(make_count_trigger(size));
}

}  // namespace flott
