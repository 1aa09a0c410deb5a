#pragma once

#include "graph/stream_graph.h"
#include "job/job_options.h"
#include "runtime/element.h"

#include <chrono>
#include <exception>
#include <future>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace flott {

enum class JobStatus {
  kCreated,
  kRunning,
  kRestarting,
  kFailing,
  kFailed,
  kCancelling,
  kCanceled,
  kFinished
};
/// Upstream's names: "RUNNING", "CANCELED", ...
std::string_view job_status_name(JobStatus status);
bool is_terminal(JobStatus status);

struct JobResult {
  JobStatus status = JobStatus::kFinished;
  std::int64_t net_runtime_ms = 0;
  /// The first failure; a host exception travels inside (bindings' own exception type derived from
  /// Error).
  std::exception_ptr error;
  /// "operator 'Map', subtask 1/2, record 'abc'": where it happened.
  std::string error_location;
};

/// A savepoint that is asked for.
struct SavepointRequest {
  std::string directory;  ///< empty: JobOptions::savepoint_directory
  /// kStop and kDrain: the job has finished when it is complete; one that fails lets it go on.
  AfterBarrier then = AfterBarrier::kGoOn;
  /// With kGoOn: the job is cancelled when it is complete, and no other checkpoint comes between.
  bool cancels = false;
};

/// A completed checkpoint.
struct CheckpointStats {
  CheckpointId id = 0;
  std::string path;
  std::int64_t duration_ms = 0;      ///< from its trigger until it was durable
  std::int64_t size_bytes = 0;       ///< what was written for it
  std::int64_t full_size_bytes = 0;  ///< with the files that it shares with earlier ones
  // The longest of all tasks:
  std::int64_t sync_duration_ms = 0;   ///< how long it stood still to take its snapshot
  std::int64_t alignment_ms = 0;       ///< from the first barrier to the last
  std::int64_t start_delay_ms = 0;     ///< until the first barrier came
  std::int64_t write_duration_ms = 0;  ///< the part that no task waits for
};

/// A running (or ended) job: its tasks' threads and the coordinator's. Every method is thread-safe.
/// The destructor cancels and joins.
class Job {
 public:
  virtual ~Job() = default;
  virtual const std::string& id() const = 0;
  virtual const std::string& name() const = 0;
  virtual JobStatus status() const = 0;
  /// Asks every task to stop; returns at once.
  virtual void cancel() = 0;
  /// Waits at most `timeout`; true when the job reached a terminal status and all threads are
  /// joined.
  virtual bool wait_for(std::chrono::milliseconds timeout) = 0;
  /// Only after a terminal status.
  virtual const JobResult& result() const = 0;
  /// Takes a checkpoint now and waits for it; returns its path (or id in memory). Throws if it
  /// fails or the job ends first.
  std::string trigger_checkpoint() { return trigger_checkpoint_async().get(); }
  /// Asks for a checkpoint; the future gives what trigger_checkpoint() gives or throws.
  virtual std::future<std::string> trigger_checkpoint_async() = 0;
  /// Asks for a savepoint; the future gives its path, or throws as trigger_checkpoint() does.
  virtual std::future<std::string> trigger_savepoint_async(const SavepointRequest& request) = 0;
  /// The last thousand completed ones, newest last.
  virtual std::vector<CheckpointStats> checkpoints() const = 0;
  /// How often it was started: 1 until it fails for the first time.
  virtual int attempt() const = 0;
  /// "<task>.<subtask>.<operator>.<metric>", "<task>.<subtask>.<metric>" of a task and
  /// "jobmanager.<job>.<metric>" of the job -> value; sums are up to the reader. A restart begins
  /// the tasks' anew.
  virtual std::map<std::string, double> metrics() const = 0;
  /// Likewise, those that are no numbers.
  virtual std::map<std::string, std::string> text_metrics() const = 0;
  /// Operators of tasks whose current step - a few records, mostly one call - has been running for
  /// longer than a second (DESIGN: "blocked in C").
  virtual std::vector<std::string> blocked_operators() const = 0;
};

/// Chains the graph, deploys it and starts it. Throws kInvalidArgument for a graph that cannot run
/// (no source, nothing to execute, a restore path that does not fit).
std::shared_ptr<Job> start_job(const StreamGraph& graph, const JobOptions& options);

}  // namespace flott
