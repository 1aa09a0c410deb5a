#pragma once

#include "base/clock.h"
#include "graph/stream_graph.h"
#include "state/keyed_state_backend.h"

#include <chrono>
#include <exception>
#include <functional>
#include <future>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace flott {

enum class JobStatus { kCreated, kRunning, kFailing, kFailed, kCancelling, kCanceled, kFinished };
/// Upstream's names: "RUNNING", "CANCELED", ...
std::string_view job_status_name(JobStatus status);
bool is_terminal(JobStatus status);

struct JobOptions {
  std::string name = "Flink Streaming Job";
  bool batch_mode = false;
  /// BATCH: keyed operators get their input sorted by key and time, one key after the other.
  bool sort_inputs = true;
  std::size_t sort_memory_bytes = 128 << 20;  ///< a sorted input's; what is more goes to files
  bool chaining = true;
  bool object_reuse = false;
  std::shared_ptr<const StateBackendOptions> state_backend;  ///< null: the heap
  std::int64_t auto_watermark_interval_ms = 200;
  std::int64_t buffer_timeout_ms = 100;  ///< accepted; batches close when the source has no more
  std::size_t channel_capacity_bytes = 4 << 20;
  /// A call of an operator that emits several times a channel's capacity waits for the reader, as
  /// in Flink; off where all tasks share one thread.
  bool emit_waits_for_room = true;
  std::int64_t checkpoint_interval_ms = 0;  ///< 0: no periodic checkpoints
  /// Snapshots may be asked for; an interval or a directory implies it. Off: trigger_checkpoint()
  /// is refused, and ended tasks do not keep their state.
  bool checkpointing = false;
  std::int64_t checkpoint_timeout_ms = 600'000;
  int tolerable_checkpoint_failures = 0;
  std::string checkpoint_directory;  ///< empty: kept in memory
  int retained_checkpoints = 1;
  bool retain_on_cancellation = true;
  std::string restore_path;  ///< a checkpoint to start from, or empty
  bool detached = false;     ///< nobody waits for its end: a failure is logged as an error
  /// Not owned; null: the system clock.
  const Clock* clock = nullptr;
  /// Copies the caller's context (contextvars) onto each task thread; may be empty. Called with
  /// host's lock held.
  std::function<void()> on_thread_start;
  /// The end of what on_thread_start began, before functions are closed; also with the lock held.
  std::function<void()> on_thread_end;
  /// Ends calls of functions that run for long in the host language. Called by the coordinator,
  /// again and again from a moment after the tasks were told to stop until they have ended.
  std::function<void()> interrupt_calls;
};

struct JobResult {
  JobStatus status = JobStatus::kFinished;
  std::int64_t net_runtime_ms = 0;
  /// The first failure; a host exception travels inside (bindings' own exception type derived from
  /// Error).
  std::exception_ptr error;
  /// "operator 'Map', subtask 1/2, record 'abc'": where it happened.
  std::string error_location;
};

struct CheckpointStats {
  CheckpointId id = 0;
  std::string path;
  std::int64_t duration_ms = 0;
  std::int64_t size_bytes = 0;
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
  virtual std::vector<CheckpointStats> checkpoints() const = 0;
  /// "vertex name[subtask] operator metric" -> value; sums are up to the reader.
  virtual std::map<std::string, double> metrics() const = 0;
  /// Operators of tasks whose current step - a few records, mostly one call - has been running for
  /// longer than a second (DESIGN: "blocked in C").
  virtual std::vector<std::string> blocked_operators() const = 0;
};

/// Chains the graph, deploys it and starts it. Throws kInvalidArgument for a graph that cannot run
/// (no source, nothing to execute, a restore path that does not fit).
std::shared_ptr<Job> start_job(const StreamGraph& graph, const JobOptions& options);

}  // namespace flott
