#pragma once

#include "runtime/operator.h"
#include "state/state.h"
#include "types/window.h"

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

namespace flott {

/// Numeric values are upstream's.
enum class TriggerResult : std::uint8_t { kContinue = 0, kFireAndPurge = 1, kFire = 2, kPurge = 3 };
inline bool fires(TriggerResult r) {
  return r == TriggerResult::kFire || r == TriggerResult::kFireAndPurge;
}
inline bool purges(TriggerResult r) {
  return r == TriggerResult::kPurge || r == TriggerResult::kFireAndPurge;
}

/// What a trigger may use: timers and state of the current key and window.
class TriggerContext {
 public:
  virtual ~TriggerContext() = default;
  virtual Timestamp current_processing_time() const = 0;
  virtual Timestamp current_watermark() const = 0;
  virtual void register_timer(TimeDomain domain, Timestamp time) = 0;
  virtual void delete_timer(TimeDomain domain, Timestamp time) = 0;
  virtual KeyedStateBackend& state_backend() = 0;
  /// The namespace for trigger state: the window the context is for.
  virtual const Window& window() const = 0;
  virtual MetricGroup& metrics() = 0;
};

/// When a window is evaluated. One instance per subtask; all memory is in state.
class Trigger {
 public:
  virtual ~Trigger() = default;
  virtual TriggerResult on_element(const Value& value,
                                   Timestamp timestamp,
                                   const Window& window,
                                   TriggerContext& context) = 0;
  virtual TriggerResult on_processing_time(Timestamp time,
                                           const Window& window,
                                           TriggerContext& context) = 0;
  virtual TriggerResult on_event_time(Timestamp time,
                                      const Window& window,
                                      TriggerContext& context) = 0;
  /// The domain, when on_element does nothing but register a timer at the window's max_timestamp()
  /// in it (event time: unless the watermark has passed that). The window operator then leaves out
  /// the call for later records of a window.
  virtual std::optional<TimeDomain> registers_only_window_end() const { return std::nullopt; }
  /// It waits for a number of records, and for nothing else.
  virtual bool only_counts() const { return false; }
  /// Whatever comes (NeverTrigger).
  virtual bool never_fires() const { return false; }
  virtual bool can_merge() const { return false; }
  /// After windows merged into `window`: `merged` are the ones that are gone.
  virtual void on_merge(const Window& /*window*/,
                        const std::vector<Window>& /*merged*/,
                        TriggerContext& /*context*/) {}
  virtual void clear(const Window& window, TriggerContext& context) = 0;
  virtual bool uses_host() const { return false; }
};

std::unique_ptr<Trigger> make_event_time_trigger();
std::unique_ptr<Trigger> make_processing_time_trigger();
std::unique_ptr<Trigger> make_continuous_event_time_trigger(std::int64_t interval_ms);
std::unique_ptr<Trigger> make_continuous_processing_time_trigger(std::int64_t interval_ms);
std::unique_ptr<Trigger> make_count_trigger(std::int64_t max_count);
std::unique_ptr<Trigger> make_purging_trigger(std::unique_ptr<Trigger> nested);
std::unique_ptr<Trigger> make_never_trigger();
/// For count windows (windows/assigner.h): fires once when `size` records are there, and drops
/// them, since nothing comes to a full count window any more. (PyFlink keeps them forever; results
/// are the same.)
std::unique_ptr<Trigger> make_count_window_trigger(std::int64_t size);

/// Which elements a window keeps when it fires (Flink's Evictor); elements with timestamps.
struct TimestampedValue {
  Value value;
  Timestamp timestamp = kNoTimestamp;
};
class Evictor {
 public:
  virtual ~Evictor() = default;
  virtual void evict_before(std::vector<TimestampedValue>& elements,
                            const Window& window,
                            TriggerContext& context) = 0;
  virtual void evict_after(std::vector<TimestampedValue>& elements,
                           const Window& window,
                           TriggerContext& context) = 0;
};
std::unique_ptr<Evictor> make_count_evictor(std::int64_t max_count, bool after);
std::unique_ptr<Evictor> make_time_evictor(std::int64_t window_size_ms, bool after);

}  // namespace flott
