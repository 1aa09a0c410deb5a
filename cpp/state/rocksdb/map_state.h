#pragma once

#include "state/rocksdb/rocks_state.h"

#include <boost/unordered/unordered_flat_map.hpp>

#include <utility>
#include <vector>

namespace flott::rocks {

/// One map: those of its entries that were touched.
struct MapSlot : CachedSlot {
  struct Item {
    std::uint64_t hash = 0;
    std::string bytes;      ///< canonical encoding of the key
    std::string key_value;  ///< its Value, when the canonical bytes do not say it
    CachedValue value;
    std::uint64_t sequence = 0;
    Timestamp access = 0;
    bool present = false;
    bool dirty = false;
    bool absent_in_database = false;
  };

  Item* find(std::uint64_t item_hash, std::string_view bytes);
  Item& insert(std::uint64_t item_hash, std::string_view bytes);

  std::size_t charge() const { return charged_bytes; }

  std::vector<Item> items;
  /// Position by hash once there are many; of equal hashes the first (then `items` are scanned).
  boost::unordered_flat_map<std::uint64_t, std::uint32_t> index;
  /// Every entry is in `items`.
  bool complete = false;
  /// Everything in the database by this slot is to be deleted first.
  bool drop_stored = false;
  std::size_t charged_bytes = 0;
};

/// An entry of the database each: large maps are read and written in parts. entries() follows the
/// order of insertion, as on the heap: a put of a new key looks for the key's sequence first.
class RocksMapState final : public SlottedState<MapSlot>, public MapState {
 public:
  using SlottedState::SlottedState;

  void set_namespace(const Window& window) override { use_namespace(window); }
  void clear() override;
  Value get(const Value& key) override;
  bool contains(const Value& key) override;
  void put(const Value& key, Value value) override;
  void remove(const Value& key) override;
  bool is_empty() override;
  std::vector<std::pair<Value, Value>> entries() override;
  void flush(rocksdb::WriteBatch& batch) override;

 private:
  /// The entry, looked up in the database if need be; null when there is certainly none and
  /// nothing to be remembered about it.
  MapSlot::Item* load(MapSlot& slot, const Value& key);
  /// Reads every entry that is not in the cache yet.
  void load_all(MapSlot& slot);
  void fill(MapSlot::Item& item, std::string_view stored);
  void erase(MapSlot& slot, MapSlot::Item& item);
  void touch(MapSlot& slot, MapSlot::Item& item) {
    mark_dirty(slot, 0);
    if (!item.dirty) {
      item.dirty = true;
      more_is_dirty(sizeof item + item.value.charge());
    }
  }
  bool read(const Value& key, Value* value);
  /// The item's value has changed.
  void update_charge(MapSlot& slot, MapSlot::Item& item);
  void add_item(MapSlot& slot, MapSlot::Item& item);
  bool shrink(MapSlot& slot) override;
  bool is_expired(const MapSlot::Item& item) const { return ttl_.expired(item.access, now_); }

  CommonRowType rows_;
  std::string map_key_;  ///< canonical encoding of the present call's key
  std::string entry_key_;
};

/// Smallest key that is greater than all that begin with `prefix`.
std::string end_of_prefix(std::string prefix);

}  // namespace flott::rocks
