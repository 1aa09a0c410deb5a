#include "state/heap/heap_state.h"

#include "state/heap/appending_state.h"
#include "state/heap/list_state.h"
#include "state/heap/map_state.h"
#include "state/heap/value_state.h"

namespace flott::heap {

KeyEntry& Core::require_entry() {
  if (entry == nullptr) {
    STREAM_DCHECK(options.range.contains(key_group_of(key_hash, options.max_parallelism)),
                  "key {} is of key group {}, which is not one of this subtask's [{}, {})",
                  key.to_string(),
                  key_group_of(key_hash, options.max_parallelism),
                  options.range.begin,
                  options.range.end);
    entry = &table.insert(key_hash, key_bytes, key);
    note_content(key);
    changes.note_new(*entry);
    ++epoch;
  }
  return *entry;
}

bool Core::slot_emptied(KeyEntry& of, NamespaceEntry* in) {
  changes.note(of);
  if (in != nullptr && --in->live == 0) {
    of.namespaces->erase(*in);
    ++epoch;
  }
  if (--of.live != 0) {
    return false;
  }
  erase(of);
  return true;
}

void Core::erase(KeyEntry& gone) {
  if (&gone == entry) {
    know_key();
    entry = nullptr;
  }
  for (KeyEntry** cursor : cursors) {
    if (*cursor == &gone) {
      *cursor = gone.next;
    }
  }
  changes.note_erased(gone);
  table.erase(gone);
  ++epoch;
}

void Core::know_key() {
  if (!key_known && entry != nullptr) {
    key = entry->key;
    key_known = true;
  }
}

void Core::throw_no_key(const std::string& state) {
  throw_error(ErrorKind::kInvalidArgument,
              "state '{}' is used while there is no current key: use keyed state only while a "
              "record or timer of a "
              "keyed stream is processed, not in open() or close()",
              state);
}

void HeapState::reset_in(const Window& window, Slot& slot) {
  KeyEntry& entry = *core_.entry;
  core_.changes.note(entry);
  // Kept until the end: destroying a host object may run user code, which must find the state in
  // order.
  const Slot old = std::exchange(slot, Slot{});
  --slot_count_;
  if (!ttl_.enabled()) {
    stored_bytes_.fetch_sub(old.access, std::memory_order_relaxed);
    stored_slots_.fetch_sub(old.access != 0 ? 1 : 0, std::memory_order_relaxed);
  }
  NamespaceEntry* in = window.is_void() ? nullptr : entry.namespaces->find(window);
  core_.slot_emptied(entry, in);
}

Slot& HeapState::fill_in(const Window& window, bool is_void, bool cached) {
  if (!core_.has_key) [[unlikely]] {
    Core::throw_no_key(name_);
  }
  KeyEntry& entry = core_.require_entry();
  core_.changes.note(entry);
  if (is_void) {
    Slot& slot = entry.slots.at(index_);
    if (slot.empty()) {
      ++entry.live;
      ++slot_count_;
    }
    return slot;
  }
  NamespaceEntry* in = find_namespace(entry, window, cached);
  if (in == nullptr) {
    if (entry.namespaces == nullptr) {
      entry.namespaces = std::make_unique<NamespaceTable>();
    }
    in = &entry.namespaces->insert(window);
    ++core_.epoch;
    if (cached) {
      cached_ = in;
      epoch_ = core_.epoch;
    }
  }
  Slot& slot = in->slots.at(index_);
  if (slot.empty()) {
    ++in->live;
    ++entry.live;
    ++slot_count_;
  }
  return slot;
}

void HeapState::clean_up_step() {
  if (cursor_ == nullptr) {
    cursor_ = core_.table.first();
    pass_earliest_ = kMaxTimestamp;
  }
  for (int seen = 0; seen < ttl_.cleanup_size() && cursor_ != nullptr;) {
    KeyEntry& entry = *cursor_;
    cursor_ = entry.next;
    if (&entry == core_.entry) {
      // Left to the access under way, which shows what expired once more where that is asked for;
      // the next pass looks here again.
      pass_earliest_ = std::min(pass_earliest_, earliest_);
      ++seen;
      continue;
    }
    // A key without this state counts too, so that a step is bounded.
    seen += std::max(1, expire_key(entry, now_));
  }
  if (cursor_ == nullptr) {
    earliest_ = pass_earliest_;
  }
}

int HeapState::expire_key(KeyEntry& entry, Timestamp now) {
  core_.changes.settle(entry);
  int seen = 0;
  const auto expire_slot = [&](Slot* slot, NamespaceEntry* in) {
    if (slot == nullptr || slot->empty()) {
      return false;
    }
    ++seen;
    expire(*slot, now, pass_earliest_);
    if (!slot->empty()) {
      return false;
    }
    --slot_count_;
    return core_.slot_emptied(entry, in);
  };
  if (expire_slot(entry.slots.find(index_), nullptr) || entry.namespaces == nullptr) {
    return seen;
  }
  // Backwards: removing one moves the last one into its place.
  for (std::size_t i = entry.namespaces->entries().size(); i-- > 0;) {
    NamespaceEntry& in = *entry.namespaces->entries()[i];
    if (expire_slot(in.slots.find(index_), &in)) {
      return seen;
    }
  }
  return seen;
}

std::unique_ptr<HeapState> make_heap_state(Core& core,
                                           std::uint32_t index,
                                           const StateDescriptor& descriptor) {
  switch (descriptor.kind) {
    case StateKind::kValue:
      return std::make_unique<HeapValueState>(core, index, descriptor);
    case StateKind::kList:
      return std::make_unique<HeapListState>(core, index, descriptor);
    case StateKind::kMap:
      return std::make_unique<HeapMapState>(core, index, descriptor);
    case StateKind::kReducing:
    case StateKind::kAggregating:
      return std::make_unique<HeapAppendingState>(core, index, descriptor);
  }
  throw_error(ErrorKind::kInternal,
              "state '{}' is of unknown kind {}",
              descriptor.name,
              static_cast<int>(descriptor.kind));
}

}  // namespace flott::heap
