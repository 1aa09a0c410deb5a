#pragma once

#include "base/bytes.h"
#include "state/heap/changes.h"
#include "state/heap/key_table.h"
#include "state/heap/ttl.h"
#include "state/keyed_state_backend.h"
#include "state/state.h"

#include <atomic>
#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace flott::heap {

/// What the states of one backend share: the keys and which of them is current.
struct Core {
  KeyedStateOptions options;
  KeyTable table;
  Changes changes;
  /// Entry of the current key; null while it holds nothing.
  KeyEntry* entry = nullptr;
  /// Changes whenever a cached NamespaceEntry may no longer be the right one.
  std::uint64_t epoch = 1;
  bool has_key = false;
  std::uint64_t key_hash = 0;
  std::string key_bytes;
  /// Value of the current key; when not `key_known` it is still only in `entry`.
  Value key;
  bool key_known = false;
  /// Something that was stored is or holds an object of the host: what must be encoded with its
  /// lock.
  bool has_objects = false;
  /// Walks over the table that must survive the removal of the key they are at.
  std::vector<KeyEntry**> cursors;

  /// The entry of the current key, made if need be.
  KeyEntry& require_entry();
  /// Counts a slot that was just emptied; returns true when that removed the key's entry.
  bool slot_emptied(KeyEntry& entry, NamespaceEntry* in);
  void erase(KeyEntry& entry);
  /// Copies the key's value out of its entry.
  void know_key();
  /// `value` as state keeps it: nobody else can change it.
  Value keep(Value value) const {
    return options.object_reuse && value.kind() != ValueKind::kBatchRow ? std::move(value)
                                                                        : isolate(std::move(value));
  }
  /// As keep(), of a value that the caller goes on using.
  Value kept(const Value& value) const {
    return options.object_reuse || value.kind() <= ValueKind::kBytes ? keep(value)
                                                                     : value.isolated();
  }
  /// `value` is going to be stored.
  void note_content(const Value& value) { has_objects = has_objects || may_change(value); }
  /// The current key, which has an entry, will not be any more as it was stored; or may not be, as
  /// `shown` is handed out. Before it changes.
  void note_change() { changes.note(*entry); }
  void note_shown(const Value& shown) {
    if (may_change(shown)) {
      note_change();
    }
  }
  static Value isolate(Value value) {
    // The common kinds cannot hold anything mutable; spares the call.
    return value.kind() <= ValueKind::kBytes ? std::move(value) : value.isolated();
  }
  [[noreturn]] static void throw_no_key(const std::string& state);
};

/// Common part of the four kinds of state objects: finds the slot, counts what is live, cleans up
/// what expired.
class HeapState {
 public:
  HeapState(Core& core, std::uint32_t index, const StateDescriptor& descriptor)
      : core_(core),
        index_(index),
        name_(descriptor.name),
        ttl_(descriptor.ttl, core.options.clock, descriptor.name),
        ends_by_itself_(descriptor.ends_by_itself) {
    core_.cursors.push_back(&cursor_);
  }
  virtual ~HeapState() { std::erase(core_.cursors, &cursor_); }
  HeapState(const HeapState&) = delete;
  HeapState& operator=(const HeapState&) = delete;

  bool stamped() const { return ttl_.enabled(); }
  /// Nothing removes what nobody clears.
  bool may_grow() const { return !ttl_.enabled() && !ends_by_itself_; }
  /// How many slots hold something of this state.
  std::int64_t slot_count() const { return slot_count_; }
  /// Their bytes, as those that have been stored tell; without TTL.
  std::int64_t stored_bytes() const {
    const auto slots = stored_slots_.load(std::memory_order_relaxed);
    const auto bytes = stored_bytes_.load(std::memory_order_relaxed);
    return slots <= 0 || slots == slot_count_
               ? bytes
               : static_cast<std::int64_t>(static_cast<double>(bytes) / static_cast<double>(slots) *
                                           static_cast<double>(slot_count_));
  }
  /// Also by the thread that finishes a segment.
  void note_stored(Slot& slot, std::size_t bytes) {
    if (!ttl_.enabled()) {
      if (slot.access == 0) {
        stored_slots_.fetch_add(1, std::memory_order_relaxed);
      }
      stored_bytes_.fetch_add(static_cast<std::int64_t>(bytes) - slot.access,
                              std::memory_order_relaxed);
      slot.access = static_cast<std::int64_t>(bytes);
    }
  }
  /// A slot was filled by decode().
  void note_restored(Slot& slot, std::size_t bytes) {
    ++slot_count_;
    if (!ttl_.enabled()) {
      slot.access = 0;
      note_stored(slot, bytes);
    }
  }
  /// Every slot is gone.
  void note_all_erased() {
    slot_count_ = 0;
    stored_bytes_ = 0;
    stored_slots_ = 0;
  }
  /// Appends the slot's content without what has expired; false (and nothing appended) when nothing
  /// is left.
  virtual bool encode(const Slot& slot, Timestamp now, std::string& out) const = 0;
  /// Whether encode() is just that of the slot's value.
  virtual bool is_plain() const { return false; }
  /// Fills an empty slot; `stamped` says whether the bytes carry access times. May leave it empty.
  virtual void decode(BytesReader& in, bool stamped, Slot& slot) = 0;
  /// Replaces each value of a slot by what `convert` makes of it.
  virtual void convert(Slot& slot, const std::function<Value(const Value&)>& convert) = 0;

