#include "state/timer_service.h"

#include "base/error.h"
#include "base/log.h"
#include "checkpoint/checkpoint_storage.h"
#include "state/host_slices.h"
#include "state/timer_frames.h"
#include "types/host.h"

#include <algorithm>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace flott {
namespace {

class HeapTimerService final : public TimerService {
 public:
  HeapTimerService(KeyedStateBackend& backend, const KeyedStateOptions& options)
      : backend_(backend), options_(options) {}
  ~HeapTimerService() override {
    if (store_.use_count() > 1) {
      drop_objects();
    }
  }
  HeapTimerService(const HeapTimerService&) = delete;
  HeapTimerService& operator=(const HeapTimerService&) = delete;

  void register_timer(TimeDomain domain, const Window& window, Timestamp time) override {
    const Key current = require_key();
    if (last_ && domain == TimeDomain::kProcessingTime) [[unlikely]] {
      if (!std::exchange(warned_, true)) {
        log(LogLevel::kWarn,
            "flott.timers",
            "a processing-time timer that on_timer() registered is ignored, and those like it: in "
            "BATCH mode they fire behind the last record of a key, and would never end");
      }
      return;
    }
    TimerKey* key = store_->keys.find(current.hash, current.bytes);
    if (key == nullptr) {
      key = &add_key(current);
    }
    insert(domain, *key, window, time, next_sequence_++);
  }

  void delete_timer(TimeDomain domain, const Window& window, Timestamp time) override {
    const Key current = require_key();
    const TimerKey* key = store_->keys.find(current.hash, current.bytes);
    if (key == nullptr) {
      return;
    }
    TimerQueue& queue = queue_of(domain);
    if (TimerNode* node = queue.find(*key, window, time)) {
      retire(queue.remove(*node));
    }
  }

  Timestamp current_watermark() const override { return watermark_; }
  void reset_watermark() override { watermark_ = kMinWatermark; }
  Timestamp current_processing_time() const override {
    STREAM_CHECK(options_.clock != nullptr, "the timer service has no clock");
    return options_.clock->now_ms();
  }

  bool advance_watermark(Timestamp watermark,
                         std::int64_t deadline_ns,
                         const OnTimer& on_timer) override {
    watermark_ = std::max(watermark_, watermark);
    return fire(TimeDomain::kEventTime, watermark_, deadline_ns, on_timer);
  }
  bool fire_processing_timers(std::int64_t deadline_ns, const OnTimer& on_timer) override {
    if (queue_of(TimeDomain::kProcessingTime).empty()) {
      return true;
    }
    return fire(TimeDomain::kProcessingTime, current_processing_time(), deadline_ns, on_timer);
  }
  void set_last(bool last) override { last_ = last; }
  bool fire_all_processing_timers(std::int64_t deadline_ns, const OnTimer& on_timer) override {
    return fire(TimeDomain::kProcessingTime, kMaxTimestamp, deadline_ns, on_timer);
  }
  Timestamp next_processing_time() const override { return next_time(store_->queues[1]); }
  Timestamp next_event_time() const override { return next_time(store_->queues[0]); }
  std::size_t size(TimeDomain domain) const override {
    return store_->queues[static_cast<std::size_t>(domain)].size();
  }
  std::size_t drop_processing_timers() override {
    TimerQueue& queue = queue_of(TimeDomain::kProcessingTime);
    const std::size_t dropped = queue.size();
    while (!queue.empty()) {
      retire(queue.pop());
    }
    return dropped;
  }

  std::shared_ptr<DeferredFrames> snapshot_deferred() override;
  void restore(const std::map<KeyGroup, std::string>& frames) override;

