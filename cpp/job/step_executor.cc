#include "job/step_executor.h"

#include "base/error.h"
#include "job/end_report.h"

#include <chrono>
#include <thread>
#include <utility>

namespace flott {
namespace {

constexpr std::int64_t kCheckpointPatienceNs = 10'000'000'000;

}  // namespace

StepExecutor::StepExecutor(const StreamGraph& graph,
                           JobOptions options,
                           std::optional<CheckpointData> restore,
                           Timestamp start_ms)
    : options_(std::move(options)), clock_(start_ms), restored_(std::move(restore)) {
  if (!restored_ && !options_.restore_path.empty()) {
    restored_ = read_checkpoint(options_.restore_path);
  }
  options_.checkpointing = true;
  options_.emit_waits_for_room = false;
  const CheckpointId first_checkpoint = restored_ ? restored_->id + 1 : 1;
  const std::string job_id = "step-executor";
  DeploymentCallbacks callbacks;
  callbacks.acknowledge = [this](int task, CheckpointId id, TaskSnapshot snapshot) {
    checkpoint_complete_ =
        coordinator_->acknowledge(task, id, std::move(snapshot)) || checkpoint_complete_;
  };
  callbacks.ended = [this](int task, TaskResult result) {
    ++ended_;
    if (result.status == TaskResult::Status::kFinished) {
      checkpoint_complete_ = coordinator_->task_finished(task, std::move(result.final_snapshot)) ||
                             checkpoint_complete_;
      if (coordinator_->pending() && !checkpoint_complete_) {
        trigger(coordinator_->trigger_more());
      }
    } else if (result.status == TaskResult::Status::kFailed && !error_) {
      const Deployment::DeployedTask& deployed = deployment_.tasks[static_cast<std::size_t>(task)];
      error_ = result.error;
      error_location_ = fmt::format("operator '{}', subtask {}/{}",
                                    result.failed_operator,
                                    deployed.subtask + 1,
                                    deployed.parallelism);
      if (!result.failed_record.empty()) {
        error_location_ += fmt::format(", record {}", result.failed_record);
      }
    }
  };
  deployment_ = deploy(graph,
                       make_job_graph(graph, {options_.chaining, options_.batch_mode}),
                       options_,
                       job_id,
                       clock_,
                       0,
                       restored_ ? &*restored_ : nullptr,
                       callbacks);
  coordinator_ = std::make_unique<CheckpointCoordinator>(std::move(deployment_.operators),
                                                         std::move(deployment_.task_infos),
                                                         job_id,
                                                         options_.name,
                                                         first_checkpoint);
  task_ended_.resize(deployment_.tasks.size());
  for (const DeployedSource& source : deployment_.sources) {
    SplitAssigner assigner(*source.source, source.tasks.size());
    SplitAssigner::Shares shares =
        assigner.first(stored_source(restored_, source.uid), [] { return false; });
    assign_splits(deployment_, source, std::move(shares), assigner.bounded());
  }
  for (Deployment::DeployedTask& deployed : deployment_.tasks) {
    deployed.task->start();
  }
}

StepExecutor::~StepExecutor() {
  for (std::size_t i = 0; i < deployment_.tasks.size(); ++i) {
    if (!task_ended_[i]) {
      deployment_.tasks[i].task->cancel();
      deployment_.tasks[i].task->end();
    }
  }
}

bool StepExecutor::step() {
  bool progressed = false;
  for (std::size_t i = 0; i < deployment_.tasks.size(); ++i) {
    if (task_ended_[i]) {
      continue;
    }
    Task& task = *deployment_.tasks[i].task;
    progressed = (!task.done() && task.run_slice()) || progressed;
    if (task.done()) {
      task_ended_[i] = true;
      task.end();
      progressed = true;
      if (finished() && !error_) {
        log_end_report(deployment_, options_.name);
      }
    }
  }
  return progressed;
}

void StepExecutor::run_until_idle() {
  while (!finished() && step()) {
    throw_failure();
  }
  throw_failure();
}

void StepExecutor::trigger(const CheckpointCoordinator::Trigger& trigger) {
  for (const int task : trigger.tasks) {
    deployment_.tasks[static_cast<std::size_t>(task)].task->trigger_checkpoint(trigger.barrier);
  }
}

void StepExecutor::throw_failure() {
  if (error_) {
    std::rethrow_exception(error_);
  }
}

void StepExecutor::advance(Timestamp by_ms) {
  clock_.advance(by_ms);
  run_until_idle();
}

CheckpointData StepExecutor::checkpoint() {
  checkpoint_complete_ = false;
  trigger(coordinator_->begin(clock_.now_ms()));
  run_until_idle();
  // What is in flight elsewhere (asynchronous functions) comes back in real time.
  const std::int64_t give_up_ns = monotonic_ns() + kCheckpointPatienceNs;
  while (!checkpoint_complete_) {
    if (monotonic_ns() > give_up_ns) {
      throw_error(ErrorKind::kExternal,
                  "job '{}': a checkpoint was not complete after {} s; an operator still waits for "
                  "work in flight, which must end, or for the clock, which stands still meanwhile",
                  options_.name,
                  kCheckpointPatienceNs / 1'000'000'000);
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
    run_until_idle();
  }
  const CheckpointData data = coordinator_->take();
  for (std::size_t i = 0; i < deployment_.tasks.size(); ++i) {
    if (!task_ended_[i]) {
      deployment_.tasks[i].task->notify_checkpoint_complete(data.id);
    }
  }
  return data;
}

std::map<std::string, double> StepExecutor::metrics() const {
  std::map<std::string, double> out;
  for (const Deployment::DeployedTask& deployed : deployment_.tasks) {
    for (const auto& [op, group] : deployed.metrics) {
      for (const auto& [name, value] : group->snapshot()) {
        out[fmt::format("{}.{}.{}.{}", deployed.task->name(), deployed.subtask, op, name)] = value;
      }
    }
  }
  return out;
}

}  // namespace flott
