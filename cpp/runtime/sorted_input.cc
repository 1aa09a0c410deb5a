#include "runtime/sorted_input.h"

#include "base/clock.h"
#include "base/error.h"

#include <algorithm>
#include <utility>

namespace flott {
namespace {

/// Elements are taken in for so long before the task looks at its mailbox.
constexpr std::int64_t kTakeNs = 10'000'000;

}  // namespace

SortedInput::SortedInput(std::unique_ptr<TaskInput> inner,
                         std::vector<Order> orders,
                         RowSorter::Options options)
    : inner_(std::move(inner)),
      orders_(std::move(orders)),
      held_(options.memory_bytes, options.directory),
      sorter_(std::move(options)),
      first_open_(static_cast<int>(std::count(orders_.begin(), orders_.end(), Order::kFirst))) {}

TaskInput::Status SortedInput::next(Item& out) {
  const std::int64_t deadline_ns = monotonic_ns() + kTakeNs;
  while (!inner_ended_) {
    if (first_open_ == 0 && !held_.empty()) {
      InputBatch held = held_.pop();
      out = {held.input, std::move(held.batch)};
      return Status::kElement;
    }
    Item item;
    switch (inner_->next(item)) {
      case Status::kIdle:
        return Status::kIdle;
      case Status::kProgress:
        return Status::kProgress;
      case Status::kEnd:
        inner_ended_ = true;
        sorter_.finish();
        break;
      case Status::kElement:
        if (take(std::move(item), out)) {
          return Status::kElement;
        }
        break;
    }
    if (monotonic_ns() >= deadline_ns) {
      return Status::kProgress;
    }
  }
  return drain(out);
}

bool SortedInput::take(Item&& item, Item& out) {
  if (std::holds_alternative<CheckpointBarrier>(item.element)) {
    throw Error(ErrorKind::kInvalidArgument,
                "a job in BATCH mode takes no checkpoints; run it in STREAMING mode "
                "(execution.runtime-mode) to take them");
  }
  if (std::holds_alternative<WatermarkStatus>(item.element)) {
    return false;
  }
  if (const auto* watermark = std::get_if<Watermark>(&item.element)) {
    watermark_ = std::max(watermark_, watermark->timestamp);
    return false;
  }
  const Order order = orders_[static_cast<std::size_t>(item.input)];
  if (std::holds_alternative<EndOfInput>(item.element)) {
    if (order != Order::kFirst) {
      last_.push_back(std::move(item));
      return false;
    }
    --first_open_;
    out = std::move(item);
    return true;
  }
  if (order == Order::kSorted) {
    sorter_.add(std::get<BatchPtr>(std::move(item.element)), item.input);
    return false;
  }
  if (order == Order::kHeld && first_open_ > 0) {
    held_.push({std::get<BatchPtr>(std::move(item.element)), item.input});
    return false;
  }
  out = std::move(item);
  return true;
}

TaskInput::Status SortedInput::drain(Item& out) {
  if (!held_.empty()) {
    InputBatch held = held_.pop();
    out = {held.input, std::move(held.batch)};
    return Status::kElement;
  }
  if (!rows_ended_) {
    if (std::optional<InputBatch> chunk = sorter_.next()) {
      out = {chunk->input, std::move(chunk->batch)};
      return Status::kElement;
    }
    rows_ended_ = true;
    if (watermark_ != kMinWatermark) {
      out = {0, Watermark{watermark_}};
      return Status::kElement;
    }
  }
  if (!last_.empty()) {
    out = std::move(last_.front());
    last_.pop_front();
    return Status::kElement;
  }
  return Status::kEnd;
}

}  // namespace flott
