#include "job/checkpoint_coordinator.h"

#include "base/error.h"

#include <algorithm>
#include <utility>

namespace flott {

CheckpointCoordinator::CheckpointCoordinator(std::vector<OperatorInfo> operators,
                                             std::vector<TaskInfo> tasks,
                                             std::string job_id,
                                             std::string job_name,
                                             CheckpointId first_id)
    : operators_(std::move(operators)),
      tasks_(std::move(tasks)),
      job_id_(std::move(job_id)),
      job_name_(std::move(job_name)),
      next_id_(first_id) {}

CheckpointCoordinator::Trigger CheckpointCoordinator::begin(std::int64_t timestamp_ms,
                                                            SnapshotKind kind,
                                                            AfterBarrier then) {
  STREAM_CHECK(!pending_, "one checkpoint at a time");
  pending_.emplace();
  pending_->barrier.id = next_id_++;
  pending_->barrier.timestamp_ms = timestamp_ms;
  pending_->barrier.kind = kind;
  pending_->barrier.then = then;
  pending_->since_ns = monotonic_ns();
  return trigger_more();
}

CheckpointCoordinator::Trigger CheckpointCoordinator::trigger_more() {
  Trigger trigger{pending_->barrier, {}};
  for (std::size_t i = 0; i < tasks_.size(); ++i) {
    const int task = static_cast<int>(i);
    const std::vector<int>& upstream = tasks_[i].upstream;
    if (!finished_.contains(task) && !pending_->parts.contains(task) &&
        !pending_->told.contains(task) &&
        std::all_of(
            upstream.begin(), upstream.end(), [&](int up) { return finished_.contains(up); })) {
      trigger.tasks.push_back(task);
      pending_->told.insert(task);
    }
  }
  return trigger;
}

bool CheckpointCoordinator::complete() const {
  return pending_ && std::all_of(tasks_.begin(), tasks_.end(), [&, i = 0](const TaskInfo&) mutable {
           const int task = i++;
           return pending_->parts.contains(task) || finished_.contains(task);
         });
}

bool CheckpointCoordinator::acknowledge(int task, CheckpointId id, TaskSnapshot snapshot) {
  if (!pending_ || pending_->barrier.id != id) {
    return false;  // of a checkpoint that was given up
  }
  pending_->parts[task] = std::move(snapshot);
  return complete();
}

bool CheckpointCoordinator::task_finished(int task, TaskSnapshot final_snapshot) {
  finished_[task] = std::move(final_snapshot);
  return complete();
}

CheckpointId CheckpointCoordinator::first_with_final_state(int task) const {
  return pending_ && !pending_->parts.contains(task) ? pending_->barrier.id : next_id_;
}

std::vector<StateSize> CheckpointCoordinator::state_sizes() const {
  std::map<std::pair<int, std::string>, StateSize> sums;
  for (std::size_t i = 0; i < tasks_.size(); ++i) {
    const int task = static_cast<int>(i);
    const auto part = pending_->parts.find(task);
    const TaskSnapshot& snapshot =
        part != pending_->parts.end() ? part->second : finished_.at(task);
    for (std::size_t link = 0; link < snapshot.state_sizes.size(); ++link) {
      const int op = tasks_[i].link_operators[link];
      const OperatorInfo& info = operators_[static_cast<std::size_t>(op)];
      for (const KeyedStateSize& size : snapshot.state_sizes[link]) {
        StateSize& sum = sums[{op, size.state}];
        sum.uid = info.uid;
        sum.operator_name = info.name;
        sum.state = size.state;
        sum.entries += size.entries;
        sum.bytes += size.bytes;
      }
    }
  }
  std::vector<StateSize> out;
  for (auto& [id, sum] : sums) {
    out.push_back(std::move(sum));
  }
  return out;
}

CheckpointData CheckpointCoordinator::take() {
  STREAM_CHECK(complete(), "every task has acknowledged");
  CheckpointData out;
  out.id = pending_->barrier.id;
  out.job_id = job_id_;
  out.job_name = job_name_;
  out.timestamp_ms = pending_->barrier.timestamp_ms;
  for (const OperatorInfo& info : operators_) {
    out.operators.push_back({info.uid, info.name, 1, info.max_parallelism, {}});
  }
  const auto place = [&](int op, const TaskInfo& task, OperatorSnapshot snapshot) {
    OperatorCheckpoint& checkpoint = out.operators[static_cast<std::size_t>(op)];
    checkpoint.parallelism = task.parallelism;
    checkpoint.subtasks.resize(static_cast<std::size_t>(task.parallelism));
    checkpoint.subtasks[static_cast<std::size_t>(task.subtask)] = std::move(snapshot);
  };
  for (std::size_t i = 0; i < tasks_.size(); ++i) {
    const auto part = pending_->parts.find(static_cast<int>(i));
    // A finished task's final state is needed again by later checkpoints: it is copied.
    TaskSnapshot snapshot =
        part != pending_->parts.end() ? std::move(part->second) : finished_.at(static_cast<int>(i));
    if (tasks_[i].input_operator >= 0) {
      place(tasks_[i].input_operator, tasks_[i], std::move(snapshot.input));
    }
    for (std::size_t link = 0; link < snapshot.links.size(); ++link) {
      place(tasks_[i].link_operators[link], tasks_[i], std::move(snapshot.links[link]));
    }
  }
  pending_.reset();
  return out;
}

void CheckpointCoordinator::abort() {
  pending_.reset();
}

}  // namespace flott
