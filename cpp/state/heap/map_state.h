#pragma once

#include "state/heap/heap_state.h"

#include <boost/unordered/unordered_flat_map.hpp>

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace flott::heap {

/// A map in insertion order: an array with holes, and an index by hash once it is large.
class MapContainer final : public Container {
 public:
  struct Item {
    std::uint64_t hash = 0;
    std::string bytes;  ///< canonical encoding of the key: equal in Python is equal here
    Value key;
    Value value;
    Timestamp access = 0;
    bool live = true;
  };

  Item* find(std::uint64_t hash, std::string_view bytes);
  /// The key must not be there yet.
  Item& insert(std::uint64_t hash, std::string_view bytes, Value key);
  void erase(Item& item);
  std::size_t size() const { return live_; }
  /// Calls visit(item) with each live item in order.
  template <typename Visit>
  void each(Visit visit) {
    for (Item& item : items_) {
      if (item.live) {
        visit(item);
      }
    }
  }
  template <typename Visit>
  void each(Visit visit) const {
    for (const Item& item : items_) {
      if (item.live) {
        visit(item);
      }
    }
  }
  /// Removes the items for which gone(item) holds.
  template <typename Gone>
  void erase_if(Gone gone) {
    for (Item& item : items_) {
      if (item.live && gone(item)) {
        bury(item);
      }
    }
    compact_if_sparse();
  }

 private:
  static constexpr std::size_t kScanLimit = 8;
  struct IdentityHash {
    using is_avalanching = void;
    std::size_t operator()(std::uint64_t hash) const { return hash; }
  };
  /// Marks the item as gone and frees what it holds.
  void bury(Item& item);
  void compact_if_sparse();
  void rebuild_index();

  std::vector<Item> items_;
  std::size_t live_ = 0;
  /// Position of a live item by hash when there are many. Items whose hashes are equal (practically
  /// never) share `collisions_`: the index is then not used.
  boost::unordered_flat_map<std::uint64_t, std::uint32_t, IdentityHash> index_;
  bool indexed_ = false;
  bool collisions_ = false;
};

/// Slot bytes:  count:varint (key:Value [access:i64 with TTL] value:Value)*
class HeapMapState final : public HeapState, public MapState {
 public:
  using HeapState::HeapState;

  void set_namespace(const Window& window) override { use_namespace(window); }
  void clear() override;
  Value get(const Value& key) override;
  bool contains(const Value& key) override;
  void put(const Value& key, Value value) override;
  void remove(const Value& key) override;
  bool is_empty() override;
  std::vector<std::pair<Value, Value>> entries() override;

  bool encode(const Slot& slot, Timestamp now, std::string& out) const override;
  void decode(BytesReader& in, bool stamped, Slot& slot) override;
  void convert(Slot& slot, const std::function<Value(const Value&)>& convert) override;

 protected:
  void expire(Slot& slot, Timestamp now, Timestamp& earliest) override;

 private:
  static MapContainer& map_of(const Slot& slot) {
    return static_cast<MapContainer&>(*slot.container);
  }
  /// Value of a key after TTL's rules for a read; false when there is none to show.
  bool read(const Value& key, Value* value);
  void erase(Slot& slot, MapContainer::Item& item);

  std::string scratch_;  ///< encoded key of the present call
};

}  // namespace flott::heap
