#pragma once

#include "bindings/graph.h"
#include "job/step_executor.h"

#include <map>
#include <memory>
#include <string>

namespace flott::bindings {

/// A checkpoint in memory, opaque to Python: a _native.StepSnapshot.
struct StepSnapshot {
  CheckpointData data;
};

/// A _native.StepJob: a job on the caller's thread under a clock that the caller moves
/// (job/step_executor.h). Every call gives up the GIL; the tasks take it as they do elsewhere.
class PythonStepJob {
 public:
  /// `restore` may be null.
  PythonStepJob(const GraphBuilder& builder,
                const std::string& job_name,
                PyObject* options,
                const StepSnapshot* restore,
                Timestamp start_ms);
  ~PythonStepJob() { close(); }

  void run_until_idle();
  /// Moves the clock to `now_ms`, then runs until idle; throws kInvalidArgument for a time before
  /// the present one.
  void set_time(Timestamp now_ms);
  Timestamp now() const;
  bool finished() const { return executor().finished(); }
  std::shared_ptr<StepSnapshot> snapshot();
  std::map<std::string, double> metrics() const;
  void close();

 private:
  StepExecutor& executor() const;
  /// Runs `body` without the GIL; an error gets a note that names its place.
  template <typename Body>
  void run(Body&& body);

  std::unique_ptr<StepExecutor> executor_;
};

}  // namespace flott::bindings
