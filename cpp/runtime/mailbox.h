#pragma once

#include "runtime/task_signal.h"

#include <atomic>
#include <functional>
#include <mutex>
#include <vector>

namespace flott {

/// Letters for a task from other threads: checkpoint triggers, new splits, notifications. post()
/// from any thread, drain() by the task between slices. After close() letters are dropped.
class Mailbox {
 public:
  using Letter = std::function<void()>;

  explicit Mailbox(TaskSignal& signal) : signal_(signal) {}

  /// False when the mailbox is closed: the letter will never be read.
  bool post(Letter letter) {
    {
      const std::lock_guard lock(mutex_);
      if (closed_) {
        return false;
      }
      letters_.push_back(std::move(letter));
      has_letters_.store(true, std::memory_order_release);
    }
    signal_.notify();
    return true;
  }
  bool has_letters() const { return has_letters_.load(std::memory_order_acquire); }
  /// Runs the letters that are there, in order, without holding the lock.
  void drain() {
    if (!has_letters()) {
      return;
    }
    std::vector<Letter> letters;
    {
      const std::lock_guard lock(mutex_);
      letters.swap(letters_);
      has_letters_.store(false, std::memory_order_release);
    }
    for (const Letter& letter : letters) {
      letter();
    }
  }
  void close() {
    std::vector<Letter> dropped;
    const std::lock_guard lock(mutex_);
    closed_ = true;
    dropped.swap(letters_);
  }

 private:
  TaskSignal& signal_;
  std::mutex mutex_;
  std::vector<Letter> letters_;
  std::atomic<bool> has_letters_{false};
  bool closed_ = false;
};

}  // namespace flott
