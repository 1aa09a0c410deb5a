#include "state/heap/list_state.h"

#include <algorithm>
#include <utility>

namespace flott::heap {

void HeapListState::clear() {
  begin_access();
  clear_slot();
}

std::vector<Value> HeapListState::get() {
  begin_access();
  Slot* slot = find();
  if (slot == nullptr) {
    return {};
  }
  ListContainer& list = list_of(*slot);
  if (ttl_.renew_on_read() || std::any_of(list.items.begin(), list.items.end(), may_change)) {
    core_.note_change();
  }
  if (!ttl_.enabled()) {
    return list.items;
  }
  std::vector<Value> out;
  // Expired elements stay visible with kReturnExpiredIfNotCleanedUp until something removes them; a
  // read does so when it renews the others, or when nothing else is left.
  if (ttl_.return_expired()) {
    out = list.items;
    const bool any_left = std::any_of(list.access.begin(), list.access.end(), [&](Timestamp t) {
      return !ttl_.expired(t, now_);
    });
    if (any_left && !ttl_.renew_on_read()) {
      return out;
    }
  }
  if (drop_expired(list, now_)) {
    reset(*slot);
    return out;
  }
  if (ttl_.renew_on_read()) {
    std::fill(list.access.begin(), list.access.end(), now_);
    note_access(now_);
  }
  if (!ttl_.return_expired()) {
    out = list.items;
  }
  return out;
}

bool HeapListState::is_empty() {
  if (!ttl_.enabled()) {
    return find() == nullptr;
  }
  begin_access();
  Slot* slot = find();
  if (slot == nullptr) {
    return true;
  }
  const ListContainer& list = list_of(*slot);
  return !ttl_.return_expired() && std::all_of(list.access.begin(),
                                               list.access.end(),
                                               [&](Timestamp t) { return ttl_.expired(t, now_); });
}

ListContainer& HeapListState::require_list() {
  if (Slot* slot = find()) {
    core_.note_change();
    return list_of(*slot);
  }
  auto list = std::make_unique<ListContainer>();
  ListContainer& made = *list;
  fill().container = std::move(list);
  return made;
}

void HeapListState::add(Value value) {
  begin_access();
  Value kept = core_.keep(std::move(value));
  core_.note_content(kept);
  const Timestamp access = stamp();
  ListContainer& list = require_list();
  list.items.push_back(std::move(kept));
  if (ttl_.enabled()) {
    list.access.push_back(access);
  }
}

void HeapListState::add_all(std::vector<Value> values) {
  if (values.empty()) {
    return;
  }
  begin_access();
  for (Value& value : values) {
    value = core_.keep(std::move(value));
    core_.note_content(value);
  }
  const Timestamp access = stamp();
  ListContainer& list = require_list();
  list.items.insert(list.items.end(),
                    std::make_move_iterator(values.begin()),
                    std::make_move_iterator(values.end()));
  if (ttl_.enabled()) {
    list.access.resize(list.items.size(), access);
  }
}

void HeapListState::update(std::vector<Value> values) {
  begin_access();
  if (values.empty()) {
    clear_slot();
    return;
  }
  for (Value& value : values) {
    value = core_.keep(std::move(value));
    core_.note_content(value);
  }
  const Timestamp access = stamp();
  ListContainer& list = require_list();
  list.items.swap(values);
  list.access.assign(ttl_.enabled() ? list.items.size() : 0, access);
}

bool HeapListState::drop_expired(ListContainer& list, Timestamp now) const {
  std::size_t kept = 0;
  for (std::size_t i = 0; i < list.items.size(); ++i) {
    if (!ttl_.expired(list.access[i], now)) {
      if (kept != i) {
        list.items[kept] = std::move(list.items[i]);
        list.access[kept] = list.access[i];
      }
      ++kept;
    }
  }
  list.items.resize(kept);
  list.access.resize(kept);
  return kept == 0;
}

void HeapListState::expire(Slot& slot, Timestamp now, Timestamp& earliest) {
  ListContainer& list = list_of(slot);
  if (drop_expired(list, now)) {
    slot = Slot{};
    return;
  }
  earliest = std::min(earliest, *std::min_element(list.access.begin(), list.access.end()));
}

bool HeapListState::encode(const Slot& slot, Timestamp now, std::string& out) const {
  const ListContainer& list = list_of(slot);
  const auto expired = [&](std::size_t i) {
    return ttl_.enabled() && ttl_.expired(list.access[i], now);
  };
  std::size_t count = 0;
  for (std::size_t i = 0; i < list.items.size(); ++i) {
    count += expired(i) ? 0 : 1;
  }
  if (count == 0) {
    return false;
  }
  BytesWriter writer(out);
  writer.varint(count);
  for (std::size_t i = 0; i < list.items.size(); ++i) {
    if (expired(i)) {
      continue;
    }
    if (ttl_.enabled()) {
      writer.i64(list.access[i]);
    }
    list.items[i].encode(out);
  }
  return true;
}

void HeapListState::decode(BytesReader& in, bool stamped, Slot& slot) {
  auto list = std::make_unique<ListContainer>();
  for (std::uint64_t left = in.varint(); left > 0; --left) {
    const Timestamp access = stamped ? in.i64() : ttl_.now();
    core_.note_content(list->items.emplace_back(Value::decode(in)));
    if (ttl_.enabled()) {
      list->access.push_back(access);
      note_access(access);
    }
  }
  if (!list->items.empty()) {
    slot.container = std::move(list);
  }
}

void HeapListState::convert(Slot& slot, const std::function<Value(const Value&)>& convert) {
  for (Value& item : list_of(slot).items) {
    item = convert(item);
  }
}

}  // namespace flott::heap
