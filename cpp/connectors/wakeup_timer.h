#pragma once

#include <condition_variable>
#include <cstdint>
#include <functional>
#include <mutex>
#include <thread>

namespace flott {

/// One thread that calls `wakeup` some milliseconds later: for readers that have nothing *yet*. A
/// later request replaces an earlier one. Thread-safe; the destructor waits for a running call.
class WakeupTimer {
 public:
  explicit WakeupTimer(std::function<void()> wakeup);
  ~WakeupTimer();
  WakeupTimer(const WakeupTimer&) = delete;
  WakeupTimer& operator=(const WakeupTimer&) = delete;

  void wake_after_ms(std::int64_t delay_ms);

 private:
  void run();

  std::function<void()> wakeup_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::int64_t due_ns_ = 0;  ///< monotonic; 0 = none
  bool stopped_ = false;
  std::thread thread_;
};

}  // namespace flott
