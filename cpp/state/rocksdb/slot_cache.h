#pragma once

#include "base/bytes.h"
#include "base/hash.h"
#include "state/rocksdb/entry_format.h"
#include "state/rocksdb/slot_index.h"

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <memory>
#include <string_view>
#include <utility>
#include <vector>

namespace flott::rocks {

/// Hash of a slot key.
inline std::uint64_t slot_hash(std::uint64_t key_hash, std::string_view namespace_bytes) {
  return namespace_bytes.size() == 1
             ? key_hash
             : (key_hash ^ hash_bytes(namespace_bytes)) * 0x9e3779b97f4a7c15ULL;
}
inline std::uint64_t slot_hash(std::string_view slot_key) {
  BytesReader in(slot_key);
  in.take(2);
  const std::uint64_t key_hash = hash_bytes(in.string());
  return slot_hash(key_hash, in.take(in.remaining()));
}

/// Bytes of a slot key, and the header's part about the key's value (entry_format.h). Small slot
/// keys without the latter lie within.
class SlotKey {
 public:
  SlotKey() = default;
  ~SlotKey() {
    if (size_ == kOutside) {
      delete[] block();
    }
  }
  SlotKey(const SlotKey&) = delete;
  SlotKey& operator=(const SlotKey&) = delete;

  /// Once.
  void assign(std::string_view key, std::string_view key_value) {
    if (key.size() <= sizeof data_ && key_value.empty()) {
      size_ = static_cast<std::uint8_t>(key.size());
      std::copy(key.begin(), key.end(), data_);
      return;
    }
    const Sizes sizes{static_cast<std::uint32_t>(key.size()),
                      static_cast<std::uint32_t>(key_value.size())};
    char* const block = new char[sizeof sizes + key.size() + key_value.size()];
    std::memcpy(block, &sizes, sizeof sizes);
    char* const rest = std::copy(key.begin(), key.end(), block + sizeof sizes);
    std::copy(key_value.begin(), key_value.end(), rest);
    std::memcpy(data_, &block, sizeof block);
    size_ = kOutside;
  }
  std::string_view bytes() const {
    return size_ == kOutside ? std::string_view(block() + sizeof(Sizes), sizes().key)
                             : std::string_view(data_, size_);
  }
  std::string_view key_value() const {
    return size_ == kOutside
               ? std::string_view(block() + sizeof(Sizes) + sizes().key, sizes().key_value)
               : std::string_view();
  }
  std::size_t heap_bytes() const {
    return size_ == kOutside ? sizeof(Sizes) + sizes().key + sizes().key_value + 16 : 0;
  }

 private:
  struct Sizes {
    std::uint32_t key;
    std::uint32_t key_value;
  };
  static constexpr std::uint8_t kOutside = 0xff;
  char* block() const {
    char* out;
    std::memcpy(&out, data_, sizeof out);
    return out;
  }
  Sizes sizes() const {
    Sizes out;
    std::memcpy(&out, block(), sizeof out);
    return out;
  }

  std::uint8_t size_ = 0;
  char data_[14];
};

/// What every cached slot has: 16 bytes, as there may be many millions. Also needed: `charge`,
/// bytes that it holds beside itself and its key.
struct CachedSlot {
  std::string_view key() const { return slot_key.bytes(); }
  std::string_view key_value() const { return slot_key.key_value(); }

