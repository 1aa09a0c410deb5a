#pragma once

#include "runtime/channel.h"
#include "runtime/operator.h"
#include "runtime/partitioner.h"
#include "runtime/row_buffer.h"

#include <functional>
#include <memory>
#include <random>
#include <vector>

namespace flott {

/// Writes one output edge of one subtask: chooses channels and packs rows into batches. Called on
/// the task's thread.
///
/// What it takes over outlives the pass, so values are isolated here (DESIGN, "Values behave as in
/// Flink") unless object reuse is on.
class RecordWriter {
 public:
  struct Options {
    PartitionerSpec partitioner;
    std::vector<std::shared_ptr<Channel>> channels;  ///< by downstream subtask
    int subtask = 0;                                 ///< of the upstream operator
    int downstream_max_parallelism = kDefaultMaxParallelism;
    LogicalTypePtr type;
    bool object_reuse = false;
    /// Waits until the channel has room again, or the job is cancelled; may be empty. Called in the
    /// middle of a call of an operator when that has emitted several times what the channel takes:
    /// one that emits for ever must not fill the memory.
    std::function<void(const Channel&)> wait_for_room;
  };
  explicit RecordWriter(Options options);

  void emit(Record&& record);
  void emit_batch(const BatchPtr& batch);
  /// To every channel, after what was emitted before.
  void broadcast(const Element& element);
  /// Hands the collected rows to the channels.
  void flush();
  bool has_room() const;
  bool uses_host() const { return custom_ != nullptr && custom_->uses_host(); }

 private:
  void append(std::size_t channel, Value&& value, const Record& record);
  void flush_channel(std::size_t channel);
  std::size_t choose(const Value& value, const Key* key);
  void push(std::size_t channel, BatchPtr batch);
  /// To the channel itself, waiting behind it if need be.
  void send(std::size_t channel, BatchPtr batch);

  PartitionStrategy strategy_;
  std::unique_ptr<CustomPartitioner> custom_;
  std::vector<std::shared_ptr<Channel>> channels_;
  std::vector<RowBuffer> buffers_;  ///< by channel
  int max_parallelism_;
  bool object_reuse_;
  std::function<void(const Channel&)> wait_for_room_;
  std::size_t next_;
  std::size_t pending_rows_ = 0;
  std::minstd_rand random_;
};

/// The values of an object column, isolated: for the second and later receivers of one batch.
BatchPtr isolate_batch(const BatchPtr& batch);

}  // namespace flott
