#include "job/job_checkpoints.h"

#include "base/error.h"
#include "base/fault_point.h"
#include "base/log.h"

#include <algorithm>
#include <chrono>
#include <limits>
#include <utility>

namespace flott {
namespace {

constexpr std::int64_t kNever = std::numeric_limits<std::int64_t>::max();
constexpr std::int64_t kNsPerMs = 1'000'000;
/// A job that has ended does not wait longer for a checkpoint that is still being written.
constexpr std::chrono::milliseconds kPatienceAtTheEnd{1000};
/// A busy disk makes one slow; only when it stays so somebody is told.
constexpr int kSlowInARow = 5;
constexpr std::size_t kHistory = 1000;  // a job may take one a second for years

template <typename Visit>
void for_each_snapshot(const CheckpointData& data, Visit visit) {
  for (const OperatorCheckpoint& op : data.operators) {
    for (const OperatorSnapshot& subtask : op.subtasks) {
      visit(subtask);
    }
  }
}

std::size_t bytes_of(const OperatorSnapshot& snapshot) {
  std::size_t bytes = 0;
  for (const auto& [group, frame] : snapshot.keyed_state) {
    bytes += frame.size();
  }
  for (const auto& [group, frame] : snapshot.timers) {
    bytes += frame.size();
  }
  if (snapshot.deferred_timers != nullptr) {
    bytes += snapshot.deferred_timers->size();
  }
  for (const auto* lists : {&snapshot.list_state, &snapshot.union_state}) {
    for (const auto& [name, entries] : *lists) {
      for (const std::string& entry : entries) {
        bytes += entry.size();
      }
    }
  }
  for (const auto& [name, entry] : snapshot.broadcast_state) {
    bytes += entry.size();
  }
  return bytes;
}

std::exception_ptr external_error(std::string message) {
  return std::make_exception_ptr(Error(ErrorKind::kExternal, std::move(message), Retryable::kYes));
}

void log_what_is_not_done(const JobOptions& options) {
  if (options.unaligned_checkpoints) {
    log(LogLevel::kInfo,
        "flott.checkpoint",
        "job '{}': unaligned checkpoints are taken as aligned ones "
        "(execution.checkpointing.unaligned.enabled); their results are the same",
        options.name);
  }
  if (options.max_concurrent_checkpoints > 1 && options.min_pause_between_checkpoints_ms > 0) {
    log(LogLevel::kInfo,
        "flott.checkpoint",
        "job '{}': one checkpoint is under way at a time, not {} "
        "(execution.checkpointing.max-concurrent-checkpoints), as there is a pause between them "
        "(execution.checkpointing.min-pause)",
        options.name,
        options.max_concurrent_checkpoints);
  }
}

/// As Flink: a pause between checkpoints makes no sense with several of them.
std::size_t concurrent_checkpoints(const JobOptions& options) {
  return options.min_pause_between_checkpoints_ms > 0
             ? 1
             : static_cast<std::size_t>(std::max(options.max_concurrent_checkpoints, 1));
}

std::shared_ptr<CheckpointStorage> storage_of(const JobOptions& options) {
  if (options.checkpoint_storage != nullptr) {
    return options.checkpoint_storage;
  }
  return options.checkpoint_directory.empty()
             ? make_memory_checkpoint_storage()
             : make_file_checkpoint_storage(options.checkpoint_directory);
}

}  // namespace

JobCheckpoints::JobCheckpoints(const JobOptions& options,
                               const std::string& job_id,
                               const Clock& clock,
                               CheckpointId first_id,
                               Callbacks callbacks)
    : options_(options),
      job_id_(job_id),
      clock_(clock),
      callbacks_(std::move(callbacks)),
      next_id_(first_id),
      concurrent_(concurrent_checkpoints(options)),
      schedule_(options.checkpoint_interval_ms, options.min_pause_between_checkpoints_ms),
      growth_(options.state_growth),
      writer_(std::make_unique<CheckpointWriter>(
          storage_of(options), options.name, callbacks_.written)) {
  if (first_id > 1) {
    restored_at_ms_ = clock.now_ms();
  }
  log_what_is_not_done(options);
}

void JobCheckpoints::begin_attempt(Attempt& attempt) {
  attempt_ = &attempt;
  tasks_started_ = false;
  Deployment& deployment = attempt.deployment();
  committing_sinks_.clear();
  for (const CheckpointCoordinator::OperatorInfo& op : deployment.operators) {
    if (op.commits) {
      committing_sinks_.push_back(fmt::format("sink '{}'", op.name));
    }
  }
  coordinator_.emplace(std::move(deployment.operators),
                       std::move(deployment.task_infos),
                       job_id_,
                       options_.name,
                       next_id_);
  failures_in_a_row_ = 0;
  final_not_before_ns_ = 0;
}

void JobCheckpoints::tasks_started() {
  tasks_started_ = true;
  schedule_.start(monotonic_ns());
  begin_asked_for();
}

void JobCheckpoints::end_attempt() {
  if (!coordinator_) {
    return;
  }
  give_up_pending();
  for (Asked& asked : queued_) {
    waiting_.push_back(std::move(asked.reply));
  }
  queued_.clear();
  savepoint_.reset();
  // A checkpoint that is being written may still serve the restart, a savepoint nobody.
  int savepoints = 0;
  for (Writing& writing : writing_) {
    waiting_.insert(waiting_.end(), writing.waiting.begin(), writing.waiting.end());
    writing.waiting.clear();
    if (writing.savepoint) {
      *writing.given_up = true;
      ++savepoints;
    }
  }
  std::erase_if(writing_, [](const Writing& writing) { return writing.savepoint.has_value(); });
  show_in_progress(savepoints);
  reply_all(waiting_,
            {},
            external_error(
                fmt::format("job '{}' ended before the checkpoint was complete", options_.name)));
  coordinator_.reset();
  awaiting_commit_.clear();
  attempt_ = nullptr;
}

std::optional<CheckpointData> JobCheckpoints::restore_point(const std::function<bool()>& stopping) {
  give_up_all();
  RestoreChoices choices;
  choices.job_name = options_.name;
  choices.completed = retained_;
  choices.restore_path = options_.restore_path;
  choices.committing_sinks = committing_sinks_;
  std::optional<CheckpointData> out;
  try {
    out = choose_restore_point(
        choices, [&](const std::string& path) { return read_checkpoint(path, stopping); });
  } catch (const CancelledException&) {
    throw;
  } catch (...) {
    keep_all_ = true;
    throw;
  }
  if (out) {
    fault_point(FaultPoint::kDuringRestore);
    const std::lock_guard lock(mutex_);
    restored_at_ms_ = clock_.now_ms();
  }
  return out;
}

bool JobCheckpoints::may_begin() const {
  if (!coordinator_ || !tasks_started_ || pending()) {
    return false;
  }
  if (writing_.empty()) {
    return true;
  }
  // Behind a savepoint that ends the job nothing is to be published (where it stops the tasks no
  // barrier gets through either), and the checkpoint that publishes the last results is not begun
  // again while it is being written.
  return writing_.size() < concurrent_ && !coordinator_->all_finished() &&
         std::none_of(
             writing_.begin(),
             writing_.end(),
             [](const Writing& writing) {
               return writing.savepoint && (writing.savepoint->then != AfterBarrier::kGoOn ||
                                            writing.savepoint->cancels);
             });
}

bool JobCheckpoints::periodic() const {
  return schedule_.periodic() && possible() &&
         (options_.checkpoints_after_tasks_finish || !coordinator_->any_finished());
}

/// Tasks that wait for a checkpoint to publish their last results get it at once when nothing else
/// is left to do; no barrier is needed, because every task stands there with its final state.
bool JobCheckpoints::final_is_due() const {
  return coordinator_ && coordinator_->all_finished() && !awaiting_commit_.empty();
}

std::int64_t JobCheckpoints::next_deadline_ns() const {
  std::int64_t next = kNever;
  if (may_begin()) {
    next = final_is_due() ? final_not_before_ns_ : periodic() ? schedule_.next_ns() : kNever;
  }
  const std::int64_t timeout_ns = options_.checkpoint_timeout_ms * kNsPerMs;
  if (pending()) {
    next = std::min(next, coordinator_->pending_since_ns() + timeout_ns);
  }
  for (const Writing& writing : writing_) {
    next = std::min(next, writing.since_ns + timeout_ns);
  }
  return next;
}

void JobCheckpoints::run_timers(std::int64_t now_ns) {
  if (!writing_.empty()) {  // the oldest one; the next is looked at in the next turn
    give_up_if_late(writing_.front().id, writing_.front().since_ns, now_ns);
  }
  if (pending()) {
    give_up_if_late(coordinator_->pending_id(), coordinator_->pending_since_ns(), now_ns);
  }
  if (!may_begin()) {
    return;
  }
  if (final_is_due()) {
    if (now_ns >= final_not_before_ns_) {
      begin();
    }
  } else if (now_ns >= schedule_.next_ns() && periodic()) {
    begin();
  }
}

void JobCheckpoints::give_up_if_late(CheckpointId id, std::int64_t since_ns, std::int64_t now_ns) {
  if (now_ns - since_ns >= options_.checkpoint_timeout_ms * kNsPerMs) {
    failed(id,
           fmt::format(
               "it took longer than {} ms (execution.checkpointing.timeout){}",
               options_.checkpoint_timeout_ms,
               pending() && coordinator_->pending_id() == id ? "" : ": it is still being written"));
  }
}

void JobCheckpoints::ask(Reply reply, std::optional<SavepointRequest> savepoint) {
  // Whoever asks wants everything up to now in it: a checkpoint already under way does not do.
  queued_.push_back({std::move(reply), std::move(savepoint)});
  begin_asked_for();
}

void JobCheckpoints::begin_asked_for() {
  if (queued_.empty() || !may_begin() || !possible()) {
    return;  // end_attempt() answers those for whom it is too late
  }
  // One checkpoint does for all that ask for one; each savepoint is its own.
  while (!queued_.empty() && !savepoint_ && (waiting_.empty() || !queued_.front().savepoint)) {
    waiting_.push_back(std::move(queued_.front().reply));
    savepoint_ = std::move(queued_.front().savepoint);
    queued_.pop_front();
  }
  begin();
}

void JobCheckpoints::begin() {
  longest_ = {};
  if (!savepoint_) {
    schedule_.begun(monotonic_ns());
  }
  const CheckpointCoordinator::Trigger to_tell =
      savepoint_ ? coordinator_->begin(clock_.now_ms(), SnapshotKind::kSavepoint, savepoint_->then)
                 : coordinator_->begin(clock_.now_ms());
  next_id_ = coordinator_->pending_id() + 1;
  show_in_progress();
  trigger(to_tell);
  if (coordinator_->complete()) {
    write();  // of final states only
  }
}

void JobCheckpoints::trigger(const CheckpointCoordinator::Trigger& trigger) {
  for (const int task : trigger.tasks) {
    // A task that has just ended does not read the letter; its final snapshot is on the way.
    attempt_->deployment().tasks[static_cast<std::size_t>(task)].task->trigger_checkpoint(
        trigger.barrier);
  }
}

void JobCheckpoints::acknowledge(int task, CheckpointId id, TaskSnapshot snapshot) {
  if (!coordinator_) {
    return;
  }
  if (coordinator_->pending() && coordinator_->pending_id() == id) {
    longest_.sync_ns = std::max(longest_.sync_ns, snapshot.times.sync_ns);
    longest_.alignment_ns = std::max(longest_.alignment_ns, snapshot.times.alignment_ns);
    longest_.start_delay_ms = std::max(longest_.start_delay_ms, snapshot.times.start_delay_ms);
  }
  if (coordinator_->acknowledge(task, id, std::move(snapshot))) {
    write();
  }
}

void JobCheckpoints::task_finished(int task, TaskSnapshot final_snapshot) {
  if (!coordinator_) {
    return;
  }
  if (coordinator_->task_finished(task, std::move(final_snapshot))) {
    write();
  } else if (coordinator_->pending()) {
    // Those behind it may never see a barrier now, as nobody is left to send one.
    trigger(coordinator_->trigger_more());
  }
}

void JobCheckpoints::awaits_commit(int task, TaskSnapshot final_snapshot) {
  if (!coordinator_) {
    return;
  }
  const CheckpointId first = coordinator_->first_with_final_state(task);
  awaiting_commit_[task] = first;
  attempt_->deployment().tasks[static_cast<std::size_t>(task)].task->commit_after(first);
  task_finished(task, std::move(final_snapshot));
}

void JobCheckpoints::write() {
  Writing writing;
  writing.id = coordinator_->pending_id();
  writing.since_ns = coordinator_->pending_since_ns();
  writing.state_sizes = coordinator_->state_sizes();
  CheckpointData data = coordinator_->take();
  CheckpointStats& stats = writing.stats;
  stats.id = writing.id;
  stats.sync_duration_ms = longest_.sync_ns / kNsPerMs;
  stats.alignment_ms = longest_.alignment_ns / kNsPerMs;
  stats.start_delay_ms = longest_.start_delay_ms;
  std::size_t fresh = 0;
  std::size_t shared = 0;
  const auto add_file = [&](const SnapshotFile& file) {
    if (writing.files.insert(file.name).second) {
      (known_files_.contains(file.name) ? shared : fresh) += file.size;
    }
  };
  for_each_snapshot(data, [&](const OperatorSnapshot& snapshot) {
    fresh += bytes_of(snapshot);
    for (const KeyedStateFiles& keyed : snapshot.keyed_files) {
      std::for_each(keyed.files.begin(), keyed.files.end(), add_file);
    }
    std::for_each(snapshot.files.begin(), snapshot.files.end(), add_file);
  });
  stats.size_bytes = static_cast<std::int64_t>(fresh);
  stats.full_size_bytes = static_cast<std::int64_t>(fresh + shared);
  writing.savepoint = std::exchange(savepoint_, std::nullopt);
  writing.waiting = std::exchange(waiting_, {});
  if (writing.savepoint) {
    writer_->write_savepoint(std::move(data), writing.savepoint->directory, writing.given_up);
  } else {
    writer_->write(std::move(data), writing.given_up);
  }
  writing_.push_back(std::move(writing));
  begin_asked_for();  // where another one may be under way
}

void JobCheckpoints::written(WrittenCheckpoint result) {
  const auto found = std::find_if(
      writing_.begin(), writing_.end(), [&](const Writing& w) { return w.id == result.id; });
  if (found == writing_.end()) {
    // It was given up, just when it was complete.
    if (!result.path.empty() && result.savepoint) {
      writer_->discard_savepoint(std::move(result.path));
    } else if (!result.path.empty()) {
      writer_->discard(std::move(result.path));
    }
    return;
  }
  if (result.path.empty()) {
    failed(result.id, result.error);
    return;
  }
  Writing done = std::move(*found);
  writing_.erase(found);
  const std::int64_t now_ns = monotonic_ns();
  done.stats.path = result.path;
  done.stats.duration_ms = (now_ns - done.since_ns) / kNsPerMs;
  done.stats.write_duration_ms = result.duration_ms;
  log_completed(done.stats);
  {
    const std::lock_guard lock(mutex_);
    if (!done.savepoint) {
      ++completed_count_;
      stats_.push_back(done.stats);
      if (stats_.size() > kHistory) {
        stats_.pop_front();
      }
    }
  }
  show_in_progress();
  if (done.savepoint) {
    savepoint_written(std::move(done));
    return;
  }
  known_files_ = std::move(done.files);
  std::erase_if(awaiting_commit_, [&](const auto& task) { return task.second <= result.id; });
  failures_in_a_row_ = 0;
  schedule_.completed(now_ns);
  for (const std::string& warning : growth_.observe(result.id, done.state_sizes)) {
    log(LogLevel::kWarn, "flott.state", "job '{}': {}", options_.name, warning);
  }
  retained_.push_back(result.path);
  while (static_cast<int>(retained_.size()) > std::max(options_.retained_checkpoints, 1)) {
    writer_->discard(std::move(retained_.front()));
    retained_.pop_front();
  }
  if (attempt_ != nullptr) {
    for (const Deployment::DeployedTask& deployed : attempt_->deployment().tasks) {
      deployed.task->notify_checkpoint_complete(result.id);
    }
  }
  reply_all(done.waiting, result.path, nullptr);
  begin_asked_for();
}

void JobCheckpoints::savepoint_written(Writing done) {
  // As in Flink (FLIP-203): one that the job goes on from publishes nothing, as no restart of the
  // job itself uses it.
  if (done.savepoint->then != AfterBarrier::kGoOn && attempt_ != nullptr) {
    stopped_with_ = done.stats.path;
    awaiting_commit_.clear();
    for (const Deployment::DeployedTask& deployed : attempt_->deployment().tasks) {
      deployed.task->notify_checkpoint_complete(done.id);
    }
  }
  if (done.savepoint->cancels && attempt_ != nullptr) {
    callbacks_.cancel();
  }
  reply_all(done.waiting, done.stats.path, nullptr);
  begin_asked_for();
}

void JobCheckpoints::let_go_on(CheckpointId id) {
  if (attempt_ != nullptr) {
    for (const Deployment::DeployedTask& deployed : attempt_->deployment().tasks) {
      deployed.task->notify_checkpoint_aborted(id);
    }
  }
}

void JobCheckpoints::log_completed(const CheckpointStats& stats) {
  log(LogLevel::kInfo,
      "flott.checkpoint",
      "checkpoint {} of job '{}' completed: {} bytes ({} with shared files) in {} ms (at most {} "
      "ms until its barrier came, {} ms aligned, {} ms stood still, {} ms to write), {}",
      stats.id,
      options_.name,
      stats.size_bytes,
      stats.full_size_bytes,
      stats.duration_ms,
      stats.start_delay_ms,
      stats.alignment_ms,
      stats.sync_duration_ms,
      stats.write_duration_ms,
      stats.path);
  const bool slow =
      options_.checkpoint_interval_ms > 0 && stats.duration_ms > options_.checkpoint_interval_ms;
  slow_in_a_row_ = slow ? slow_in_a_row_ + 1 : 0;
  if (slow_in_a_row_ == kSlowInARow) {
    log(LogLevel::kWarn,
        "flott.checkpoint",
        "checkpoint {} of job '{}' took {} ms, as those before it longer than the interval of {} "
        "ms: the next one follows at once; set a longer execution.checkpointing.interval or a "
        "pause "
        "(execution.checkpointing.min-pause)",
        stats.id,
        options_.name,
        stats.duration_ms,
        options_.checkpoint_interval_ms);
  }
}

void JobCheckpoints::show_in_progress(int failures) {
  const std::lock_guard lock(mutex_);
  failed_count_ += failures;
  shown_in_progress_ = writing_.size() + (pending() ? 1 : 0);
}

void JobCheckpoints::give_up_pending() {
  if (pending()) {
    coordinator_->abort();
    show_in_progress(1);
  }
}

void JobCheckpoints::give_up_all() {
  give_up_pending();
  for (const Writing& writing : writing_) {
    *writing.given_up = true;
  }
  const auto given_up = static_cast<int>(writing_.size());
  writing_.clear();
  show_in_progress(given_up);
}

void JobCheckpoints::failed(CheckpointId id, const std::string& reason) {
  std::optional<SavepointRequest> savepoint;
  std::vector<Reply> waiting;
  if (const auto found = std::find_if(
          writing_.begin(), writing_.end(), [&](const Writing& w) { return w.id == id; });
      found != writing_.end()) {
    *found->given_up = true;
    savepoint = std::move(found->savepoint);
    waiting = std::move(found->waiting);
    writing_.erase(found);
    show_in_progress(1);
  } else {
    savepoint = std::exchange(savepoint_, std::nullopt);
    waiting = std::exchange(waiting_, {});
    give_up_pending();
  }
  if (savepoint && savepoint->then != AfterBarrier::kGoOn) {
    let_go_on(id);
  }
  const std::string message =
      fmt::format("checkpoint {} of job '{}' failed: {}", id, options_.name, reason);
  log(LogLevel::kWarn, "flott.checkpoint", "{}", message);
  const std::int64_t now_ns = monotonic_ns();
  schedule_.failed(now_ns);
  final_not_before_ns_ = now_ns + std::max(options_.checkpoint_interval_ms,
                                           options_.min_pause_between_checkpoints_ms) *
                                      kNsPerMs;
  const std::exception_ptr error = external_error(message);
  const bool asked_for = !waiting.empty();
  reply_all(waiting, {}, error);
  if (attempt_ == nullptr) {
    return;
  }
  if (!asked_for && ++failures_in_a_row_ > options_.tolerable_checkpoint_failures) {
    callbacks_.failed_too_often(error);
    return;
  }
  begin_asked_for();
}

void JobCheckpoints::reply_all(std::vector<Reply>& replies,
                               const std::string& path,
                               const std::exception_ptr& error) {
  for (const Reply& reply : std::exchange(replies, {})) {
    if (error) {
      reply->set_exception(error);
    } else {
      reply->set_value(path);
    }
  }
}

void JobCheckpoints::finish(JobStatus status) {
  end_attempt();
  give_up_all();
  const bool remove = status == JobStatus::kFinished ||
                      (status == JobStatus::kCanceled &&
                       options_.checkpoint_retention != CheckpointRetention::kOnCancellation) ||
                      (status == JobStatus::kFailed &&
                       options_.checkpoint_retention == CheckpointRetention::kNever && !keep_all_);
  if (remove) {
    for (std::string& path : retained_) {
      writer_->discard(std::move(path));
    }
    retained_.clear();
  }
  if (!writer_->wait_until_idle(kPatienceAtTheEnd)) {
    log(LogLevel::kInfo,
        "flott.checkpoint",
        "job '{}' has ended while a checkpoint of it is still being written",
        options_.name);
  }
}

void JobCheckpoints::settle() {
  writer_->wait_until_idle(kPatienceAtTheEnd);
}

std::vector<CheckpointStats> JobCheckpoints::stats() const {
  const std::lock_guard lock(mutex_);
  return {stats_.begin(), stats_.end()};
}

std::map<std::string, double> JobCheckpoints::metrics() const {
  const std::lock_guard lock(mutex_);
  const auto number = [](auto value) { return static_cast<double>(value); };
  std::map<std::string, double> out{
      {"numberOfCompletedCheckpoints", number(completed_count_)},
      {"numberOfFailedCheckpoints", number(failed_count_)},
      {"numberOfInProgressCheckpoints", number(shown_in_progress_)},
      {"totalNumberOfCheckpoints",
       number(completed_count_) + number(failed_count_) + number(shown_in_progress_)},
      {"lastCheckpointRestoreTimestamp", number(restored_at_ms_)},
  };
  const CheckpointStats last = stats_.empty() ? CheckpointStats{} : stats_.back();
  const auto show = [&](const char* name, std::int64_t value) {
    out[name] = stats_.empty() ? -1.0 : number(value);  // as Flink: nothing yet
  };
  show("lastCompletedCheckpointId", last.id);
  show("lastCheckpointDuration", last.duration_ms);
  show("lastCheckpointSize", last.size_bytes);
  show("lastCheckpointFullSize", last.full_size_bytes);
  return out;
}

std::map<std::string, std::string> JobCheckpoints::text_metrics() const {
  const std::lock_guard lock(mutex_);
  return {{"lastCheckpointExternalPath", stats_.empty() ? "n/a" : stats_.back().path}};
}

}  // namespace flott
