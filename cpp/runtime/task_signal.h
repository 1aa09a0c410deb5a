#pragma once

#include <chrono>
#include <condition_variable>
#include <mutex>

namespace flott {

/// Wakes one task: channels notify it of data and room, anyone of letters, connectors of I/O.
/// A notification that comes while nobody waits is kept, so none is lost. Thread-safe; only the
/// task waits.
class TaskSignal {
 public:
  void notify() {
    {
      const std::lock_guard lock(mutex_);
      if (notified_) {
        return;
      }
      notified_ = true;
    }
    condition_.notify_one();
  }
  /// Returns when notified since the last wait, or after `timeout`.
  void wait_for(std::chrono::nanoseconds timeout) {
    std::unique_lock lock(mutex_);
    condition_.wait_for(lock, timeout, [this] { return notified_; });
    notified_ = false;
  }

 private:
  std::mutex mutex_;
  std::condition_variable condition_;
  bool notified_ = false;
};

}  // namespace flott
