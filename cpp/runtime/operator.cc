#include "runtime/operator.h"

#include "base/error.h"

namespace flott {

void Operator::process_batch(const BatchPtr& batch, int input, Output& out) {
  const std::int64_t rows = batch->num_rows();
  const KeyColumn* keys = batch->keys().get();
  KeyedStateBackend* keyed =
      context_ != nullptr && context_->is_keyed() ? &context_->keyed_state() : nullptr;
  for (std::int64_t row = 0; row < rows; ++row) {
    Key key;
    Record record{batch->value_at(row), batch->timestamp_at(row), batch->kind_at(row), nullptr};
    if (keys != nullptr) {
      key = keys->at(static_cast<std::size_t>(row));
      record.key = &key;
      if (keyed != nullptr) {
        keyed->set_current_key(key);
      }
    }
    process(std::move(record), input, out);
  }
}

bool Operator::process_watermark(Timestamp watermark, std::int64_t deadline_ns, Output& out) {
  if (!context().is_keyed()) {
    return true;
  }
  return context().timers().advance_watermark(
      watermark,
      deadline_ns,
      [this, &out](TimeDomain domain, Timestamp time, const Window& window) {
        on_timer(domain, time, window, out);
      });
}

EventTimeWait Operator::waiting() const {
  EventTimeWait wait;
  if (context().is_keyed()) {
    const TimerService& timers = context().timers();
    wait.held = static_cast<std::int64_t>(timers.size(TimeDomain::kEventTime));
    wait.first_due = timers.next_event_time();
  }
  return wait;
}

void Operator::on_timer(TimeDomain /*domain*/,
                        Timestamp time,
                        const Window& /*window*/,
                        Output& /*out*/) {
  throw_error(ErrorKind::kInternal,
              "operator '{}' has a timer at {} but no on_timer",
              context().operator_name(),
              time);
}

}  // namespace flott
