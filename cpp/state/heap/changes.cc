#include "state/heap/changes.h"

#include <algorithm>

namespace flott::heap {

bool holds_object(const Value& value) {
  switch (value.kind()) {
    case ValueKind::kObject:
      return true;
    case ValueKind::kRow:
      return std::any_of(value.as_row().fields.begin(), value.as_row().fields.end(), may_change);
    case ValueKind::kArray:
      return std::any_of(value.as_array().begin(), value.as_array().end(), may_change);
    case ValueKind::kMap:
      return std::any_of(value.as_map().begin(), value.as_map().end(), [](const auto& entry) {
        return may_change(entry.first) || may_change(entry.second);
      });
    default:
      return false;
  }
}

void Changes::append(KeyEntry& entry, bool is_stored) {
  changed_.push_back({&entry, is_stored});
  entry.changed_at = static_cast<std::uint32_t>(changed_.size());
}

void Changes::forget(const KeyEntry& entry) {
  bool is_stored = true;
  if (entry.changed_at != 0) {
    // The last one takes its place: keys that come and go between two snapshots leave no trace.
    const std::size_t at = entry.changed_at - 1;
    is_stored = changed_[at].is_stored;
    changed_[at] = changed_.back();
    changed_[at].entry->changed_at = static_cast<std::uint32_t>(at + 1);
    changed_.pop_back();
  }
  if (is_stored) {
    removed_.push_back({entry.hash, entry.bytes});
  }
}

void Changes::begin(const KeyTable& table) {
  for (KeyEntry* entry = table.first(); entry != nullptr; entry = entry->next) {
    entry->changed_at = 0;
  }
  watching_ = true;
  changed_.clear();
  removed_.clear();
}

void Changes::stop(const KeyTable& table) {
  if (watching_) {
    for (KeyEntry* entry = table.first(); entry != nullptr; entry = entry->next) {
      entry->changed_at = kNotWatched;
    }
  }
  watching_ = false;
  changed_.clear();
  removed_.clear();
}

}  // namespace flott::heap
