#include "state/heap/key_table.h"

#include <utility>

namespace flott::heap {

Slot& SlotArray::grow(std::uint32_t index) {
  // Exactly as many as needed: the number of states of an operator is small and fixed.
  auto larger = std::make_unique<Slot[]>(index);
  for (std::uint32_t i = 0; i < more_count_; ++i) {
    larger[i] = std::move(more_[i]);
  }
  more_ = std::move(larger);
  more_count_ = index;
  return more_[index - 1];
}

NamespaceEntry* NamespaceTable::find(const Window& window) {
  if (index_ != nullptr) {
    const auto it = index_->find(window);
    return it == index_->end() ? nullptr : it->second;
  }
  for (const auto& entry : entries_) {
    if (entry->window == window) {
      return entry.get();
    }
  }
  return nullptr;
}

NamespaceEntry& NamespaceTable::insert(const Window& window) {
  auto& entry = *entries_.emplace_back(std::make_unique<NamespaceEntry>());
  entry.window = window;
  entry.position = static_cast<std::uint32_t>(entries_.size() - 1);
  if (index_ != nullptr) {
    index_->emplace(window, &entry);
  } else if (entries_.size() > kScanLimit) {
    index_ = std::make_unique<boost::unordered_flat_map<Window, NamespaceEntry*, WindowHash>>();
    for (const auto& e : entries_) {
      index_->emplace(e->window, e.get());
    }
  }
  return entry;
}

void NamespaceTable::erase(NamespaceEntry& entry) {
  if (index_ != nullptr) {
    index_->erase(entry.window);
  }
  const std::uint32_t position = entry.position;
  entries_[position].swap(entries_.back());
  entries_[position]->position = position;
  entries_.pop_back();
  if (entries_.size() <= kScanLimit / 2) {
    index_.reset();
  }
}

KeyTable::~KeyTable() {
  for (KeyEntry* entry = first_; entry != nullptr;) {
    KeyEntry* next = entry->next;
    delete entry;
    entry = next;
  }
}

KeyEntry& KeyTable::insert(std::uint64_t hash, std::string_view bytes, Value key) {
  auto owned = std::make_unique<KeyEntry>();
  owned->hash = hash;
  owned->bytes.assign(bytes);
  owned->key = std::move(key);
  index_.insert(Ref{hash, owned.get()});
  KeyEntry& entry = *owned.release();
  entry.previous = last_;
  (last_ != nullptr ? last_->next : first_) = &entry;
  last_ = &entry;
  return entry;
}

void KeyTable::erase(KeyEntry& entry) {
  index_.erase(index_.find(Lookup{entry.hash, entry.bytes}));
  (entry.previous != nullptr ? entry.previous->next : first_) = entry.next;
  (entry.next != nullptr ? entry.next->previous : last_) = entry.previous;
  delete &entry;
}

}  // namespace flott::heap
