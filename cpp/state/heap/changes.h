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
  const std::vector<Changed>& changed() const { return changed_; }
  const std::vector<Removed>& removed() const { return removed_; }

  /// A segment holds all keys of the table: the first, if nothing was watched before.
  void stored(const KeyTable& table);
  /// There is no segment any more. Nothing is watched until stored().
  void stop(const KeyTable& table);

 private:
  void append(KeyEntry& entry, bool is_stored);
  void forget(const KeyEntry& entry);

  static constexpr std::uint32_t kNotWatched = ~std::uint32_t{0};

  bool watching_ = false;
  std::vector<Changed> changed_;
  /// Keys that some segment has and that are gone, or were and have been made again.
  std::vector<Removed> removed_;
};

}  // namespace flott::heap
