#pragma once

#include "connectors/source_input.h"
#include "graph/job_graph.h"
#include "job/checkpoint_coordinator.h"
#include "job/job.h"
#include "job/split_assigner.h"
#include "runtime/task.h"

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace flott {

/// A source vertex's subtasks, for split assignment.
struct DeployedSource {
  std::shared_ptr<Source> source;
  std::string uid;
  std::string name;
  std::vector<int> tasks;            ///< by subtask
  std::vector<SourceInput*> inputs;  ///< by subtask; touched by letters to the tasks only
};

/// The tasks of a job, wired by channels, not yet running.
struct Deployment {
  struct DeployedTask {
    std::unique_ptr<Task> task;
    int vertex = 0;
    int subtask = 0;
    int parallelism = 1;
    std::vector<std::pair<std::string, std::shared_ptr<MetricGroup>>> metrics;
  };
  std::vector<DeployedTask> tasks;
  std::vector<DeployedSource> sources;
  std::vector<CheckpointCoordinator::OperatorInfo> operators;
  std::vector<CheckpointCoordinator::TaskInfo> task_infos;
};

struct DeploymentCallbacks {
  /// Task::Callbacks::started; may be empty.
  std::function<void(int task)> started;
  std::function<void(int task, CheckpointId, TaskSnapshot)> acknowledge;
  /// Task::Callbacks::awaits_commit; not called in BATCH mode and without checkpointing. May be
  /// empty.
  std::function<void(int task, TaskSnapshot)> awaits_commit;
  std::function<void(int task, TaskResult)> ended;
};

/// The uid under which a checkpoint stores a node: the user's, or `<node id>-<name>`.
std::string uid_of(const StreamNode& node);

/// Builds channels, chains and tasks; operators get their share of `restore`, out of which keyed
/// state and timers are moved: each task restores its own when it starts. Throws
/// kInvalidArgument when the checkpoint holds state of an operator that is not in the graph. Can be
/// called again for the next attempt (counted from 0): nothing is shared with an earlier deployment
/// but the graph's sources.
Deployment deploy(const StreamGraph& graph,
                  const JobGraph& job_graph,
                  const JobOptions& options,
                  const std::string& job_id,
                  const Clock& clock,
                  int attempt,
                  CheckpointData* restore,
                  const DeploymentCallbacks& callbacks);

/// A source's part of a checkpoint, or null.
const OperatorCheckpoint* stored_source(const std::optional<CheckpointData>& checkpoint,
                                        const std::string& uid);

/// Hands splits to the source's subtasks by letters; `last`: no more follow.
void assign_splits(const Deployment& deployment,
                   const DeployedSource& source,
                   SplitAssigner::Shares shares,
                   bool last);

}  // namespace flott
