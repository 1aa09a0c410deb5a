#pragma once

#include "job/attempt.h"
#include "job/checkpoint_coordinator.h"
#include "job/checkpoint_schedule.h"
#include "job/checkpoint_writer.h"
#include "job/job.h"
#include "job/restore_point.h"
#include "job/state_growth.h"

#include <deque>
#include <exception>
#include <functional>
#include <future>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace flott {

/// The checkpoints of a job over all its attempts: when one begins, how long it may take, what its
/// failure means, which are kept, and what users see of them. Used by the job's coordinator thread;
/// stats(), metrics() and text_metrics() by any.
///
/// One at a time has its barriers on the way; as many as
/// `execution.checkpointing.max-concurrent-checkpoints` are under way with those that are being
/// written, one after the other. (Flink lets barriers follow each other more closely. Aligned as
/// they are, the later one would only wait in the same channels.)
class JobCheckpoints {
 public:
  struct Callbacks {
    /// From the writer's thread: to be given to written() on the coordinator's.
    std::function<void(WrittenCheckpoint)> written;
    /// More periodic checkpoints failed in a row than the job tolerates.
    std::function<void(std::exception_ptr)> failed_too_often;
    /// A savepoint that cancels the job is complete.
    std::function<void()> cancel;
  };
  using Reply = std::shared_ptr<std::promise<std::string>>;

  JobCheckpoints(const JobOptions& options,
                 const std::string& job_id,
                 const Clock& clock,
                 CheckpointId first_id,
                 Callbacks callbacks);

  /// `attempt` runs from here to end_attempt().
  void begin_attempt(Attempt& attempt);
  /// Its tasks have all restored their state and opened their operators. No checkpoint begins
  /// before (as in Flink): it would wait for them, and its time-out count what the restore takes.
  void tasks_started();
  /// It has failed, or the job ends: what is under way is given up, who waits for it is told.
  void end_attempt();
  /// Where the next attempt starts from; see choose_restore_point(). Whatever is still being
  /// written does not count any more. Notes the restore for the metrics. Throws CancelledException
  /// when `stopping` says so: gigabytes are to be read.
  std::optional<CheckpointData> restore_point(const std::function<bool()>& stopping);

  void acknowledge(int task, CheckpointId id, TaskSnapshot snapshot);
  /// A task of the attempt ended normally.
  void task_finished(int task, TaskSnapshot final_snapshot);
  /// All but the publication of its results is done: Task::Callbacks::awaits_commit.
  void awaits_commit(int task, TaskSnapshot final_snapshot);
  void written(WrittenCheckpoint result);
  /// Takes a checkpoint as soon as those under way allow it, and answers. The attempt is running.
  void ask(Reply reply, std::optional<SavepointRequest> savepoint = std::nullopt);
  /// A task is left that could take part in a checkpoint.
  bool any_finished() const { return coordinator_ && coordinator_->any_finished(); }
  bool possible() const {
    return coordinator_ && stopped_with_.empty() &&
           (!coordinator_->all_finished() || !awaiting_commit_.empty());
  }
  /// The complete savepoint that the job ends with, or empty: whatever fails from there on, an
  /// older checkpoint is no place to go back to.
  const std::string& stopped_with() const { return stopped_with_; }

  /// Begins what is due, gives up what takes too long.
  void run_timers(std::int64_t now_ns);
  /// monotonic_ns() at which run_timers() has something to do.
  std::int64_t next_deadline_ns() const;

  /// The job's end: removes what its status leaves no use for, and waits a moment for it.
  void finish(JobStatus status);
  /// Waits a moment until what was told to written() after finish() is removed.
  void settle();

  std::vector<CheckpointStats> stats() const;
  /// Flink's names -> values.
  std::map<std::string, double> metrics() const;
  /// Those that are no numbers.
  std::map<std::string, std::string> text_metrics() const;

 private:
  struct Part {
    std::int64_t sync_ns = 0;
    std::int64_t alignment_ns = 0;
    std::int64_t start_delay_ms = 0;
  };
  struct Writing {
    CheckpointId id = 0;
    std::int64_t since_ns = 0;
    CheckpointStats stats;
    std::set<std::string> files;
    std::vector<StateSize> state_sizes;
    std::optional<SavepointRequest> savepoint;
    std::vector<Reply> waiting;
    GivenUp given_up = std::make_shared<std::atomic<bool>>(false);
  };

  struct Asked {
    Reply reply;
    std::optional<SavepointRequest> savepoint;
  };

  bool pending() const { return coordinator_ && coordinator_->pending(); }
  bool may_begin() const;
  bool periodic() const;
  bool final_is_due() const;
  void begin();
  void begin_asked_for();
  void trigger(const CheckpointCoordinator::Trigger& trigger);
  void write();
  void savepoint_written(Writing done);
  /// Tasks that have stopped for savepoint `id`, or will, go on.
  void let_go_on(CheckpointId id);
  void give_up_if_late(CheckpointId id, std::int64_t since_ns, std::int64_t now_ns);
  void failed(CheckpointId id, const std::string& reason);
  void give_up_pending();
  void give_up_all();
  void show_in_progress(int failures = 0);
  void reply_all(std::vector<Reply>& replies,
                 const std::string& path,
                 const std::exception_ptr& error);
  void log_completed(const CheckpointStats& stats);

  const JobOptions& options_;
  const std::string job_id_;
  const Clock& clock_;
  const Callbacks callbacks_;
  Attempt* attempt_ = nullptr;
  bool tasks_started_ = false;
  std::optional<CheckpointCoordinator> coordinator_;
  std::vector<std::string> committing_sinks_;
  CheckpointId next_id_;
  Part longest_;                 ///< of the tasks that have acknowledged the pending one
  std::deque<Writing> writing_;  ///< oldest first
  const std::size_t concurrent_;
  CheckpointSchedule schedule_;
  StateGrowthWatch growth_;
  std::int64_t final_not_before_ns_ = 0;
  /// Tasks that have done everything but publish, by the first checkpoint with their final state.
  std::map<int, CheckpointId> awaiting_commit_;
  int failures_in_a_row_ = 0;
  int slow_in_a_row_ = 0;  ///< checkpoints that took longer than the interval
  bool keep_all_ = false;  ///< the user has to choose among them
  /// Requests for the pending one, and those that came after it had begun.
  std::vector<Reply> waiting_;
  std::deque<Asked> queued_;
  std::optional<SavepointRequest> savepoint_;  ///< the pending one is one
  std::deque<std::string> retained_;
  std::string stopped_with_;
  std::set<std::string> known_files_;  ///< of the last completed checkpoint

  mutable std::mutex mutex_;           ///< guards the next four
  std::deque<CheckpointStats> stats_;  ///< the last kHistory ones, newest last
  std::int64_t completed_count_ = 0;
  std::int64_t failed_count_ = 0;
  std::size_t shown_in_progress_ = 0;
  std::int64_t restored_at_ms_ = -1;

  std::unique_ptr<CheckpointWriter> writer_;  ///< last: its thread ends first
};

}  // namespace flott
