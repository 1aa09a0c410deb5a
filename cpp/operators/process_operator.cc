#include "operators/process_operator.h"

#include "base/error.h"
#include "operators/output_collector.h"

#include <algorithm>
#include <utility>

namespace flott {
namespace {

/// What the function asks while one record or timer is handled.
class Context final : public ProcessContext {
 public:
  void open(OperatorContext& context) {
    operator_ = &context;
    if (context.is_keyed()) {
      state_ = &context.keyed_state();
      timers_ = &context.timers();
    }
  }

  void enter_element(const Record& record) {
    timestamp_ = record.timestamp;
    domain_ = TimeDomain::kEventTime;
    has_key_ = state_ != nullptr && record.key != nullptr;
  }
  void enter_timer(TimeDomain domain, Timestamp time) {
    timestamp_ = time;
    domain_ = domain;
    has_key_ = true;
  }
  /// Streams without keys have no timer service to ask.
  void set_watermark(Timestamp watermark) { watermark_ = std::max(watermark_, watermark); }
  bool is_keyed() const { return timers_ != nullptr; }

  Timestamp timestamp() const override { return timestamp_; }
  Timestamp current_watermark() const override {
    return timers_ != nullptr ? timers_->current_watermark() : watermark_;
  }
  Timestamp current_processing_time() const override { return operator_->clock().now_ms(); }
  const Value& current_key() const override { return has_key_ ? state_->current_key() : no_key_; }
  TimeDomain time_domain() const override { return domain_; }
  void register_timer(TimeDomain domain, Timestamp time) override {
    timers("registered").register_timer(domain, Window{}, time);
  }
  void delete_timer(TimeDomain domain, Timestamp time) override {
    timers("deleted").delete_timer(domain, Window{}, time);
  }

 private:
  TimerService& timers(const char* done) const {
    if (timers_ == nullptr) {
      throw_error(ErrorKind::kInvalidArgument,
                  "a timer was {} on a stream without keys; timers belong to a key: call key_by() "
                  "before process() (operator '{}')",
                  done,
                  operator_->operator_name());
    }
    if (!has_key_) {
      throw_error(ErrorKind::kInvalidArgument,
                  "a timer was {} while a broadcast element was handled; it has no key: use "
                  "timers in process_element() of the keyed side (operator '{}')",
                  done,
                  operator_->operator_name());
    }
    return *timers_;
  }

  OperatorContext* operator_ = nullptr;
  KeyedStateBackend* state_ = nullptr;
  TimerService* timers_ = nullptr;
  Timestamp watermark_ = kMinWatermark;
  Timestamp timestamp_ = kNoTimestamp;
  TimeDomain domain_ = TimeDomain::kEventTime;
  bool has_key_ = false;
  const Value no_key_;
};

class ProcessOperator final : public Operator {
 public:
  explicit ProcessOperator(std::unique_ptr<ProcessFunction> function)
      : function_(std::move(function)) {}

  bool uses_host() const override { return function_->uses_host(); }

  void open(OperatorContext& context) override {
    context_of_function_.open(context);
    function_->open(context);
  }

  void process(Record&& record, int input, Output& out) override {
    context_of_function_.enter_element(record);
    OutputCollector collector(out, record);
    function_->process_element(std::move(record.value), input, context_of_function_, collector);
  }

  bool process_watermark(Timestamp watermark, std::int64_t deadline_ns, Output& out) override {
    if (context_of_function_.is_keyed()) {
      return Operator::process_watermark(watermark, deadline_ns, out);
    }
    context_of_function_.set_watermark(watermark);
    return true;
  }

  void on_timer(TimeDomain domain, Timestamp time, const Window& /*window*/, Output& out) override {
    context_of_function_.enter_timer(domain, time);
    OutputCollector collector(out, domain == TimeDomain::kEventTime ? time : kNoTimestamp);
    function_->on_timer(time, context_of_function_, collector);
  }

  void close() override { function_->close(); }

 private:
  std::unique_ptr<ProcessFunction> function_;
  Context context_of_function_;
};

}  // namespace

std::unique_ptr<Operator> make_process_operator(std::unique_ptr<ProcessFunction> function) {
  return std::make_unique<ProcessOperator>(std::move(function));
}

}  // namespace flott