 protected:
  /// Removes what has expired; lowers `earliest` to the oldest access that stays. May leave the
  /// slot empty.
  virtual void expire(Slot& slot, Timestamp now, Timestamp& earliest) = 0;

  void use_namespace(const Window& window) {
    if (window != window_) {
      window_ = window;
      void_ = window.is_void();
      epoch_ = 0;
    }
  }

  /// The slot of the current key and namespace, or null when there is none or it is empty.
  Slot* find() {
    Slot* slot = find_in(window_, void_, true);
    return slot != nullptr && !slot->empty() ? slot : nullptr;
  }
  /// Likewise in another namespace.
  Slot* find_in(const Window& window) {
    Slot* slot = find_in(window, window.is_void(), false);
    return slot != nullptr && !slot->empty() ? slot : nullptr;
  }
  /// The slot, counted as live; the caller fills it before anything else happens.
  Slot& fill() { return fill_in(window_, void_, true); }
  Slot& fill_in(const Window& window) { return fill_in(window, window.is_void(), false); }
  /// Empties a slot that find() or find_in() returned.
  void reset(Slot& slot) { reset_in(window_, slot); }
  void reset_in(const Window& window, Slot& slot);
  void clear_slot() {
    if (Slot* slot = find()) {
      reset(*slot);
    }
  }

  /// First thing in each access: with TTL, reads the clock into now_ and does a step of incremental
  /// clean-up.
  void begin_access() {
    if (ttl_.enabled()) {
      now_ = ttl_.now();
      if (core_.entry != nullptr) {
        core_.changes.settle(*core_.entry);  // reading may renew, or drop what has expired
      }
      if (ttl_.cleanup_size() > 0 && ttl_.expired(earliest_, now_)) {
        clean_up_step();
      }
    }
  }
  /// The access time of a write or a renewing read.
  Timestamp stamp() {
    if (ttl_.enabled()) {
      note_access(now_);
    }
    return now_;
  }
  /// Stamps what a slot holds as its value.
  void stamp(Slot& slot) {
    if (ttl_.enabled()) {
      slot.access = now_;
      note_access(now_);
    }
  }
  void note_access(Timestamp access) {
    earliest_ = std::min(earliest_, access);
    pass_earliest_ = std::min(pass_earliest_, access);
  }

  Core& core_;
  const std::uint32_t index_;
  const std::string name_;
  const Ttl ttl_;
  Timestamp now_ = 0;  ///< of the present access; 0 without TTL

 private:
  Slot* find_in(const Window& window, bool is_void, bool cached) {
    KeyEntry* entry = core_.entry;
    if (entry == nullptr) {
      if (!core_.has_key) [[unlikely]] {
        Core::throw_no_key(name_);
      }
      return nullptr;
    }
    if (is_void) {
      return entry->slots.find(index_);
    }
    NamespaceEntry* in = find_namespace(*entry, window, cached);
    return in != nullptr ? in->slots.find(index_) : nullptr;
  }
  NamespaceEntry* find_namespace(KeyEntry& entry, const Window& window, bool cached) {
    if (cached && epoch_ == core_.epoch) {
      return cached_;
    }
    NamespaceEntry* in = entry.namespaces != nullptr ? entry.namespaces->find(window) : nullptr;
    if (cached) {
      cached_ = in;
      epoch_ = core_.epoch;
    }
    return in;
  }
  Slot& fill_in(const Window& window, bool is_void, bool cached);
  void clean_up_step();
  /// Returns how many slots it looked at.
  int expire_key(KeyEntry& entry, Timestamp now);

  const bool ends_by_itself_;
  std::int64_t slot_count_ = 0;
  std::atomic<std::int64_t> stored_bytes_ = 0;
  std::atomic<std::int64_t> stored_slots_ = 0;  ///< how many slots those are of

  Window window_;
  bool void_ = true;
  std::uint64_t epoch_ = 0;
  NamespaceEntry* cached_ = nullptr;

  /// Where incremental clean-up goes on.
  KeyEntry* cursor_ = nullptr;
  /// No access time in this state is older: nothing to clean up before it expires.
  Timestamp earliest_ = kMaxTimestamp;
  /// Likewise for what the present pass has seen.
  Timestamp pass_earliest_ = kMaxTimestamp;
};

std::unique_ptr<HeapState> make_heap_state(Core& core,
                                           std::uint32_t index,
                                           const StateDescriptor& descriptor);

}  // namespace flott::heap
