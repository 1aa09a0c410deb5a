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
  /// Wakes the task from any thread: busy(), flushed() or failure may have changed.
  std::function<void()> wakeup;
};

/// Writes the records of one subtask. All calls come from the task's thread and none blocks;
/// network threads stay inside. An asynchronous failure is thrown by the next call of any kind.
class SinkWriter {
 public:
  virtual ~SinkWriter() = default;
  virtual void open() {}
  /// Takes a batch of the type the sink asks for (Sink::input_type()).
  virtual void write(const BatchPtr& batch) = 0;
  /// True while buffers or requests in flight are at their limit: the task stops taking input.
  virtual bool busy() const { return false; }
  /// Starts sending everything buffered (checkpoint, end of input). flushed() tells when it is
  /// settled.
  virtual void start_flush() = 0;
  virtual bool flushed() = 0;
  /// No record follows; the last flush comes next.
  virtual void end_input() {}
  /// False: a checkpoint does not wait for what is unsent (Flink's DeliveryGuarantee.NONE), only
  /// the end of input does.
  virtual bool flushes_at_checkpoints() const { return true; }
  /// Clock time of the next on_time() wanted (interval flush), or kMaxTimestamp.
  virtual Timestamp next_time() const { return kMaxTimestamp; }
  virtual void on_time() {}
  virtual void snapshot(CheckpointId /*id*/, OperatorSnapshot& /*snapshot*/) {}
  virtual void notify_checkpoint_complete(CheckpointId /*id*/) {}
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
};

}  // namespace flott
