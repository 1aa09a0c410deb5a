#pragma once

#include "job/deployment.h"
#include "job/job.h"
#include "job/split_assigner.h"

#include <cstdint>
#include <exception>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <thread>
#include <vector>

namespace flott {

/// One attempt at running a job: its deployment, a thread per task and the assignment of splits.
/// Made, started, ended as a whole; the next attempt is another object. Used by the job's
/// coordinator thread; cancel(), metrics() and blocked_operators() by any.
class Attempt {
 public:
  /// `restored` is what `deployment` has left of what it was built from. `stopping` becomes true
  /// when discoveries are to be given up.
  Attempt(int number,
          Deployment deployment,
          std::optional<CheckpointData> restored,
          std::function<bool()> stopping);
  ~Attempt();

  int number() const { return number_; }  ///< from 0
  Deployment& deployment() { return deployment_; }

  /// Starts the tasks' threads. Throws kExternal when the system has no more; those that were
  /// started have ended then.
  void start(const std::string& job_name);
  void cancel();
  /// A task has said that its state is restored and its operators are open. True of the last one.
  bool note_started() { return ++task_starts_ == deployment_.tasks.size(); }
  void note_ended() { ++ended_; }
  /// Every task has said that it ended.
  bool over() const { return ended_ == deployment_.tasks.size(); }
  /// After over().
  void join();

  /// The first look for splits; may block as Source::discover_splits() does. Throws SourceFailure.
  void discover_first();
  /// The later ones that are due; their failures are warnings.
  void discover_due(std::int64_t now_ns);
  std::int64_t next_discovery_ns() const;
  struct SourceFailure {
    std::exception_ptr error;
    std::string source;
  };

  std::map<std::string, double> metrics() const;
  std::vector<std::string> blocked_operators() const;

 private:
  struct SourceState {
    SplitAssigner assigner;
    std::int64_t next_discovery_ns = 0;
  };
  void discover(std::size_t index, bool first);

  const int number_;
  Deployment deployment_;
  std::optional<CheckpointData> restored_;  ///< until the splits in it were given out
  const std::function<bool()> stopping_;
  std::vector<SourceState> sources_;
  std::vector<std::thread> threads_;
  std::size_t task_starts_ = 0;
  std::size_t ended_ = 0;
};

}  // namespace flott
