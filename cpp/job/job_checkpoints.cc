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
  if (options.max_concurrent_checkpoints > 1) {
    log(LogLevel::kInfo,
        "flott.checkpoint",
        "job '{}': one checkpoint is under way at a time, not {} "
        "(execution.checkpointing.max-concurrent-checkpoints)",
        options.name,
        options.max_concurrent_checkpoints);
  }
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
      writer_(std::make_unique<CheckpointWriter>(
          options.checkpoint_directory.empty()
              ? make_memory_checkpoint_storage()
              : make_file_checkpoint_storage(options.checkpoint_directory),
          options.name,
          callbacks_.written)) {
  if (first_id > 1) {
    restored_at_ms_ = clock.now_ms();
  }
  log_what_is_not_done(options);
}

void JobCheckpoints::begin_attempt(Attempt& attempt) {
  attempt_ = &attempt;
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
  next_periodic_ns_ = monotonic_ns() + options_.checkpoint_interval_ms * kNsPerMs;
}

void JobCheckpoints::end_attempt() {
  if (!coordinator_) {
    return;
  }
  if (coordinator_->pending()) {
    coordinator_->abort();
    const std::lock_guard lock(mutex_);
    ++failed_count_;
    shown_in_progress_ = writing_.has_value();
  }
  for (Asked& asked : queued_) {
    waiting_.push_back(std::move(asked.reply));
  }
  queued_.clear();
  savepoint_.reset();
  reply_all(waiting_,
            {},
            external_error(
                fmt::format("job '{}' ended before the checkpoint was complete", options_.name)));
  coordinator_.reset();
  awaiting_commit_.clear();
  attempt_ = nullptr;
}

