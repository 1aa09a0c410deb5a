#pragma once

#include "runtime/element.h"
#include "runtime/task_signal.h"

#include <atomic>
#include <deque>
#include <mutex>
#include <optional>

namespace flott {

/// A bounded in-memory connection from one upstream subtask to one downstream subtask.
///
/// Bounded in bytes with a soft limit: push() always succeeds and the producer asks has_room()
/// between slices, so one large batch never dead-locks. One producer thread, one consumer thread;
/// the lock is held for a deque operation only.
class Channel {
 public:
  Channel(std::size_t capacity_bytes, TaskSignal& producer, TaskSignal& consumer)
      : capacity_bytes_(capacity_bytes), producer_(producer), consumer_(consumer) {}

  void push(Element element);
  std::optional<Element> poll();
  bool has_room() const { return bytes_.load(std::memory_order_acquire) < capacity_bytes_; }
  /// Holds several times what it should: the producer does not come to the end of its slice.
  bool is_overfull() const {
    return bytes_.load(std::memory_order_acquire) >= capacity_bytes_ * kOverfull;
  }
  bool empty() const { return count_.load(std::memory_order_acquire) == 0; }
  std::size_t size_bytes() const { return bytes_.load(std::memory_order_relaxed); }
  /// The consumer is gone: drops everything, and whatever is pushed later.
  void close();

 private:
  static constexpr std::size_t kOverfull = 4;
  struct Entry {
    Element element;
    std::size_t bytes;
  };
  const std::size_t capacity_bytes_;
  TaskSignal& producer_;
  TaskSignal& consumer_;
  std::mutex mutex_;
  std::deque<Entry> entries_;
  bool closed_ = false;
  std::atomic<std::size_t> bytes_{0};
  std::atomic<std::size_t> count_{0};
};

}  // namespace flott
