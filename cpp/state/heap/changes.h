#pragma once

#include "state/heap/key_table.h"
#include "types/value.h"

#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace flott::heap {

class OpenSegment;

/// Whether a row, array, map or object is or holds an object of the host.
bool holds_object(const Value& value);

/// Whether someone who was handed the value could change what the state holds.
inline bool may_change(const Value& value) {
  return value.kind() > ValueKind::kBytes && holds_object(value);
}

/// A key that has changed since a segment was begun.
struct Changed {
  KeyEntry* entry;
  bool is_stored;  ///< some segment has it
};

/// Which keys have changed since the last segment was begun; nothing before the first one. A key
/// that is in the list already costs one comparison to note.
///
/// A segment may still be open (open_segment.h): keys in it are stored there before they change.
/// KeyEntry::changed_at is 0 for a key that is as the last segment has it, else its position in a
/// list + 1 and, as its highest bit, the turn: that of the present list, or of the open segment's.
class Changes {
 public:
  struct Removed {
    std::uint64_t hash;
    std::string bytes;
  };

  Changes();
  ~Changes();
  Changes(const Changes&) = delete;
  Changes& operator=(const Changes&) = delete;

  bool watching() const { return watching_; }
  /// Before the entry changes.
  void note(KeyEntry& entry) {
    const std::uint32_t at = entry.changed_at.load(std::memory_order_acquire) ^ turn_;
    if (static_cast<std::int32_t>(at) <= 0) [[unlikely]] {
      note_first(entry);
    }
  }
  /// Before something in the entry changes that need not be stored again, such as what has expired.
  void settle(KeyEntry& entry) {
    if (open_ != nullptr) {
      store_open(entry);
    }
  }
  /// A key that has just been made.
  void note_new(KeyEntry& entry) {
    if (watching_) {
      append(entry, false);
    }
  }
  /// Before the entry goes.
  void note_erased(KeyEntry& entry) {
    if (watching_) {
      forget(entry);
    }
  }
  bool empty() const { return changed_.empty() && removed_.empty(); }
  std::size_t changed_count() const { return changed_.size(); }
  const std::vector<Removed>& removed() const { return removed_; }
  /// What has changed, for a segment: then nothing has. That segment is to be passed to opened()
  /// before anything changes.
  std::vector<Changed> hand_over();
  /// Likewise all keys of the table; from then on changes are watched.
  std::vector<Changed> hand_over_all(const KeyTable& table);
  void opened(std::shared_ptr<OpenSegment> segment);
  bool is_open() const { return open_ != nullptr; }
  /// About how many bytes the open segment has.
  std::size_t expected_bytes() const;
  /// Stores all keys that the open segment does not have yet. False when it cannot be had: it and
  /// those before it are of no use any more.
  bool close();

  /// There is no segment any more, and none is open. Nothing is watched until hand_over_all().
  void stop(const KeyTable& table);

 private:
  static constexpr std::uint32_t kTurn = 0x8000'0000;

  void note_first(KeyEntry& entry);
  void store_open(KeyEntry& entry);
  void append(KeyEntry& entry, bool is_stored);
  void forget(KeyEntry& entry);
  std::uint32_t mark(std::size_t position) const {
    return static_cast<std::uint32_t>(position + 1) | turn_;
  }

  bool watching_ = false;
  std::uint32_t turn_ = 0;
  std::vector<Changed> changed_;
  /// Keys that some segment has and that are gone, or were and have been made again.
  std::vector<Removed> removed_;
  std::shared_ptr<OpenSegment> open_;
};

}  // namespace flott::heap
