#include "runtime/sorted_input.h"

#include <algorithm>
#include <cstdint>
#include <utility>

namespace flott {
namespace {

/// Where one record is held.
struct Place {
  Timestamp timestamp;
  std::uint32_t item;
  std::uint32_t row;
};

}  // namespace

SortedInput::SortedInput(std::unique_ptr<TaskInput> input, std::vector<bool> is_keyed)
    : input_(std::move(input)), is_keyed_(std::move(is_keyed)) {}

TaskInput::Status SortedInput::next(Item& out) {
  while (!ended_) {
    Item item;
    switch (input_->next(item)) {
      case Status::kIdle:
        return Status::kIdle;
      case Status::kEnd:
        ended_ = true;
        sort();
        break;
      case Status::kElement:
        if (take(std::move(item), out)) {
          return Status::kElement;
        }
        break;
    }
  }
  if (position_ == sorted_.size()) {
    return Status::kEnd;
  }
  out = std::move(sorted_[position_++]);
  return Status::kElement;
}

/// True when the element goes on at once, in `out`.
bool SortedInput::take(Item&& item, Item& out) {
  const auto* batch = std::get_if<BatchPtr>(&item.element);
  if (batch == nullptr) {
    control_.push_back(std::move(item));
    return false;
  }
  const auto has_unkeyed = std::find(is_keyed_.begin(), is_keyed_.end(), false) != is_keyed_.end();
  if (!is_keyed_[static_cast<std::size_t>(item.input)]) {
    unkeyed_.push_back(std::move(item));
    return false;
  }
  if (held_.empty() && !has_unkeyed && !(*batch)->has_timestamps()) {
    out = std::move(item);
    return true;
  }
  held_.push_back(std::move(item));
  return false;
}

void SortedInput::sort() {
  std::vector<Place> places;
  for (std::uint32_t i = 0; i < held_.size(); ++i) {
    const Batch& batch = *std::get<BatchPtr>(held_[i].element);
    for (std::int64_t row = 0; row < batch.num_rows(); ++row) {
      places.push_back({batch.timestamp_at(row), i, static_cast<std::uint32_t>(row)});
    }
  }
  const auto earlier = [](const Place& a, const Place& b) { return a.timestamp < b.timestamp; };
  sorted_ = std::move(unkeyed_);
  if (std::is_sorted(places.begin(), places.end(), earlier)) {
    std::move(held_.begin(), held_.end(), std::back_inserter(sorted_));
  } else {
    std::stable_sort(places.begin(), places.end(), earlier);
    std::vector<std::uint32_t> rows;
    for (std::size_t begin = 0; begin < places.size();) {
      const Item& from = held_[places[begin].item];
      rows.clear();
      std::size_t end = begin;
      for (; end < places.size() && places[end].item == places[begin].item; ++end) {
        rows.push_back(places[end].row);
      }
      sorted_.push_back({from.input, std::get<BatchPtr>(from.element)->take(rows)});
      begin = end;
    }
  }
  held_.clear();
  std::move(control_.begin(), control_.end(), std::back_inserter(sorted_));
  control_.clear();
}

}  // namespace flott
