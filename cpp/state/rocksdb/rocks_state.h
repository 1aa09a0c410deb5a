#pragma once

#include "base/hash.h"
#include "state/heap/ttl.h"
#include "state/keyed_state_backend.h"
#include "state/rocksdb/database.h"
#include "state/rocksdb/entry_format.h"
#include "state/rocksdb/slot_cache.h"

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
  /// Enough entries have changed: writing them in small parts keeps each part short.
  bool flush_wanted = false;

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
  /// Writes and empties the caches. No slot that was looked up before is valid afterwards.
  void spill();
  /// First thing in each access.
  void bound_memory() {
    if (cached_bytes > cache_limit) [[unlikely]] {
      spill();
    } else if (flush_wanted) [[unlikely]] {
      flush();
    }
  }
  /// Forgets what the caches hold.
  void drop_caches();

 private:
  std::string key_value_bytes_;
  bool key_value_known_ = false;
};

/// What the three classes of states (value and appending, list, map) have in common for the
/// backend.
class RocksState {
 public:
  RocksState(Core& core, Column& column, const StateDescriptor& descriptor)
      : core_(core),
        column_(column),
        name_(descriptor.name),
        ttl_(descriptor.ttl, core.options.clock, descriptor.name) {}
  virtual ~RocksState() = default;
  RocksState(const RocksState&) = delete;
  RocksState& operator=(const RocksState&) = delete;

  bool stamped() const { return ttl_.enabled(); }
  const heap::Ttl& ttl() const { return ttl_; }
  virtual bool has_dirty() const = 0;
  /// Adds what is dirty to the batch, and writes the batch whenever it is large.
  virtual void flush(rocksdb::WriteBatch& batch) = 0;
  virtual void drop_cache() = 0;

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

  Core& core_;
  Column& column_;
  const std::string name_;
  const heap::Ttl ttl_;
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
  bool has_dirty() const final { return cache_.dirty_count() != 0; }
  void drop_cache() override {
    cache_.clear();
    current_ = nullptr;
  }

 protected:
  void mark_dirty(Slot& slot) {
    cache_.mark_dirty(slot);
    if (cache_.dirty_count() >= kMostDirty) {
      core_.flush_wanted = true;
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

  SlotCache<Slot> cache_;

 private:
  Slot& slot_at(std::string_view namespace_bytes) {
    slot_key_.assign(core_.prefix);
    slot_key_.append(namespace_bytes);
    const std::uint64_t hash =
        namespace_bytes.size() == 1
            ? core_.key_hash
            : (core_.key_hash ^ hash_bytes(namespace_bytes)) * 0x9e3779b97f4a7c15ULL;
    Slot* found = cache_.find(hash, slot_key_);
    if (found == nullptr) {
      found = &cache_.insert(hash, slot_key_);
      core_.cached_bytes +=
          sizeof(Slot) + kIndexBytes + (slot_key_.size() > 15 ? slot_key_.size() : 0);
      if (const std::string& key_value = core_.key_value_bytes(); !key_value.empty()) {
        found->own_key_value = std::make_unique<std::string>(key_value);
        core_.cached_bytes += sizeof(std::string) + key_value.size();
      }
    }
    return *found;
  }

  static constexpr std::size_t kIndexBytes = 32;
  static constexpr std::size_t kMostDirty = 8192;

  Window window_;
  std::string namespace_;
  std::string slot_key_;
  Slot* current_ = nullptr;
  std::uint64_t epoch_ = 0;
};

/// One value in a cache: decoded if nobody can change it through another reference, else its bytes.
class CachedValue {
 public:
  /// Takes over a value that is to be stored.
  void set(Value value);
  /// What set() stored and encode() wrote.
  void load(std::string_view bytes);
  Value get() const {
    if (!is_bytes()) {
      return value_;
    }
    BytesReader in(value_.as_string());
    return Value::decode(in);
  }
  void encode(std::string& out) const {
    if (is_bytes()) {
      out.append(value_.as_string());
    } else {
      value_.encode(out);
    }
  }
  /// The value to change in place; null when only bytes are kept.
  Value* in_place() { return is_bytes() ? nullptr : &value_; }
  std::size_t size_hint() const {
    return value_.kind() < ValueKind::kDecimal ? 0 : value_.size_hint();
  }

 private:
  /// Values of kind kBytes are not kept as they are: the kind tells that these are encoded ones.
  bool is_bytes() const { return value_.kind() == ValueKind::kBytes; }

  Value value_;
};

std::unique_ptr<RocksState> make_rocks_state(Core& core,
                                             Column& column,
                                             const StateDescriptor& descriptor);

}  // namespace flott::rocks
