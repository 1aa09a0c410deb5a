#include "base/error.h"
#include "windows/saturating.h"
#include "windows/trigger.h"

#include <algorithm>
#include <memory>

namespace flott {
namespace {

using Elements = std::vector<TimestampedValue>;

/// Runs `evict` before or after the window function.
class OneSidedEvictor : public Evictor {
 public:
  explicit OneSidedEvictor(bool after) : after_(after) {}
  void evict_before(Elements& elements,
                    const Window& /*window*/,
                    TriggerContext& /*context*/) override {
    if (!after_) {
      evict(elements);
    }
  }
  void evict_after(Elements& elements,
                   const Window& /*window*/,
                   TriggerContext& /*context*/) override {
    if (after_) {
      evict(elements);
    }
  }

 protected:
  virtual void evict(Elements& elements) = 0;

 private:
  bool after_;
};

/// Keeps the last `max_count`.
class CountEvictor final : public OneSidedEvictor {
 public:
  CountEvictor(std::int64_t max_count, bool after)
      : OneSidedEvictor(after), max_count_(static_cast<std::size_t>(max_count)) {}

 protected:
  void evict(Elements& elements) override {
    if (elements.size() > max_count_) {
      elements.erase(elements.begin(), elements.end() - static_cast<std::ptrdiff_t>(max_count_));
    }
  }

 private:
  std::size_t max_count_;
};

/// Keeps what is newer than the newest minus the size.
class TimeEvictor final : public OneSidedEvictor {
 public:
  TimeEvictor(std::int64_t window_size_ms, bool after)
      : OneSidedEvictor(after), window_size_ms_(window_size_ms) {}

 protected:
  void evict(Elements& elements) override {
    if (elements.empty() || elements.front().timestamp == kNoTimestamp) {
      return;  // as Flink: without timestamps everything stays
    }
    Timestamp newest = kMinTimestamp;
    for (const TimestampedValue& element : elements) {
      newest = std::max(newest, element.timestamp);
    }
    const Timestamp cutoff = saturating_subtract(newest, window_size_ms_);
    std::erase_if(elements, [cutoff](const TimestampedValue& element) {
      return element.timestamp <= cutoff;
    });
  }

 private:
  std::int64_t window_size_ms_;
};

}  // namespace

std::unique_ptr<Evictor> make_count_evictor(std::int64_t max_count, bool after) {
  if (max_count < 0) {
    throw_error(ErrorKind::kInvalidArgument,
                "CountEvictor must keep 0 or more elements, got {}",
                max_count);
  }
  return std::make_unique<CountEvictor>(max_count, after);
}

std::unique_ptr<Evictor> make_time_evictor(std::int64_t window_size_ms, bool after) {
  if (window_size_ms < 0) {
    throw_error(ErrorKind::kInvalidArgument,
                "TimeEvictor must keep 0 ms or more, got {} ms",
                window_size_ms);
  }
  return std::make_unique<TimeEvictor>(window_size_ms, after);
}

}  // namespace flott
