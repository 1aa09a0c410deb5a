#include "connectors/source_input.h"

#include "base/bytes.h"
#include "base/log.h"
#include "types/host.h"

#include <algorithm>
#include <utility>

namespace flott {
namespace {

constexpr std::int64_t kMaxPollRows = 1024;
/// Polls without rows (all skipped) before the task may look at its mailbox.
constexpr int kMaxEmptyPolls = 8;

}  // namespace

std::string encode_split(const SourceSplit& split) {
  std::string out;
  BytesWriter writer(out);
  writer.string(split.id);
  writer.string(split.position);
  return out;
}

SourceSplit decode_split(std::string_view bytes) {
  BytesReader reader(bytes);
  SourceSplit split;
  split.id = reader.string();
  split.position = reader.string();
  return split;
}

SourceInput::SourceInput(Options options)
    : reader_(std::move(options.reader)),
      strategy_(std::move(options.watermarks)),
      clock_(*options.clock),
      interval_ms_(options.auto_watermark_interval_ms),
      batch_mode_(options.batch_mode),
      reader_uses_host_(options.reader_uses_host),
      watermarks_use_host_(options.watermarks_use_host),
      metrics_(std::move(options.metrics)),
      name_(std::move(options.name)),
      subtask_(options.subtask),
      parallelism_(options.parallelism) {}

SourceInput::~SourceInput() = default;

void SourceInput::open() {
  if (strategy_.make_assigner) {
    assigner_ = strategy_.make_assigner();
  }
  if (strategy_.make_generator && !batch_mode_ && interval_ms_ > 0) {
    next_periodic_ = clock_.now_ms() + interval_ms_;
  }
  if (strategy_.alignment) {
    member_ = strategy_.alignment->join();
  }
  reader_->open();
}

void SourceInput::add_splits(const std::vector<SourceSplit>& splits) {
  const auto scope = watermark_scope();
  for (std::size_t i = 0; i < splits.size(); ++i) {
    SplitState state;
    if (strategy_.make_generator) {
      state.generator = strategy_.make_generator();
    }
    state.last_record_at = asked_ms_;
    state.id = splits[i].id;
    splits_.push_back(std::move(state));
  }
  reader_->add_splits(splits);
  assigned_ = true;
  update_combined();
}

bool SourceInput::take(Item& out) {
  if (ready_.empty()) {
    return false;
  }
  out = std::move(ready_.front());
  ready_.pop_front();
  return true;
}

TaskInput::Status SourceInput::next(Item& out) {
  if (take(out)) {
    return Status::kElement;
  }
  if (ended_) {
    return Status::kEnd;
  }
  // Only between polls, when nothing polled is waiting: positions() then match what was emitted.
  if (!barriers_.empty()) {
    const CheckpointBarrier barrier = barriers_.front();
    barriers_.pop_front();
    if (barrier.then == AfterBarrier::kDrain && combined_ < kMaxWatermark) {
      if (status_ == WatermarkStatus::kIdle) {
        status_ = WatermarkStatus::kActive;
        ready_.push_back({0, status_});
      }
      combined_ = kMaxWatermark;
      ready_.push_back({0, Watermark{kMaxWatermark}});
    }
    ready_.push_back({0, barrier});
    take(out);
    return Status::kElement;
  }
  const Timestamp now = clock_.now_ms();
  if (waits_for_others(now)) {
    return Status::kIdle;
  }
  note_asked(now);
  if (now >= next_periodic_) {
    on_periodic(now);
    if (take(out)) {
      return Status::kElement;
    }
  }
  PollResult result = PollResult::kMore;
  for (int polls = 0; result == PollResult::kMore && ready_.empty() && polls < kMaxEmptyPolls;
       ++polls) {
    SourceBatch polled;
    result = reader_->poll(polled, kMaxPollRows);
    if (polled.batch) {
      take_batch(splits_[static_cast<std::size_t>(polled.split)], polled.batch);
    }
    if (result != PollResult::kMore || polled.batch == nullptr) {
      finish_splits();
    }
    if (catch_up_polls_ > 0) {
      catch_up_polls_ = result == PollResult::kMore ? catch_up_polls_ - 1 : 0;
      // Now, not with the next watermark: when every step is slow, that comes behind a pause too.
      if (catch_up_polls_ == 0 && next_periodic_ != kMaxTimestamp && mark_idle_splits()) {
        update_combined();
      }
    }
  }
  poll_again_ = result == PollResult::kMore;
  if (result == PollResult::kFinished && no_more_splits_) {
    ended_ = true;
    if (strategy_.alignment) {
      strategy_.alignment->leave(member_);
    }
    if (combined_ < kMaxWatermark) {
      ready_.push_back({0, Watermark{kMaxWatermark}});
    }
    ready_.push_back({0, EndOfInput{}});
  }
  return take(out) ? Status::kElement : Status::kIdle;
}

bool SourceInput::waits_for_others(Timestamp now) {
  if (!strategy_.alignment) {
    return false;
  }
  if (now < next_alignment_) {
    return ahead_;
  }
  next_alignment_ = now + strategy_.alignment->update_interval_ms();
  if (status_ == WatermarkStatus::kIdle && !ahead_) {
    strategy_.alignment->leave(member_);
  } else {
    strategy_.alignment->report(member_, combined_);
  }
  ahead_ = combined_ != kMinWatermark && strategy_.alignment->is_ahead(combined_);
  return ahead_;
}

BatchPtr SourceInput::assign_timestamps(const BatchPtr& batch) {
  if (!assigner_) {
    return batch;
  }
  std::vector<Timestamp> timestamps;
  if (assigner_->extract_timestamps(*batch, timestamps)) {
    return batch->with_timestamps(std::move(timestamps));
  }
  timestamps.resize(static_cast<std::size_t>(batch->num_rows()));
  for (std::int64_t row = 0; row < batch->num_rows(); ++row) {
    timestamps[static_cast<std::size_t>(row)] =
        assigner_->extract_timestamp(batch->value_at(row), batch->timestamp_at(row));
  }
  return batch->with_timestamps(std::move(timestamps));
}

std::unique_ptr<HostScope> SourceInput::watermark_scope() const {
  return watermarks_use_host_ ? std::make_unique<HostScope>() : nullptr;
}

void SourceInput::take_batch(SplitState& split, const BatchPtr& raw) {
  const auto scope = watermark_scope();
  split.last_record_at = asked_ms_;
  ++split.batches;
  if (split.idle) {
    split.idle = false;
    update_combined();
  }
  const BatchPtr batch = assign_timestamps(raw);
  if (!split.generator || batch_mode_) {
    ready_.push_back({0, batch});
    return;
  }
  if (split.generator->is_periodic_only()) {
    if (batch->has_timestamps()) {
      split.generator->on_batch(
          *std::max_element(batch->timestamps().begin(), batch->timestamps().end()));
    }
    ready_.push_back({0, batch});
    return;
  }
  // What the generator emits for a record goes right behind that record.
  std::int64_t begin = 0;
  for (std::int64_t row = 0; row < batch->num_rows(); ++row) {
    const Timestamp watermark =
        split.generator->on_event(batch->value_at(row), batch->timestamp_at(row));
    if (watermark > split.watermark || split.generator->is_idle() != split.generator_idle) {
      ready_.push_back({0, batch->slice(begin, row + 1)});
      begin = row + 1;
      follow_generator(split, watermark);
    }
  }
  if (begin < batch->num_rows()) {
    ready_.push_back({0, begin == 0 ? batch : batch->slice(begin, batch->num_rows())});
  }
}

void SourceInput::follow_generator(SplitState& split, Timestamp watermark) {
  if (watermark > split.watermark) {
    split.watermark = watermark;
    split.generator_idle = false;  // a watermark ends idleness; what was said after it comes below
    update_combined();
  }
  if (const bool idle = split.generator->is_idle(); idle != split.generator_idle) {
    split.generator_idle = idle;
    update_combined();
  }
}

void SourceInput::note_asked(Timestamp now) {
  if (last_asked_at_ != kMaxTimestamp) {
    const std::int64_t gap = std::max<std::int64_t>(now - last_asked_at_, 0);
    // An idle task asks once an interval; anything much longer is a pause. A pause counts for a
    // little, so that a split without records becomes idle even if every step is slow.
    const std::int64_t longest = 2 * interval_ms_;
    asked_ms_ += std::min(gap, longest);
    if (gap > longest && catch_up_polls_ == 0) {
      catch_up_polls_ = splits_.size();
    }
  }
  last_asked_at_ = now;
}

void SourceInput::on_periodic(Timestamp now) {
  const auto scope = watermark_scope();
  for (SplitState& split : splits_) {
    if (!split.generator || split.finished) {
      continue;
    }
    follow_generator(split, split.generator->on_periodic());
  }
  if (catch_up_polls_ == 0) {
    mark_idle_splits();
  }
  update_combined();
  next_periodic_ = now + interval_ms_;
}

bool SourceInput::mark_idle_splits() {
  bool any = false;
  if (strategy_.idle_timeout_ms > 0) {
    for (SplitState& split : splits_) {
      if (split.generator && !split.finished && !split.idle &&
          asked_ms_ - split.last_record_at >= strategy_.idle_timeout_ms) {
        split.idle = true;
        any = true;
      }
    }
  }
  return any;
}

void SourceInput::update_combined() {
  if (!assigned_) {
    return;
  }
  Timestamp minimum = kMaxTimestamp;
  bool any_active = false;
  for (const SplitState& split : splits_) {
    if (!split.idle && !split.generator_idle && !split.finished) {
      any_active = true;
      minimum = std::min(minimum, split.watermark);
    }
  }
  // A subtask without splits of its own must not hold back the others, so it is idle from the
  // start (upstream leaves that to the user's with_idleness).
  const WatermarkStatus status = any_active ? WatermarkStatus::kActive : WatermarkStatus::kIdle;
  if (status == WatermarkStatus::kActive && status_ != status) {
    ready_.push_back({0, status});
  }
  if (any_active && minimum > combined_ && minimum != kMaxTimestamp) {
    combined_ = minimum;
    ready_.push_back({0, Watermark{minimum}});
  }
  if (status == WatermarkStatus::kIdle && status_ != status) {
    ready_.push_back({0, status});
  }
  status_ = status;
}

void SourceInput::finish_splits() {
  bool changed = false;
  for (std::size_t i = 0; i < splits_.size(); ++i) {
    if (!splits_[i].finished && reader_->split_finished(static_cast<int>(i))) {
      splits_[i].finished = true;
      changed = true;
    }
  }
  // When all have finished the end of input follows; idleness in between would be noise.
  const bool all_finished =
      !splits_.empty() && std::all_of(splits_.begin(), splits_.end(), [](const SplitState& split) {
        return split.finished;
      });
  if (changed && !(all_finished && no_more_splits_)) {
    update_combined();
  }
}

Timestamp SourceInput::next_time() const {
  if (ahead_ && barriers_.empty() && ready_.empty()) {
    return std::min(next_periodic_, next_alignment_);
  }
  // A letter that came while the last step ran is answered at once.
  return poll_again_ || !barriers_.empty() || !ready_.empty() ? kMinTimestamp : next_periodic_;
}

void SourceInput::abort_checkpoint(CheckpointId id) {
  // One whose end of time is on its way already has drained: the task fails with it.
  std::erase_if(barriers_, [&](const CheckpointBarrier& barrier) { return barrier.id <= id; });
}

void SourceInput::snapshot(CheckpointId id, OperatorSnapshot& out) {
  reader_->on_checkpoint(id);
  std::vector<std::string>& splits = out.list_state[kSplitsState];
  for (const SourceSplit& split : reader_->positions()) {
    splits.push_back(encode_split(split));
  }
}

void SourceInput::notify_checkpoint_complete(CheckpointId id) {
  reader_->notify_checkpoint_complete(id);
}

std::vector<WatermarkOrigin> SourceInput::watermark_origins(Timestamp now) {
  WatermarkOrigin origin;
  origin.name = name_;
  origin.subtask = subtask_;
  origin.parallelism = parallelism_;
  origin.has_strategy = static_cast<bool>(strategy_.make_generator);
  origin.idle = status_ == WatermarkStatus::kIdle;
  origin.watermark = ended_ ? kMaxWatermark : combined_;
  for (SplitState& split : splits_) {
    origin.records += split.batches;
    const Timestamp quiet_since = split.quiet.quiet_since(split.batches, now);
    if (!split.finished) {
      origin.splits.push_back({split.id,
                               split.watermark,
                               split.idle || split.generator_idle,
                               split.batches > 0,
                               quiet_since});
    }
  }
  origin.quiet_since = quiet_.quiet_since(origin.records, now);
  return {std::move(origin)};
}

void SourceInput::close() {
  if (strategy_.alignment) {
    strategy_.alignment->leave(member_);
  }
  if (reader_uses_host_) {
    reader_->close();
    return;
  }
  // Readers wait for their client's threads and brokers: not with everybody else's lock.
  const HostRelease released;
  reader_->close();
}

}  // namespace flott
