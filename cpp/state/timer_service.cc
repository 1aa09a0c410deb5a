#include "state/timer_service.h"

#include "base/bytes.h"
#include "base/error.h"
#include "base/hash.h"
#include "base/log.h"
#include "state/namespace_codec.h"
#include "types/host.h"

#include <boost/unordered/unordered_flat_map.hpp>
#include <boost/unordered/unordered_flat_set.hpp>

#include <algorithm>
#include <array>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

// Grammar of a frame: the timers of one key group. Numbers little-endian; string, varint:
// base/bytes.h.
//
//   frame  := version:u8 (1)  keys:varint key*  event timers  processing timers
//   key    := canonical bytes:string  value:string (Value::encode)
//   timers := count:varint timer*        in firing order
//   timer  := key:varint (position above)  time:i64  sequence:varint  namespace
//   (state/namespace_codec.h)
//
// `sequence` orders timers of one time over all key groups of a subtask.

namespace flott {
namespace {

constexpr std::uint8_t kFrameVersion = 1;

/// One key with timers, shared by them: a key with many windows is stored once.
struct TimerKey {
  std::uint64_t hash = 0;
  std::string bytes;
  Value value;
  std::uint32_t timers = 0;
};

struct TimerNode {
  Timestamp time = 0;
  std::uint64_t sequence = 0;
  TimerKey* key = nullptr;
  std::size_t position = 0;  ///< in the heap
  std::int64_t start = 0;
  std::int64_t end = 0;
  std::unique_ptr<const std::string> custom;  ///< null for the usual windows; keeps a timer small

  std::string_view custom_view() const { return custom ? std::string_view(*custom) : ""; }
  Window window() const { return {start, end, custom ? *custom : std::string()}; }
};

/// Keys by their canonical bytes.
class TimerKeys {
 public:
  ~TimerKeys() {
    for (const Ref& ref : keys_) {
      delete ref.key;
    }
  }
  TimerKey* find(std::uint64_t hash, std::string_view bytes) const {
    const auto it = keys_.find(Lookup{hash, bytes});
    return it == keys_.end() ? nullptr : it->key;
  }
  /// The key, made if need be.
  TimerKey& get(std::uint64_t hash, std::string_view bytes, const Value& value) {
    if (TimerKey* known = find(hash, bytes)) {
      return *known;
    }
    auto key = std::make_unique<TimerKey>(TimerKey{hash, std::string(bytes), value, 0});
    keys_.insert(Ref{hash, key.get()});
    return *key.release();
  }
  /// Gives up one timer of the key.
  void release(TimerKey& key) {
    if (--key.timers == 0) {
      keys_.erase(keys_.find(Lookup{key.hash, key.bytes}));
      delete &key;
    }
  }

 private:
  struct Ref {
    std::uint64_t hash;
    TimerKey* key;
  };
  struct Lookup {
    std::uint64_t hash;
    std::string_view bytes;
  };
  struct Hash {
    using is_transparent = void;
    using is_avalanching = void;
    std::size_t operator()(const Ref& r) const { return r.hash; }
    std::size_t operator()(const Lookup& l) const { return l.hash; }
  };
  struct Equal {
    using is_transparent = void;
    bool operator()(const Ref& a, const Ref& b) const { return a.key == b.key; }
    bool operator()(const Ref& a, const Lookup& b) const {
      return a.hash == b.hash && a.key->bytes == b.bytes;
    }
    bool operator()(const Lookup& a, const Ref& b) const { return (*this)(b, a); }
  };
  boost::unordered_flat_set<Ref, Hash, Equal> keys_;
};

std::uint64_t identity_hash(std::uint64_t key_hash,
                            Timestamp time,
                            std::int64_t start,
                            std::int64_t end,
                            std::string_view custom) {
  std::uint64_t h = mix64(key_hash ^ static_cast<std::uint64_t>(time));
  h = mix64(h ^ static_cast<std::uint64_t>(start) ^
            static_cast<std::uint64_t>(end) * 0x9e3779b97f4a7c15ULL);
  return custom.empty() ? h : mix64(h ^ hash_bytes(custom));
}

/// Timers of one domain: a 4-ary heap by (time, sequence), and a set by identity for duplicates and
/// deletion.
class TimerQueue {
 public:
  ~TimerQueue() {
    for (const Item& item : heap_) {
      delete item.node;
    }
  }

  bool empty() const { return heap_.empty(); }
  std::size_t size() const { return heap_.size(); }
  Timestamp first_time() const { return heap_.front().time; }

