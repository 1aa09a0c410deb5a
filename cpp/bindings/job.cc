#include "bindings/job.h"

#include "base/clock.h"
#include "base/error.h"
#include "base/log.h"
#include "bindings/convert.h"
#include "bindings/errors.h"
#include "bindings/interrupt.h"
#include "bindings/native_types.h"
#include "bindings/node_params.h"

#include <cxxabi.h>
#include <pthread.h>
#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <future>
#include <mutex>
#include <utility>
#include <vector>

namespace flott::bindings {
namespace {

/// A GilRelease for waits in which threads of the program (daemon threads) may be when it ends. Who
/// comes back when the interpreter is being finalized stands still until the process has ended.
class WaitRelease {
 public:
  WaitRelease() : depth_(std::exchange(t_gil_depth, 0)), state_(PyEval_SaveThread()) {}
  ~WaitRelease() {
    try {
      PyEval_RestoreThread(state_);
    } catch (const abi::__forced_unwind&) {
      // Up to 3.13 CPython ends such threads by pthread_exit, whose unwinding does not get through
      // destructors: the process would be aborted.
      for (;;) {
        ::pause();
      }
    }
    t_gil_depth = depth_;
  }
  WaitRelease(const WaitRelease&) = delete;
  WaitRelease& operator=(const WaitRelease&) = delete;

 private:
  int depth_;
  PyThreadState* state_;
};

constexpr std::int64_t kSignalIntervalMs = 50;
constexpr std::int64_t kBlockedReportNs = 1'000'000'000;
constexpr int kExitInterrupted = 130;  // 128 + SIGINT, what shells expect

/// The jobs that run, so that one whose handle was dropped goes on, and for the end of the program.
struct LiveJobs {
  std::mutex mutex;
  std::vector<std::shared_ptr<Job>> jobs;

