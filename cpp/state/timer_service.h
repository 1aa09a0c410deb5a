#pragma once

#include "base/clock.h"
#include "checkpoint/snapshot.h"
#include "state/keyed_state_backend.h"
#include "types/window.h"

#include <functional>
#include <map>
#include <memory>
#include <string>

namespace flott {

enum class TimeDomain : std::uint8_t { kEventTime, kProcessingTime };

/// Timers of one operator by (time, key, namespace) in both domains, deduplicated; Flink's
/// InternalTimerService. One thread: the task's. A fired timer sets the backend's current key.
class TimerService {
 public:
  /// Called for each due timer, with the backend's current key already set.
  using OnTimer = std::function<void(TimeDomain, Timestamp, const Window&)>;

  virtual ~TimerService() = default;

  /// For the backend's current key. Registering an existing timer again is a no-op, and so is
  /// registering one of the clock while the last ones fire.
  virtual void register_timer(TimeDomain domain, const Window& window, Timestamp time) = 0;
  virtual void delete_timer(TimeDomain domain, const Window& window, Timestamp time) = 0;

  virtual Timestamp current_watermark() const = 0;
  /// BATCH: the records of the next key follow, before all event time. No timer is left.
  virtual void reset_watermark() = 0;
  virtual Timestamp current_processing_time() const = 0;

  /// Fires event timers with time <= watermark in time order (ties by insertion) until
  /// `deadline_ns` (monotonic_ns) has passed; true when none is left, and then current_watermark()
  /// is `watermark`. While timers fire, current_watermark() is already `watermark`, as in Flink. At
  /// least one timer a call.
  virtual bool advance_watermark(Timestamp watermark,
                                 std::int64_t deadline_ns,
                                 const OnTimer& on_timer) = 0;
  /// Fires processing timers due at the clock's now, likewise.
  virtual bool fire_processing_timers(std::int64_t deadline_ns, const OnTimer& on_timer) = 0;
  /// BATCH: from now on, or no longer, the last processing timers of a key or of the input fire.
  /// Processing timers that are registered meanwhile are ignored, as in Flink, or those that
  /// register themselves would never end; a warning says so once. (In PyFlink's process mode they
  /// do not end.)
  virtual void set_last(bool last) = 0;
  /// Fires all processing timers, due or not, likewise (BATCH end of input).
  virtual bool fire_all_processing_timers(std::int64_t deadline_ns, const OnTimer& on_timer) = 0;
  /// Earliest processing timer, or kMaxTimestamp.
  virtual Timestamp next_processing_time() const = 0;
  /// Earliest event timer, or kMaxTimestamp.
  virtual Timestamp next_event_time() const = 0;
  virtual std::size_t size(TimeDomain domain) const = 0;
  /// Drops all processing timers (STREAMING end of input). Returns how many.
  virtual std::size_t drop_processing_timers() = 0;

  /// All timers as they are now, cheap however many there are: the frames are put together when
  /// they are asked for, by any thread, also when there is no service any more. Null when there are
  /// no timers.
  virtual std::shared_ptr<DeferredFrames> snapshot_deferred() = 0;
  /// The same, at once.
  std::map<KeyGroup, std::string> snapshot();
  virtual void restore(const std::map<KeyGroup, std::string>& frames) = 0;
};

std::unique_ptr<TimerService> make_heap_timer_service(KeyedStateBackend& backend,
                                                      const KeyedStateOptions& options);

}  // namespace flott
