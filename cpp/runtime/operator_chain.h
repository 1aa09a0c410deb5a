#pragma once

#include "base/cancelled_exception.h"
#include "runtime/event_time_board.h"
#include "runtime/operator.h"
#include "runtime/record_writer.h"

#include <algorithm>
#include <atomic>
#include <exception>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace flott {

/// What is the same for all operators of one task.
struct TaskEnvironment {
  std::string job_id;
  std::string job_name;
  int attempt = 0;
  CheckpointId restored_checkpoint = -1;  ///< -1: a fresh start
  int subtask = 0;
  int parallelism = 1;
  const Clock* clock = nullptr;
  bool object_reuse = false;
  bool batch_mode = false;
  bool checkpointing = false;
  bool allow_unclaimed_state = false;  ///< restored state that no operator reads is left behind
  std::shared_ptr<const StateBackendOptions> state_backend;  ///< null: the heap
  std::int64_t auto_watermark_interval_ms = 200;
  const std::atomic<bool>* cancelled = nullptr;
  /// Wakes the task; thread-safe, stays valid as long as any copy lives.
  std::function<void()> wakeup;
};

/// The operators of one task, connected by calls: the first gets the task's input, each emits into
/// the next ones and into the edges that leave the task. A tree in topological order (an operator
/// may feed two). Rows run depth-first through row operators; a batch operator after a row operator
/// gets what was collected until flush(). Owned by the task, used on its thread only.
class OperatorChain {
 public:
  struct LinkSpec {
    std::string name;
    std::string uid;
    int max_parallelism = kDefaultMaxParallelism;
    int shown_max_parallelism = 0;  ///< what its functions are told; 0: the same
    bool keyed = false;
    /// BATCH: the input is sorted by key (SortedInput). When one key's records end, its timers fire
    /// and its state is dropped; the watermark is the lowest again for the next one.
    bool key_by_key = false;
    LogicalTypePtr input_type;  ///< of what a batch operator gets collected
    std::unique_ptr<Operator> op;
    int parent = -1;         ///< index of the link that feeds this one; -1: the task's input
    SideOutputId side = -1;  ///< which output of the parent
    struct Edge {
      SideOutputId side = -1;
      std::unique_ptr<RecordWriter> writer;
    };
    std::vector<Edge> edges;  ///< leaving the task
    OperatorSnapshot restored;
    bool is_restored = false;
    std::shared_ptr<MetricGroup> metrics;
  };

  /// `head_edges`: edges that leave directly from the task's input (a source without operators).
  OperatorChain(const TaskEnvironment& environment,
                std::vector<LinkSpec> links,
                std::vector<LinkSpec::Edge> head_edges);
  ~OperatorChain();

  /// Gives keyed operators the state and timers that they were restored with, however much that is:
  /// once, before open(), without the host's lock. Throws CancelledException when the task is
  /// cancelled meanwhile.
  void restore();
  /// Opens from the last operator to the first, so that an operator may emit while it opens. Throws
  /// kInvalidArgument when one was restored with operator state that it does not read, unless that
  /// is allowed.
  void open();
  /// Rows [row, num_rows) of a batch from `input`, until `deadline_ns`; returns the next row.
  std::int64_t process(const BatchPtr& batch,
                       std::int64_t row,
                       int input,
                       std::int64_t deadline_ns);
  /// The watermark of the task's input, in bounded steps; true when it has passed the whole chain.
  bool process_watermark(Timestamp watermark, std::int64_t deadline_ns);
  void process_status(WatermarkStatus status);
  /// Due processing-time timers and wake-ups; true when none is left. Operators that already
  /// prepared the running checkpoint, or have finished, are left alone: what they would emit came
  /// behind the flush of those after them.
  bool fire_timers(std::int64_t deadline_ns);
  /// Clock time of the next timer or wake-up of those operators.
  Timestamp next_time() const;
  bool has_async_wakeup() const;

  void end_input(int input);
  /// False while an operator still has work in flight.
  bool finish();
  bool prepare_snapshot(CheckpointId id, SnapshotKind kind = SnapshotKind::kCheckpoint);
  std::vector<OperatorSnapshot> snapshot(CheckpointId id, SnapshotKind kind);
  /// KeyedStateBackend::state_sizes() of each link.
  std::vector<std::vector<KeyedStateSize>> state_sizes() const;
  void broadcast(const Element& element);
  void notify_checkpoint_complete(CheckpointId id);
  /// After finish(): an operator's results wait for commit_final().
  bool has_uncommitted() const;
  /// False while an operator has not published everything.
  bool commit_final();
  void flush();
  /// Never throws; returns the first error of a close().
  std::exception_ptr close();

  /// No operator is busy and every edge has room.
  bool ready() const;
  bool uses_host() const { return uses_host_; }
  std::size_t size() const { return links_.size(); }
  const std::string& uid(std::size_t link) const;

  /// For StallWatch, asked every few seconds: an operator that may wait for event time.
  struct Waiting {
    std::size_t link = 0;
    EventTimeWait wait;
    Timestamp watermark = kMinWatermark;
    std::int64_t records = 0;
    int origin = -1;  ///< link that makes its watermarks; -1: they come from the task's input
  };
  std::vector<Waiting> waiting() const;
  /// The links that make watermarks, as (index, what they say).
  std::vector<std::pair<int, WatermarkOrigin>> watermark_origins(Timestamp now);
  /// "operator 'Window', subtask 1/2".
  std::string describe(std::size_t link) const;
  /// Name of the operator in whose call an exception arose, or of the first one.
  const std::string& failed_operator() const;
  /// Text of the record that this operator was called with when it failed; empty when unknown. An
  /// operator that moves its record away and fails puts the value back for it.
  std::string failed_record() const;

 private:
  /// Asked behind every row, of those that get rows one by one.
  bool any_busy() const;
  std::size_t first_due_link() const { return std::max(prepare_link_, finish_link_); }

  class LinkContext;
  class LinkOutput;
  struct Link;
  void check_claims(const Link& link) const;

  TaskEnvironment environment_;
  std::vector<std::unique_ptr<Link>> links_;
  std::unique_ptr<LinkOutput> head_output_;
  std::vector<const Operator*> busy_row_operators_;
  bool uses_host_ = false;
  bool single_head_ = false;  ///< exactly one link is fed by the task's input, and no edge
  bool row_heads_ =
      false;  ///< every link fed by the input takes rows: a batch can be resumed at any row
  std::size_t opened_ = 0;
  bool watermark_begun_ = false;    ///< a bounded watermark step is under way
  std::size_t watermark_link_ = 0;  ///< where a bounded watermark step goes on
  std::size_t finish_link_ = 0;
  std::size_t prepare_link_ = 0;
  int failed_link_ = -1;
  std::string failed_record_;  ///< unless the link is a head
  BatchPtr current_batch_;
  std::int64_t current_row_ = 0;
};

}  // namespace flott
