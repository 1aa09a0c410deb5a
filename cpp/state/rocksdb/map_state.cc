#include "state/rocksdb/map_state.h"

#include "types/host.h"

#include <algorithm>

namespace flott::rocks {
namespace {

constexpr std::size_t kScanLimit = 8;
/// Up to so many entries a map is cleared one by one: ranges that were deleted cost each read.
constexpr std::size_t kDeleteOneByOne = 512;
/// A larger map is not dropped from the cache at once.
constexpr std::size_t kDropAtOnce = 1024;

std::size_t item_bytes(const MapSlot::Item& item) {
  return sizeof item + item.bytes.size();
}

}  // namespace

MapSlot::Item* MapSlot::find(std::uint64_t item_hash, std::string_view bytes) {
  if (!index.empty()) {
    const auto it = index.find(item_hash);
    if (it == index.end()) {
      return nullptr;
    }
    if (items[it->second].bytes == bytes) {
      return &items[it->second];
    }
  }
  for (Item& item : items) {
    if (item.hash == item_hash && item.bytes == bytes) {
      return &item;
    }
  }
  return nullptr;
}

MapSlot::Item& MapSlot::insert(std::uint64_t item_hash, std::string_view bytes) {
  Item& item = items.emplace_back();
  item.hash = item_hash;
  item.bytes.assign(bytes);
  if (!index.empty()) {
    index.emplace(item_hash, static_cast<std::uint32_t>(items.size() - 1));
  } else if (items.size() > kScanLimit) {
    for (std::size_t i = 0; i < items.size(); ++i) {
      index.emplace(items[i].hash, static_cast<std::uint32_t>(i));
    }
  }
  return item;
}

std::string end_of_prefix(std::string prefix) {
  while (!prefix.empty() && static_cast<unsigned char>(prefix.back()) == 0xff) {
    prefix.pop_back();
  }
  if (!prefix.empty()) {
    prefix.back() = static_cast<char>(static_cast<unsigned char>(prefix.back()) + 1);
  }
  return prefix;
}

void RocksMapState::update_charge(MapSlot& slot, MapSlot::Item& item) {
  const std::size_t before = slot.charged_bytes;
  slot.charged_bytes -= item.value.charge();
  item.value.set_charge(item.value.heap_bytes());
  slot.charged_bytes += item.value.charge();
  charged(slot, before, slot.charged_bytes);
}

void RocksMapState::add_item(MapSlot& slot, MapSlot::Item& item) {
  const std::size_t before = slot.charged_bytes;
  slot.charged_bytes += item_bytes(item);
  charged(slot, before, slot.charged_bytes);
  update_charge(slot, item);
}

bool RocksMapState::shrink(MapSlot& slot) {
  if (slot.items.size() <= kDropAtOnce) {
    return true;
  }
  std::vector<MapSlot::Item> old;
  const std::size_t before = slot.charged_bytes;
  for (std::size_t i = 0; i < kDropAtOnce; ++i) {
    MapSlot::Item& item = slot.items.back();
    const auto at = slot.index.find(item.hash);
    if (at != slot.index.end() && at->second == slot.items.size() - 1) {
      slot.index.erase(at);
    }
    slot.charged_bytes -= item_bytes(item) + item.value.charge();
    old.push_back(std::move(item));
    slot.items.pop_back();
  }
  slot.complete = false;
  charged(slot, before, slot.charged_bytes);
  return false;
}

void RocksMapState::fill(MapSlot::Item& item, std::string_view stored) {
  BytesReader in(stored);
  const EntryHeader header = read_header(in);
  item.access = header.stamped ? in.i64() : core_.birth;
  item.sequence = in.varint();
  item.key_value = std::string(in.string());
  item.value.load(in.take(in.remaining()), rows_);
  item.present = true;
}

MapSlot::Item* RocksMapState::load(MapSlot& slot, const Value& key) {
  map_key_.clear();
  encode_key(key, map_key_);
  const std::uint64_t hash = hash_bytes(map_key_);
  MapSlot::Item* item = slot.find(hash, map_key_);
  if (item != nullptr || slot.complete) {
    return item;
  }
  rocksdb::PinnableSlice stored;
  entry_key_.assign(slot.key());
  entry_key_.append(map_key_);
  const bool found = read_entry(entry_key_, &stored);
  item = &slot.insert(hash, map_key_);
  if (found) {
    fill(*item, view(stored));
  } else {
    item->absent_in_database = true;
  }
  add_item(slot, *item);
  return item;
}

void RocksMapState::load_all(MapSlot& slot) {
  if (slot.complete) {
    return;
  }
  if (core_.stored) {
    const auto it = core_.database->iterate_slot(column_.handle);
    for (it->Seek(slice(slot.key())); it->Valid(); it->Next()) {
      const std::string_view key = view(it->key());
      if (!key.starts_with(slot.key())) {
        break;
      }
      const std::string_view map_key = key.substr(slot.key().size());
      const std::uint64_t hash = hash_bytes(map_key);
      if (slot.find(hash, map_key) == nullptr) {
        MapSlot::Item& item = slot.insert(hash, map_key);
        fill(item, view(it->value()));
        add_item(slot, item);
      }
    }
    check_rocksdb(it->status(), "read", core_.database->path());
  }
  slot.complete = true;
}

void RocksMapState::erase(MapSlot& slot, MapSlot::Item& item) {
  item.present = false;
  touch(slot, item);
  // Last: destroying a host object may run user code, which must find the state in order.
  CachedValue old;
  old.swap(item.value);
  update_charge(slot, item);
}

bool RocksMapState::read(const Value& key, Value* value) {
  begin_access();
  MapSlot& slot = this->slot();
  MapSlot::Item* item = load(slot, key);
  if (item == nullptr || !item->present) {
    return false;
  }
  if (value != nullptr) {
    *value = item->value.get(rows_);
  }
  if (ttl_.enabled()) {
    if (is_expired(*item)) {
      erase(slot, *item);
      return ttl_.return_expired();
    }
    if (ttl_.renew_on_read() && item->access != now_) {
      item->access = now_;
      touch(slot, *item);
    }
  }
  return true;
}

Value RocksMapState::get(const Value& key) {
  Value value;
  return read(key, &value) ? value : Value();
}

bool RocksMapState::contains(const Value& key) {
  return read(key, nullptr);
}

void RocksMapState::put(const Value& key, Value value) {
  begin_access();
  MapSlot& slot = this->slot();
  MapSlot::Item* item = load(slot, key);
  if (item == nullptr) {
    item = &slot.insert(hash_bytes(map_key_), map_key_);
    item->absent_in_database = !slot.drop_stored;
    add_item(slot, *item);
  }
  if (!item->present) {
    item->sequence = core_.next_sequence++;
    item->key_value.clear();
    if (!bytes_say_it_all(map_key_, key)) {
      (key.kind() == ValueKind::kBatchRow ? key.detached() : key).encode(item->key_value);
    }
    item->present = true;
  }
  CachedValue next;
  next.set(std::move(value), rows_);
  next.set_charge(item->value.charge());
  next.swap(item->value);
  item->access = now_;
  update_charge(slot, *item);
  touch(slot, *item);
}

void RocksMapState::remove(const Value& key) {
  begin_access();
  MapSlot& slot = this->slot();
  map_key_.clear();
  encode_key(key, map_key_);
  const std::uint64_t hash = hash_bytes(map_key_);
  MapSlot::Item* item = slot.find(hash, map_key_);
  if (item != nullptr) {
    if (item->present) {
      erase(slot, *item);
    }
  } else if (!slot.complete) {
    item = &slot.insert(hash, map_key_);
    add_item(slot, *item);
    touch(slot, *item);
  }
}

void RocksMapState::clear() {
  begin_access();
  MapSlot& slot = this->slot();
  bool one_by_one = slot.complete || !core_.stored;
  if (!one_by_one) {
    std::size_t seen = 0;
    const auto it = core_.database->iterate_slot(column_.handle);
    for (it->Seek(slice(slot.key())); it->Valid() && seen <= kDeleteOneByOne; it->Next(), ++seen) {
      const std::string_view key = view(it->key());
      if (!key.starts_with(slot.key())) {
        break;
      }
      const std::string_view map_key = key.substr(slot.key().size());
      const std::uint64_t hash = hash_bytes(map_key);
      if (slot.find(hash, map_key) == nullptr) {
        MapSlot::Item& item = slot.insert(hash, map_key);
        item.present = true;
        add_item(slot, item);
      }
    }
    check_rocksdb(it->status(), "read", core_.database->path());
    one_by_one = seen <= kDeleteOneByOne;
  }
  slot.complete = true;
  const SlotHold hold(core_);
  std::vector<MapSlot::Item> old;
  if (one_by_one) {
    old.reserve(slot.items.size());
    for (MapSlot::Item& item : slot.items) {
      if (item.present) {
        old.emplace_back().value.swap(item.value);
        item.present = false;
        update_charge(slot, item);
        touch(slot, item);
      }
    }
  } else {
    old.swap(slot.items);
    slot.index = {};
    charged(slot, slot.charged_bytes, 0);
    slot.charged_bytes = 0;
    slot.drop_stored = true;
    mark_dirty(slot, 0);
  }
}

bool RocksMapState::is_empty() {
  begin_access();
  MapSlot& slot = this->slot();
  const auto shows = [&](const MapSlot::Item& item) {
    return item.present && (!is_expired(item) || ttl_.return_expired());
  };
  if (std::any_of(slot.items.begin(), slot.items.end(), shows)) {
    return false;
  }
  load_all(slot);
  return std::none_of(slot.items.begin(), slot.items.end(), shows);
}

std::vector<std::pair<Value, Value>> RocksMapState::entries() {
  begin_access();
  MapSlot& slot = this->slot();
  load_all(slot);
  const HostScope host_scope;
  const SlotHold hold(core_);
  std::vector<MapSlot::Item*> present;
  for (MapSlot::Item& item : slot.items) {
    if (item.present) {
      present.push_back(&item);
    }
  }
  const auto earlier = [](const MapSlot::Item* a, const MapSlot::Item* b) {
    return a->sequence < b->sequence;
  };
  if (!std::is_sorted(present.begin(), present.end(), earlier)) {
    std::sort(present.begin(), present.end(), earlier);
  }
  std::vector<std::pair<Value, Value>> out;
  out.reserve(present.size());
  for (MapSlot::Item* item : present) {
    const bool expired = is_expired(*item);
    if (!expired || ttl_.return_expired()) {
      out.emplace_back(stored_key_value(item->bytes, item->key_value), item->value.get(rows_));
    }
    if (expired) {
      erase(slot, *item);
    } else if (ttl_.enabled() && ttl_.renew_on_read() && item->access != now_) {
      item->access = now_;
      touch(slot, *item);
    }
  }
  return out;
}

void RocksMapState::flush(rocksdb::WriteBatch& batch) {
  const bool stamps = ttl_.enabled();
  cache_.take_dirty([&](MapSlot& slot) {
    const std::string& path = core_.database->path();
    if (slot.drop_stored) {
      check_rocksdb(batch.DeleteRange(
                        column_.handle, slice(slot.key()), end_of_prefix(std::string(slot.key()))),
                    "written",
                    path);
      slot.drop_stored = false;
    }
    for (MapSlot::Item& item : slot.items) {
      if (!item.dirty) {
        continue;
      }
      item.dirty = false;
      entry_key_.assign(slot.key());
      entry_key_.append(item.bytes);
      if (!item.present) {
        if (!item.absent_in_database) {
          check_rocksdb(batch.Delete(column_.handle, entry_key_), "written", path);
          item.absent_in_database = true;
        }
        continue;
      }
      scratch_.clear();
      write_header(slot.key_value(), stamps, scratch_);
      BytesWriter writer(scratch_);
      if (stamps) {
        writer.i64(item.access);
      }
      writer.varint(item.sequence);
      writer.string(item.key_value);
      const std::size_t value_at = scratch_.size();
      item.value.encode(rows_, scratch_);
      check_rocksdb(batch.Put(column_.handle, entry_key_, scratch_), "written", path);
      item.absent_in_database = false;
      item.value.compact(rows_, std::string_view(scratch_).substr(value_at));
      update_charge(slot, item);
    }
    write_if_large(batch);
  });
  dirty_is_taken(most_dirty_bytes());
}

}  // namespace flott::rocks
