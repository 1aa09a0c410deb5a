#include "job/local_job.h"

#include "base/error.h"
#include "base/fault_point.h"
#include "base/log.h"
#include "base/random_id.h"
#include "checkpoint/checkpoint_path.h"
#include "job/end_report.h"
#include "types/host.h"

#include <algorithm>
#include <utility>

namespace flott {
namespace {

constexpr std::int64_t kNever = std::numeric_limits<std::int64_t>::max();
constexpr std::int64_t kLongestWaitNs = 1'000'000'000;
constexpr std::int64_t kNsPerMs = 1'000'000;
/// Calls that end by themselves are left alone so long, and asked again so often.
constexpr std::int64_t kInterruptAfterNs = 200'000'000;
constexpr std::int64_t kInterruptIntervalNs = 100'000'000;

JobOptions with_checkpointing_implied(JobOptions options) {
  options.checkpointing = options.checkpointing || options.checkpoint_interval_ms > 0 ||
                          !options.checkpoint_directory.empty();
  return options;
}

std::string message_of(const std::exception_ptr& error) {
  try {
    std::rethrow_exception(error);
  } catch (const std::exception& e) {
    return e.what();
  } catch (...) {
    return "unknown error";
  }
}

std::optional<CheckpointData> read_restore_path(const JobOptions& options) {
  if (options.restore_path.empty()) {
    return std::nullopt;
  }
  if (options.batch_mode) {
    throw_error(ErrorKind::kInvalidArgument,
                "'{}' cannot be restored in BATCH mode, which keeps the state of one key at a "
                "time; set the runtime mode to STREAMING, or start without "
                "'execution.savepoint.path'",
                options.restore_path);
  }
  CheckpointData restored = read_checkpoint(options.restore_path);
  fault_point(FaultPoint::kDuringRestore);
  return restored;
}

}  // namespace

std::string_view job_status_name(JobStatus status) {
  switch (status) {
    case JobStatus::kCreated:
      return "CREATED";
    case JobStatus::kRunning:
      return "RUNNING";
    case JobStatus::kRestarting:
      return "RESTARTING";
    case JobStatus::kFailing:
      return "FAILING";
    case JobStatus::kFailed:
      return "FAILED";
    case JobStatus::kCancelling:
      return "CANCELLING";
    case JobStatus::kCanceled:
      return "CANCELED";
    case JobStatus::kFinished:
      return "FINISHED";
  }
  return "?";
}

bool is_terminal(JobStatus status) {
  return status == JobStatus::kFailed || status == JobStatus::kCanceled ||
         status == JobStatus::kFinished;
}

std::shared_ptr<Job> start_job(const StreamGraph& graph, const JobOptions& options) {
  if (graph.nodes().empty()) {
    throw Error(ErrorKind::kInvalidArgument,
                "No operators defined in streaming topology. Cannot execute.");
  }
  auto job = std::make_shared<LocalJob>(graph, options);
  job->start();
  return job;
}

LocalJob::LocalJob(const StreamGraph& graph, const JobOptions& options)
    : options_(with_checkpointing_implied(options)),
      graph_(graph),
      job_graph_(make_job_graph(graph_, {options_.chaining, options_.batch_mode})),
      id_(random_id()),
      clock_(options.clock != nullptr ? *options.clock : system_clock_),
      restart_strategy_(make_restart_strategy(options_.restart)) {
  std::optional<CheckpointData> restored = read_restore_path(options_);
  JobCheckpoints::Callbacks callbacks;
  callbacks.written = [this](WrittenCheckpoint written) { post(std::move(written)); };
  callbacks.failed_too_often = [this](std::exception_ptr error) {
    fail(std::move(error), "checkpointing");
  };
  callbacks.cancel = [this] { cancel(); };
  checkpoints_ = std::make_unique<JobCheckpoints>(
      options_, id_, clock_, restored ? restored->id + 1 : 1, std::move(callbacks));
  attempt_ = make_attempt(0, std::move(restored));
}

LocalJob::~LocalJob() {
  cancel();
  while (coordinator_thread_.joinable() && !wait_for(std::chrono::seconds(1))) {
  }
}

std::shared_ptr<Attempt> LocalJob::make_attempt(int number,
                                                std::optional<CheckpointData> restored) {
  DeploymentCallbacks callbacks;
  callbacks.started = [this, number](int /*task*/) { post(Started{number}); };
  callbacks.acknowledge = [this, number](int task, CheckpointId id, TaskSnapshot snapshot) {
    post(Acknowledged{number, task, id, std::move(snapshot)});
  };
  callbacks.awaits_commit = [this, number](int task, TaskSnapshot snapshot) {
    post(AwaitsCommit{number, task, std::move(snapshot)});
  };
  callbacks.ended = [this, number](int task, TaskResult result) {
    post(Ended{number, task, std::move(result)});
  };
  Deployment deployment = deploy(graph_,
                                 job_graph_,
                                 options_,
                                 id_,
                                 clock_,
                                 number,
                                 restored ? &*restored : nullptr,
                                 callbacks);
  return std::make_shared<Attempt>(
      number, std::move(deployment), std::move(restored), [this] { return stopping(); });
}

std::shared_ptr<Attempt> LocalJob::attempt_now() const {
  const std::lock_guard lock(mutex_);
  return attempt_;
}

void LocalJob::start() {
  status_ = JobStatus::kRunning;
  started_ns_ = monotonic_ns();
  running_since_ns_ = started_ns_;
  checkpoints_->begin_attempt(*attempt_);
  attempt_->start(options_.name);
  try {
    coordinator_thread_ = std::thread([this] { coordinate(); });
  } catch (const std::system_error& e) {
    attempt_->cancel();
    attempt_->join();
    throw_error(ErrorKind::kExternal,
                "job '{}' needs one more thread and the system gave none ({}); lower its "
                "parallelism or raise the limit of threads",
                options_.name,
                e.what());
  }
}

void LocalJob::post(Event event) {
  {
    const std::lock_guard lock(mutex_);
    events_.push_back(std::move(event));
  }
  events_ready_.notify_one();
}

JobStatus LocalJob::status() const {
  const JobStatus status = status_.load();
  // The coordinator may be slow to notice; who cancelled sees it at once.
  const bool goes_on = status == JobStatus::kRunning || status == JobStatus::kRestarting;
  return cancel_requested_ && goes_on ? JobStatus::kCancelling : status;
}

void LocalJob::cancel() {
  std::shared_ptr<Attempt> attempt;
  {
    const std::lock_guard lock(mutex_);
    cancel_requested_ = true;
    attempt = attempt_;
  }
  events_ready_.notify_one();
  // At once, not only when the coordinator looks: it may be waiting for a broker.
  if (attempt) {
    attempt->cancel();
  }
}

bool LocalJob::stopping() const {
  return cancel_requested_ || status_ != JobStatus::kRunning;
}

bool LocalJob::waits_for_restart() const {
  return status_ == JobStatus::kRestarting && attempt_->over();
}

void LocalJob::interrupt_calls() {
  const std::int64_t now_ns = monotonic_ns();
  if (next_interrupt_ns_ == 0) {
    next_interrupt_ns_ = now_ns + kInterruptAfterNs;
  } else if (now_ns >= next_interrupt_ns_ && options_.interrupt_calls) {
    options_.interrupt_calls();
    next_interrupt_ns_ = monotonic_ns() + kInterruptIntervalNs;
  }
}

bool LocalJob::wait_for(std::chrono::milliseconds timeout) {
  {
    std::unique_lock lock(mutex_);
    if (!ended_.wait_for(lock, timeout, [this] { return terminal_; })) {
      return false;
    }
  }
  const std::lock_guard lock(join_mutex_);
  if (coordinator_thread_.joinable()) {
    coordinator_thread_.join();
  }
  return true;
}

void LocalJob::coordinate() {
  discover_first();
  while (true) {
    while (!attempt_->over()) {
      turn();
    }
    attempt_->join();
    while (waits_for_restart() && monotonic_ns() < restart_at_ns_) {
      turn();
    }
    if (status_ == JobStatus::kRestarting) {
      notice_cancel();  // it may have come while a restart failed, and none follows then
    }
    if (status_ != JobStatus::kRestarting) {
      break;
    }
    restart();
  }
  finish();
}

/// Waits for something to do, and does it.
void LocalJob::turn() {
  std::deque<Event> events;
  {
    std::unique_lock lock(mutex_);
    const std::int64_t wait_ns =
        std::clamp<std::int64_t>(next_deadline_ns() - monotonic_ns(), 0, kLongestWaitNs);
    events_ready_.wait_for(lock, std::chrono::nanoseconds(wait_ns), [&] {
      return !events_.empty() || cancel_is_new();
    });
    events.swap(events_);
  }
  for (Event& event : events) {
    std::visit([this](auto& e) { handle(e); }, event);
  }
  notice_cancel();
  if (!stopping()) {
    run_timers();
  } else if (!attempt_->over()) {
    interrupt_calls();
  }
}

bool LocalJob::cancel_is_new() const {
  const JobStatus status = status_;
  return cancel_requested_ && (status == JobStatus::kRunning || status == JobStatus::kRestarting);
}

void LocalJob::notice_cancel() {
  if (cancel_is_new()) {
    any_cancelled_ = true;
    status_ = JobStatus::kCancelling;
    log(LogLevel::kInfo, "flott.job", "job '{}' ({}) is being cancelled", options_.name, id_);
  }
}

void LocalJob::discover_first() {
  try {
    attempt_->discover_first();
  } catch (const Attempt::SourceFailure& failure) {
    if (!stopping()) {
      fail(failure.error, fmt::format("source '{}'", failure.source));
    }
  }
}

void LocalJob::restart() {
  const int number = attempt_->number() + 1;
  attempt_failed_ = false;
  try {
    std::shared_ptr<Attempt> next = make_attempt(
        number, checkpoints_->restore_point([this] { return cancel_requested_.load(); }));
    // The coordinator's own reference dies here, and with it what is left of the last attempt.
    {
      const std::lock_guard lock(mutex_);
      attempt_.swap(next);
    }
    next.reset();
    attempt_number_ = number;
    any_cancelled_ = false;
    next_interrupt_ns_ = 0;
    checkpoints_->begin_attempt(*attempt_);
    status_ = JobStatus::kRunning;
    attempt_->start(options_.name);
  } catch (...) {
    fail(std::current_exception(), fmt::format("the start of attempt {}", number + 1));
    return;
  }
  const std::int64_t now_ns = monotonic_ns();
  restarting_time_ms_ = (now_ns - down_since_ns_.exchange(0)) / kNsPerMs;
  running_since_ns_ = now_ns;
  if (cancel_requested_) {
    attempt_->cancel();  // it came before the tasks were there to be told
  }
  log(LogLevel::kInfo,
      "flott.job",
      "attempt {} of job '{}' runs, {} ms after the failure",
      number + 1,
      options_.name,
      restarting_time_ms_.load());
  discover_first();
}

void LocalJob::handle(Started& event) {
  if (event.attempt == attempt_->number() && attempt_->note_started()) {
    checkpoints_->tasks_started();
  }
}

void LocalJob::handle(Acknowledged& event) {
  if (event.attempt == attempt_->number()) {
    checkpoints_->acknowledge(event.task, event.id, std::move(event.snapshot));
  }
}

void LocalJob::handle(AwaitsCommit& event) {
  if (event.attempt == attempt_->number()) {
    checkpoints_->awaits_commit(event.task, std::move(event.snapshot));
  }
}

void LocalJob::handle(Ended& event) {
  if (event.attempt != attempt_->number()) {
    return;  // of one that could not be started as a whole
  }
  attempt_->note_ended();
  const Deployment::DeployedTask& deployed =
      attempt_->deployment().tasks[static_cast<std::size_t>(event.task)];
  switch (event.result.status) {
    case TaskResult::Status::kFinished:
      checkpoints_->task_finished(event.task, std::move(event.result.final_snapshot));
      break;
    case TaskResult::Status::kCancelled:
      any_cancelled_ = true;
      break;
    case TaskResult::Status::kFailed: {
      const std::string op = event.result.failed_operator.empty() ? deployed.task->name()
                                                                  : event.result.failed_operator;
      std::string location = fmt::format(
          "operator '{}', subtask {}/{}", op, deployed.subtask + 1, deployed.parallelism);
      if (!event.result.failed_record.empty()) {
        location += fmt::format(", record {}", event.result.failed_record);
      }
      fail(event.result.error, std::move(location));
      break;
    }
  }
}

void LocalJob::handle(WrittenCheckpoint& event) {
  checkpoints_->written(std::move(event));
}

void LocalJob::handle(TriggerRequest& event) {
  const auto refuse = [&](std::string why) {
    event.reply->set_exception(
        std::make_exception_ptr(Error(ErrorKind::kInvalidArgument, std::move(why))));
  };
  if (stopping() || !checkpoints_->possible()) {
    refuse(fmt::format("job '{}' is {}{}: no checkpoint can be taken",
                       options_.name,
                       job_status_name(status()),
                       checkpoints_->possible() || stopping() ? "" : " and its tasks have ended"));
  } else if (options_.batch_mode) {
    refuse(
        fmt::format("job '{}' runs in BATCH mode, which takes no checkpoints; run it in "
                    "STREAMING mode (execution.runtime-mode) to take them",
                    options_.name));
  } else if (!options_.checkpointing && event.savepoint && checkpoints_->any_finished()) {
    refuse(
        fmt::format("job '{}' runs without checkpoints and some of its tasks have ended, whose "
                    "state was not kept: no savepoint can be taken; call "
                    "env.enable_checkpointing(interval) before it starts",
                    options_.name));
  } else if (!options_.checkpointing && !event.savepoint) {
    refuse(
        fmt::format("job '{}' runs without checkpoints; call env.enable_checkpointing(interval) or "
                    "set execution.checkpointing.dir before it starts",
                    options_.name));
  } else {
    checkpoints_->ask(std::move(event.reply), std::move(event.savepoint));
  }
}

void LocalJob::fail(std::exception_ptr error, std::string location) {
  if (cancel_requested_) {
    any_cancelled_ = true;
    return;  // what breaks while the job is being cancelled does not make it a failed one
  }
  if (std::exchange(attempt_failed_, true)) {
    return;  // the first failure is the cause; the others follow from it
  }
  const std::int64_t now_ns = monotonic_ns();
  if (down_since_ns_ == 0) {
    down_since_ns_ = now_ns;
  }
  checkpoints_->end_attempt();
  std::optional<RestartStrategy::Restart> again;
  std::string why_not;
  const std::string& stopped_with = checkpoints_->stopped_with();
  if (!stopped_with.empty()) {
    // As Flink: its sinks publish what the savepoint holds, and the caller was told of it.
    why_not = fmt::format(
        "savepoint {} is complete and consistent, but the job failed while it was stopping; start "
        "it from there (execution.savepoint.path), which also publishes what its sinks have not",
        stopped_with);
  } else if (certain_to_repeat(error)) {
    why_not = "it would fail again in the same way";
  } else {
    again = restart_strategy_->on_failure(now_ns / kNsPerMs);
    why_not = again ? "" : restart_strategy_->why_not();
  }
  const int attempt = attempt_number_ + 1;
  if (again) {
    restart_at_ns_ = now_ns + again->delay_ms * kNsPerMs;
    status_ = JobStatus::kRestarting;
    log(LogLevel::kWarn,
        "flott.job",
        "job '{}' ({}) failed in {}: {}; attempt {}{} in {} ms",
        options_.name,
        id_,
        location,
        message_of(error),
        attempt + 1,
        again->of,
        again->delay_ms);
  } else {
    const bool restarts =
        options_.restart.kind != RestartOptions::Kind::kNone || !stopped_with.empty();
    log(options_.detached ? LogLevel::kError : LogLevel::kInfo,
        "flott.job",
        "job '{}' ({}) failed in {}: {}{}{}",
        options_.name,
        id_,
        location,
        message_of(error),
        restarts ? "; it is not started again: " : "",
        restarts ? why_not : "");
    if (restarts) {
      location += fmt::format(", in attempt {}; not started again: {}", attempt, why_not);
    }
    result_.error = std::move(error);
    result_.error_location = std::move(location);
    status_ = JobStatus::kFailing;
  }
  attempt_->cancel();
}

std::int64_t LocalJob::next_deadline_ns() const {
  if (waits_for_restart()) {
    return restart_at_ns_;
  }
  if (stopping()) {
    return options_.interrupt_calls ? next_interrupt_ns_ : kNever;
  }
  return std::min(attempt_->next_discovery_ns(), checkpoints_->next_deadline_ns());
}

void LocalJob::run_timers() {
  const std::int64_t now_ns = monotonic_ns();
  attempt_->discover_due(now_ns);
  if (!options_.batch_mode) {
    checkpoints_->run_timers(now_ns);
  }
}

void LocalJob::finish() {
  JobStatus final_status = JobStatus::kFinished;
  if (result_.error) {
    final_status = JobStatus::kFailed;
  } else if (any_cancelled_) {
    final_status = JobStatus::kCanceled;
  }
  checkpoints_->finish(final_status);
  graph_ = {};  // the records of collections, and whatever else the program gave it
  if (final_status != JobStatus::kFailed) {
    log_end_report(attempt_->deployment(), options_.name);
  }
  result_.status = final_status;
  result_.net_runtime_ms = (monotonic_ns() - started_ns_) / kNsPerMs;
  std::deque<Event> late;
  {
    const std::lock_guard lock(mutex_);
    status_ = final_status;
    terminal_ = true;
    late.swap(events_);
  }
  bool written_late = false;
  for (Event& event : late) {
    if (auto* request = std::get_if<TriggerRequest>(&event)) {
      handle(*request);
    } else if (auto* written = std::get_if<WrittenCheckpoint>(&event)) {
      handle(*written);
      written_late = true;
    }
  }
  if (written_late) {
    checkpoints_->settle();
  }
  ended_.notify_all();
}

std::future<std::string> LocalJob::trigger_checkpoint_async() {
  return trigger(std::nullopt);
}

std::future<std::string> LocalJob::trigger_savepoint_async(const SavepointRequest& request) {
  SavepointRequest with_directory = request;
  if (with_directory.directory.empty()) {
    with_directory.directory = options_.savepoint_directory;
  }
  if (with_directory.directory.empty()) {
    throw_error(ErrorKind::kInvalidArgument,
                "job '{}': no directory for the savepoint; give one in the call, or set "
                "'execution.checkpointing.savepoint-dir' (state.savepoints.dir)",
                options_.name);
  }
  checkpoint_directory(with_directory.directory);  // throws for what is no local path
  return trigger(std::move(with_directory));
}

std::future<std::string> LocalJob::trigger(std::optional<SavepointRequest> savepoint) {
  auto reply = std::make_shared<std::promise<std::string>>();
  std::future<std::string> future = reply->get_future();
  {
    const std::lock_guard lock(mutex_);
    if (terminal_) {
      throw_error(ErrorKind::kInvalidArgument,
                  "job '{}' has ended: no {} can be taken",
                  options_.name,
                  savepoint ? "savepoint" : "checkpoint");
    }
    events_.push_back(TriggerRequest{reply, std::move(savepoint)});
  }
  events_ready_.notify_one();
  return future;
}

std::map<std::string, double> LocalJob::metrics() const {
  std::map<std::string, double> out = attempt_now()->metrics();
  std::map<std::string, double> own = checkpoints_->metrics();
  const std::int64_t now_ns = monotonic_ns();
  const bool running = status_ == JobStatus::kRunning;
  const std::int64_t down_since_ns = down_since_ns_;
  own["numRestarts"] = attempt_number_;
  own["fullRestarts"] = attempt_number_;
  own["restartingTime"] = static_cast<double>(restarting_time_ms_.load());
  // As Flink: 0 while it runs, -1 when it has ended.
  if (is_terminal(status_)) {
    own["downtime"] = -1;
    own["uptime"] = -1;
  } else {
    own["downtime"] =
        down_since_ns == 0 ? 0.0 : static_cast<double>((now_ns - down_since_ns) / kNsPerMs);
    own["uptime"] = running ? static_cast<double>((now_ns - running_since_ns_) / kNsPerMs) : 0.0;
  }
  for (const auto& [name, value] : own) {
    out[fmt::format("jobmanager.{}.{}", options_.name, name)] = value;
  }
  return out;
}

std::map<std::string, std::string> LocalJob::text_metrics() const {
  std::map<std::string, std::string> out;
  for (auto& [name, value] : checkpoints_->text_metrics()) {
    out[fmt::format("jobmanager.{}.{}", options_.name, name)] = value;
  }
  return out;
}

std::vector<std::string> LocalJob::blocked_operators() const {
  return attempt_now()->blocked_operators();
}

}  // namespace flott
