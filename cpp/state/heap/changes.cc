#include "state/heap/changes.h"

#include "state/heap/open_segment.h"

#include <algorithm>

namespace flott::heap {

bool holds_object(const Value& value) {
  switch (value.kind()) {
    case ValueKind::kObject:
    case ValueKind::kBatchRow:  // who knows what its columns hold
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

Changes::Changes() = default;
Changes::~Changes() = default;

void Changes::note_first(KeyEntry& entry) {
  settle(entry);
  append(entry, true);
}

void Changes::store_open(KeyEntry& entry) {
  const std::uint32_t at = entry.changed_at.load(std::memory_order_acquire);
  if (at != 0 && ((at ^ turn_) & kTurn) != 0) {
    open_->store((at & ~kTurn) - 1);
    entry.changed_at = 0;
  }
}

void Changes::append(KeyEntry& entry, bool is_stored) {
  changed_.push_back({&entry, is_stored});
  entry.changed_at.store(mark(changed_.size() - 1), std::memory_order_relaxed);
}

void Changes::forget(KeyEntry& entry) {
  settle(entry);
  bool is_stored = true;
  if (const std::uint32_t mark_of_it = entry.changed_at; mark_of_it != 0) {
    // The last one takes its place: keys that come and go between two snapshots leave no trace.
    const std::size_t at = (mark_of_it & ~kTurn) - 1;
    is_stored = changed_[at].is_stored;
    changed_[at] = changed_.back();
    changed_[at].entry->changed_at = mark(at);
    changed_.pop_back();
  }
  if (is_stored) {
    removed_.push_back({entry.hash, entry.bytes});
  }
}

std::vector<Changed> Changes::hand_over() {
  turn_ ^= kTurn;
  removed_.clear();
  return std::exchange(changed_, {});
}

std::vector<Changed> Changes::hand_over_all(const KeyTable& table) {
  stop(table);
  watching_ = true;
  changed_.reserve(table.size());
  for (KeyEntry* entry = table.first(); entry != nullptr; entry = entry->next) {
    append(*entry, true);
  }
  return hand_over();
}

void Changes::opened(std::shared_ptr<OpenSegment> segment) {
  open_ = std::move(segment);
}

std::size_t Changes::expected_bytes() const {
  return open_->expected_bytes();
}

bool Changes::close() {
  if (open_ == nullptr) {
    return true;
  }
  if (open_.use_count() > 1) {
    open_->finish();  // somebody may still want its bytes
  }
  return std::exchange(open_, nullptr)->complete();
}

void Changes::stop(const KeyTable& table) {
  if (watching_) {
    for (KeyEntry* entry = table.first(); entry != nullptr; entry = entry->next) {
      entry->changed_at = kNotWatched;
    }
  }
  watching_ = false;
  turn_ = 0;
  changed_.clear();
  removed_.clear();
}

}  // namespace flott::heap