std::optional<CheckpointData> JobCheckpoints::restore_point() {
  give_up();
  RestoreChoices choices;
  choices.job_name = options_.name;
  choices.completed = retained_;
  choices.restore_path = options_.restore_path;
  choices.committing_sinks = committing_sinks_;
  std::optional<CheckpointData> out;
  try {
    out = choose_restore_point(choices);
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

bool JobCheckpoints::in_progress() const {
  return writing_ || (coordinator_ && coordinator_->pending());
}

std::int64_t JobCheckpoints::since_ns() const {
  return writing_ ? writing_->since_ns : coordinator_->pending_since_ns();
}

bool JobCheckpoints::periodic() const {
  return options_.checkpoint_interval_ms > 0 && possible() &&
         (options_.checkpoints_after_tasks_finish || !coordinator_->any_finished());
}

/// Tasks that wait for a checkpoint to publish their last results get it at once when nothing else
/// is left to do; no barrier is needed, because every task stands there with its final state.
bool JobCheckpoints::final_is_due() const {
  return coordinator_ && coordinator_->all_finished() && !awaiting_commit_.empty();
}

std::int64_t JobCheckpoints::next_deadline_ns() const {
  if (in_progress()) {
    return since_ns() + options_.checkpoint_timeout_ms * kNsPerMs;
  }
  if (final_is_due()) {
    return final_not_before_ns_;
  }
  return periodic() ? next_periodic_ns_ : kNever;
}

void JobCheckpoints::run_timers(std::int64_t now_ns) {
  if (in_progress()) {
    if (now_ns - since_ns() >= options_.checkpoint_timeout_ms * kNsPerMs) {
      failed(fmt::format("it took longer than {} ms (execution.checkpointing.timeout){}",
                         options_.checkpoint_timeout_ms,
                         writing_ ? ": it is still being written" : ""));
    }
  } else if (final_is_due()) {
    if (now_ns >= final_not_before_ns_) {
      begin();
    }
  } else if (now_ns >= next_periodic_ns_ && periodic()) {
    begin();
  }
}

void JobCheckpoints::ask(Reply reply, std::optional<SavepointRequest> savepoint) {
  // Whoever asks wants everything up to now in it: a checkpoint already under way does not do.
  queued_.push_back({std::move(reply), std::move(savepoint)});
  begin_asked_for();
}

void JobCheckpoints::begin_asked_for() {
  if (queued_.empty() || in_progress() || !possible()) {
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
  {
    const std::lock_guard lock(mutex_);
    shown_in_progress_ = true;
  }
  trigger(savepoint_
              ? coordinator_->begin(clock_.now_ms(), SnapshotKind::kSavepoint, savepoint_->then)
              : coordinator_->begin(clock_.now_ms()));
  next_id_ = coordinator_->pending_id() + 1;
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
  writing_ = std::move(writing);
  if (writing_->savepoint) {
    writer_->write_savepoint(std::move(data), writing_->savepoint->directory);
  } else {
    writer_->write(std::move(data));
  }
}

void JobCheckpoints::written(WrittenCheckpoint result) {
  if (!writing_ || writing_->id != result.id) {
    if (!result.path.empty()) {  // a savepoint stays, with a warning: its folder is the user's
      writer_->discard(std::move(result.path));  // it was given up meanwhile
    }
    return;
  }
  if (result.path.empty()) {
    failed(result.error);
    return;
  }
  Writing done = *std::exchange(writing_, std::nullopt);
  const std::int64_t now_ns = monotonic_ns();
  done.stats.path = result.path;
  done.stats.duration_ms = (now_ns - done.since_ns) / kNsPerMs;
  done.stats.write_duration_ms = result.duration_ms;
  if (done.savepoint) {
    savepoint_written(std::move(done));
    return;
  }
  known_files_ = std::move(done.files);
  log_completed(done.stats);
  {
    const std::lock_guard lock(mutex_);
    stats_.push_back(done.stats);
    shown_in_progress_ = false;
  }
  std::erase_if(awaiting_commit_, [&](const auto& task) { return task.second <= result.id; });
  failures_in_a_row_ = 0;
  next_periodic_ns_ = std::max(done.since_ns + options_.checkpoint_interval_ms * kNsPerMs,
                               now_ns + options_.min_pause_between_checkpoints_ms * kNsPerMs);
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
  reply_all(waiting_, result.path, nullptr);
  begin_asked_for();
}

void JobCheckpoints::savepoint_written(Writing done) {
  log_completed(done.stats);
  {
    const std::lock_guard lock(mutex_);
    shown_in_progress_ = false;
  }
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
  reply_all(waiting_, done.stats.path, nullptr);
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

void JobCheckpoints::give_up() {
  if (!in_progress()) {
    return;
  }
  writing_.reset();
  if (coordinator_) {
    coordinator_->abort();
  }
  const std::lock_guard lock(mutex_);
  ++failed_count_;
  shown_in_progress_ = false;
}

void JobCheckpoints::failed(const std::string& reason) {
  const CheckpointId id = writing_ ? writing_->id : coordinator_->pending_id();
  const std::optional<SavepointRequest> savepoint = writing_ ? writing_->savepoint : savepoint_;
  savepoint_.reset();
  give_up();
  if (savepoint && savepoint->then != AfterBarrier::kGoOn) {
    let_go_on(id);
  }
  const std::string message =
      fmt::format("checkpoint {} of job '{}' failed: {}", id, options_.name, reason);
  log(LogLevel::kWarn, "flott.checkpoint", "{}", message);
  const std::int64_t pause_ms =
      std::max(options_.checkpoint_interval_ms, options_.min_pause_between_checkpoints_ms);
  next_periodic_ns_ = monotonic_ns() + pause_ms * kNsPerMs;
  final_not_before_ns_ = next_periodic_ns_;
  const std::exception_ptr error = external_error(message);
  const bool asked_for = !waiting_.empty();
  reply_all(waiting_, {}, error);
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
  give_up();
}

std::vector<CheckpointStats> JobCheckpoints::stats() const {
  const std::lock_guard lock(mutex_);
  return stats_;
}

std::map<std::string, double> JobCheckpoints::metrics() const {
  const std::lock_guard lock(mutex_);
  const auto number = [](auto value) { return static_cast<double>(value); };
  std::map<std::string, double> out{
      {"numberOfCompletedCheckpoints", number(stats_.size())},
      {"numberOfFailedCheckpoints", number(failed_count_)},
      {"numberOfInProgressCheckpoints", shown_in_progress_ ? 1.0 : 0.0},
      {"totalNumberOfCheckpoints",
       number(stats_.size()) + number(failed_count_) + (shown_in_progress_ ? 1.0 : 0.0)},
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

}  // namespace flott