  TimerNode* find(const TimerKey& key, const Window& window, Timestamp time) const {
    const auto it = set_.find(Lookup{&key, &window, time});
    return it == set_.end() ? nullptr : *it;
  }
  void insert(std::unique_ptr<TimerNode> node) {
    set_.insert(node.get());
    node->position = heap_.size();
    heap_.push_back({node->time, node->sequence, node.get()});
    TimerNode* owned = node.release();
    sift_up(owned->position);
  }
  std::unique_ptr<TimerNode> remove(TimerNode& node) {
    set_.erase(set_.find(&node));
    const std::size_t hole = node.position;
    const Item last = heap_.back();
    heap_.pop_back();
    if (hole < heap_.size()) {
      place(hole, last);
      sift_down(hole);
      sift_up(last.node->position);
    }
    return std::unique_ptr<TimerNode>(&node);
  }
  std::unique_ptr<TimerNode> pop() { return remove(*heap_.front().node); }
  /// In firing order.
  std::vector<const TimerNode*> sorted() const {
    std::vector<Item> items = heap_;
    std::sort(items.begin(), items.end(), before);
    std::vector<const TimerNode*> out;
    out.reserve(items.size());
    for (const Item& item : items) {
      out.push_back(item.node);
    }
    return out;
  }

 private:
  struct Item {
    Timestamp time;
    std::uint64_t sequence;
    TimerNode* node;
  };
  struct Lookup {
    const TimerKey* key;
    const Window* window;
    Timestamp time;
  };
  struct Hash {
    using is_transparent = void;
    using is_avalanching = void;
    std::size_t operator()(const TimerNode* n) const {
      return identity_hash(n->key->hash, n->time, n->start, n->end, n->custom_view());
    }
    std::size_t operator()(const Lookup& l) const {
      return identity_hash(l.key->hash, l.time, l.window->start, l.window->end, l.window->custom);
    }
  };
  struct Equal {
    using is_transparent = void;
    bool operator()(const TimerNode* a, const TimerNode* b) const { return a == b; }
    bool operator()(const TimerNode* a, const Lookup& b) const {
      return a->time == b.time && a->key == b.key && a->start == b.window->start &&
             a->end == b.window->end && a->custom_view() == b.window->custom;
    }
    bool operator()(const Lookup& a, const TimerNode* b) const { return (*this)(b, a); }
  };

  static bool before(const Item& a, const Item& b) {
    return a.time != b.time ? a.time < b.time : a.sequence < b.sequence;
  }
  void place(std::size_t position, const Item& item) {
    heap_[position] = item;
    item.node->position = position;
  }
  void sift_up(std::size_t position) {
    const Item item = heap_[position];
    while (position > 0) {
      const std::size_t parent = (position - 1) / 4;
      if (!before(item, heap_[parent])) {
        break;
      }
      place(position, heap_[parent]);
      position = parent;
    }
    place(position, item);
  }
  void sift_down(std::size_t position) {
    const Item item = heap_[position];
    for (;;) {
      const std::size_t child = position * 4 + 1;
      if (child >= heap_.size()) {
        break;
      }
      const auto begin = heap_.begin() + static_cast<std::ptrdiff_t>(child);
      const auto end =
          heap_.begin() + static_cast<std::ptrdiff_t>(std::min(child + 4, heap_.size()));
      const auto least =
          static_cast<std::size_t>(std::min_element(begin, end, before) - heap_.begin());
      if (!before(heap_[least], item)) {
        break;
      }
      place(position, heap_[least]);
      position = least;
    }
    place(position, item);
  }

  std::vector<Item> heap_;
  boost::unordered_flat_set<TimerNode*, Hash, Equal> set_;
};

class HeapTimerService final : public TimerService {
 public:
  HeapTimerService(KeyedStateBackend& backend, const KeyedStateOptions& options)
      : backend_(backend), options_(options) {}

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
    TimerKey& key = keys_.get(current.hash, current.bytes, *current.value);
    insert(domain, key, window, time, next_sequence_++);
  }

  void delete_timer(TimeDomain domain, const Window& window, Timestamp time) override {
    const Key current = require_key();
    const TimerKey* key = keys_.find(current.hash, current.bytes);
    if (key == nullptr) {
      return;
    }
    TimerQueue& queue = queue_of(domain);
    if (TimerNode* node = queue.find(*key, window, time)) {
      keys_.release(*queue.remove(*node)->key);
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
  Timestamp next_processing_time() const override { return next_time(queues_[1]); }
  Timestamp next_event_time() const override { return next_time(queues_[0]); }
  std::size_t size(TimeDomain domain) const override {
    return queues_[static_cast<std::size_t>(domain)].size();
  }
  std::size_t drop_processing_timers() override {
    TimerQueue& queue = queue_of(TimeDomain::kProcessingTime);
    const std::size_t dropped = queue.size();
    while (!queue.empty()) {
      keys_.release(*queue.pop()->key);
    }
    return dropped;
  }

  std::map<KeyGroup, std::string> snapshot() override;
  void restore(const std::map<KeyGroup, std::string>& frames) override;

 private:
  struct Restored {
    TimeDomain domain;
    TimerKey* key;
    Timestamp time;
    std::uint64_t sequence;
    Window window;
  };

  static Timestamp next_time(const TimerQueue& queue) {
    return queue.empty() ? kMaxTimestamp : queue.first_time();
  }
  TimerQueue& queue_of(TimeDomain domain) { return queues_[static_cast<std::size_t>(domain)]; }
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
      const std::unique_ptr<TimerNode> timer = queue.pop();
      const TimerKey& key = *timer->key;
      backend_.set_current_key({key.bytes, key.hash, &key.value});
      const Window window = timer->window();
      const Timestamp time = timer->time;
      keys_.release(*timer->key);
      on_timer(domain, time, window);
      if (monotonic_ns() >= deadline_ns) {
        break;
      }
    }
    return queue.empty() || queue.first_time() > up_to;
  }
  void restore_frame(KeyGroup group, std::string_view frame, std::vector<Restored>& out);

