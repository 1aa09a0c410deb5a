#pragma once

#include "base/clock.h"
#include "job/deployment.h"
#include "job/job.h"

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace flott {

/// Runs a whole job on the calling thread, step by step, under a clock that moves only when told
/// to: for tests that need no sleep and always run in the same order. The same tasks, channels and
/// checkpoints as LocalJob, without its threads. Not for sources that need threads of their own.
class StepExecutor {
 public:
  /// `options.clock` is ignored, the clock begins at `start_ms`; `restore` takes the place of
  /// `options.restore_path`. Throws as start_job().
  explicit StepExecutor(const StreamGraph& graph,
                        JobOptions options = {},
                        std::optional<CheckpointData> restore = std::nullopt,
                        Timestamp start_ms = 0);
  /// Cancels and closes what still runs.
  ~StepExecutor();

  ManualClock& clock() { return clock_; }
  /// One slice of every task that is not done. True when any of them did something.
  bool step();
  /// Steps until nothing is left to do at the present time, or every task has ended. Throws the
  /// first failure.
  void run_until_idle();
  /// Moves the clock, then runs until idle.
  void advance(Timestamp by_ms);
  bool finished() const { return ended_ == deployment_.tasks.size(); }
  /// A checkpoint right here: begins one and steps until every task has acknowledged. Waits, in
  /// real time, for what is in flight on other threads.
  CheckpointData checkpoint();
  /// "operator 'X', subtask 1/2, record 'abc'" of the failure that run_until_idle() threw.
  const std::string& error_location() const { return error_location_; }
  /// As Job::metrics().
  std::map<std::string, double> metrics() const;

 private:
  void trigger(const CheckpointCoordinator::Trigger& trigger);
  void throw_failure();

  JobOptions options_;
  ManualClock clock_;
  std::optional<CheckpointData> restored_;
  Deployment deployment_;
  std::unique_ptr<CheckpointCoordinator> coordinator_;
  std::vector<bool> task_ended_;
  std::size_t ended_ = 0;
  bool checkpoint_complete_ = false;
  std::exception_ptr error_;
  std::string error_location_;
};

}  // namespace flott
