#include "job/local_job.h"

#include "base/error.h"
#include "base/fault_point.h"
#include "base/log.h"
#include "base/random_id.h"
#include "job/end_report.h"
#include "types/host.h"

#include <pthread.h>

#include <algorithm>
#include <utility>

namespace flott {
namespace {

constexpr std::int64_t kNever = std::numeric_limits<std::int64_t>::max();
constexpr std::int64_t kBlockedNs = 1'000'000'000;
/// Calls that end by themselves are left alone so long, and asked again so often.
constexpr std::int64_t kInterruptAfterNs = 200'000'000;
constexpr std::int64_t kInterruptIntervalNs = 100'000'000;

JobOptions with_checkpointing_implied(JobOptions options) {
  options.checkpointing = options.checkpointing || options.checkpoint_interval_ms > 0 ||
                          !options.checkpoint_directory.empty();
  return options;
}

std::int64_t ms_to_ns(std::int64_t ms) {
  return ms * 1'000'000;
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

std::size_t size_of(const CheckpointData& data) {
  std::size_t bytes = 0;
  for (const OperatorCheckpoint& op : data.operators) {
    for (const OperatorSnapshot& subtask : op.subtasks) {
      for (const auto& [group, frame] : subtask.keyed_state) {
        bytes += frame.size();
      }
      for (const auto& [group, frame] : subtask.timers) {
        bytes += frame.size();
      }
      for (const auto& [name, entries] : subtask.list_state) {
        for (const std::string& entry : entries) {
          bytes += entry.size();
        }
      }
      for (const auto& [name, entries] : subtask.union_state) {
        for (const std::string& entry : entries) {
          bytes += entry.size();
        }
      }
      for (const auto& [name, entry] : subtask.broadcast_state) {
        bytes += entry.size();
      }
    }
  }
  return bytes;
}

}  // namespace

std::string_view job_status_name(JobStatus status) {
  switch (status) {
    case JobStatus::kCreated:
      return "CREATED";
    case JobStatus::kRunning:
      return "RUNNING";
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
      id_(random_id()),
      clock_(options.clock != nullptr ? *options.clock : system_clock_) {
  CheckpointId first_checkpoint = 1;
  if (!options_.restore_path.empty()) {
    if (options_.batch_mode) {
      throw_error(ErrorKind::kInvalidArgument,
                  "'{}' cannot be restored in BATCH mode, which keeps the state of one key at a "
                  "time; set the runtime mode to STREAMING, or start without "
                  "'execution.savepoint.path'",
                  options_.restore_path);
    }
    restored_ = read_checkpoint(options_.restore_path);
    fault_point(FaultPoint::kDuringRestore);
    first_checkpoint = restored_->id + 1;
  }
  const JobGraph job_graph = make_job_graph(graph, {options_.chaining, options_.batch_mode});
  DeploymentCallbacks callbacks;
  callbacks.acknowledge = [this](int task, CheckpointId checkpoint, TaskSnapshot snapshot) {
    post(Acknowledged{task, checkpoint, std::move(snapshot)});
  };
  callbacks.awaits_commit = [this](int task, TaskSnapshot snapshot) {
    post(AwaitsCommit{task, std::move(snapshot)});
  };
  callbacks.ended = [this](int task, TaskResult result) { post(Ended{task, std::move(result)}); };
  deployment_ =
      deploy(graph, job_graph, options_, id_, clock_, restored_ ? &*restored_ : nullptr, callbacks);
  checkpoints_ = std::make_unique<CheckpointCoordinator>(std::move(deployment_.operators),
                                                         std::move(deployment_.task_infos),
                                                         id_,
                                                         options_.name,
                                                         first_checkpoint);
  storage_ = options_.checkpoint_directory.empty()
                 ? make_memory_checkpoint_storage()
                 : make_file_checkpoint_storage(options_.checkpoint_directory);
  for (const DeployedSource& source : deployment_.sources) {
    sources_.push_back({SplitAssigner(*source.source, source.tasks.size()), 0});
  }
}

LocalJob::~LocalJob() {
  cancel();
  while (coordinator_thread_.joinable() && !wait_for(std::chrono::seconds(1))) {
  }
}

void LocalJob::start() {
  status_ = JobStatus::kRunning;
  started_ns_ = monotonic_ns();
  if (options_.checkpoint_interval_ms > 0) {
    next_checkpoint_ns_ = started_ns_ + ms_to_ns(options_.checkpoint_interval_ms);
  }
  try {
    for (Deployment::DeployedTask& deployed : deployment_.tasks) {
      task_threads_.emplace_back([task = deployed.task.get()] { task->run(); });
      // Shown by top -H and debuggers; the kernel keeps 15 characters.
      pthread_setname_np(task_threads_.back().native_handle(),
                         deployed.task->name().substr(0, 15).c_str());
    }
    coordinator_thread_ = std::thread([this] { coordinate(); });
  } catch (const std::system_error& e) {
    cancel_tasks();
    for (std::thread& thread : task_threads_) {
      thread.join();
    }
    throw_error(ErrorKind::kExternal,
                "job '{}' needs {} threads and the system gave no more ({}); lower its parallelism "
                "or raise the limit of threads",
                options_.name,
                deployment_.tasks.size() + 1,
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
  return cancel_requested_ && status == JobStatus::kRunning ? JobStatus::kCancelling : status;
}

void LocalJob::cancel() {
  {
    const std::lock_guard lock(mutex_);
    cancel_requested_ = true;
  }
  events_ready_.notify_one();
  // At once, not only when the coordinator looks: it may be waiting for a broker.
  cancel_tasks();
}

void LocalJob::cancel_tasks() {
  for (Deployment::DeployedTask& deployed : deployment_.tasks) {
    deployed.task->cancel();
  }
}

bool LocalJob::stopping() const {
  return cancel_requested_ || status_ != JobStatus::kRunning;
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
  for (std::size_t i = 0; i < sources_.size(); ++i) {
    discover(i, /*initial=*/true);
  }
  while (tasks_ended_ < deployment_.tasks.size()) {
    std::deque<Event> events;
    {
      std::unique_lock lock(mutex_);
      const std::int64_t deadline_ns = next_deadline_ns();
      const auto ready = [this] {
        return !events_.empty() || (cancel_requested_ && status_ == JobStatus::kRunning);
      };
      if (deadline_ns == kNever) {
        events_ready_.wait_for(lock, std::chrono::seconds(1), ready);
      } else {
        const std::int64_t wait_ns =
            std::clamp<std::int64_t>(deadline_ns - monotonic_ns(), 0, 1'000'000'000);
        events_ready_.wait_for(lock, std::chrono::nanoseconds(wait_ns), ready);
      }
      events.swap(events_);
    }
    for (Event& event : events) {
      std::visit([this](auto& e) { handle(e); }, event);
    }
    if (cancel_requested_ && status_ == JobStatus::kRunning) {
      status_ = JobStatus::kCancelling;
      log(LogLevel::kInfo, "flott.job", "job '{}' ({}) is being cancelled", options_.name, id_);
    }
    if (stopping()) {
      interrupt_calls();
    } else {
      run_timers();
    }
  }
  finish();
}

void LocalJob::handle(Acknowledged& event) {
  if (checkpoints_->acknowledge(event.task, event.id, std::move(event.snapshot))) {
    complete_checkpoint();
  }
}

void LocalJob::handle(AwaitsCommit& event) {
  const CheckpointId first = checkpoints_->first_with_final_state(event.task);
  awaiting_commit_[event.task] = first;
  deployment_.tasks[static_cast<std::size_t>(event.task)].task->commit_after(first);
  if (checkpoints_->task_finished(event.task, std::move(event.snapshot))) {
    complete_checkpoint();
  }
  begin_final_checkpoint();
}

void LocalJob::handle(Ended& event) {
  ++tasks_ended_;
  const Deployment::DeployedTask& deployed =
      deployment_.tasks[static_cast<std::size_t>(event.task)];
  switch (event.result.status) {
    case TaskResult::Status::kFinished:
      if (checkpoints_->task_finished(event.task, std::move(event.result.final_snapshot))) {
        complete_checkpoint();
      }
      begin_final_checkpoint();
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

void LocalJob::handle(TriggerRequest& event) {
  if (stopping() || checkpoints_->sources_finished()) {
    event.reply->set_exception(std::make_exception_ptr(
        Error(ErrorKind::kInvalidArgument,
              fmt::format("job '{}' is {}{}: no checkpoint can be taken",
                          options_.name,
                          job_status_name(status_),
                          checkpoints_->sources_finished() ? " and its sources have ended" : ""))));
    return;
  }
  if (options_.batch_mode) {
    event.reply->set_exception(std::make_exception_ptr(
        Error(ErrorKind::kInvalidArgument,
              fmt::format("job '{}' runs in BATCH mode, which takes no checkpoints; run it in "
                          "STREAMING mode (execution.runtime-mode) to take them",
                          options_.name))));
    return;
  }
  if (!options_.checkpointing) {
    event.reply->set_exception(std::make_exception_ptr(Error(
        ErrorKind::kInvalidArgument,
        fmt::format(
            "job '{}' runs without checkpoints; call env.enable_checkpointing(interval) or set "
            "execution.checkpointing.dir before it starts",
            options_.name))));
    return;
  }
  // Whoever asks wants everything up to now in it: a checkpoint already under way does not do.
  queued_.push_back(std::move(event.reply));
  begin_asked_for_checkpoint();
}

void LocalJob::fail(std::exception_ptr error, std::string location) {
  if (cancel_requested_) {
    any_cancelled_ = true;
    return;  // what breaks while the job is being cancelled does not make it a failed one
  }
  if (result_.error) {
    return;  // the first failure is the cause; the others follow from it
  }
  log(options_.detached ? LogLevel::kError : LogLevel::kInfo,
      "flott.job",
      "job '{}' ({}) failed in {}: {}",
      options_.name,
      id_,
      location,
      message_of(error));
  result_.error = std::move(error);
  result_.error_location = std::move(location);
  status_ = JobStatus::kFailing;
  cancel_tasks();
}

void LocalJob::discover(std::size_t index, bool initial) {
  DeployedSource& source = deployment_.sources[index];
  SourceState& state = sources_[index];
  const auto cancelled = [this] { return stopping(); };
  try {
    SplitAssigner::Shares shares =
        initial ? state.assigner.first(stored_source(restored_, source.uid), cancelled)
                : state.assigner.later(cancelled);
    // Asked after the discovery: a source may find out that it was the last one (HybridSource).
    const bool last = state.assigner.bounded();
    if (last && shares.empty()) {
      shares.resize(source.tasks.size());
    }
    assign_splits(deployment_, source, std::move(shares), last);
  } catch (...) {
    if (stopping()) {
      return;
    }
    if (initial) {
      fail(std::current_exception(), fmt::format("source '{}'", source.name));
      return;
    }
    // The splits that are known are read on; an outage is the readers' to report.
    log(LogLevel::kWarn,
        "flott.job",
        "source '{}' could not look for new splits, next try in {} ms: {}",
        source.name,
        source.source->discovery_interval_ms(),
        message_of(std::current_exception()));
  }
  state.next_discovery_ns = state.assigner.bounded()
                                ? kNever
                                : monotonic_ns() + ms_to_ns(source.source->discovery_interval_ms());
}

std::int64_t LocalJob::next_deadline_ns() const {
  std::int64_t next = kNever;
  if (stopping()) {
    return options_.interrupt_calls ? next_interrupt_ns_ : kNever;
  }
  for (const SourceState& source : sources_) {
    next = std::min(next, source.next_discovery_ns);
  }
  if (checkpoints_->pending()) {
    next =
        std::min(next, checkpoints_->pending_since_ns() + ms_to_ns(options_.checkpoint_timeout_ms));
  } else if (options_.checkpoint_interval_ms > 0 || !awaiting_commit_.empty()) {
    next = std::min(next, next_checkpoint_ns_);
  }
  return next;
}

void LocalJob::run_timers() {
  const std::int64_t now_ns = monotonic_ns();
  for (std::size_t i = 0; i < sources_.size(); ++i) {
    if (now_ns >= sources_[i].next_discovery_ns) {
      discover(i, /*initial=*/false);
    }
  }
  if (checkpoints_->pending()) {
    if (now_ns - checkpoints_->pending_since_ns() >= ms_to_ns(options_.checkpoint_timeout_ms)) {
      checkpoint_failed(fmt::format("it took longer than {} ms (execution.checkpointing.timeout)",
                                    options_.checkpoint_timeout_ms));
    }
  } else if (options_.checkpoint_interval_ms > 0 && now_ns >= next_checkpoint_ns_ &&
             !checkpoints_->sources_finished()) {
    begin_checkpoint();
  } else if (now_ns >= next_checkpoint_ns_) {
    begin_final_checkpoint();  // after one that failed
  }
}

void LocalJob::begin_asked_for_checkpoint() {
  if (queued_.empty() || checkpoints_->pending()) {
    return;
  }
  if (stopping() || checkpoints_->sources_finished()) {
    return;  // finish() answers them
  }
  waiting_.swap(queued_);
  begin_checkpoint();
}

/// Tasks that wait for a checkpoint to publish their last results get it at once when nothing else
/// is left to do; no barrier is needed, because every task stands there with its final state.
void LocalJob::begin_final_checkpoint() {
  if (awaiting_commit_.empty() || checkpoints_->pending() || stopping() ||
      !checkpoints_->all_finished()) {
    return;
  }
  begin_checkpoint();
  complete_checkpoint();
}

void LocalJob::discard_quietly(const std::string& path) {
  try {
    storage_->discard(path);
  } catch (const std::exception& e) {
    log(LogLevel::kWarn,
        "flott.checkpoint",
        "the old checkpoint {} of job '{}' could not be removed, it stays: {}",
        path,
        options_.name,
        e.what());
  }
}

void LocalJob::begin_checkpoint() {
  const CheckpointCoordinator::Trigger trigger = checkpoints_->begin(clock_.now_ms());
  for (const int task : trigger.source_tasks) {
    // A task that has just ended does not read the letter; its final snapshot is on the way.
    deployment_.tasks[static_cast<std::size_t>(task)].task->trigger_checkpoint(trigger.barrier);
  }
}

void LocalJob::complete_checkpoint() {
  const std::int64_t since_ns = checkpoints_->pending_since_ns();
  const CheckpointId id = checkpoints_->pending_id();
  std::string path;
  std::size_t bytes = 0;
  try {
    const CheckpointData data = checkpoints_->take();
    bytes = size_of(data);
    path = storage_->write(data);
    fault_point(FaultPoint::kBetweenManifestAndCommit);
  } catch (const std::exception& e) {
    checkpoint_failed(e.what());
    return;
  }
  const std::int64_t duration_ms = (monotonic_ns() - since_ns) / 1'000'000;
  log(LogLevel::kInfo,
      "flott.checkpoint",
      "checkpoint {} of job '{}' completed: {} bytes in {} ms, {}",
      id,
      options_.name,
      bytes,
      duration_ms,
      path);
  {
    const std::lock_guard lock(mutex_);
    checkpoint_stats_.push_back({id, path, duration_ms, static_cast<std::int64_t>(bytes)});
  }
  std::erase_if(awaiting_commit_, [id](const auto& task) { return task.second <= id; });
  failed_checkpoints_ = 0;
  next_checkpoint_ns_ = since_ns + ms_to_ns(options_.checkpoint_interval_ms);
  retained_.push_back(path);
  while (static_cast<int>(retained_.size()) > std::max(options_.retained_checkpoints, 1)) {
    discard_quietly(retained_.front());
    retained_.pop_front();
  }
  for (Deployment::DeployedTask& deployed : deployment_.tasks) {
    deployed.task->notify_checkpoint_complete(id);
  }
  reply_all(path, nullptr);
  begin_asked_for_checkpoint();
}

void LocalJob::checkpoint_failed(const std::string& reason) {
  ++failed_checkpoints_;
  const std::string message =
      fmt::format("checkpoint of job '{}' failed: {}", options_.name, reason);
  log(LogLevel::kWarn, "flott.checkpoint", "{}", message);
  checkpoints_->abort();
  next_checkpoint_ns_ = monotonic_ns() + ms_to_ns(options_.checkpoint_interval_ms);
  const auto error = std::make_exception_ptr(Error(ErrorKind::kExternal, message, Retryable::kYes));
  const bool asked_for = !waiting_.empty();
  reply_all({}, error);
  if (!asked_for && failed_checkpoints_ > options_.tolerable_checkpoint_failures) {
    fail(error, "checkpointing");
  }
  begin_asked_for_checkpoint();
}

void LocalJob::reply_all(const std::string& path, const std::exception_ptr& error) {
  for (const auto& reply : std::exchange(waiting_, {})) {
    if (error) {
      reply->set_exception(error);
    } else {
      reply->set_value(path);
    }
  }
}

void LocalJob::finish() {
  for (std::thread& thread : task_threads_) {
    thread.join();
  }
  std::move(queued_.begin(), queued_.end(), std::back_inserter(waiting_));
  queued_.clear();
  reply_all({},
            std::make_exception_ptr(Error(
                ErrorKind::kExternal,
                fmt::format("job '{}' ended before the checkpoint was complete", options_.name))));
  JobStatus final_status = JobStatus::kFinished;
  if (result_.error) {
    final_status = JobStatus::kFailed;
  } else if (any_cancelled_) {
    final_status = JobStatus::kCanceled;
  }
  if (final_status == JobStatus::kFinished ||
      (final_status == JobStatus::kCanceled && !options_.retain_on_cancellation)) {
    for (const std::string& path : retained_) {
      discard_quietly(path);
    }
  }
  if (final_status != JobStatus::kFailed) {
    log_end_report(deployment_, options_.name);
  }
  result_.status = final_status;
  result_.net_runtime_ms = (monotonic_ns() - started_ns_) / 1'000'000;
  std::deque<Event> late;
  {
    const std::lock_guard lock(mutex_);
    status_ = final_status;
    terminal_ = true;
    late.swap(events_);
  }
  for (Event& event : late) {
    if (auto* request = std::get_if<TriggerRequest>(&event)) {
      handle(*request);
    }
  }
  ended_.notify_all();
}

std::future<std::string> LocalJob::trigger_checkpoint_async() {
  auto reply = std::make_shared<std::promise<std::string>>();
  std::future<std::string> future = reply->get_future();
  {
    const std::lock_guard lock(mutex_);
    if (terminal_) {
      throw_error(ErrorKind::kInvalidArgument,
                  "job '{}' has ended: no checkpoint can be taken",
                  options_.name);
    }
    events_.push_back(TriggerRequest{reply});
  }
  events_ready_.notify_one();
  return future;
}

std::vector<CheckpointStats> LocalJob::checkpoints() const {
  const std::lock_guard lock(mutex_);
  return checkpoint_stats_;
}

std::map<std::string, double> LocalJob::metrics() const {
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

std::vector<std::string> LocalJob::blocked_operators() const {
  std::vector<std::string> out;
  const std::int64_t now_ns = monotonic_ns();
  for (const Deployment::DeployedTask& deployed : deployment_.tasks) {
    const std::int64_t since_ns = deployed.task->slice_started_ns();
    if (since_ns != 0 && now_ns - since_ns > kBlockedNs) {
      out.push_back(fmt::format("{} (subtask {}/{}), for {} s",
                                deployed.task->name(),
                                deployed.subtask + 1,
                                deployed.parallelism,
                                (now_ns - since_ns) / 1'000'000'000));
    }
  }
  return out;
}

}  // namespace flott