  void add(std::shared_ptr<Job> job) {
    remove_ended();
    const std::lock_guard lock(mutex);
    jobs.push_back(std::move(job));
  }
  void remove_ended() {
    std::vector<std::shared_ptr<Job>> ended;  // destroyed after the lock: this frees user objects
    const std::lock_guard lock(mutex);
    for (auto& job : jobs) {
      if (is_terminal(job->status())) {
        ended.push_back(std::move(job));
      }
    }
    std::erase(jobs, nullptr);
  }
};
LiveJobs& live_jobs() {
  // Leaked: threads may still look at it while the process ends.
  static auto* jobs = new LiveJobs;
  return *jobs;
}

std::atomic<bool> g_started{false};  ///< any job was started: there may be threads
std::atomic<bool> g_forked{false};   ///< this process is a child of one that had jobs

void after_fork_in_child() {
  if (g_started.load(std::memory_order_relaxed)) {
    g_forked.store(true, std::memory_order_relaxed);
  }
}

void require_not_forked() {
  if (g_forked.load(std::memory_order_relaxed)) {
    throw_error(ErrorKind::kInvalidArgument,
                "this process was forked from one that had run a job; threads do not survive a "
                "fork, so the engine is dead here. Use multiprocessing's 'spawn' start method, or "
                "fork before the first job");
  }
}

std::string joined(const std::vector<std::string>& items) {
  std::string out;
  for (const std::string& item : items) {
    out += out.empty() ? "" : ", ";
    out += item;
  }
  return out;
}

CheckpointRetention retention_of(const std::string& name) {
  if (name == "never") {
    return CheckpointRetention::kNever;
  }
  return name == "on_failure" ? CheckpointRetention::kOnFailure
                              : CheckpointRetention::kOnCancellation;
}

/// What pyflink.common.restart_strategy names; a strategy that is missing is none.
RestartOptions parse_restart(const Options& params) {
  RestartOptions out;
  const std::string kind = params.get("kind", "none");
  if (kind == "none") {
    return out;
  }
  out.attempts = static_cast<int>(std::min<std::int64_t>(
      params.get_int("attempts", RestartOptions::kUnlimited), RestartOptions::kUnlimited));
  out.delay_ms = params.get_int("delay_ms", out.delay_ms);
  if (kind == "fixed_delay") {
    out.kind = RestartOptions::Kind::kFixedDelay;
  } else if (kind == "failure_rate") {
    out.kind = RestartOptions::Kind::kFailureRate;
    out.max_failures_per_interval =
        static_cast<int>(params.get_int("max_failures_per_interval", 1));
    out.failure_interval_ms = params.get_int("failure_interval_ms", out.failure_interval_ms);
  } else if (kind == "exponential_delay") {
    out.kind = RestartOptions::Kind::kExponentialDelay;
    out.max_delay_ms = params.get_int("max_delay_ms", out.max_delay_ms);
    out.multiplier = std::stod(params.get("multiplier", "1.5"));
    out.jitter = std::stod(params.get("jitter", "0.1"));
    out.reset_threshold_ms = params.get_int("reset_threshold_ms", out.reset_threshold_ms);
  } else {
    throw_error(ErrorKind::kInvalidArgument, "unknown restart strategy '{}'", kind);
  }
  return out;
}

JobOptions parse_options(const NodeParams& params, const std::string& job_name) {
  JobOptions out;
  out.name = job_name;
  out.batch_mode = params.boolean("batch_mode", out.batch_mode);
  out.sort_inputs = params.boolean("sort_inputs", out.sort_inputs);
  out.sort_memory_bytes = static_cast<std::size_t>(
      params.integer("sort_memory_bytes", static_cast<std::int64_t>(out.sort_memory_bytes)));
  out.chaining = params.boolean("chaining", out.chaining);
  out.object_reuse = params.boolean("object_reuse", out.object_reuse);
  out.auto_watermark_interval_ms =
      params.integer("auto_watermark_interval_ms", out.auto_watermark_interval_ms);
  out.buffer_timeout_ms = params.integer("buffer_timeout_ms", out.buffer_timeout_ms);
  out.channel_capacity_bytes = static_cast<std::size_t>(params.integer(
      "channel_capacity_bytes", static_cast<std::int64_t>(out.channel_capacity_bytes)));
  out.checkpoint_interval_ms = params.integer("checkpoint_interval_ms", 0);
  out.checkpoint_timeout_ms = params.integer("checkpoint_timeout_ms", out.checkpoint_timeout_ms);
  out.tolerable_checkpoint_failures =
      static_cast<int>(params.integer("tolerable_checkpoint_failures", 0));
  out.checkpoint_directory = params.text("checkpoint_directory", "");
  out.retained_checkpoints =
      static_cast<int>(params.integer("retained_checkpoints", out.retained_checkpoints));
  out.checkpoint_retention = retention_of(params.text("checkpoint_retention", "on_cancellation"));
  out.checkpoint_mode = params.text("checkpoint_mode", "exactly_once") == "at_least_once"
                            ? CheckpointMode::kAtLeastOnce
                            : CheckpointMode::kExactlyOnce;
  out.min_pause_between_checkpoints_ms = params.integer("min_pause_between_checkpoints_ms", 0);
  out.max_concurrent_checkpoints =
      static_cast<int>(params.integer("max_concurrent_checkpoints", 1));
  out.unaligned_checkpoints = params.boolean("unaligned_checkpoints", false);
  out.checkpoints_after_tasks_finish = params.boolean("checkpoints_after_tasks_finish", true);
  out.restart = parse_restart(params.options("restart"));
  out.restore_path = params.text("restore_path", "");
  out.savepoint_directory = params.text("savepoint_directory", "");
  out.allow_unclaimed_state = params.boolean("allow_unclaimed_state", false);
  if (params.find("state_backend") != nullptr) {
    auto backend = std::make_shared<StateBackendOptions>();
    backend->type = params.text("state_backend");
    backend->settings = params.options("state_backend_settings").values();
    check_state_backend(*backend);
    out.state_backend = std::move(backend);
  }
  out.detached = params.boolean("detached", out.detached);
  return out;
}

/// Gives the calling thread, and those it starts, a working directory of their own. Where the
/// system does not allow that, the program's stays as it is.
void enter_directory(const std::string& directory) {
  if (unshare(CLONE_FS) == 0 && chdir(directory.c_str()) == 0) {
    return;
  }
  static std::once_flag told;
  std::call_once(told, [&] {
    log(LogLevel::kWarn,
        "job",
        "functions do not find archives by relative paths, because this system does not let a "
        "thread have a working directory of its own ({}); their folder is '{}', and "
        "os.environ['_PYTHON_WORKING_DIR'] names it",
        std::strerror(errno),
        directory);
  });
}

void check_option_names(PyObject* options) {
  constexpr const char* kNames[] = {"batch_mode",
                                    "sort_inputs",
                                    "sort_memory_bytes",
                                    "chaining",
                                    "object_reuse",
                                    "auto_watermark_interval_ms",
                                    "buffer_timeout_ms",
                                    "channel_capacity_bytes",
                                    "checkpoint_interval_ms",
                                    "checkpoint_timeout_ms",
                                    "tolerable_checkpoint_failures",
                                    "checkpoint_directory",
                                    "retained_checkpoints",
                                    "checkpoint_retention",
                                    "checkpoint_mode",
                                    "min_pause_between_checkpoints_ms",
                                    "max_concurrent_checkpoints",
                                    "unaligned_checkpoints",
                                    "checkpoints_after_tasks_finish",
                                    "restart",
                                    "restore_path",
                                    "savepoint_directory",
                                    "allow_unclaimed_state",
                                    "state_backend",
                                    "state_backend_settings",
                                    "detached",
                                    "working_directory",
                                    "job_parameters"};
  PyObject* key = nullptr;
  PyObject* value = nullptr;
  Py_ssize_t position = 0;
  while (PyDict_Next(options, &position, &key, &value) != 0) {
    const std::string name = text_of(key, "the name of a job option");
    if (std::none_of(std::begin(kNames), std::end(kNames), [&](const char* known) {
          return name == known;
        })) {
      throw_error(ErrorKind::kInvalidArgument, "unknown job option '{}'", name);
    }
  }
}

}  // namespace

JobOptions read_job_options(const GraphBuilder& builder,
                            const std::string& job_name,
                            PyObject* options) {
  if (!PyDict_Check(options)) {
    throw_error(
        ErrorKind::kInvalidArgument, "job options are a dict, not {}", type_name_of(options));
  }
  check_option_names(options);
  const NodeParams params(options, "the job");
  *builder.job_parameters() = params.options("job_parameters").values();
  return parse_options(params, job_name);
}

std::shared_ptr<PythonJob> start_python_job(const GraphBuilder& builder,
                                            const std::string& job_name,
                                            PyObject* options) {
  require_not_forked();
  JobOptions job_options = read_job_options(builder, job_name, options);

  // Each task thread runs in its own copy of the caller's context, so that contextvars are seen and
  // changes stay within the task.
  auto variables = std::make_shared<Handle>(checked(PyContext_CopyCurrent()));
  const std::string working_directory =
      NodeParams(options, "the job").text("working_directory", "");
  const auto threads = std::make_shared<TaskThreads>();
  job_options.on_thread_start = [variables, working_directory, threads] {
    if (!working_directory.empty()) {
      enter_directory(working_directory);
    }
    const HostScope host;
    const Ref own = checked(PyContext_Copy(variables->get()));
    checked(PyContext_Enter(own.get()));
    threads->add();
  };
  job_options.on_thread_end = [threads] { threads->remove(); };
  job_options.interrupt_calls = [threads] {
    const HostScope host;
    threads->interrupt();
  };

  const bool restarts = job_options.restart.kind != RestartOptions::Kind::kNone;
  const bool checkpoints = job_options.checkpoint_interval_ms > 0 && !job_options.batch_mode;
  for (const auto& queue : builder.collected()) {
    queue->delivery = !restarts     ? CollectDelivery::kAtOnce
                      : checkpoints ? CollectDelivery::kWithTheCheckpoints
                                    : CollectDelivery::kAtOnceAndNotAgain;
  }
  if (!g_started.exchange(true)) {
    pthread_atfork(nullptr, nullptr, after_fork_in_child);
  }
  std::shared_ptr<Job> job;
  {
    const WaitRelease released;
    job = start_job(builder.graph(), job_options);
  }
  // Dropping the last reference joins threads, which need the GIL to end.
  std::shared_ptr<Job> joining(job.get(), [job](Job*) mutable {
    if (PyGILState_Check() != 0) {
      const WaitRelease released;
      job.reset();
    } else {
      job.reset();
    }
  });
  job.reset();
  live_jobs().add(joining);
  return std::make_shared<PythonJob>(std::move(joining));
}

bool PythonJob::wait_step(std::int64_t ms) {
  bool done = false;
  {
    const WaitRelease released;
    done = job_->wait_for(std::chrono::milliseconds(ms));
  }
  if (!done) {
    handle_signals();
    report_blocked();
  }
  return done;
}

void PythonJob::handle_signals() {
  if (PyErr_CheckSignals() == 0) {
    return;
  }
  // The handler raised, usually KeyboardInterrupt: the job must not outlive the call that ran it.
  PyObject *type = nullptr, *value = nullptr, *traceback = nullptr;
  PyErr_Fetch(&type, &value, &traceback);
  cancel_after_interrupt();
  PyErr_Restore(type, value, traceback);
  throw_python_error();
}

void PythonJob::cancel_after_interrupt() {
  job_->cancel();
  const std::int64_t began_ns = monotonic_ns();
  bool told = false;
  while (true) {
    bool done = false;
    {
      const WaitRelease released;
      done = job_->wait_for(std::chrono::milliseconds(kSignalIntervalMs));
    }
    if (done) {
      return;
    }
    if (PyErr_CheckSignals() != 0) {
      PyErr_Clear();
      const std::string where = joined(job_->blocked_operators());
      const std::string text = where.empty()
                                   ? "flott: interrupted again while the job was being cancelled\n"
                                   : "flott: interrupted again; still blocked in: " + where + "\n";
      std::fputs(text.c_str(), stderr);
      std::fflush(stderr);
      _exit(kExitInterrupted);
    }
    if (!told && monotonic_ns() - began_ns > kBlockedReportNs) {
      told = true;
      log(LogLevel::kWarn,
          "job",
          "job '{}' is being cancelled but does not end{}{}; press Ctrl-C again to end the process",
          job_->name(),
          job_->blocked_operators().empty() ? "" : ", blocked in: ",
          joined(job_->blocked_operators()));
    }
  }
}

void PythonJob::report_blocked() {
  const std::int64_t now_ns = monotonic_ns();
  if (now_ns - last_report_ns_ < kBlockedReportNs) {
    return;
  }
  last_report_ns_ = now_ns;
  const std::string blocked = joined(job_->blocked_operators());
  if (!blocked.empty() && blocked != reported_) {
    log(LogLevel::kWarn,
        "job",
        "job '{}': one step has been running for more than a second in {}; cancelling, timers and "
        "checkpoints wait for the calls that a step is made of",
        job_->name(),
        blocked);
  }
  reported_ = blocked;
}

void PythonJob::raise_failure() {
  const JobResult& result = job_->result();
  if (result.error == nullptr) {
    return;
  }
  const Ref exception = exception_of(result.error);
  if (!noted_) {
    noted_ = true;
    if (!result.error_location.empty()) {
      add_note(exception.get(), "in " + result.error_location);
    }
  }
  PyErr_SetObject(reinterpret_cast<PyObject*>(Py_TYPE(exception.get())), exception.get());
  throw_python_error();
}

bool PythonJob::wait(std::int64_t timeout_ms) {
  require_not_forked();
  const std::int64_t end_ns =
      timeout_ms < 0 ? std::numeric_limits<std::int64_t>::max()
                     : monotonic_ns() + std::min<std::int64_t>(timeout_ms, 1LL << 40) * 1'000'000;
  while (true) {
    const std::int64_t left_ms =
        timeout_ms < 0 ? kSignalIntervalMs
                       : std::max<std::int64_t>(0, (end_ns - monotonic_ns()) / 1'000'000);
    if (wait_step(std::min(left_ms, kSignalIntervalMs))) {
      live_jobs().remove_ended();
      raise_failure();
      return true;
    }
    if (timeout_ms >= 0 && monotonic_ns() >= end_ns) {
      return false;
    }
  }
}

Ref PythonJob::result() {
  wait(-1);
  const JobResult& result = job_->result();
  return checked(Py_BuildValue("{s:s,s:L,s:s}",
                               "status",
                               std::string(job_status_name(result.status)).c_str(),
                               "net_runtime_ms",
                               static_cast<long long>(result.net_runtime_ms),
                               "error_location",
                               result.error_location.c_str()));
}

Ref PythonJob::next_collected(CollectState& queue) {
  require_not_forked();
  while (queue.taken.empty()) {
    const bool ended = is_terminal(job_->status());
    bool closed = false;
    {
      const WaitRelease released;
      closed = queue.take(ended ? 0 : kSignalIntervalMs);
    }
    if (!queue.taken.empty()) {
      break;
    }
    if (ended) {
      wait(-1);
      if (job_->status() == JobStatus::kFinished) {
        queue.release_all();
      }
      // The job's last records came in between the look at its status and at the queue.
      queue.take(0);
      if (queue.taken.empty()) {
        return {};
      }
      break;
    }
    if (closed) {
      wait_step(kSignalIntervalMs);  // the job ends, or the next attempt begins
    }
    handle_signals();
    report_blocked();
  }
  Value value = std::move(queue.taken.front());
  queue.taken.pop_front();
  return checked(to_python(std::move(value)));
}

std::string PythonJob::trigger_checkpoint() {
  require_not_forked();
  return wait_for_path(job_->trigger_checkpoint_async().share());
}

std::shared_future<std::string> PythonJob::trigger_savepoint(const std::string& directory,
                                                             const std::string& then) {
  require_not_forked();
  SavepointRequest request;
  request.directory = directory;
  if (then == "stop" || then == "drain") {
    request.then = then == "stop" ? AfterBarrier::kStop : AfterBarrier::kDrain;
  } else if (then == "cancel") {
    request.cancels = true;
  } else if (then != "go_on") {
    throw_error(ErrorKind::kInvalidArgument, "'{}' is nothing to do after a savepoint", then);
  }
  return job_->trigger_savepoint_async(request).share();
}

std::string PythonJob::wait_for_path(const std::shared_future<std::string>& path) {
  require_not_forked();
  while (true) {
    {
      const WaitRelease released;
      if (path.wait_for(std::chrono::milliseconds(kSignalIntervalMs)) ==
          std::future_status::ready) {
        break;
      }
    }
    handle_signals();
    report_blocked();
  }
  return path.get();
}

bool PendingSavepoint::done() const {
  return path.wait_for(std::chrono::seconds(0)) == std::future_status::ready;
}

bool PendingSavepoint::failed() const {
  if (!done()) {
    return false;
  }
  try {
    path.get();
    return false;
  } catch (const Error&) {
    return true;
  }
}

void shut_down_jobs() {
  if (g_forked.load(std::memory_order_relaxed)) {
    return;
  }
  std::vector<std::shared_ptr<Job>> running;
  LiveJobs& live = live_jobs();
  {
    const std::lock_guard lock(live.mutex);
    running.swap(live.jobs);
  }
  std::erase_if(running, [](const auto& job) { return is_terminal(job->status()); });
  for (const auto& job : running) {
    if (job->status() == JobStatus::kCancelling) {
      continue;  // asked for: it ends below
    }
    log(LogLevel::kWarn,
        "job",
        "the program ends while job '{}' is still running: it is cancelled. Wait for it with "
        "job_client.get_job_execution_result().result(), or with wait() on the result",
        job->name());
    job->cancel();
  }
  constexpr auto kPatience = std::chrono::seconds(5);
  for (auto& job : running) {
    const WaitRelease released;
    if (!job->wait_for(kPatience)) {
      const std::string text = "flott: job '" + job->name() +
                               "' did not end; blocked in: " + joined(job->blocked_operators()) +
                               "\n";
      std::fputs(text.c_str(), stderr);
      std::fflush(nullptr);
      // Threads inside the interpreter would crash its finalization.
      _exit(1);
    }
    job.reset();
  }
}

}  // namespace flott::bindings
