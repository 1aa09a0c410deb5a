#include "runtime/input_gate.h"

#include "base/clock.h"
#include "base/log.h"

#include <algorithm>
#include <utility>

namespace flott {

InputGate::InputGate(std::vector<Connection> connections, int input_count, BarrierHandling barriers)
    : barriers_(barriers),
      open_channels_(static_cast<std::size_t>(input_count), 0),
      valve_(connections.size()) {
  for (Connection& connection : connections) {
    ++open_channels_[static_cast<std::size_t>(connection.input)];
    channels_.push_back({std::move(connection), false, false});
  }
}

TaskInput::Status InputGate::next(Item& out) {
  if (!queued_.empty()) {
    out = std::move(queued_.front());
    queued_.erase(queued_.begin());
    return Status::kElement;
  }
  bool any_open = false;
  for (std::size_t tried = 0; tried < channels_.size(); ++tried) {
    const std::size_t index = cursor_;
    cursor_ = (cursor_ + 1) % channels_.size();
    State& state = channels_[index];
    if (state.ended) {
      continue;
    }
    any_open = true;
    if (is_blocked(state)) {
      continue;
    }
    // Control elements that change nothing are swallowed; go on with the same channel.
    while (!state.ended && !is_blocked(state)) {
      std::optional<Element> element = state.connection.channel->poll();
      if (!element) {
        break;
      }
      if (handle(index, std::move(*element), out)) {
        return Status::kElement;
      }
    }
    if (std::exchange(unblocked_, false)) {
      tried = 0;  // the others that were passed over have something again
    }
  }
  return any_open ? Status::kIdle : Status::kEnd;
}

bool InputGate::handle(std::size_t index, Element&& element, Item& out) {
  State& state = channels_[index];
  out.input = state.connection.input;
  if (std::holds_alternative<BatchPtr>(element)) {
    out.element = std::move(element);
    return true;
  }
  if (const auto* watermark = std::get_if<Watermark>(&element)) {
    return emit_change(valve_.input_watermark(index, watermark->timestamp), out);
  }
  if (const auto* status = std::get_if<WatermarkStatus>(&element)) {
    return emit_change(valve_.input_status(index, *status), out);
  }
  if (const auto* barrier = std::get_if<CheckpointBarrier>(&element)) {
    return on_barrier(index, *barrier, out);
  }
  state.ended = true;
  int& open = open_channels_[static_cast<std::size_t>(state.connection.input)];
  --open;
  std::vector<Item> items;
  Item item;
  if (emit_change(valve_.channel_ended(index), item)) {
    items.push_back(std::move(item));
  }
  // An ended channel counts as aligned: everything it had came before the barrier.
  if (aligning_ && barrier_complete(item)) {
    items.push_back(std::move(item));
  }
  if (open == 0) {
    items.push_back({state.connection.input, EndOfInput{}});
  }
  if (items.empty()) {
    return false;
  }
  out = std::move(items.front());
  std::move(items.begin() + 1, items.end(), std::back_inserter(queued_));
  return true;
}

bool InputGate::on_barrier(std::size_t index, CheckpointBarrier barrier, Item& out) {
  if (barrier.id <= last_barrier_ || barrier.id <= aborted_) {
    return false;  // of a checkpoint that was given up
  }
  if (!aligning_ || barrier.id > aligning_->id) {
    begin_alignment(barrier);
  }
  if (barrier.id == aligning_->id) {
    channels_[index].has_barrier = true;
  }
  return barrier_complete(out);
}

void InputGate::begin_alignment(CheckpointBarrier barrier) {
  if (aligning_) {
    log(LogLevel::kInfo,
        "flott.checkpoint",
        "checkpoint {} overtaken by {} before it was aligned",
        aligning_->id,
        barrier.id);
    end_alignment();
    unblocked_ = true;
  }
  aligning_ = barrier;
  aligning_since_ns_ = monotonic_ns();
}

void InputGate::end_alignment() {
  aligning_.reset();
  for (State& state : channels_) {
    state.has_barrier = false;
  }
}

void InputGate::abort_checkpoint(CheckpointId id) {
  aborted_ =
      id;  // barriers are under way of one checkpoint at a time: older ones are given up, too
  if (aligning_ && aligning_->id <= id) {
    end_alignment();
  }
}

void InputGate::trigger_checkpoint(CheckpointBarrier barrier) {
  if (barrier.id <= last_barrier_ || barrier.id <= aborted_ ||
      (aligning_ && barrier.id <= aligning_->id)) {
    return;  // the last of the upstream tasks has passed it on before it finished
  }
  begin_alignment(barrier);
  if (Item item; barrier_complete(item)) {
    queued_.push_back(std::move(item));
  }
}

bool InputGate::barrier_complete(Item& out) {
  const bool complete = std::all_of(channels_.begin(), channels_.end(), [](const State& state) {
    return state.has_barrier || state.ended;
  });
  if (!complete) {
    return false;
  }
  out = {0, *aligning_};
  last_barrier_ = aligning_->id;
  alignment_ns_ = monotonic_ns() - aligning_since_ns_;
  end_alignment();
  return true;
}

bool InputGate::emit_change(const WatermarkValve::Change& change, Item& out) {
  if (change.status && change.watermark) {
    // Active first, then the watermark; idle after the last watermark.
    if (*change.status == WatermarkStatus::kActive) {
      out = {0, *change.status};
      queued_.push_back({0, Watermark{*change.watermark}});
    } else {
      out = {0, Watermark{*change.watermark}};
      queued_.push_back({0, *change.status});
    }
    return true;
  }
  if (change.watermark) {
    out = {0, Watermark{*change.watermark}};
    return true;
  }
  if (change.status) {
    out = {0, *change.status};
    return true;
  }
  return false;
}

void InputGate::close() {
  for (State& state : channels_) {
    state.connection.channel->close();
  }
}

}  // namespace flott
