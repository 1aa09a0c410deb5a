#include "state/rocksdb/list_state.h"

#include "types/host.h"

#include <utility>

namespace flott::rocks {

ListSlot& RocksListState::load(ListSlot& slot) {
  if (slot.whole) {
    return slot;
  }
  rocksdb::PinnableSlice stored;
  slot.whole = true;
  if (!read_entry(slot.key(), &stored)) {
    slot.absent_in_database = true;
    return slot;
  }
  BytesReader in(view(stored));
  read_header(in);
  const std::string_view before = in.take(in.remaining());
  slot.elements.insert(0, before);
  slot.stored_bytes = before.size();
  update_charge(slot);
  return slot;
}

void RocksListState::update_charge(ListSlot& slot) {
  const std::size_t before = slot.charged_bytes;
  slot.charged_bytes = slot.elements.capacity();
  charged(slot, before, slot.charged_bytes);
}

void RocksListState::append(ListSlot& slot, const Value& value) {
  value_bytes_.clear();
  value.encode(value_bytes_);
  write_element(ttl_.enabled(), now_, value_bytes_, slot.elements);
  update_charge(slot);
  mark_dirty(slot, value_bytes_.size());
}

void RocksListState::replace(ListSlot& slot, std::string elements) {
  slot.elements = std::move(elements);
  slot.whole = true;
  slot.replaced = true;
  slot.stored_bytes = 0;
  update_charge(slot);
  mark_dirty(slot, slot.charge());
}

void RocksListState::clear() {
  begin_access();
  ListSlot& slot = this->slot();
  if (!slot.whole || !slot.elements.empty()) {
    replace(slot, {});
  }
}

std::vector<Value> RocksListState::get() {
  begin_access();
  ListSlot& slot = load(this->slot());
  std::vector<Value> out;
  std::string kept;
  bool any_expired = false;
  bool any_left = false;
  const HostScope host_scope;
  BytesReader in(slot.elements);
  while (!in.empty()) {
    const StoredElement element = read_element(in);
    const bool expired = is_expired(element);
    any_expired = any_expired || expired;
    any_left = any_left || !expired;
    if (!expired || ttl_.return_expired()) {
      BytesReader value(element.value);
      out.push_back(Value::decode(value));
    }
    if (ttl_.enabled() && !expired) {
      write_element(true, ttl_.renew_on_read() ? now_ : element.access, element.value, kept);
    }
  }
  // Expired elements stay visible with kReturnExpiredIfNotCleanedUp until something removes them; a
  // read does so when it renews the others, or when nothing else is left.
  const bool keep_expired = ttl_.return_expired() && any_left && !ttl_.renew_on_read();
  const bool renew = ttl_.enabled() && ttl_.renew_on_read() && any_left;
  if ((any_expired && !keep_expired) || renew) {
    replace(slot, std::move(kept));
  }
  return out;
}

bool RocksListState::is_empty() {
  begin_access();
  const ListSlot& slot = load(this->slot());
  if (!ttl_.enabled() || ttl_.return_expired()) {
    return slot.elements.empty();
  }
  BytesReader in(slot.elements);
  while (!in.empty()) {
    if (!is_expired(read_element(in))) {
      return false;
    }
  }
  return true;
}

void RocksListState::add(Value value) {
  begin_access();
  append(slot(), value);
}

void RocksListState::add_all(std::vector<Value> values) {
  if (values.empty()) {
    return;
  }
  begin_access();
  const HostScope host_scope;
  ListSlot& slot = this->slot();
  for (const Value& value : values) {
    append(slot, value);
  }
}

void RocksListState::update(std::vector<Value> values) {
  begin_access();
  const HostScope host_scope;
  std::string elements;
  for (const Value& value : values) {
    value_bytes_.clear();
    value.encode(value_bytes_);
    write_element(ttl_.enabled(), now_, value_bytes_, elements);
  }
  ListSlot& slot = this->slot();
  if (!values.empty() || !slot.whole || !slot.elements.empty()) {
    replace(slot, std::move(elements));
  }
}

void RocksListState::flush(rocksdb::WriteBatch& batch) {
  cache_.take_dirty([&](ListSlot& slot) {
    const std::string& path = core_.database->path();
    if (slot.whole && slot.elements.empty()) {
      if (!slot.absent_in_database) {
        check_rocksdb(batch.Delete(column_.handle, slice(slot.key())), "written", path);
        slot.absent_in_database = true;
      }
    } else {
      scratch_.clear();
      write_header(slot.key_value(), false, scratch_);
      if (slot.replaced || slot.absent_in_database) {
        scratch_.append(slot.elements);
        check_rocksdb(batch.Put(column_.handle, slice(slot.key()), scratch_), "written", path);
      } else {
        scratch_.append(slot.elements, slot.stored_bytes);
        check_rocksdb(batch.Merge(column_.handle, slice(slot.key()), scratch_), "written", path);
      }
      slot.absent_in_database = false;
      if (!slot.whole) {
        slot.elements = {};
        update_charge(slot);
      }
    }
    slot.replaced = false;
    slot.stored_bytes = slot.elements.size();
    write_if_large(batch);
  });
  dirty_is_taken(most_dirty_bytes());
}

}  // namespace flott::rocks
