#include "runtime/task.h"

#include "base/error.h"
#include "base/fault_point.h"
#include "base/log.h"
#include "types/host.h"

#include <algorithm>
#include <utility>

namespace flott {
namespace {

constexpr std::int64_t kSliceNs = 10'000'000;
constexpr std::int64_t kBusyWaitMs = 10;
constexpr std::int64_t kLongestWaitMs = 1'000;

}  // namespace

Task::Task(std::string name,
           std::shared_ptr<TaskSignal> signal,
           std::shared_ptr<std::atomic<bool>> cancelled,
           const Clock& clock,
           std::unique_ptr<TaskInput> input,
           std::unique_ptr<OperatorChain> chain,
           Callbacks callbacks)
    : name_(std::move(name)),
      signal_(std::move(signal)),
      cancelled_(std::move(cancelled)),
      clock_(clock),
      input_(std::move(input)),
      chain_(std::move(chain)),
      callbacks_(std::move(callbacks)),
      mailbox_(*signal_) {}

Task::~Task() = default;

void Task::cancel() {
  cancelled_->store(true, std::memory_order_relaxed);
  signal_->notify();
}

void Task::trigger_checkpoint(CheckpointBarrier barrier) {
  post([this, barrier] { input_->trigger_checkpoint(barrier); });
}

void Task::notify_checkpoint_complete(CheckpointId id) {
  post([this, id] { completed_.push_back(id); });
}

void Task::notify_checkpoint_aborted(CheckpointId id) {
  post([this, id] {
    last_aborted_ = std::max(last_aborted_, id);
    input_->abort_checkpoint(id);
    if (phase_ != Phase::kStopped || stopped_at_.id != id) {
      return;
    }
    if (stopped_at_.then == AfterBarrier::kDrain) {
      fail_drained();
    }
    phase_ = Phase::kTakeInput;
  });
}

void Task::fail_drained() {
  throw Error(ErrorKind::kExternal,
              "the job was drained for a savepoint that could not be completed, and what was "
              "drained cannot be taken back; restart it from its last checkpoint",
              Retryable::kYes);
}

void Task::commit_after(CheckpointId id) {
  post([this, id] { commit_after_ = id; });
}

void Task::run() {
  bool running = start();
  while (running && !done()) {
    if (!run_slice() && !done()) {
      wait();
    }
  }
  end();
}

template <typename Body>
bool Task::guarded(Body&& body) {
  try {
    return body();
  } catch (const CancelledException&) {
    cancelled_->store(true, std::memory_order_relaxed);
  } catch (...) {
    // The one catch-all: what failed is told to the job together with where.
    failed_ = true;
    result_.status = TaskResult::Status::kFailed;
    result_.error = std::current_exception();
    const HostScope scope;
    if (in_input_) {
      // The source is the first of the operators that name the task.
      result_.failed_operator = name_.substr(0, name_.find(" -> "));
    } else {
      result_.failed_operator = chain_->failed_operator();
      result_.failed_record = chain_->failed_record();
    }
  }
  return false;
}

bool Task::start() {
  return guarded([this] {
    if (callbacks_.thread_start) {
      const HostScope scope;
      callbacks_.thread_start();
    }
    chain_->restore();
    const HostScope scope;
    chain_->open();
    in_input_ = true;
    input_->open();
    in_input_ = false;
    if (callbacks_.event_time) {
      next_watch_ = clock_.now_ms() + StallWatch::kIntervalMs;
      watches_.resize(chain_->size());
    }
    if (callbacks_.started) {
      callbacks_.started();
    }
    return true;
  });
}

void Task::end() {
  slice_started_ns_.store(0, std::memory_order_relaxed);
  mailbox_.close();
  if (callbacks_.event_time) {
    callbacks_.event_time->end(callbacks_.event_time_id);
  }
  {
    const HostScope scope;
    if (callbacks_.thread_end) {
      callbacks_.thread_end();
    }
    if (phase_ == Phase::kDone && callbacks_.keep_final_state) {
      guarded([this] {
        result_.final_snapshot = snapshot(kFinalSnapshot, SnapshotKind::kSavepoint);
        return true;
      });
    } else if (phase_ != Phase::kDone && !failed_) {
      result_.status = TaskResult::Status::kCancelled;
    }
    std::exception_ptr close_error = chain_->close();
    try {
      input_->close();
    } catch (...) {
      close_error = close_error ? close_error : std::current_exception();
    }
    if (close_error && result_.status == TaskResult::Status::kFinished) {
      result_.status = TaskResult::Status::kFailed;
      result_.error = close_error;
      result_.failed_operator = chain_->failed_operator();
    }
    item_ = {};
    // Operators and what they hold of the host die here, under its lock, on their own thread.
    chain_.reset();
    input_.reset();
  }
  callbacks_.ended(std::move(result_));
}

bool Task::run_slice() {
  return guarded([this] {
    in_input_ = true;  // letters speak to the input: new splits, barriers
    mailbox_.drain();
    in_input_ = false;
    if (const Timestamp now = clock_.now_ms(); now >= next_watch_) {
      watch_event_time(now);
    }
    std::optional<HostScope> scope;
    if (chain_->uses_host() || input_->uses_host()) {
      scope.emplace();
    }
    const std::int64_t start_ns = monotonic_ns();
    slice_started_ns_.store(start_ns, std::memory_order_relaxed);
    const std::int64_t deadline_ns = start_ns + kSliceNs;
    bool progressed = false;
    while (step(deadline_ns)) {
      progressed = true;
      if (phase_ == Phase::kDone || mailbox_.has_letters() || is_cancelled() ||
          monotonic_ns() >= deadline_ns) {
        break;
      }
    }
    slice_started_ns_.store(0, std::memory_order_relaxed);
    return progressed;
  });
}

bool Task::time_is_due() const {
  return chain_->has_async_wakeup() || chain_->next_time() <= clock_.now_ms();
}

bool Task::step(std::int64_t deadline_ns) {
  bool progressed = false;
  for (const CheckpointId id : std::exchange(completed_, {})) {
    chain_->notify_checkpoint_complete(id);
    input_->notify_checkpoint_complete(id);
    last_completed_ = std::max(last_completed_, id);
    progressed = true;
  }
  if (phase_ != Phase::kStopped && time_is_due()) {
    chain_->fire_timers(deadline_ns);
    chain_->flush();
    progressed = true;
  }
  switch (phase_) {
    case Phase::kTakeInput:
      return (chain_->ready() && take_input()) || progressed;
    case Phase::kBatch: {
      if (!chain_->ready()) {
        return progressed;
      }
      const BatchPtr& batch = std::get<BatchPtr>(item_.element);
      row_ = chain_->process(batch, row_, item_.input, deadline_ns);
      if (row_ == batch->num_rows()) {
        item_ = {};
        phase_ = Phase::kTakeInput;
      }
      chain_->flush();
      return true;
    }
    case Phase::kWatermark:
      if (!chain_->ready()) {
        return progressed;
      }
      if (chain_->process_watermark(std::get<Watermark>(item_.element).timestamp, deadline_ns)) {
        phase_ = Phase::kTakeInput;
      }
      chain_->flush();
      return true;
    case Phase::kBarrier:
      return take_checkpoint() || progressed;
    case Phase::kFinishing:
      if (!chain_->finish()) {
        return progressed;
      }
      chain_->broadcast(EndOfInput{});
      phase_ = Phase::kDone;
      if (chain_->has_uncommitted()) {
        phase_ = callbacks_.awaits_commit ? Phase::kAwaitingCheckpoint : Phase::kCommitting;
      }
      if (phase_ == Phase::kAwaitingCheckpoint) {
        // FLIP-147: what is published must be in a checkpoint first, or a restore published it
        // again.
        callbacks_.awaits_commit(snapshot(kFinalSnapshot, SnapshotKind::kSavepoint));
      }
      return true;
    case Phase::kAwaitingCheckpoint:
      if (!commit_after_ || last_completed_ < *commit_after_) {
        return progressed;
      }
      phase_ = Phase::kCommitting;
      return true;
    case Phase::kCommitting:
      if (!chain_->commit_final()) {
        return progressed;
      }
      phase_ = Phase::kDone;
      return true;
    case Phase::kStopped:
      if (last_completed_ < stopped_at_.id) {
        return progressed;
      }
      callbacks_.keep_final_state = false;  // the savepoint has it, and no checkpoint comes behind
      phase_ = chain_->has_uncommitted() ? Phase::kCommitting : Phase::kDone;
      return true;
    case Phase::kDone:
      return false;
  }
  return progressed;
}

bool Task::take_input() {
  in_input_ = true;
  const TaskInput::Status taken = input_->next(item_);
  in_input_ = false;
  switch (taken) {
    case TaskInput::Status::kIdle:
      return false;
    case TaskInput::Status::kProgress:
      return true;
    case TaskInput::Status::kEnd:
      phase_ = Phase::kFinishing;
      if (callbacks_.event_time) {
        watch_end_of_input();
      }
      return true;
    case TaskInput::Status::kElement:
      break;
  }
  if (std::holds_alternative<BatchPtr>(item_.element)) {
    row_ = 0;
    phase_ = Phase::kBatch;
  } else if (std::holds_alternative<Watermark>(item_.element)) {
    phase_ = Phase::kWatermark;
  } else if (const auto* status = std::get_if<WatermarkStatus>(&item_.element)) {
    chain_->process_status(*status);
  } else if (std::holds_alternative<CheckpointBarrier>(item_.element)) {
    fault_point(FaultPoint::kBeforeBarrier);
    barrier_taken_ns_ = monotonic_ns();
    phase_ = Phase::kBarrier;
  } else {
    end_input(item_.input);
  }
  return true;
}

void Task::end_input(int input) {
  if (ended_inputs_.insert(input).second) {
    chain_->end_input(input);
  }
}

bool Task::take_checkpoint() {
  const CheckpointBarrier barrier = std::get<CheckpointBarrier>(item_.element);
  if (barrier.then == AfterBarrier::kDrain) {
    if (last_aborted_ >= barrier.id) {
      fail_drained();  // the end of time went before it, from the source on
    }
    for (int input = 0; input < input_->input_count(); ++input) {
      end_input(input);
    }
    if (!chain_->finish()) {
      return false;
    }
  }
  if (!chain_->prepare_snapshot(barrier.id, barrier.kind)) {
    return false;
  }
  chain_->broadcast(barrier);
  TaskSnapshot part = snapshot(barrier.id, barrier.kind);
  part.times = checkpoint_times(barrier);
  callbacks_.acknowledge(barrier.id, std::move(part));
  fault_point(FaultPoint::kAfterBarrier);
  phase_ = Phase::kTakeInput;
  if (barrier.then != AfterBarrier::kGoOn && last_aborted_ < barrier.id) {
    phase_ = Phase::kStopped;
    stopped_at_ = barrier;
  }
  return true;
}

CheckpointTimes Task::checkpoint_times(const CheckpointBarrier& barrier) {
  CheckpointTimes out;
  out.sync_ns = monotonic_ns() - barrier_taken_ns_;
  out.alignment_ns = input_->alignment_ns();
  out.start_delay_ms = std::max<std::int64_t>(
      0, clock_.now_ms() - barrier.timestamp_ms - (out.sync_ns + out.alignment_ns) / 1'000'000);
  alignment_ns_.store(out.alignment_ns, std::memory_order_relaxed);
  start_delay_ns_.store(out.start_delay_ms * 1'000'000, std::memory_order_relaxed);
  return out;
}

std::map<std::string, double> Task::metrics() const {
  return {{"checkpointAlignmentTime",
           static_cast<double>(alignment_ns_.load(std::memory_order_relaxed))},
          {"checkpointStartDelayNanos",
           static_cast<double>(start_delay_ns_.load(std::memory_order_relaxed))}};
}

void Task::watch_event_time(Timestamp now) {
  next_watch_ = now + StallWatch::kIntervalMs;
  EventTimeBoard& board = *callbacks_.event_time;
  const std::vector<WatermarkOrigin> of_input = input_->watermark_origins(now);
  const std::vector<std::pair<int, WatermarkOrigin>> of_links = chain_->watermark_origins(now);
  std::vector<WatermarkOrigin> own;
  for (const auto& [link, origin] : of_links) {
    own.push_back(origin);
  }
  board.publish(callbacks_.event_time_id, own.empty() ? of_input : std::move(own));
  if (phase_ == Phase::kWatermark || phase_ >= Phase::kFinishing) {
    return;  // timers are firing
  }
  for (const OperatorChain::Waiting& waiting : chain_->waiting()) {
    std::vector<WatermarkOrigin> origins;
    if (waiting.origin >= 0) {
      for (const auto& [link, origin] : of_links) {
        if (link == waiting.origin) {
          origins.push_back(origin);
        }
      }
    } else {
      origins = of_input.empty() ? board.upstream_of(callbacks_.event_time_id) : of_input;
    }
    log_watch(waiting.link,
              watch_of(waiting.link)
                  .look(now, waiting.wait, waiting.watermark, waiting.records, origins));
  }
}

void Task::watch_end_of_input() {
  for (const OperatorChain::Waiting& waiting : chain_->waiting()) {
    log_watch(waiting.link, watch_of(waiting.link).look_at_end(clock_.now_ms(), waiting.wait));
  }
}

StallWatch& Task::watch_of(std::size_t link) {
  std::optional<StallWatch>& watch = watches_[link];
  if (!watch) {
    watch.emplace(chain_->describe(link));
  }
  return *watch;
}

void Task::log_watch(std::size_t link, const std::vector<StallWatch::Line>& lines) {
  for (const StallWatch::Line& line : lines) {
    if (callbacks_.event_time->claim(fmt::format("{}: {}", chain_->uid(link), line.cause))) {
      log(LogLevel::kWarn, "flott.event_time", "{}", line.text);
    }
  }
}

TaskSnapshot Task::snapshot(CheckpointId id, SnapshotKind kind) {
  TaskSnapshot out;
  input_->snapshot(id, out.input);
  out.links = chain_->snapshot(id, kind);
  out.state_sizes = chain_->state_sizes();
  return out;
}

void Task::wait() {
  const Timestamp now = clock_.now_ms();
  const bool ready = chain_->ready();
  Timestamp next = phase_ == Phase::kStopped ? kMaxTimestamp : chain_->next_time();
  if (phase_ == Phase::kTakeInput && ready) {
    // Otherwise the input is not asked, and what it has to do at its time would only keep this
    // awake.
    next = std::min(next, input_->next_time());
  }
  std::int64_t wait_ms = kLongestWaitMs;
  if (next <= now) {
    wait_ms = 0;
  } else if (next != kMaxTimestamp) {
    wait_ms = std::min(next - now, kLongestWaitMs);
  }
  if (phase_ == Phase::kBarrier || phase_ == Phase::kFinishing || phase_ == Phase::kCommitting ||
      !ready) {
    wait_ms = std::min(wait_ms, kBusyWaitMs);
  }
  signal_->wait_for(std::chrono::milliseconds(wait_ms));
}

}  // namespace flott
