#pragma once

#include "runtime/operator.h"

#include <memory>
#include <utility>

namespace flott::bindings {

/// An operator that passes every call on to another; subclasses add to single calls.
class OperatorWrapper : public Operator {
 public:
  explicit OperatorWrapper(std::unique_ptr<Operator> inner) : inner_(std::move(inner)) {}

  Granularity granularity() const override { return inner_->granularity(); }
  bool uses_host() const override { return true; }
  void open(OperatorContext& context) override {
    inner_->set_context(&context);
    inner_->open(context);
  }
  void process(Record&& record, int input, Output& out) override {
    inner_->process(std::move(record), input, out);
  }
  void process_batch(const BatchPtr& batch, int input, Output& out) override {
    inner_->process_batch(batch, input, out);
  }
  bool process_watermark(Timestamp watermark, std::int64_t deadline_ns, Output& out) override {
    return inner_->process_watermark(watermark, deadline_ns, out);
  }
  bool forwards_watermarks() const override { return inner_->forwards_watermarks(); }
  bool makes_watermarks() const override { return inner_->makes_watermarks(); }
  EventTimeWait waiting() const override { return inner_->waiting(); }
  void process_status(WatermarkStatus status, Output& out) override {
    inner_->process_status(status, out);
  }
  void on_timer(TimeDomain domain, Timestamp time, const Window& window, Output& out) override {
    inner_->on_timer(domain, time, window, out);
  }
  void on_wakeup(Output& out) override { inner_->on_wakeup(out); }
  bool busy() const override { return inner_->busy(); }
  bool can_be_busy() const override { return inner_->can_be_busy(); }
  void end_input(int input, Output& out) override { inner_->end_input(input, out); }
  bool finish(Output& out) override { return inner_->finish(out); }
  bool claims_state(const std::string& name) const override { return inner_->claims_state(name); }
  void before_savepoint() override { inner_->before_savepoint(); }
  bool prepare_snapshot(CheckpointId id, Output& out) override {
    return inner_->prepare_snapshot(id, out);
  }
  void snapshot(CheckpointId id, OperatorSnapshot& snapshot) override {
    inner_->snapshot(id, snapshot);
  }
  void notify_checkpoint_complete(CheckpointId id) override {
    inner_->notify_checkpoint_complete(id);
  }
  void close() override { inner_->close(); }

 private:
  std::unique_ptr<Operator> inner_;
};

}  // namespace flott::bindings
