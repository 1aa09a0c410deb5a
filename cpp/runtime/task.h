#pragma once

#include "runtime/mailbox.h"
#include "runtime/operator_chain.h"
#include "runtime/stall_watch.h"
#include "runtime/task_input.h"
#include "runtime/task_signal.h"

#include <atomic>
#include <exception>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace flott {

/// What a checkpoint cost a task.
struct CheckpointTimes {
  std::int64_t start_delay_ms = 0;  ///< from the trigger to the task's first barrier
  std::int64_t alignment_ns = 0;    ///< from the first barrier to the last
  std::int64_t sync_ns = 0;         ///< how long its records waited for the snapshot
};

/// What one task contributes to a checkpoint.
struct TaskSnapshot {
  OperatorSnapshot input;               ///< sources: splits and positions
  std::vector<OperatorSnapshot> links;  ///< by position in the chain
  CheckpointTimes times;
  std::vector<std::vector<KeyedStateSize>> state_sizes;  ///< by position in the chain
};

/// The id under which operators snapshot their state when they have finished.
inline constexpr CheckpointId kFinalSnapshot = -1;

/// How a task ended.
struct TaskResult {
  enum class Status { kFinished, kCancelled, kFailed };
  Status status = Status::kFinished;
  std::exception_ptr error;
  std::string failed_operator;
  std::string failed_record;
  /// kFinished: the state at the very end, which later checkpoints carry on.
  TaskSnapshot final_snapshot;
};

/// One subtask of one chain: a thread's whole life. It runs slices of at most 10 ms - a piece of a
/// batch, of a watermark's timers, one step of a checkpoint - and between slices reads its mailbox,
/// looks whether its outputs have room and waits when there is nothing to do. The host's lock is
/// held during a slice only.
///
/// run() is called once, on the task's thread; a single-step executor calls start(), run_slice()
/// and end() instead, all on one thread. cancel(), post() and the getters are thread-safe.
class Task {
 public:
  /// What the task tells its job.
  struct Callbacks {
    std::function<void(CheckpointId, TaskSnapshot)> acknowledge;
    /// All records are through, but their publication waits for a checkpoint with this final state:
    /// answered by commit_after(). Empty: nothing takes checkpoints, it is published at once.
    std::function<void(TaskSnapshot)> awaits_commit;
    std::function<void()> started;          ///< state is restored, operators are open; may be empty
    std::function<void(TaskResult)> ended;  ///< the last thing run() does
    std::function<void()> thread_start;     ///< with the host's lock held; may be empty
    std::function<void()> thread_end;       ///< before close(); as thread_start
    bool keep_final_state = true;           ///< take TaskResult::final_snapshot
    /// Where tasks tell each other about their watermarks; null: nobody looks for windows that do
    /// not fire.
    std::shared_ptr<EventTimeBoard> event_time;
    int event_time_id = 0;  ///< the task's place on it
  };

  Task(std::string name,
       std::shared_ptr<TaskSignal> signal,
       std::shared_ptr<std::atomic<bool>> cancelled,
       const Clock& clock,
       std::unique_ptr<TaskInput> input,
       std::unique_ptr<OperatorChain> chain,
       Callbacks callbacks);
  ~Task();

  void run();
  /// Restores state, opens the operators. What fails here or in a slice is kept for end(); false
  /// then.
  bool start();
  /// Reads the mailbox and works for at most 10 ms. False when there was nothing to do.
  bool run_slice();
  bool done() const { return phase_ == Phase::kDone || failed_ || is_cancelled(); }
  /// Closes everything and reports how the task ended; the last call.
  void end();
  void cancel();
  /// False when the task has ended and nobody will read the letter.
  bool post(Mailbox::Letter letter) { return mailbox_.post(std::move(letter)); }
  void trigger_checkpoint(CheckpointBarrier barrier);
  void notify_checkpoint_complete(CheckpointId id);
  /// Checkpoint `id`, which was to stop the job, will not be complete: a task that had stopped for
  /// it goes on. Draining cannot be taken back: it fails where that has begun, elsewhere nothing is
  /// drained.
  void notify_checkpoint_aborted(CheckpointId id);
  /// The state given to awaits_commit() is part of checkpoint `id` and of all later ones.
  void commit_after(CheckpointId id);
  /// checkpointAlignmentTime and checkpointStartDelayNanos of the last checkpoint.
  std::map<std::string, double> metrics() const;
  const std::string& name() const { return name_; }
  TaskInput& input() { return *input_; }
  /// monotonic_ns() at which the running slice began, 0 between slices.
  std::int64_t slice_started_ns() const {
    return slice_started_ns_.load(std::memory_order_relaxed);
  }

 private:
  enum class Phase {
    kTakeInput,
    kBatch,
    kWatermark,
    kBarrier,
    kFinishing,
    kAwaitingCheckpoint,  ///< all is done but for commit_final(), for which a checkpoint is needed
    kCommitting,
    kStopped,  ///< behind a barrier that says so, until its checkpoint is complete
    kDone
  };

  bool is_cancelled() const { return cancelled_->load(std::memory_order_relaxed); }
  /// Runs `body`; an exception becomes the task's result.
  template <typename Body>
  bool guarded(Body&& body);
  bool step(std::int64_t deadline_ns);
  bool take_input();
  bool take_checkpoint();
  [[noreturn]] static void fail_drained();
  /// Tells the chain, once an input.
  void end_input(int input);
  bool time_is_due() const;
  void wait();
  TaskSnapshot snapshot(CheckpointId id, SnapshotKind kind);
  CheckpointTimes checkpoint_times(const CheckpointBarrier& barrier);
  /// Every StallWatch::kIntervalMs of the clock: tells the board who makes watermarks here, and
  /// logs why windows wait in vain.
  void watch_event_time(Timestamp now);
  /// The same for the last time, when the input has ended.
  void watch_end_of_input();
  StallWatch& watch_of(std::size_t link);
  void log_watch(std::size_t link, const std::vector<StallWatch::Line>& lines);

  const std::string name_;
  std::shared_ptr<TaskSignal> signal_;
  std::shared_ptr<std::atomic<bool>> cancelled_;
  const Clock& clock_;
  std::unique_ptr<TaskInput> input_;
  std::unique_ptr<OperatorChain> chain_;
  Callbacks callbacks_;
  Mailbox mailbox_;
  std::atomic<std::int64_t> slice_started_ns_{0};
  std::atomic<std::int64_t> alignment_ns_{0};
  std::atomic<std::int64_t> start_delay_ns_{0};

  Phase phase_ = Phase::kTakeInput;
  bool failed_ = false;
  bool in_input_ = false;  ///< a failure now is the input's, not the chain's
  TaskResult result_;
  TaskInput::Item item_;  ///< what the phase works on
  std::int64_t row_ = 0;
  std::int64_t barrier_taken_ns_ = 0;
  std::vector<CheckpointId> completed_;  ///< notifications to pass on
  CheckpointId last_completed_ = 0;
  std::optional<CheckpointId> commit_after_;
  std::set<int> ended_inputs_;
  CheckpointBarrier stopped_at_;
  CheckpointId last_aborted_ = 0;
  Timestamp next_watch_ = kMaxTimestamp;
  std::vector<std::optional<StallWatch>> watches_;  ///< by link, made when it first waits
};

}  // namespace flott
