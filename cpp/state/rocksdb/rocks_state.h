#pragma once

#include "base/hash.h"
#include "base/working_directory.h"
#include "state/heap/ttl.h"
#include "state/keyed_state_backend.h"
#include "state/rocksdb/cached_value.h"
#include "state/rocksdb/database.h"
#include "state/rocksdb/entry_format.h"
#include "state/rocksdb/slot_cache.h"

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace flott::rocks {

class RocksState;

/// A state by name: declared (`state` is set), or only restored so far.
struct Column {
  std::string name;
  StateKind kind = StateKind::kValue;
  bool stamped = false;         ///< as restored; a declared state says it itself
  bool ends_by_itself = false;  ///< StateDescriptor::ends_by_itself
  LogicalTypePtr value_type;
  LogicalTypePtr key_type;  ///< map only, else null
  std::shared_ptr<ColumnRules> rules;
  rocksdb::ColumnFamilyHandle* handle = nullptr;  ///< set while the database is open
  std::unique_ptr<RocksState> state;
  State* face = nullptr;  ///< `state` as what the caller declared

  bool writes_stamps() const;
};

/// What the states of one backend share: the database, the current key, the budget of the caches.
struct Core {
  Core(const KeyedStateOptions& keyed_options, const RocksOptions& rocks_options);
  ~Core();

  KeyedStateOptions options;
  RocksOptions rocks;
  std::shared_ptr<SharedMemory> memory;
  std::shared_ptr<WorkingDirectory> directory;  ///< also of the files of its snapshots
  std::unique_ptr<Database> database;
  /// In order of declaration or restore; addresses stay.
  std::vector<std::unique_ptr<Column>> columns;
  /// Whether the database may hold anything: until then nothing is looked for in it.
  bool stored = false;
  /// Access time of entries that were written without one.
  Timestamp birth = 0;
  /// Of the next new entry of a map.
  std::uint64_t next_sequence = 1;

  bool has_key = false;
  std::uint64_t key_hash = 0;
  std::string key_bytes;
  Value key;
  bool key_known = false;  ///< else `key_bytes` say what it is
  std::string prefix;      ///< of the current key's slot keys
  /// Changes whenever a remembered slot may no longer be the right one.
  std::uint64_t epoch = 1;

  /// Rough bytes of the caches' content, and how much they may be.
  std::size_t cached_bytes = 0;
  std::size_t cache_limit = 0;
  /// Whether more waits to be written than a state's RocksState::most_dirty_bytes().
  bool relief_wanted = false;
  /// Nothing is evicted while it is above 0: pointers to slots are in use.
  int holds = 0;

  /// Opens the database if it is not open; every column has its handle then.
  Database& open();
  /// `directory`, for the database and for files of snapshots.
  void make_directory();
  /// Opens it in the folder, which has content already.
  void open_at(const std::string& path);
  void open_column(Column& column);
  Column* find(const std::string& name);
  std::string database_path() const { return directory->path() + "/db"; }

  const Value& know_key() {
    if (!key_known && has_key) {
      key = key_value({key_bytes, key_hash, nullptr});
      key_known = true;
    }
    return key;
  }
  /// The header's part about the current key.
  const std::string& key_value_bytes();
  void key_changed() {
    ++epoch;
    key_value_known_ = false;
  }
  /// Writes what is dirty to the database; the caches stay.
  void flush();
  /// Writes some of it: of states that have too much.
  void relieve();
  /// Drops cached entries, a bounded number at a time, until the caches are within their limit. No
  /// slot that was looked up before is valid afterwards.
  void evict();
  /// First thing in each access.
  void bound_memory() {
    if (relief_wanted) [[unlikely]] {
      relieve();
    }
    if (cached_bytes > cache_limit) [[unlikely]] {
      evict();
    }
  }
  /// Forgets what the caches hold.
  void drop_caches();

 private:
  /// Calls `write` for each state; what it throws is remembered, and no checkpoint is made any
  /// more.
  void write_dirty(const std::function<void(RocksState&, rocksdb::WriteBatch&)>& write);

  std::string key_value_bytes_;
  bool key_value_known_ = false;
  std::size_t swept_ = 0;  ///< number of the column whose cache is swept
};

/// Slots that were looked up stay while one lives, also when user code comes back here.
class SlotHold {
 public:
  explicit SlotHold(Core& core) : core_(core) { ++core_.holds; }
  ~SlotHold() { --core_.holds; }
  SlotHold(const SlotHold&) = delete;
  SlotHold& operator=(const SlotHold&) = delete;

 private:
  Core& core_;
};

/// What the three classes of states (value and appending, list, map) have in common for the
/// backend.
class RocksState {
 public:
  RocksState(Core& core, Column& column, const StateDescriptor& descriptor)
      : core_(core),
        column_(column),
        name_(descriptor.name),
        ttl_(descriptor.ttl, core.options.clock, descriptor.name),
        wanted_at_bytes_(RocksState::most_dirty_bytes()) {}
  virtual ~RocksState() = default;
  RocksState(const RocksState&) = delete;
  RocksState& operator=(const RocksState&) = delete;

  bool stamped() const { return ttl_.enabled(); }
  const heap::Ttl& ttl() const { return ttl_; }
  virtual bool has_dirty() const = 0;
  /// Adds what is dirty to the batch, and writes the batch whenever it is large; or writes it in
  /// another way.
  virtual void flush(rocksdb::WriteBatch& batch) = 0;
  /// Likewise some of it, which does not take long.
  virtual void relieve(rocksdb::WriteBatch& batch) { flush(batch); }
  bool wants_relief() const { return dirty_bytes_ > wanted_at_bytes_; }
  virtual void drop_cache() = 0;
  /// Evicts what has not been used lately while the caches are above their limit, looking at up to
  /// `visits` slots; whether all have been looked at.
  virtual bool sweep(std::size_t& visits) = 0;
  /// KeyedStateBackend::prefetch().
  virtual void prefetch(const KeyColumn& /*keys*/, std::size_t /*begin*/, std::size_t /*end*/) {}

 protected:
  void begin_access() {
    core_.bound_memory();
    if (!core_.has_key) [[unlikely]] {
      throw_no_key();
    }
    if (ttl_.enabled()) {
      now_ = ttl_.now();
    }
  }
  [[noreturn]] void throw_no_key() const;
  void write_if_large(rocksdb::WriteBatch& batch);
  bool read_entry(std::string_view key, rocksdb::PinnableSlice* value) {
    return core_.stored && core_.database->get(column_.handle, key, value);
  }

  /// How much of the caches may wait to be written: it cannot be evicted.
  std::size_t dirty_share() const {
    return core_.cache_limit / 4 / std::max<std::size_t>(1, core_.columns.size());
  }
  /// How much waits until relieve() is called; within dirty_share().
  virtual std::size_t most_dirty_bytes() const;
  /// Everything that was dirty is being written.
  void dirty_is_taken(std::size_t wanted_at_bytes) {
    dirty_bytes_ = 0;
    wanted_at_bytes_ = wanted_at_bytes;
  }

  Core& core_;
  Column& column_;
  const std::string name_;
  const heap::Ttl ttl_;
  /// Rough bytes of what is dirty, and how many call for relieve().
  std::size_t dirty_bytes_ = 0;
  std::size_t wanted_at_bytes_;
  Timestamp now_ = 0;  ///< of the present access; 0 without TTL
  std::string scratch_;
};

/// Finds the slot of the current key and a namespace.
template <typename Slot>
class SlottedState : public RocksState {
 public:
  SlottedState(Core& core, Column& column, const StateDescriptor& descriptor)
      : RocksState(core, column, descriptor) {
    use_namespace({});
  }
  bool has_dirty() const override { return cache_.dirty_count() != 0; }
  void drop_cache() override {
    current_ = nullptr;
    cache_.clear();
    dirty_is_taken(most_dirty_bytes());
  }
  bool sweep(std::size_t& visits) override {
    return cache_.sweep(
        visits,
        [&] { return core_.cached_bytes > core_.cache_limit; },
        [&](Slot& slot) {
          if (!shrink(slot)) {
            return false;
          }
          core_.cached_bytes -= own_bytes(slot) + slot.charge();
          return true;
        });
  }

 protected:
  /// `bytes`: of the slot's charge, what is to be written if it was clean until now.
  void mark_dirty(Slot& slot, std::size_t bytes) {
    if (cache_.mark_dirty(slot)) {
      more_is_dirty(own_bytes(slot) + bytes);
    }
  }
  void more_is_dirty(std::size_t bytes) {
    dirty_bytes_ += bytes;
    if (wants_relief()) [[unlikely]] {
      core_.relief_wanted = true;
    }
  }
  /// Before a slot is evicted: false when only some of it was dropped, which is for slots that are
  /// too large to be dropped at once.
  virtual bool shrink(Slot& /*slot*/) { return true; }
  /// What the slot holds has grown or shrunk by so much; the caller notes it in its charge.
  void charged(const Slot& slot, std::size_t before, std::size_t after) {
    core_.cached_bytes += after - before;
    if (slot.dirty && after > before) {
      more_is_dirty(after - before);
    }
  }
  void use_namespace(const Window& window) {
    if (window != window_ || namespace_.empty()) {
      window_ = window;
      namespace_.clear();
      BytesWriter writer(namespace_);
      encode_namespace(window, writer);
      epoch_ = 0;
    }
  }
  const Window& window() const { return window_; }
  /// The slot in the cache, put there (not loaded) if need be.
  Slot& slot() {
    if (epoch_ != core_.epoch) {
      current_ = &slot_at(namespace_);
      epoch_ = core_.epoch;
    }
    return *current_;
  }
  Slot& slot_in(const Window& window) {
    std::string bytes;
    BytesWriter writer(bytes);
    encode_namespace(window, writer);
    return slot_at(bytes);
  }

  /// Whether namespaces are not used.
  bool in_void_namespace() const { return namespace_.size() == 1; }
  /// Slots that were looked for since the last call.
  std::size_t take_lookups() { return std::exchange(lookups_, 0); }
  /// A slot of another key than the current one, in the void namespace; its key's bytes say all.
  Slot& insert_slot(std::uint64_t hash, std::string_view slot_key) {
    Slot& slot = cache_.insert(hash, slot_key, {});
    slot.used = true;
    core_.cached_bytes += own_bytes(slot);
    return slot;
  }
  /// Without what it holds beside itself and its key.
  static std::size_t own_bytes(const Slot& slot) {
    return sizeof(Slot) + SlotIndex::kBytesEach + slot.slot_key.heap_bytes();
  }

  SlotCache<Slot> cache_;

 private:
  Slot& slot_at(std::string_view namespace_bytes) {
    ++lookups_;
    slot_key_.assign(core_.prefix);
    slot_key_.append(namespace_bytes);
    const std::uint64_t hash = slot_hash(core_.key_hash, namespace_bytes);
    Slot* found = cache_.find(hash, slot_key_);
    if (found == nullptr) {
      found = &cache_.insert(hash, slot_key_, core_.key_value_bytes());
      core_.cached_bytes += own_bytes(*found);
    } else {
      found->used = true;
    }
    return *found;
  }

  Window window_;
  std::string namespace_;
  std::string slot_key_;
  std::size_t lookups_ = 0;
  Slot* current_ = nullptr;
  std::uint64_t epoch_ = 0;
};

std::unique_ptr<RocksState> make_rocks_state(Core& core,
                                             Column& column,
                                             const StateDescriptor& descriptor);

}  // namespace flott::rocks
