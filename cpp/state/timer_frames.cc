#include "state/timer_frames.h"

#include "base/bytes.h"
#include "base/error.h"
#include "base/hash.h"
#include "state/frame_format.h"
#include "state/namespace_codec.h"
#include "types/value_encoding.h"

#include <algorithm>
#include <limits>
#include <utility>

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

/// A timer and its key lie anywhere in memory: the next ones are asked for that early.
constexpr std::size_t kAhead = 16;

/// Calls visit(node) for each, with the node and its key in the cache by then.
template <typename Visit>
void for_each_node(const std::vector<TimerQueue::Item>& items, Visit visit) {
  for (std::size_t i = 0; i < items.size(); ++i) {
    if (i + 2 * kAhead < items.size()) {
      __builtin_prefetch(items[i + 2 * kAhead].node);
    }
    if (i + kAhead < items.size()) {
      __builtin_prefetch(items[i + kAhead].node->key);
    }
    visit(*items[i].node);
  }
}

/// One frame as it grows.
struct Group {
  std::uint32_t key_count = 0;
  std::string keys;
  std::array<std::uint64_t, kDomains> counts{};
  std::array<std::string, kDomains> timers;
};

void add_key(const TimerKey& key, Group& group, std::string& value) {
  BytesWriter keys(group.keys);
  keys.string(key.bytes);
  if (key.stored != nullptr) {
    keys.string(*key.stored);
    return;
  }
  value.clear();
  key.value.encode(value);
  keys.string(value);
}

std::string frame_of(const Group& group) {
  std::string frame;
  frame.reserve(group.keys.size() + group.timers[0].size() + group.timers[1].size() + 32);
  BytesWriter writer(frame);
  writer.u8(kFrameVersion);
  writer.varint(group.key_count);
  frame += group.keys;
  for (std::size_t domain = 0; domain < kDomains; ++domain) {
    writer.varint(group.counts[domain]);
    frame += group.timers[domain];
  }
  return frame;
}

}  // namespace

TimerSnapshot::TimerSnapshot(std::shared_ptr<TimerStore> store, int max_parallelism)
    : store_(std::move(store)),
      max_parallelism_(max_parallelism),
      read_(std::make_shared<RetiredTimers::Read>(false)) {
  for (std::size_t domain = 0; domain < kDomains; ++domain) {
    items_[domain] = store_->queues[domain].items();
  }
  store_->retired.begin(read_);
}

TimerSnapshot::~TimerSnapshot() {
  read_->store(true, std::memory_order_release);
}

std::map<KeyGroup, std::string> TimerSnapshot::encode() {
  const std::lock_guard lock(store_->encoding);
  for (auto& items : items_) {
    std::sort(items.begin(), items.end());
    for_each_node(items, [](const TimerNode& node) { node.key->mark = 0; });
  }
  constexpr std::uint32_t kNone = std::numeric_limits<std::uint32_t>::max();
  std::vector<std::uint32_t> group_at(static_cast<std::size_t>(max_parallelism_), kNone);
  std::vector<std::pair<KeyGroup, Group>> groups;
  std::string value;
  for (std::size_t domain = 0; domain < kDomains; ++domain) {
    for_each_node(items_[domain], [&](const TimerNode& node) {
      TimerKey& key = *node.key;
      const KeyGroup id = key_group_of(key.hash, max_parallelism_);
      if (group_at[id] == kNone) {
        group_at[id] = static_cast<std::uint32_t>(groups.size());
        groups.emplace_back(id, Group{});
      }
      Group& group = groups[group_at[id]].second;
      if (key.mark == 0) {
        key.mark = ++group.key_count;
        add_key(key, group, value);
      }
      BytesWriter timers(group.timers[domain]);
      timers.varint(key.mark - 1);
      timers.i64(node.time);
      timers.varint(node.sequence);
      encode_namespace(node.start, node.end, node.custom_view(), timers);
      ++group.counts[domain];
    });
  }
  std::map<KeyGroup, std::string> frames;
  std::uint64_t bytes = 0;
  for (auto& [id, group] : groups) {
    bytes += frames.emplace(id, frame_of(group)).first->second.size();
    group = Group{};
  }
  const std::uint64_t count = items_[0].size() + items_[1].size();
  store_->bytes_per_timer = bytes / std::max<std::uint64_t>(count, 1) + 1;
  return frames;
}

void decode_timers(KeyGroup group,
                   std::string_view frame,
                   const KeyedStateOptions& options,
                   HostSlices& host,
                   TimerKeys& keys,
                   std::vector<StoredTimer>& out) {
  BytesReader in(frame);
  check_frame_version(in);
  std::vector<TimerKey*> by_position;
  for (std::uint64_t left = in.varint(); left > 0; --left) {
    options.check_cancelled();
    host.pause();
    const std::string_view bytes = in.string();
    const std::uint64_t hash = hash_bytes(bytes);
    if (key_group_of(hash, options.max_parallelism) != group) {
      throw Error(ErrorKind::kExternal,
                  "stored bytes are damaged: it holds a key of another key group (or the maximum "
                  "parallelism differs from that of the checkpoint)");
    }
    const std::string_view stored = in.string();
    TimerKey* known = keys.find(hash, bytes);
    if (known == nullptr) {
      BytesReader value(stored);
      if (BytesReader ahead = value; skip_value(ahead)) {
        host.need();
      }
      auto key = std::make_unique<TimerKey>();
      key->hash = hash;
      key->bytes = std::string(bytes);
      key->value = Value::decode(value);
      if (key->may_need_host()) {
        key->stored = std::make_unique<const std::string>(stored);
      }
      known = &keys.add(std::move(key));
    }
    by_position.push_back(known);
  }
  for (std::size_t domain = 0; domain < kDomains; ++domain) {
    for (std::uint64_t left = in.varint(); left > 0; --left) {
      const std::uint64_t key = in.varint();
      if (key >= by_position.size()) {
        throw_error(ErrorKind::kExternal,
                    "stored bytes are damaged: key {} of {}",
                    key,
                    by_position.size());
      }
      const Timestamp time = in.i64();
      const std::uint64_t sequence = in.varint();
      out.push_back({domain, by_position[key], time, sequence, decode_namespace(in)});
    }
  }
  if (!in.empty()) {
    throw Error(ErrorKind::kExternal, "stored bytes are damaged: bytes after the last timer");
  }
}

}  // namespace flott
