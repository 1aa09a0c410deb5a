#pragma once

#include "bindings/graph.h"
#include "bindings/io/collect_sink.h"
#include "bindings/python_ref.h"
#include "job/job.h"

#include <future>
#include <memory>
#include <mutex>
#include <string>

namespace flott::bindings {

/// A _native.Job. Every call that waits gives up the GIL and handles signals every 50 ms on the
/// main thread: Ctrl-C cancels the job, joins it and raises KeyboardInterrupt; a second one while
/// the job ends ends the process.
class PythonJob {
 public:
  explicit PythonJob(std::shared_ptr<Job> job) : job_(std::move(job)) {}

  Job& job() const { return *job_; }
  /// True when the job ended; raises when it failed. Negative: no time-out.
  bool wait(std::int64_t timeout_ms);
  /// A dict: status, net_runtime_ms, error_location; raises as wait().
  Ref result();
  Ref next_collected(CollectState& queue);
  std::string trigger_checkpoint();
  /// Asks for a savepoint and returns. `then`: "go_on", "stop", "drain", "cancel".
  std::shared_future<std::string> trigger_savepoint(const std::string& directory,
                                                    const std::string& then);
  /// Waits for what trigger_savepoint() returned.
  std::string wait_for_path(const std::shared_future<std::string>& path);

 private:
  /// Waits up to `ms` with the GIL released, then runs signal handlers.
  bool wait_step(std::int64_t ms);
  void handle_signals();
  void cancel_after_interrupt();
  void report_blocked();
  void raise_failure();

  std::shared_ptr<Job> job_;
  std::int64_t last_report_ns_ = 0;
  std::string reported_;
  bool noted_ = false;  ///< the failure's exception has its note
};

/// A _native.Savepoint: one that was asked for. It keeps its job.
struct PendingSavepoint {
  std::shared_ptr<PythonJob> job;
  std::shared_future<std::string> path;
  bool done() const;
  /// It is done, and there is none.
  bool failed() const;
};

/// `options`: a dict of JobOptions fields by name and job_parameters. Throws what start_job throws.
std::shared_ptr<PythonJob> start_python_job(const GraphBuilder& builder,
                                            const std::string& job_name,
                                            PyObject* options);

/// `options` as start_python_job() takes them; fills the builder's job parameters too.
JobOptions read_job_options(const GraphBuilder& builder,
                            const std::string& job_name,
                            PyObject* options);

/// Cancels and joins what still runs, with a warning; from Python's atexit.
void shut_down_jobs();

}  // namespace flott::bindings
