#include "state/heap/map_state.h"

#include "types/key.h"

#include <algorithm>

namespace flott::heap {

MapContainer::Item* MapContainer::find(std::uint64_t hash, std::string_view bytes) {
  if (indexed_ && !collisions_) {
    const auto it = index_.find(hash);
    if (it == index_.end()) {
      return nullptr;
    }
    Item& item = items_[it->second];
    return item.bytes == bytes ? &item : nullptr;
  }
  for (Item& item : items_) {
    if (item.live && item.hash == hash && item.bytes == bytes) {
      return &item;
    }
  }
  return nullptr;
}

MapContainer::Item& MapContainer::insert(std::uint64_t hash, std::string_view bytes, Value key) {
  Item& item = items_.emplace_back();
  item.hash = hash;
  item.bytes.assign(bytes);
  item.key = std::move(key);
  ++live_;
  if (indexed_) {
    const auto position = static_cast<std::uint32_t>(items_.size() - 1);
    collisions_ = !index_.emplace(hash, position).second || collisions_;
  } else if (live_ > kScanLimit) {
    rebuild_index();
  }
  return item;
}

void MapContainer::erase(Item& item) {
  bury(item);
  compact_if_sparse();
}

void MapContainer::bury(Item& item) {
  if (indexed_ && !collisions_) {
    index_.erase(item.hash);
  }
  item.live = false;
  item.key = Value();
  item.value = Value();
  item.bytes = std::string();
  --live_;
}

void MapContainer::compact_if_sparse() {
  if (items_.size() < kScanLimit || live_ * 2 > items_.size()) {
    return;
  }
  std::erase_if(items_, [](const Item& item) { return !item.live; });
  rebuild_index();
}

void MapContainer::rebuild_index() {
  index_ = {};
  collisions_ = false;
  indexed_ = live_ > kScanLimit;
  if (!indexed_) {
    return;
  }
  index_.reserve(live_);
  for (std::size_t i = 0; i < items_.size(); ++i) {
    if (items_[i].live) {
      const auto position = static_cast<std::uint32_t>(i);
      collisions_ = !index_.emplace(items_[i].hash, position).second || collisions_;
    }
  }
}

void HeapMapState::clear() {
  begin_access();
  clear_slot();
}

void HeapMapState::erase(Slot& slot, MapContainer::Item& item) {
  MapContainer& map = map_of(slot);
  if (map.size() == 1) {
    reset(slot);
  } else {
    core_.note_change();
    map.erase(item);
  }
}

bool HeapMapState::read(const Value& key, Value* value) {
  begin_access();
  Slot* slot = find();
  if (slot == nullptr) {
    return false;
  }
  scratch_.clear();
  encode_key(key, scratch_);
  MapContainer::Item* item = map_of(*slot).find(hash_bytes(scratch_), scratch_);
  if (item == nullptr) {
    return false;
  }
  if (value != nullptr) {
    core_.note_shown(item->value);
    *value = item->value;
  }
  if (ttl_.enabled()) {
    if (ttl_.expired(item->access, now_)) {
      erase(*slot, *item);
      return ttl_.return_expired();
    }
    if (ttl_.renew_on_read()) {
      item->access = now_;
      note_access(now_);
      core_.note_change();
    }
  }
  return true;
}

Value HeapMapState::get(const Value& key) {
  Value value;
  return read(key, &value) ? value : Value();
}

bool HeapMapState::contains(const Value& key) {
  return read(key, nullptr);
}

void HeapMapState::put(const Value& key, Value value) {
  begin_access();
  scratch_.clear();
  encode_key(key, scratch_);
  const std::uint64_t hash = hash_bytes(scratch_);
  Value kept = core_.keep(std::move(value));
  core_.note_content(kept);
  const Timestamp access = stamp();
  Slot* slot = find();
  if (slot != nullptr) {
    core_.note_change();
  }
  MapContainer::Item* item = slot != nullptr ? map_of(*slot).find(hash, scratch_) : nullptr;
  if (item == nullptr) {
    Value kept_key = core_.keep(key);
    core_.note_content(kept_key);
    if (slot == nullptr) {
      auto map = std::make_unique<MapContainer>();
      slot = &fill();
      slot->container = std::move(map);
    }
    item = &map_of(*slot).insert(hash, scratch_, std::move(kept_key));
  }
  item->access = access;
  item->value = std::move(kept);
}

void HeapMapState::remove(const Value& key) {
  begin_access();
  Slot* slot = find();
  if (slot == nullptr) {
    return;
  }
  scratch_.clear();
  encode_key(key, scratch_);
  if (MapContainer::Item* item = map_of(*slot).find(hash_bytes(scratch_), scratch_)) {
    erase(*slot, *item);
  }
}

bool HeapMapState::is_empty() {
  begin_access();
  Slot* slot = find();
  if (slot == nullptr || !ttl_.enabled() || ttl_.return_expired()) {
    return slot == nullptr;
  }
  bool empty = true;
  map_of(*slot).each([&](const auto& item) { empty = empty && ttl_.expired(item.access, now_); });
  return empty;
}

std::vector<std::pair<Value, Value>> HeapMapState::entries() {
  begin_access();
  std::vector<std::pair<Value, Value>> out;
  Slot* slot = find();
  if (slot == nullptr) {
    return out;
  }
  MapContainer& map = map_of(*slot);
  bool any_expired = false;
  out.reserve(map.size());
  map.each([&](MapContainer::Item& item) {
    const bool expired = ttl_.expired(item.access, now_);
    any_expired = any_expired || expired;
    if (!expired || ttl_.return_expired()) {
      core_.note_shown(item.value);
      out.emplace_back(item.key, item.value);
    }
    if (!expired && ttl_.renew_on_read()) {
      item.access = now_;
      note_access(now_);
      core_.note_change();
    }
  });
  if (any_expired) {
    core_.note_change();
    map.erase_if([&](const auto& item) { return ttl_.expired(item.access, now_); });
    if (map.size() == 0) {
      reset(*slot);
    }
  }
  return out;
}

void HeapMapState::expire(Slot& slot, Timestamp now, Timestamp& earliest) {
  MapContainer& map = map_of(slot);
  map.erase_if([&](const auto& item) { return ttl_.expired(item.access, now); });
  if (map.size() == 0) {
    slot = Slot{};
    return;
  }
  map.each([&](const auto& item) { earliest = std::min(earliest, item.access); });
}

bool HeapMapState::encode(const Slot& slot, Timestamp now, std::string& out) const {
  const MapContainer& map = map_of(slot);
  std::size_t count = 0;
  map.each([&](const auto& item) { count += ttl_.expired(item.access, now) ? 0 : 1; });
  if (count == 0) {
    return false;
  }
  BytesWriter writer(out);
  writer.varint(count);
  map.each([&](const MapContainer::Item& item) {
    if (ttl_.expired(item.access, now)) {
      return;
    }
    item.key.encode(out);
    if (ttl_.enabled()) {
      writer.i64(item.access);
    }
    item.value.encode(out);
  });
  return true;
}

void HeapMapState::decode(BytesReader& in, bool stamped, Slot& slot) {
  auto map = std::make_unique<MapContainer>();
  for (std::uint64_t left = in.varint(); left > 0; --left) {
    Value key = Value::decode(in);
    const Timestamp access = stamped ? in.i64() : ttl_.now();
    Value value = Value::decode(in);
    scratch_.clear();
    encode_key(key, scratch_);
    const std::uint64_t hash = hash_bytes(scratch_);
    if (map->find(hash, scratch_) != nullptr) {
      throw_error(ErrorKind::kExternal,
                  "state '{}': stored bytes are damaged: key {} occurs twice",
                  name_,
                  key.to_string());
    }
    core_.note_content(key);
    core_.note_content(value);
    MapContainer::Item& item = map->insert(hash, scratch_, std::move(key));
    item.access = access;
    item.value = std::move(value);
    if (ttl_.enabled()) {
      note_access(access);
    }
  }
  if (map->size() != 0) {
    slot.container = std::move(map);
  }
}

void HeapMapState::convert(Slot& slot, const std::function<Value(const Value&)>& convert) {
  map_of(slot).each([&](MapContainer::Item& item) { item.value = convert(item.value); });
}

}  // namespace flott::heap
