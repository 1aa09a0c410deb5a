#pragma once

#include "state/heap/key_table.h"
#include "types/value.h"

#include <string>
#include <vector>

namespace flott::heap {

/// Whether a row, array, map or object is or holds an object of the host.
bool holds_object(const Value& value);

/// Whether someone who was handed the value could change what the state holds.
inline bool may_change(const Value& value) {
  return value.kind() > ValueKind::kBytes && holds_object(value);
}

/// Which keys have changed since the last segment was written; nothing before the first one. A key
/// that is not in the list costs one comparison to note, others less.
class Changes {
 public:
  struct Changed {
    KeyEntry* entry;
    bool is_stored;  ///< some segment has it
  };
  struct Removed {
    std::uint64_t hash;
    std::string bytes;
  };

  bool watching() const { return watching_; }
  void note(KeyEntry& entry) {
    if (entry.changed_at == 0) [[unlikely]] {
      append(entry, true);
    }
  }
  /// A key that has just been made.
  void note_new(KeyEntry& entry) {
    if (watching_) {
      append(entry, false);
    }
  }
  /// Before the entry goes.
  void note_erased(const KeyEntry& entry) {
    if (watching_) {
      forget(entry);
    }
  }
  bool empty() const { return changed_.empty() && removed_.empty(); }
  std::size_t changed_count() const { return changed_.size(); }
  const std::vector<Removed>& removed() const { return removed_; }
  /// Calls store(entry) with each changed key. Then nothing has changed; if it throws, all that
  /// had.
  template <typename Store>
  void take(Store store);

  /// A segment holds all keys of the table.
  void begin(const KeyTable& table);
  /// There is no segment any more. Nothing is watched until begin().
  void stop(const KeyTable& table);

 private:
  void append(KeyEntry& entry, bool is_stored);
  void forget(const KeyEntry& entry);

  static constexpr std::uint32_t kNotWatched = ~std::uint32_t{0};
  /// Entries lie anywhere in memory: so many before its turn each is asked for.
  static constexpr std::size_t kAhead = 8;

  bool watching_ = false;
  std::vector<Changed> changed_;
  /// Keys that some segment has and that are gone, or were and have been made again.
  std::vector<Removed> removed_;
};

template <typename Store>
void Changes::take(Store store) {
  std::size_t at = 0;
  try {
    for (; at < changed_.size(); ++at) {
      if (at + kAhead < changed_.size()) {
        const char* const ahead = reinterpret_cast<const char*>(changed_[at + kAhead].entry);
        __builtin_prefetch(ahead, 1);
        __builtin_prefetch(ahead + 64, 1);
        __builtin_prefetch(ahead + 128, 1);
      }
      KeyEntry& entry = *changed_[at].entry;
      store(entry);
      entry.changed_at = 0;  // at once: the entry is in the processor's cache now
    }
  } catch (...) {
    while (at-- > 0) {
      changed_[at].entry->changed_at = static_cast<std::uint32_t>(at + 1);
    }
    throw;
  }
  changed_.clear();
  removed_.clear();
}

}  // namespace flott::heap
