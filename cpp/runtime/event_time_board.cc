#include "runtime/event_time_board.h"

#include <utility>

namespace flott {

EventTimeBoard::EventTimeBoard(std::vector<std::vector<int>> upstream)
    : upstream_(std::move(upstream)), entries_(upstream_.size()) {}

void EventTimeBoard::publish(int task, std::vector<WatermarkOrigin> origins) {
  const std::lock_guard lock(mutex_);
  entries_[static_cast<std::size_t>(task)].origins = std::move(origins);
}

void EventTimeBoard::end(int task) {
  const std::lock_guard lock(mutex_);
  entries_[static_cast<std::size_t>(task)] = {{}, true};
}

bool EventTimeBoard::claim(const std::string& what) {
  const std::lock_guard lock(mutex_);
  return claimed_.insert(what).second;
}

std::vector<WatermarkOrigin> EventTimeBoard::upstream_of(int task) const {
  std::vector<WatermarkOrigin> out;
  std::vector<char> seen(upstream_.size());
  std::vector<int> open = upstream_[static_cast<std::size_t>(task)];
  const std::lock_guard lock(mutex_);
  while (!open.empty()) {
    const auto next = static_cast<std::size_t>(open.back());
    open.pop_back();
    if (std::exchange(seen[next], 1) != 0 || entries_[next].ended) {
      continue;
    }
    const std::vector<WatermarkOrigin>& origins = entries_[next].origins;
    if (origins.empty()) {
      open.insert(open.end(), upstream_[next].begin(), upstream_[next].end());
    } else {
      out.insert(out.end(), origins.begin(), origins.end());
    }
  }
  return out;
}

}  // namespace flott
