#pragma once

#include <boost/unordered/unordered_flat_set.hpp>

#include <algorithm>
#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace flott::rocks {

/// What every cached slot has.
struct CachedSlot {
  std::string_view key_value() const {
    return own_key_value == nullptr ? std::string_view() : std::string_view(*own_key_value);
  }

  std::string key;                             ///< slot key
  std::unique_ptr<std::string> own_key_value;  ///< entry_format.h: of the header; null: empty
  std::uint64_t hash = 0;
  bool dirty = false;  ///< listed to be written
};

/// The slots of one state that were touched lately, decoded, in front of the database: what is
/// updated again and again, or made and cleared soon, is encoded and written once or never. It only
/// grows; when the backend's budget is used up everything is written and dropped at once.
template <typename Slot>
class SlotCache {
 public:
  Slot* find(std::uint64_t hash, std::string_view key) {
    const auto it = index_.find(Lookup{hash, key});
    return it == index_.end() ? nullptr : it->slot;
  }
  Slot& insert(std::uint64_t hash, std::string_view key) {
    Slot& slot = slots_.emplace_back();
    slot.key.assign(key);
    slot.hash = hash;
    index_.insert(Ref{hash, &slot});
    return slot;
  }
  void mark_dirty(Slot& slot) {
    if (!slot.dirty) {
      slot.dirty = true;
      dirty_.push_back(&slot);
    }
  }
  /// Calls visit(slot) with each dirty slot in key order (quicker to insert); then none is dirty.
  template <typename Visit>
  void take_dirty(Visit visit) {
    std::vector<Slot*> dirty;
    dirty.swap(dirty_);
    std::sort(
        dirty.begin(), dirty.end(), [](const Slot* a, const Slot* b) { return a->key < b->key; });
    for (Slot* slot : dirty) {
      slot->dirty = false;
      visit(*slot);
    }
  }
  std::size_t dirty_count() const { return dirty_.size(); }
  std::size_t size() const { return slots_.size(); }
  void clear() {
    dirty_.clear();
    if (index_.size() > kKeepIndex) {
      index_ = {};  // clearing a large table costs its size, also when little is in it next time
    } else {
      index_.clear();
    }
    std::deque<Slot>().swap(slots_);
  }

 private:
  static constexpr std::size_t kKeepIndex = 256;
  struct Ref {
    std::uint64_t hash;
    Slot* slot;
  };
  struct Lookup {
    std::uint64_t hash;
    std::string_view key;
  };
  struct Hash {
    using is_avalanching = void;
    using is_transparent = void;
    std::size_t operator()(const Ref& ref) const { return ref.hash; }
    std::size_t operator()(const Lookup& lookup) const { return lookup.hash; }
  };
  struct Equal {
    using is_transparent = void;
    bool operator()(const Ref& a, const Ref& b) const { return a.slot == b.slot; }
    bool operator()(const Lookup& a, const Ref& b) const {
      return a.hash == b.hash && a.key == b.slot->key;
    }
    bool operator()(const Ref& a, const Lookup& b) const { return (*this)(b, a); }
  };

  std::deque<Slot> slots_;
  boost::unordered_flat_set<Ref, Hash, Equal> index_;
  std::vector<Slot*> dirty_;
};

}  // namespace flott::rocks
