#include "connectors/wakeup_timer.h"

#include "base/clock.h"

#include <chrono>

namespace flott {

WakeupTimer::WakeupTimer(std::function<void()> wakeup)
    : wakeup_(std::move(wakeup)), thread_([this] { run(); }) {}

WakeupTimer::~WakeupTimer() {
  {
    const std::lock_guard lock(mutex_);
    stopped_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

void WakeupTimer::wake_after_ms(std::int64_t delay_ms) {
  {
    const std::lock_guard lock(mutex_);
    due_ns_ = monotonic_ns() + delay_ms * 1'000'000;
  }
  changed_.notify_all();
}

void WakeupTimer::run() {
  std::unique_lock lock(mutex_);
  while (!stopped_) {
    if (due_ns_ == 0) {
      changed_.wait(lock);
      continue;
    }
    const std::int64_t left_ns = due_ns_ - monotonic_ns();
    if (left_ns > 0) {
      changed_.wait_for(lock, std::chrono::nanoseconds(left_ns));
      continue;
    }
    due_ns_ = 0;
    lock.unlock();
    wakeup_();
    lock.lock();
  }
}

}  // namespace flott
