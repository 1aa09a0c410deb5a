#pragma once

#include "base/clock.h"
#include "base/hash.h"
#include "types/value.h"
#include "types/window.h"

#include <boost/unordered/unordered_flat_set.hpp>

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace flott {

/// One key with timers, shared by them: a key with many windows is stored once.
struct TimerKey {
  std::uint64_t hash = 0;
  std::string bytes;
  Value value;
  std::uint32_t timers = 0;
  /// Of the task until the key is in a snapshot; then a mark of those who encode one.
  std::uint32_t mark = 0;
  /// The value's bytes, if the task has to encode it: made once, for the first snapshot.
  std::unique_ptr<const std::string> stored;

  /// The value is opaque or may hold opaque ones: only the task takes the host's lock for a
  /// snapshot. The thread that writes it would compete with the functions for that.
  bool may_need_host() const { return value.kind() >= ValueKind::kRow; }
};
static_assert(ValueKind::kRow > ValueKind::kBytes && ValueKind::kObject > ValueKind::kRow &&
              ValueKind::kBatchRow > ValueKind::kRow);

/// Does not change, but for `position`, as long as a snapshot may read it.
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
  TimerKeys() = default;
  ~TimerKeys() {
    for (const Ref& ref : keys_) {
      delete ref.key;
    }
  }
  TimerKeys(const TimerKeys&) = delete;
  TimerKeys& operator=(const TimerKeys&) = delete;

  TimerKey* find(std::uint64_t hash, std::string_view bytes) const {
    const auto it = keys_.find(Lookup{hash, bytes});
    return it == keys_.end() ? nullptr : it->key;
  }
  TimerKey& add(std::unique_ptr<TimerKey> key) {
    keys_.insert(Ref{key->hash, key.get()});
    return *key.release();
  }
  std::unique_ptr<TimerKey> remove(TimerKey& key) {
    keys_.erase(keys_.find(Lookup{key.hash, key.bytes}));
    return std::unique_ptr<TimerKey>(&key);
  }
  template <typename Visit>
  void for_each(Visit visit) {
    for (const Ref& ref : keys_) {
      visit(*ref.key);
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

/// Timers of one domain: a 4-ary heap by (time, sequence), and a set by identity for duplicates and
/// deletion.
class TimerQueue {
 public:
  struct Item {
    Timestamp time;
    std::uint64_t sequence;
    TimerNode* node;
    bool operator<(const Item& other) const {
      return time != other.time ? time < other.time : sequence < other.sequence;
    }
  };

  TimerQueue() = default;
  ~TimerQueue() {
    for (const Item& item : heap_) {
      delete item.node;
    }
  }
  TimerQueue(const TimerQueue&) = delete;
  TimerQueue& operator=(const TimerQueue&) = delete;

  bool empty() const { return heap_.empty(); }
  std::size_t size() const { return heap_.size(); }
  Timestamp first_time() const { return heap_.front().time; }
  /// All timers; sorted, they are in firing order.
  const std::vector<Item>& items() const { return heap_; }

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

 private:
  struct Lookup {
    const TimerKey* key;
    const Window* window;
    Timestamp time;
  };
  static std::uint64_t identity_hash(std::uint64_t key_hash,
                                     Timestamp time,
                                     std::int64_t start,
                                     std::int64_t end,
                                     std::string_view custom) {
    std::uint64_t h = mix64(key_hash ^ static_cast<std::uint64_t>(time));
    h = mix64(h ^ static_cast<std::uint64_t>(start) ^
              static_cast<std::uint64_t>(end) * 0x9e3779b97f4a7c15ULL);
    return custom.empty() ? h : mix64(h ^ hash_bytes(custom));
  }
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

  void place(std::size_t position, const Item& item) {
    heap_[position] = item;
    item.node->position = position;
  }
  void sift_up(std::size_t position) {
    const Item item = heap_[position];
    while (position > 0) {
      const std::size_t parent = (position - 1) / 4;
      if (!(item < heap_[parent])) {
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
      const auto least = static_cast<std::size_t>(std::min_element(begin, end) - heap_.begin());
      if (!(heap_[least] < item)) {
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

/// Timers and keys that are gone and that a snapshot may still read.
class RetiredTimers {
 public:
  /// Set by the last reader of a snapshot.
  using Read = std::atomic<bool>;

  /// A snapshot reads what there is now.
  void begin(std::shared_ptr<const Read> read) { batches_.push_back({std::move(read), {}, {}}); }
  /// Frees the timer, and its key if there is one, as soon as nobody reads them any more.
  void add(std::unique_ptr<TimerNode> node, std::unique_ptr<TimerKey> key) {
    if (batches_.empty()) [[likely]] {
      return;
    }
    batches_.back().nodes.push_back(std::move(node));
    if (key != nullptr) {
      batches_.back().keys.push_back(std::move(key));
    }
    free_some(kFreedPerRemoval);
  }
  /// Frees what can be freed, at most so many: nobody waits for a million.
  void free_some(int at_most);
  template <typename Visit>
  void for_each_key(Visit visit) {
    for (Batch& batch : batches_) {
      for (const auto& key : batch.keys) {
        visit(*key);
      }
    }
  }

 private:
  /// What went after a snapshot began, and before the next one did: it and those before it may read
  /// that.
  struct Batch {
    std::shared_ptr<const Read> read;
    std::deque<std::unique_ptr<TimerNode>> nodes;
    std::deque<std::unique_ptr<TimerKey>> keys;
  };
  static constexpr int kFreedPerRemoval = 4;  ///< more than the two that come

  std::deque<Batch> batches_;
};

inline void RetiredTimers::free_some(int at_most) {
  for (int n = 0; n < at_most && !batches_.empty(); ++n) {
    Batch& oldest = batches_.front();
    if (!oldest.read->load(std::memory_order_acquire)) {
      return;
    }
    if (!oldest.nodes.empty()) {
      oldest.nodes.pop_front();
    } else if (!oldest.keys.empty()) {
      oldest.keys.pop_front();
    } else {
      batches_.pop_front();
    }
  }
}

}  // namespace flott
