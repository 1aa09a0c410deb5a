#pragma once

#include "base/clock.h"
#include "checkpoint/snapshot.h"
#include "runtime/metrics.h"
#include "types/batch.h"

#include <functional>
#include <memory>
#include <string>

namespace flott {

struct SinkWriterContext {
  int subtask = 0;
  int parallelism = 1;
  const Clock* clock = nullptr;
  MetricGroup* metrics = nullptr;
  std::string operator_name;
  std::string job_id;
  /// What the sink's snapshots of the checkpoint held that the job was restored from; null when it
  /// began anew. Valid until open() has returned.
  const OperatorSnapshot* restored = nullptr;
  /// Checkpoints may be taken, so that results can wait for one. False: nobody will tell of one
  /// before the end of input.
  bool checkpointing = false;
  /// Wakes the task from any thread: busy(), flushed() or failure may have changed.
  std::function<void()> wakeup;
};

/// Writes the records of one subtask. All calls come from the task's thread and none blocks;
/// network threads stay inside. An asynchronous failure is thrown by the next call of any kind.
///
/// A sink with one phase is at least once: its flush sends. One with two phases publishes nothing
/// but what a durable checkpoint can publish again: its flush prepares (brings the records where a
/// snapshot can name them), snapshot() stores what a commit needs, notify_checkpoint_complete()
/// commits. Commits must be idempotent: after a failure the restored writer repeats them.
class SinkWriter {
 public:
  virtual ~SinkWriter() = default;
  virtual void open() {}
  /// Operator::claims_state(): open() has read what the checkpoint holds under this name.
  virtual bool claims_state(const std::string& /*name*/) const { return false; }
  /// Takes a batch of the type the sink asks for (Sink::input_type()).
  virtual void write(const BatchPtr& batch) = 0;
  /// True while buffers or requests in flight are at their limit: the task stops taking input.
  virtual bool busy() const { return false; }
  /// Starts sending everything buffered (checkpoint, end of input). flushed() tells when it is
  /// settled.
  virtual void start_flush() = 0;
  virtual bool flushed() = 0;
  /// The next flush is for a savepoint (Operator::before_savepoint()).
  virtual void before_savepoint() {}
  /// No record follows; the last flush comes next.
  virtual void end_input() {}
  /// False: a checkpoint does not wait for what is unsent (Flink's DeliveryGuarantee.NONE), only
  /// the end of input does.
  virtual bool flushes_at_checkpoints() const { return true; }
  /// Clock time of the next on_time() wanted (interval flush), or kMaxTimestamp.
  virtual Timestamp next_time() const { return kMaxTimestamp; }
  virtual void on_time() {}
  /// Stores everything that commits what was flushed, and what was not committed before. `id` is
  /// kFinalSnapshot at the end of input.
  virtual void snapshot(CheckpointId /*id*/, OperatorSnapshot& /*snapshot*/) {}
  /// Two phases: the checkpoint is durable, so commit what snapshots up to `id` stored, in the
  /// background. Some ids never come (a checkpoint failed): later ones stand for them. What the
  /// snapshot held that the job was restored from is committed first, unless it was already.
  virtual void notify_checkpoint_complete(CheckpointId /*id*/) {}
  /// Asked after the last flush: something is prepared and not committed.
  virtual bool has_uncommitted() const { return false; }
  /// The final snapshot is durable, or nothing takes checkpoints: commit everything. Called once,
  /// after the last flush; committed() tells when it is done.
  virtual void start_final_commit() {}
  virtual bool committed() { return true; }
  /// Releases resources; what is still unsent is lost (only after failure or cancellation).
  virtual void close() {}
};

/// A sink as the graph holds it: immutable configuration.
class Sink {
 public:
  virtual ~Sink() = default;
  /// The batches write() takes; the graph puts a conversion in front when the stream's type
  /// differs.
  virtual LogicalTypePtr input_type() const = 0;
  virtual std::unique_ptr<SinkWriter> create_writer(const SinkWriterContext& context) = 0;
  /// Its writers have two phases: a job never goes back behind a complete checkpoint by itself, as
  /// results up to there were published.
  virtual bool has_two_phases() const { return false; }
};

}  // namespace flott