  SlotKey slot_key;
  bool live : 1 = false;       ///< in use
  bool dirty : 1 = false;      ///< listed to be written
  bool used : 1 = false;       ///< accessed since the hand passed
  std::uint8_t round : 2 = 0;  ///< SlotCache::begin_round()
};
static_assert(sizeof(CachedSlot) == 16);

/// The slots of one state that were touched lately, decoded, in front of the database: what is
/// updated again and again, or made and cleared soon, is encoded and written once or never. Slots
/// keep their address until they are evicted. What goes first is what has not been used since the
/// hand of the clock was there last (CLOCK); dirty slots stay.
template <typename Slot>
class SlotCache {
 public:
  Slot* find(std::uint64_t hash, std::string_view key) {
    const std::uint32_t number =
        index_.find(hash, [&](std::uint32_t n) { return at(n).key() == key; });
    return number == SlotIndex::kNone ? nullptr : &at(number);
  }
  /// The processor fetches what find() will look at: first all that is behind the first hash of a
  /// batch of keys, then prefetch_slot() of each.
  void prefetch(std::uint64_t hash) const { index_.prefetch(hash); }
  /// False: there is no slot of that hash.
  bool prefetch_slot(std::uint64_t hash) {
    const std::uint32_t number = index_.find(hash, [](std::uint32_t /*number*/) { return true; });
    if (number == SlotIndex::kNone) {
      return false;
    }
    __builtin_prefetch(&at(number), 1);
    return true;
  }
  Slot& insert(std::uint64_t hash, std::string_view key, std::string_view key_value) {
    std::uint32_t number = 0;
    if (!free_.empty()) {
      number = free_.back();
      free_.pop_back();
    } else {
      if (end_ % kChunk == 0) {
        chunks_.push_back(std::make_unique<Slot[]>(kChunk));
      }
      number = end_++;
    }
    Slot& slot = at(number);
    slot.slot_key.assign(key, key_value);
    slot.live = true;
    index_.insert(hash, number);
    return slot;
  }
  /// Whether it was clean.
  bool mark_dirty(Slot& slot) {
    if (slot.dirty) {
      return false;
    }
    slot.dirty = true;
    dirty_.push_back(&slot);
    return true;
  }
  /// Calls visit(slot) with each dirty slot in key order (quicker to insert); then none is dirty.
  template <typename Visit>
  void take_dirty(Visit visit) {
    for (Slot* slot : in_key_order(take_dirty())) {
      written(*slot);
      visit(*slot);
    }
  }
  /// The slots that are dirty now: the caller writes each and calls written() before. Until then
  /// they stay dirty and where they are.
  std::vector<Slot*> take_dirty() { return std::exchange(dirty_, {}); }
  /// In any thread: the keys of slots that stay do not change.
  static std::vector<Slot*> in_key_order(std::vector<Slot*> slots) {
    // Most keys differ in their first bytes, which are looked at without following the pointer.
    std::vector<std::pair<std::uint64_t, Slot*>> keyed;
    keyed.reserve(slots.size());
    for (Slot* slot : slots) {
      keyed.emplace_back(first_bytes(slot->key()), slot);
    }
    std::sort(keyed.begin(), keyed.end(), [](const auto& a, const auto& b) {
      return a.first != b.first ? a.first < b.first : a.second->key() < b.second->key();
    });
    std::transform(
        keyed.begin(), keyed.end(), slots.begin(), [](const auto& one) { return one.second; });
    return slots;
  }
  void written(Slot& slot) {
    slot.dirty = false;
    slot.round = in_round_ ? round_ : 0;
  }
  std::size_t dirty_count() const { return dirty_.size(); }

  /// What is written from now on stays until end_round(): it is nowhere else yet.
  void begin_round() {
    round_ = static_cast<std::uint8_t>(round_ % 3 + 1);
    in_round_ = true;
  }
  void end_round() { in_round_ = false; }

  /// Moves the hand over up to `visits` slots, which is counted down, while `wanted()`. A clean
  /// slot that was not used since last time goes if `dispose(slot)` says so. Whether the hand has
  /// reached the end; the next sweep begins anew then.
  template <typename Wanted, typename Dispose>
  bool sweep(std::size_t& visits, Wanted wanted, Dispose dispose) {
    for (; hand_ < end_ && visits > 0 && wanted(); --visits) {
      const std::uint32_t number = hand_;
      Slot& slot = at(number);
      if (slot.live && !slot.dirty && !slot.used && !(in_round_ && slot.round == round_)) {
        if (!dispose(slot)) {
          continue;  // some of it is gone
        }
        index_.erase(slot_hash(slot.key()), number);
        // Destroying host objects may run user code, which may come back here: nothing leads to
        // the slot any more, and nothing is put there yet.
        std::destroy_at(&slot);
        std::construct_at(&slot);
        free_.push_back(number);
      }
      slot.used = false;
      ++hand_;
    }
    if (hand_ < end_) {
      return false;
    }
    hand_ = 0;
    return true;
  }

  void clear() {
    in_round_ = false;
    dirty_.clear();
    free_.clear();
    index_.clear();
    end_ = 0;
    hand_ = 0;
    const auto chunks = std::exchange(chunks_, {});
  }

 private:
  static constexpr std::uint32_t kChunk = sizeof(Slot) <= 64 ? 1024 : 128;

  Slot& at(std::uint32_t number) { return chunks_[number / kChunk][number % kChunk]; }
  static std::uint64_t first_bytes(std::string_view key) {
    std::uint64_t out = 0;
    std::memcpy(&out, key.data(), std::min(key.size(), sizeof out));
    return __builtin_bswap64(out);
  }

  std::vector<std::unique_ptr<Slot[]>> chunks_;
  std::uint32_t end_ = 0;  ///< slots from here on were never used
  std::uint32_t hand_ = 0;
  std::vector<std::uint32_t> free_;
  SlotIndex index_;
  std::vector<Slot*> dirty_;
  /// Of the present or last round. A slot of an earlier one may have the same number, and stays for
  /// nothing.
  std::uint8_t round_ = 0;
  bool in_round_ = false;
};

}  // namespace flott::rocks