 private:
  static Timestamp next_time(const TimerQueue& queue) {
    return queue.empty() ? kMaxTimestamp : queue.first_time();
  }
  TimerQueue& queue_of(TimeDomain domain) {
    return store_->queues[static_cast<std::size_t>(domain)];
  }
  Key require_key() const {
    const Key current = backend_.current();
    if (current.bytes.empty()) {  // no key encodes to nothing
      throw Error(ErrorKind::kInvalidArgument,
                  "a timer is registered or deleted while there is no current key: use timers only "
                  "while a record or "
                  "timer of a keyed stream is processed");
    }
    return current;
  }
  void insert(TimeDomain domain,
              TimerKey& key,
              const Window& window,
              Timestamp time,
              std::uint64_t sequence) {
    TimerQueue& queue = queue_of(domain);
    if (key.timers > 0 && queue.find(key, window, time) != nullptr) {
      return;
    }
    auto node = std::make_unique<TimerNode>();
    node->time = time;
    node->sequence = sequence;
    node->key = &key;
    node->start = window.start;
    node->end = window.end;
    if (!window.custom.empty()) {
      node->custom = std::make_unique<const std::string>(window.custom);
    }
    ++key.timers;
    queue.insert(std::move(node));
  }
  bool fire(TimeDomain domain, Timestamp up_to, std::int64_t deadline_ns, const OnTimer& on_timer) {
    TimerQueue& queue = queue_of(domain);
    while (!queue.empty() && queue.first_time() <= up_to) {
      // Out of the queue first: the callback may register the same timer again, which is then a new
      // one.
      std::unique_ptr<TimerNode> timer = queue.pop();
      const TimerKey& key = *timer->key;
      backend_.set_current_key({key.bytes, key.hash, &key.value});
      const Window window = timer->window();
      const Timestamp time = timer->time;
      retire(std::move(timer));
      on_timer(domain, time, window);
      if (monotonic_ns() >= deadline_ns) {
        break;
      }
    }
    return queue.empty() || queue.first_time() > up_to;
  }
  TimerKey& add_key(const Key& current) {
    auto key = std::make_unique<TimerKey>();
    key->hash = current.hash;
    key->bytes = std::string(current.bytes);
    key->value = *current.value;
    if (key->may_need_host()) {
      key->mark = static_cast<std::uint32_t>(unstored_.size());
      unstored_.push_back(key.get());
    }
    return store_->keys.add(std::move(key));
  }
  /// Ends a timer that is in no queue any more, and its key with the last one.
  void retire(std::unique_ptr<TimerNode> node) {
    TimerKey& key = *node->key;
    if (--key.timers > 0) {
      store_->retired.add(std::move(node), nullptr);
      return;
    }
    if (key.may_need_host() && key.stored == nullptr) {
      unstored_[key.mark] = unstored_.back();
      unstored_[key.mark]->mark = key.mark;
      unstored_.pop_back();
    }
    store_->retired.add(std::move(node), store_->keys.remove(key));
  }
  void store_keys();
  void drop_objects();

  KeyedStateBackend& backend_;
  const KeyedStateOptions options_;
  /// Snapshots that are not encoded yet keep it, too.
  const std::shared_ptr<TimerStore> store_ = std::make_shared<TimerStore>();
  /// Keys that need TimerKey::stored for a snapshot, and have none yet; `mark` is the position.
  std::vector<TimerKey*> unstored_;
  Timestamp watermark_ = kMinWatermark;
  std::uint64_t next_sequence_ = 0;
  bool last_ = false;
  bool warned_ = false;
};

std::shared_ptr<DeferredFrames> HeapTimerService::snapshot_deferred() {
  constexpr int kFreedAtOnce = 10'000;  // less than a millisecond
  store_->retired.free_some(kFreedAtOnce);
  const std::size_t count = store_->queues[0].size() + store_->queues[1].size();
  if (count == 0) {
    return nullptr;
  }
  store_keys();
  return std::make_shared<DeferredFrames>(
      count * store_->bytes_per_timer,
      [snapshot = std::make_shared<TimerSnapshot>(store_, options_.max_parallelism)] {
        return snapshot->encode();
      });
}

void HeapTimerService::store_keys() {
  if (unstored_.empty()) {
    return;
  }
  const HostScope host_scope;
  while (!unstored_.empty()) {
    TimerKey& key = *unstored_.back();
    std::string bytes;
    key.value.encode(bytes);
    key.stored = std::make_unique<const std::string>(std::move(bytes));
    unstored_.pop_back();
  }
}

/// A snapshot may outlive the service: who encodes it must not have to release opaque values.
void HeapTimerService::drop_objects() {
  const auto drop = [](TimerKey& key) {
    // Where bytes are stored, snapshots read those; where none are, no snapshot has the key.
    if (key.may_need_host()) {
      key.value = Value();
    }
  };
  store_->keys.for_each(drop);
  store_->retired.for_each_key(drop);
}

void HeapTimerService::restore(const std::map<KeyGroup, std::string>& frames) {
  HostSlices host;
  std::vector<StoredTimer> restored;
  for (const auto& [group, frame] : frames) {
    if (!options_.range.contains(group)) {
      continue;
    }
    try {
      decode_timers(group, frame, options_, host, store_->keys, restored);
    } catch (const Error& error) {
      if (error.kind() != ErrorKind::kExternal || error.retryable()) {
        throw;
      }
      throw DamagedCheckpoint(
          {},
          fmt::format("timers of key group {} cannot be restored: {}; restore an older checkpoint",
                      group,
                      error.what()));
    }
  }
  host.release();
  // Frames of several subtasks may use the same sequence numbers: number anew in the old order.
  std::stable_sort(
      restored.begin(), restored.end(), [](const StoredTimer& a, const StoredTimer& b) {
        return a.sequence < b.sequence;
      });
  for (const StoredTimer& timer : restored) {
    insert(static_cast<TimeDomain>(timer.domain),
           *timer.key,
           timer.window,
           timer.time,
           next_sequence_++);
  }
}

}  // namespace

std::map<KeyGroup, std::string> TimerService::snapshot() {
  const std::shared_ptr<DeferredFrames> deferred = snapshot_deferred();
  return deferred == nullptr ? std::map<KeyGroup, std::string>() : *deferred->get();
}

std::unique_ptr<TimerService> make_heap_timer_service(KeyedStateBackend& backend,
                                                      const KeyedStateOptions& options) {
  return std::make_unique<HeapTimerService>(backend, options);
}

}  // namespace flott
