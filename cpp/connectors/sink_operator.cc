#include "connectors/sink_operator.h"

#include "base/error.h"
#include "base/fault_point.h"
#include "types/host.h"

#include <utility>

namespace flott {

void SinkOperator::open(OperatorContext& context) {
  opened_ = &context;
  SinkWriterContext writer_context;
  writer_context.subtask = context.subtask_index();
  writer_context.parallelism = context.parallelism();
  writer_context.clock = &context.clock();
  writer_context.metrics = &context.metrics();
  writer_context.operator_name = context.operator_name();
  writer_context.job_id = context.job_id();
  writer_context.restored = context.is_restored() ? &context.restored() : nullptr;
  writer_context.checkpointing = context.checkpointing();
  writer_context.wakeup = context.async_wakeup();
  writer_ = sink_->create_writer(writer_context);
  writer_->open();
  schedule();
}

void SinkOperator::process(Record&& record, int input, Output& out) {
  BatchBuilder builder(sink_->input_type());
  builder.append(std::move(record.value), record.timestamp, record.kind, record.key);
  process_batch(builder.finish(), input, out);
}

void SinkOperator::process_batch(const BatchPtr& batch, int /*input*/, Output& /*out*/) {
  if (!batch || batch->num_rows() == 0) {
    return;
  }
  writer_->write(batch);
  flushing_ = false;  // a flush under way need not have it: the next question starts another
  schedule();
}

void SinkOperator::on_wakeup(Output& /*out*/) {
  if (opened_->clock().now_ms() >= writer_->next_time()) {
    scheduled_ = kMaxTimestamp;
    writer_->on_time();
  } else {
    // Also the place where a failure of the writer's threads surfaces while no input comes.
    writer_->flushed();
  }
  schedule();
}

bool SinkOperator::flush() {
  if (!flushing_) {
    flushing_ = true;
    writer_->start_flush();
  }
  if (!writer_->flushed()) {
    return false;
  }
  flushing_ = false;
  schedule();
  return true;
}

bool SinkOperator::finish(Output& /*out*/) {
  if (!input_ended_) {
    input_ended_ = true;
    writer_->end_input();
  }
  return flush();
}

bool SinkOperator::claims_state(const std::string& name) const {
  return writer_->claims_state(name);
}

void SinkOperator::before_savepoint() {
  writer_->before_savepoint();
}

bool SinkOperator::prepare_snapshot(CheckpointId /*id*/, Output& /*out*/) {
  return !writer_->flushes_at_checkpoints() || flush();
}

void SinkOperator::snapshot(CheckpointId id, OperatorSnapshot& snapshot) {
  writer_->snapshot(id, snapshot);
  fault_point(FaultPoint::kAfterPrepare);
}

void SinkOperator::notify_checkpoint_complete(CheckpointId id) {
  writer_->notify_checkpoint_complete(id);
}

bool SinkOperator::has_uncommitted() const {
  return writer_->has_uncommitted();
}

bool SinkOperator::commit_final() {
  if (!committing_) {
    committing_ = true;
    writer_->start_final_commit();
  }
  return writer_->committed();
}

void SinkOperator::close() {
  if (writer_) {
    // Writers join their threads, and those may be about to log through the host.
    const HostRelease released;
    writer_->close();
    writer_.reset();
  }
}

void SinkOperator::schedule() {
  const Timestamp next = writer_->next_time();
  // There is one pending wake-up: ask again only when the time changed.
  if (next != kMaxTimestamp && next != scheduled_) {
    scheduled_ = next;
    opened_->schedule_wakeup(next);
  }
}

OperatorFactory make_sink_operator(std::shared_ptr<Sink> sink) {
  return [sink = std::move(sink)](int /*subtask*/) -> std::unique_ptr<Operator> {
    return std::make_unique<SinkOperator>(sink);
  };
}

}  // namespace flott
