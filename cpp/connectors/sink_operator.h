#pragma once

#include "connectors/sink.h"
#include "runtime/operator.h"

#include <memory>

namespace flott {

/// The end of a chain that writes to a connector: drives one SinkWriter of one subtask.
///
/// Batches go to the writer as they come; while the writer is busy() the task takes no input. A
/// checkpoint and the end of input first flush: start_flush() once (again when more was written
/// since), then flushed() after each wake-up until it holds. The writer's own threads wake the task
/// through async_wakeup(); interval flushes go through schedule_wakeup().
class SinkOperator final : public Operator {
 public:
  /// `sink` is shared by all subtasks and immutable.
  explicit SinkOperator(std::shared_ptr<Sink> sink) : sink_(std::move(sink)) {}

  Granularity granularity() const override { return Granularity::kBatch; }
  void open(OperatorContext& context) override;
  void process(Record&& record, int input, Output& out) override;
  void process_batch(const BatchPtr& batch, int input, Output& out) override;
  void on_wakeup(Output& out) override;
  bool can_be_busy() const override { return true; }
  bool busy() const override { return writer_ != nullptr && writer_->busy(); }
  bool finish(Output& out) override;
  bool claims_state(const std::string& name) const override;
  void before_savepoint() override;
  bool prepare_snapshot(CheckpointId id, Output& out) override;
  void snapshot(CheckpointId id, OperatorSnapshot& snapshot) override;
  void notify_checkpoint_complete(CheckpointId id) override;
  bool commits_on_checkpoint() const override { return sink_->has_two_phases(); }
  bool has_uncommitted() const override;
  bool commit_final() override;
  void close() override;

 private:
  bool flush();
  void schedule();

  std::shared_ptr<Sink> sink_;
  std::unique_ptr<SinkWriter> writer_;
  OperatorContext* opened_ = nullptr;
  Timestamp scheduled_ = kMaxTimestamp;
  bool flushing_ = false;
  bool input_ended_ = false;
  bool committing_ = false;
};

/// An operator factory for `sink`, for graphs built in C++.
OperatorFactory make_sink_operator(std::shared_ptr<Sink> sink);

}  // namespace flott
