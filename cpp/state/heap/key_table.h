#pragma once

#include "base/hash.h"
#include "base/time.h"
#include "types/value.h"
#include "types/window.h"

#include <boost/unordered/unordered_flat_map.hpp>
#include <boost/unordered/unordered_flat_set.hpp>

#include <atomic>
#include <cstdint>
#include <cstring>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace flott::heap {

/// Content of a slot that one Value cannot hold: list, map, or bytes of a state nobody declared.
struct Container {
  virtual ~Container() = default;
};

/// What one state holds for one key and namespace; empty when both parts are.
struct Slot {
  Value value;  ///< value, reducing and aggregating state
  /// With TTL: last access of `value`. Without: how many bytes the slot had when it was last stored
  /// (HeapState::note_stored), as a second field would make every key larger.
  Timestamp access = 0;
  std::unique_ptr<Container> container;

  bool empty() const { return value.is_null() && container == nullptr; }
};

/// Slots by state index. The first is inline: most operators have one state.
class SlotArray {
 public:
  /// Null when the state never had a slot here.
  Slot* find(std::uint32_t index) {
    if (index == 0) {
      return &first_;
    }
    return index <= more_count_ ? &more_[index - 1] : nullptr;
  }
  const Slot* find(std::uint32_t index) const { return const_cast<SlotArray*>(this)->find(index); }
  Slot& at(std::uint32_t index) {
    Slot* slot = find(index);
    return slot != nullptr ? *slot : grow(index);
  }

 private:
  Slot& grow(std::uint32_t index);

  Slot first_;
  std::unique_ptr<Slot[]> more_;
  std::uint32_t more_count_ = 0;
};

/// The slots of one key in one window.
struct NamespaceEntry {
  Window window;
  std::uint32_t position = 0;  ///< in NamespaceTable
  std::uint32_t live = 0;      ///< slots that are not empty
  SlotArray slots;
};

struct WindowHash {
  using is_avalanching = void;
  std::size_t operator()(const Window& w) const {
    std::uint64_t h = mix64(static_cast<std::uint64_t>(w.start) * 0x9e3779b97f4a7c15ULL ^
                            static_cast<std::uint64_t>(w.end));
    return w.custom.empty() ? h : mix64(h ^ hash_bytes(w.custom));
  }
};

/// The windows of one key: a handful is scanned, many get an index.
class NamespaceTable {
 public:
  NamespaceEntry* find(const Window& window);
  NamespaceEntry& insert(const Window& window);
  void erase(NamespaceEntry& entry);
  const std::vector<std::unique_ptr<NamespaceEntry>>& entries() const { return entries_; }

 private:
  static constexpr std::size_t kScanLimit = 12;
  std::vector<std::unique_ptr<NamespaceEntry>> entries_;
  std::unique_ptr<boost::unordered_flat_map<Window, NamespaceEntry*, WindowHash>> index_;
};

/// KeyEntry::changed_at while nobody watches what changes.
inline constexpr std::uint32_t kNotWatched = 0x7fff'ffff;

/// One key and all it holds. Its address is stable.
struct KeyEntry {
  std::uint64_t hash = 0;
  std::string bytes;
  Value key;
  std::uint32_t live = 0;  ///< slots that are not empty, over all namespaces
  /// Of heap/changes.h. Atomic, as a segment may be finished in another thread.
  std::atomic<std::uint32_t> changed_at = kNotWatched;
  SlotArray slots;  ///< of the void namespace
  std::unique_ptr<NamespaceTable> namespaces;
  KeyEntry* previous = nullptr;
  KeyEntry* next = nullptr;
};

/// Keys by canonical bytes, and in order of creation: what snapshots, clean-up and for_each_key
/// walk, so that their order does not depend on the hash map.
class KeyTable {
 public:
  KeyTable() = default;
  ~KeyTable();
  KeyTable(const KeyTable&) = delete;
  KeyTable& operator=(const KeyTable&) = delete;

  KeyEntry* find(std::uint64_t hash, std::string_view bytes) const {
    const auto it = index_.find(Lookup{hash, bytes});
    return it == index_.end() ? nullptr : it->entry;
  }
  /// The key must not be there yet.
  KeyEntry& insert(std::uint64_t hash, std::string_view bytes, Value key);
  void erase(KeyEntry& entry);
  std::size_t size() const { return index_.size(); }
  KeyEntry* first() const { return first_; }

 private:
  struct Ref {
    std::uint64_t hash;
    KeyEntry* entry;
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
  /// Without a call for the keys of 8 to 16 bytes that integers and short strings have.
  static bool same_bytes(std::string_view a, std::string_view b) {
    const std::size_t size = a.size();
    if (size != b.size()) {
      return false;
    }
    if (size < 8 || size > 16) {
      return std::memcmp(a.data(), b.data(), size) == 0;
    }
    const auto differ = [&](std::size_t at) {
      std::uint64_t x;
      std::uint64_t y;
      std::memcpy(&x, a.data() + at, 8);
      std::memcpy(&y, b.data() + at, 8);
      return x ^ y;
    };
    return (differ(0) | differ(size - 8)) == 0;
  }
  struct Equal {
    using is_transparent = void;
    bool operator()(const Ref& a, const Ref& b) const { return a.entry == b.entry; }
    bool operator()(const Ref& a, const Lookup& b) const {
      return a.hash == b.hash && same_bytes(a.entry->bytes, b.bytes);
    }
    bool operator()(const Lookup& a, const Ref& b) const { return (*this)(b, a); }
  };

  boost::unordered_flat_set<Ref, Hash, Equal> index_;
  KeyEntry* first_ = nullptr;
  KeyEntry* last_ = nullptr;
};

}  // namespace flott::heap
