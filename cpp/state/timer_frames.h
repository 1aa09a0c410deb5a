#pragma once

#include "state/host_slices.h"
#include "state/keyed_state_backend.h"
#include "state/timer_queue.h"
#include "types/key.h"

#include <array>
#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

namespace flott {

constexpr std::size_t kDomains = 2;  ///< TimeDomain: event time, processing time

/// The timers of a service, and of the snapshots of it that are not encoded yet.
struct TimerStore {
  TimerKeys keys;
  std::array<TimerQueue, kDomains> queues;  ///< by TimeDomain
  RetiredTimers retired;
  std::mutex encoding;  ///< held by who sets TimerKey::mark
  std::atomic<std::uint64_t> bytes_per_timer{32};
};

/// All timers of one moment. Made by the task: it costs a copy of the two heaps. Read by any other
/// thread while the task goes on: nodes and keys do not change, and the store keeps those that go.
class TimerSnapshot {
 public:
  TimerSnapshot(std::shared_ptr<TimerStore> store, int max_parallelism);
  ~TimerSnapshot();
  TimerSnapshot(const TimerSnapshot&) = delete;
  TimerSnapshot& operator=(const TimerSnapshot&) = delete;

  std::map<KeyGroup, std::string> encode();

 private:
  const std::shared_ptr<TimerStore> store_;
  const int max_parallelism_;
  const std::shared_ptr<RetiredTimers::Read> read_;
  std::array<std::vector<TimerQueue::Item>, kDomains> items_;
};

/// A timer of a frame.
struct StoredTimer {
  std::size_t domain = 0;
  TimerKey* key = nullptr;
  Timestamp time = 0;
  std::uint64_t sequence = 0;
  Window window;
};

/// Appends the timers of a frame; its keys become keys of the store. Takes the host's lock for
/// keys that are opaque values. Throws kExternal for damaged bytes, CancelledException as
/// KeyedStateOptions::cancelled says.
void decode_timers(KeyGroup group,
                   std::string_view frame,
                   const KeyedStateOptions& options,
                   HostSlices& host,
                   TimerKeys& keys,
                   std::vector<StoredTimer>& out);

}  // namespace flott
