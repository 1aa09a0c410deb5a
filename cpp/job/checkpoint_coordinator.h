#pragma once

#include "base/clock.h"
#include "checkpoint/checkpoint_storage.h"
#include "checkpoint/snapshot.h"
#include "job/state_growth.h"
#include "runtime/task.h"

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace flott {

/// Who has to be told of a checkpoint of one attempt, and when it is complete; a plain state
/// machine, used by the job's coordinator thread.
///
/// Tasks that have finished take part by the state they ended with (FLIP-147). A barrier begins at
/// the tasks that run and have nobody before them that does: sources, and those whose upstream
/// tasks have all finished.
class CheckpointCoordinator {
 public:
  struct OperatorInfo {
    std::string uid;
    std::string name;
    int max_parallelism = kDefaultMaxParallelism;
    bool commits = false;  ///< Operator::commits_on_checkpoint()
  };
  struct TaskInfo {
    int vertex = 0;
    int subtask = 0;
    int parallelism = 1;
    bool is_source = false;
    /// Index into the operator list of the task's input (sources) or -1, and of its links.
    int input_operator = -1;
    std::vector<int> link_operators;
    std::vector<int> upstream;  ///< the tasks that its channels come from
  };
  CheckpointCoordinator(std::vector<OperatorInfo> operators,
                        std::vector<TaskInfo> tasks,
                        std::string job_id,
                        std::string job_name,
                        CheckpointId first_id);

  struct Trigger {
    CheckpointBarrier barrier;
    std::vector<int> tasks;  ///< to be told, by index
  };
  bool pending() const { return pending_.has_value(); }
  CheckpointId pending_id() const { return pending_->barrier.id; }
  std::int64_t pending_since_ns() const { return pending_->since_ns; }
  /// Begins the next checkpoint; none may be pending.
  Trigger begin(std::int64_t timestamp_ms,
                SnapshotKind kind = SnapshotKind::kCheckpoint,
                AfterBarrier then = AfterBarrier::kGoOn);
  /// After a task has finished while one is pending: tasks that are to be told now.
  Trigger trigger_more();
  /// A task's part. Returns true when the checkpoint now has every part.
  bool acknowledge(int task, CheckpointId id, TaskSnapshot snapshot);
  /// A task ended normally: its final state stands for it from now on. True as acknowledge().
  bool task_finished(int task, TaskSnapshot final_snapshot);
  /// The first checkpoint that a state given to task_finished() now is part of.
  CheckpointId first_with_final_state(int task) const;
  /// One is pending and has every part.
  bool complete() const;
  /// What each keyed state holds that nothing removes by itself, summed over the subtasks. When
  /// complete().
  std::vector<StateSize> state_sizes() const;
  /// Everything collected, ready to be written; the checkpoint is not pending any more.
  CheckpointData take();
  /// Gives up the pending checkpoint.
  void abort();
  /// Every task stands in checkpoints with its final state.
  bool all_finished() const { return finished_.size() == tasks_.size(); }
  bool any_finished() const { return !finished_.empty(); }

 private:
  struct Pending {
    CheckpointBarrier barrier;
    std::int64_t since_ns = 0;
    std::map<int, TaskSnapshot> parts;
    std::set<int> told;
  };

  std::vector<OperatorInfo> operators_;
  std::vector<TaskInfo> tasks_;
  std::string job_id_;
  std::string job_name_;
  CheckpointId next_id_;
  std::optional<Pending> pending_;
  std::map<int, TaskSnapshot> finished_;
};

}  // namespace flott