  KeyedStateBackend& backend_;
  const KeyedStateOptions options_;
  TimerKeys keys_;
  std::array<TimerQueue, 2> queues_;  ///< by TimeDomain
  Timestamp watermark_ = kMinWatermark;
  std::uint64_t next_sequence_ = 0;
  bool last_ = false;
  bool warned_ = false;
};

std::map<KeyGroup, std::string> HeapTimerService::snapshot() {
  const HostScope host_scope;
  struct Group {
    boost::unordered_flat_map<const TimerKey*, std::uint64_t> positions;
    std::string keys;
    std::array<std::uint64_t, 2> counts{};
    std::array<std::string, 2> timers;
  };
  std::map<KeyGroup, Group> groups;
  std::string value;
  for (std::size_t domain = 0; domain < queues_.size(); ++domain) {
    for (const TimerNode* node : queues_[domain].sorted()) {
      Group& group = groups[key_group_of(node->key->hash, options_.max_parallelism)];
      const auto [it, is_new] = group.positions.emplace(node->key, group.positions.size());
      if (is_new) {
        BytesWriter keys(group.keys);
        keys.string(node->key->bytes);
        value.clear();
        node->key->value.encode(value);
        keys.string(value);
      }
      BytesWriter timers(group.timers[domain]);
      timers.varint(it->second);
      timers.i64(node->time);
      timers.varint(node->sequence);
      encode_namespace(node->window(), timers);
      ++group.counts[domain];
    }
  }
  std::map<KeyGroup, std::string> frames;
  for (auto& [id, group] : groups) {
    std::string& frame = frames[id];
    BytesWriter writer(frame);
    writer.u8(kFrameVersion);
    writer.varint(group.positions.size());
    frame += group.keys;
    for (std::size_t domain = 0; domain < queues_.size(); ++domain) {
      writer.varint(group.counts[domain]);
      frame += group.timers[domain];
    }
  }
  return frames;
}

void HeapTimerService::restore(const std::map<KeyGroup, std::string>& frames) {
  const HostScope host_scope;
  std::vector<Restored> timers;
  for (const auto& [group, frame] : frames) {
    if (!options_.range.contains(group)) {
      continue;
    }
    try {
      restore_frame(group, frame, timers);
    } catch (const Error& error) {
      if (error.kind() != ErrorKind::kExternal) {
        throw;
      }
      throw_error(ErrorKind::kExternal,
                  "timers of key group {} cannot be restored: {}; restore an older checkpoint",
                  group,
                  error.what());
    }
  }
  // Frames of several subtasks may use the same sequence numbers: number anew in the old order.
  std::stable_sort(timers.begin(), timers.end(), [](const Restored& a, const Restored& b) {
    return a.sequence < b.sequence;
  });
  for (const Restored& timer : timers) {
    insert(timer.domain, *timer.key, timer.window, timer.time, next_sequence_++);
  }
}

void HeapTimerService::restore_frame(KeyGroup group,
                                     std::string_view frame,
                                     std::vector<Restored>& out) {
  BytesReader in(frame);
  const std::uint8_t version = in.u8();
  if (version != kFrameVersion) {
    throw_error(ErrorKind::kExternal,
                "its format version is {}, and this version of Flott reads {} (was it written by a "
                "newer one?)",
                version,
                kFrameVersion);
  }
  std::vector<TimerKey*> keys;
  for (std::uint64_t left = in.varint(); left > 0; --left) {
    const std::string_view bytes = in.string();
    const std::uint64_t hash = hash_bytes(bytes);
    if (key_group_of(hash, options_.max_parallelism) != group) {
      throw Error(ErrorKind::kExternal,
                  "stored bytes are damaged: it holds a key of another key group (or the maximum "
                  "parallelism differs from that of the checkpoint)");
    }
    BytesReader value(in.string());
    keys.push_back(&keys_.get(hash, bytes, Value::decode(value)));
  }
  for (const TimeDomain domain : {TimeDomain::kEventTime, TimeDomain::kProcessingTime}) {
    for (std::uint64_t left = in.varint(); left > 0; --left) {
      const std::uint64_t key = in.varint();
      if (key >= keys.size()) {
        throw_error(
            ErrorKind::kExternal, "stored bytes are damaged: key {} of {}", key, keys.size());
      }
      const Timestamp time = in.i64();
      const std::uint64_t sequence = in.varint();
      out.push_back({domain, keys[key], time, sequence, decode_namespace(in)});
    }
  }
  if (!in.empty()) {
    throw Error(ErrorKind::kExternal, "stored bytes are damaged: bytes after the last timer");
  }
}

}  // namespace

std::unique_ptr<TimerService> make_heap_timer_service(KeyedStateBackend& backend,
                                                      const KeyedStateOptions& options) {
  return std::make_unique<HeapTimerService>(backend, options);
}

}  // namespace flott
