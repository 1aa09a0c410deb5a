#include "runtime/channel.h"

#include <utility>

namespace flott {

std::size_t size_bytes(const Element& element) {
  if (const auto* batch = std::get_if<BatchPtr>(&element)) {
    return (*batch)->size_bytes() + 64;
  }
  return 64;
}

void Channel::push(Element element) {
  const std::size_t bytes = flott::size_bytes(element);
  bool was_empty = false;
  {
    const std::lock_guard lock(mutex_);
    if (closed_) {
      return;  // `element` is destroyed after the lock is gone
    }
    was_empty = entries_.empty();
    entries_.push_back({std::move(element), bytes});
    bytes_.fetch_add(bytes, std::memory_order_release);
    count_.store(entries_.size(), std::memory_order_release);
  }
  if (was_empty) {
    consumer_.notify();
  }
}

std::optional<Element> Channel::poll() {
  if (empty()) {
    return std::nullopt;
  }
  std::optional<Element> out;
  bool room_appeared = false;
  {
    const std::lock_guard lock(mutex_);
    if (entries_.empty()) {
      return std::nullopt;
    }
    Entry& front = entries_.front();
    out = std::move(front.element);
    const std::size_t before = bytes_.fetch_sub(front.bytes, std::memory_order_acq_rel);
    room_appeared = before >= capacity_bytes_ && before - front.bytes < capacity_bytes_;
    entries_.pop_front();
    count_.store(entries_.size(), std::memory_order_release);
  }
  if (room_appeared) {
    producer_.notify();
  }
  return out;
}

void Channel::close() {
  std::deque<Entry> dropped;
  {
    const std::lock_guard lock(mutex_);
    closed_ = true;
    dropped.swap(entries_);
    bytes_.store(0, std::memory_order_release);
    count_.store(0, std::memory_order_release);
  }
  producer_.notify();
}

}  // namespace flott
