#include "state/rocksdb/value_state.h"

#include "base/in_background.h"

#include <algorithm>
#include <utility>

namespace flott::rocks {
namespace {

/// In smaller caches what is fetched might have to go before it is used.
constexpr std::size_t kLeastToPrefetch = 1 << 20;
/// Fewer are as well read one by one.
constexpr std::size_t kLeastToFetch = 4;
/// Fewer dirty bytes are better gathered in a write buffer.
constexpr std::size_t kLeastForATable = 2 << 20;
/// What is written to a table at once: some milliseconds.
constexpr std::size_t kStepBytes = 2 << 20;

}  // namespace

ValueSlot& SingleValueState::load(ValueSlot& slot) {
  if (slot.loaded) {
    return slot;
  }
  rocksdb::PinnableSlice stored;
  // What is being written is in the cache (Core::evict()): this is not.
  if (!core_.stored || !core_.database->get_settled(column_.handle, slot.key(), &stored)) {
    slot.loaded = true;
    slot.absent_in_database = true;
    return slot;
  }
  fill(slot, view(stored));
  return slot;
}

void SingleValueState::fill(ValueSlot& slot, std::string_view stored) {
  BytesReader in(stored);
  const EntryHeader header = read_header(in);
  slot.access = header.stamped ? in.i64() : core_.birth;
  slot.value.load(in.take(in.remaining()), rows_);
  slot.loaded = true;
  slot.present = true;
  update_charge(slot);
}

void SingleValueState::prefetch(const KeyColumn& keys, std::size_t begin, std::size_t end) {
  // Only what was used for the rows before is likely to be used for these.
  const bool likely = take_lookups() * 2 > prefetched_;
  prefetched_ = end - begin;
  if (!likely || !in_void_namespace() || core_.cache_limit < kLeastToPrefetch) {
    return;
  }
  core_.bound_memory();
  for (std::size_t row = begin; row < end; ++row) {
    cache_.prefetch(keys.hash_at(row));
  }
  to_fetch_.clear();
  for (std::size_t row = begin; row < end; ++row) {
    if (!cache_.prefetch_slot(keys.hash_at(row))) {
      to_fetch_.push_back(row);
    }
  }
  if (core_.stored && to_fetch_.size() >= kLeastToFetch) {
    fetch(keys);
  }
}

void SingleValueState::fetch(const KeyColumn& keys) {
  struct Wanted {
    std::string slot_key;
    std::uint64_t hash;
  };
  std::vector<Wanted> wanted;
  wanted.reserve(to_fetch_.size());
  for (const std::size_t row : to_fetch_) {
    const Key key = keys.at(row);
    if (key.value == nullptr || bytes_say_it_all(key.bytes, *key.value)) {
      Wanted& one = wanted.emplace_back();
      one.hash = key.hash;
      append_key_prefix(
          key_group_of(key.hash, core_.options.max_parallelism), key.bytes, one.slot_key);
      one.slot_key.push_back('\0');  // the void namespace
    }
  }
  std::sort(wanted.begin(), wanted.end(), [](const Wanted& a, const Wanted& b) {
    return a.slot_key < b.slot_key;
  });
  wanted.erase(
      std::unique(wanted.begin(),
                  wanted.end(),
                  [](const Wanted& a, const Wanted& b) { return a.slot_key == b.slot_key; }),
      wanted.end());
  std::vector<rocksdb::Slice> slot_keys;
  slot_keys.reserve(wanted.size());
  for (const Wanted& one : wanted) {
    slot_keys.emplace_back(one.slot_key);
  }
  std::vector<rocksdb::PinnableSlice> stored(wanted.size());
  std::vector<rocksdb::Status> statuses;
  core_.database->get_sorted(column_.handle, slot_keys, stored, statuses);
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    if (cache_.find(wanted[i].hash, wanted[i].slot_key) != nullptr) {
      continue;  // decoding the ones before has run user code
    }
    if (statuses[i].IsAborted()) {
      continue;  // not read: enough is
    }
    ValueSlot& slot = insert_slot(wanted[i].hash, wanted[i].slot_key);
    if (statuses[i].ok()) {
      fill(slot, view(stored[i]));
    } else {
      slot.loaded = true;
      slot.absent_in_database = true;
    }
  }
}

Value SingleValueState::read() {
  ValueSlot& slot = load(this->slot());
  if (!slot.present) {
    return {};
  }
  if (ttl_.enabled()) {
    if (is_expired(slot)) {
      Value last = ttl_.return_expired() ? slot.value.get(rows_) : Value();
      clear(slot);
      return last;
    }
    if (ttl_.renew_on_read() && slot.access != now_) {
      slot.access = now_;
      mark_dirty(slot, slot.charge());
    }
  }
  return slot.value.get(rows_);
}

Value SingleValueState::unexpired(ValueSlot& slot) {
  load(slot);
  return !slot.present || (is_expired(slot) && !ttl_.return_expired()) ? Value()
                                                                       : slot.value.get(rows_);
}

void SingleValueState::update_charge(ValueSlot& slot) {
  const std::size_t before = slot.value.charge();
  slot.value.set_charge(slot.value.heap_bytes());
  charged(slot, before, slot.value.charge());
}

void SingleValueState::write(ValueSlot& slot, Value value) {
  // Becomes the old one, which is destroyed last: a host object may run user code then, which must
  // find the state in order.
  CachedValue next;
  next.set(std::move(value), rows_);
  next.set_charge(slot.value.charge());
  next.swap(slot.value);
  slot.access = now_;
  slot.loaded = true;
  slot.present = true;
  update_charge(slot);
  mark_dirty(slot, slot.charge());
}

void SingleValueState::clear(ValueSlot& slot) {
  if (slot.loaded && !slot.present) {
    return;
  }
  slot.loaded = true;
  slot.present = false;
  mark_dirty(slot, slot.charge());
  // Last: destroying a host object may run user code, which must find the state in order.
  CachedValue old;
  old.swap(slot.value);
  charged(slot, old.charge(), 0);
}

void SingleValueState::put(ValueSlot& slot, rocksdb::WriteBatch& batch) {
  if (!slot.present) {
    if (!slot.absent_in_database) {
      check_rocksdb(
          batch.Delete(column_.handle, slice(slot.key())), "written", core_.database->path());
      slot.absent_in_database = true;
    }
    return;
  }
  scratch_.clear();
  write_header(slot.key_value(), ttl_.enabled(), scratch_);
  if (ttl_.enabled()) {
    BytesWriter(scratch_).i64(slot.access);
  }
  const std::size_t value_at = scratch_.size();
  slot.value.encode(rows_, scratch_);
  check_rocksdb(
      batch.Put(column_.handle, slice(slot.key()), scratch_), "written", core_.database->path());
  slot.absent_in_database = false;
  slot.value.compact(rows_, std::string_view(scratch_).substr(value_at));
  update_charge(slot);
}

void SingleValueState::flush(rocksdb::WriteBatch& batch) {
  end_table();
  hand_over();
  if (dirty_bytes_ >= kLeastForATable) {
    begin_table();
    hand_over();
    return;
  }
  cache_.take_dirty([&](ValueSlot& slot) {
    put(slot, batch);
    write_if_large(batch);
  });
  dirty_is_taken(most_dirty_bytes());
}

void SingleValueState::relieve(rocksdb::WriteBatch& batch) {
  end_table();
  if (writing_ != nullptr && !writing_->handed_over) {
    write_more();
  } else if (dirty_bytes_ >= kLeastForATable) {
    begin_table();
  } else {
    flush(batch);
  }
}

void SingleValueState::begin_table() {
  if (writing_ != nullptr) {
    core_.database->settle();
    end_table();
    STREAM_CHECK(writing_ == nullptr, "a table was written and is not a part of the database");
  }
  writing_ = std::make_unique<Writing>();
  writing_->table =
      core_.database->new_table(column_.handle, core_.directory->fresh("table"), core_.directory);
  writing_->slots = cache_.take_dirty();
  writing_->sorting = in_background([slots = &writing_->slots] {
    *slots = SlotCache<ValueSlot>::in_key_order(std::move(*slots));
  });
  cache_.begin_round();
  dirty_is_taken(kStepBytes / 2);
}

void SingleValueState::write_more() {
  Writing& writing = *writing_;
  if (writing.sorting.valid()) {
    const HostRelease without_host_lock;
    writing.sorting.get();
  }
  rocksdb::WriteBatch batch;
  std::size_t bytes = 0;
  while (writing.next < writing.slots.size() && bytes < kStepBytes) {
    ValueSlot& slot = *writing.slots[writing.next++];
    bytes += own_bytes(slot) + slot.charge();
    cache_.written(slot);
    put(slot, batch);
  }
  core_.database->write_behind(writing.table, batch);
  if (writing.next < writing.slots.size()) {
    // Twice as much as has become dirty meanwhile: it ends before the next one is full.
    wanted_at_bytes_ = dirty_bytes_ + kStepBytes / 2;
    return;
  }
  core_.database->finish_behind(writing.table);
  writing.slots = std::vector<ValueSlot*>();
  writing.handed_over = true;
  wanted_at_bytes_ = most_dirty_bytes();
}

void SingleValueState::hand_over() {
  while (writing_ != nullptr && !writing_->handed_over) {
    write_more();
  }
}

void SingleValueState::end_table() {
  if (writing_ != nullptr && writing_->table->are_part()) {
    cache_.end_round();
    writing_.reset();
  }
}

bool SingleValueState::sweep(std::size_t& visits) {
  end_table();
  return SlottedState::sweep(visits);
}

void SingleValueState::drop_cache() {
  writing_.reset();
  SlottedState::drop_cache();
}

void RocksValueState::clear() {
  begin_access();
  SingleValueState::clear(slot());
}

Value RocksValueState::value() {
  begin_access();
  Value value = read();
  return value.is_null() && !default_.is_null() ? default_.isolated() : value;
}

void RocksValueState::update(Value value) {
  begin_access();
  if (value.is_null()) {
    SingleValueState::clear(slot());
  } else {
    write(slot(), std::move(value));
  }
}

RocksAppendingState::RocksAppendingState(Core& core,
                                         Column& column,
                                         const StateDescriptor& descriptor)
    : SingleValueState(core, column, descriptor),
      reduce_(descriptor.kind == StateKind::kReducing ? descriptor.reduce : nullptr),
      aggregate_(descriptor.kind == StateKind::kAggregating ? descriptor.aggregate : nullptr),
      in_place_(dynamic_cast<InPlaceAggregateFunction*>(aggregate_.get())) {
  const bool reducing = descriptor.kind == StateKind::kReducing;
  if (reducing ? reduce_ == nullptr : aggregate_ == nullptr) {
    throw_error(ErrorKind::kInvalidArgument,
                "state '{}' needs {}; give one in its descriptor",
                name_,
                reducing ? "a reduce function" : "an aggregate function");
  }
}

void RocksAppendingState::clear() {
  begin_access();
  SingleValueState::clear(slot());
}

Value RocksAppendingState::get() {
  begin_access();
  Value accumulator = read();
  if (accumulator.is_null() || reduce_ != nullptr) {
    return accumulator;
  }
  return aggregate_->get_result(accumulator);
}

void RocksAppendingState::set(Value accumulator) {
  if (accumulator.is_null()) {
    SingleValueState::clear(slot());
  } else {
    write(slot(), std::move(accumulator));
  }
}

Value* RocksAppendingState::live_accumulator() {
  ValueSlot& slot = load(this->slot());
  if (!slot.present || (is_expired(slot) && !ttl_.return_expired())) {
    return nullptr;
  }
  Value* accumulator = slot.value.in_place(rows_);
  if (accumulator != nullptr) {
    slot.access = now_;
    mark_dirty(slot, slot.charge());
  }
  return accumulator;
}

void RocksAppendingState::add(const Value& value) {
  begin_access();
  if (value.is_null()) {
    SingleValueState::clear(slot());  // as in Flink: adding null clears
    return;
  }
  if (in_place_ != nullptr) {
    if (Value* accumulator = live_accumulator()) {
      in_place_->add_in_place(value, *accumulator);
      return;
    }
  }
  const Value old = unexpired(slot());
  Value next = value.isolated();
  // The user's function runs before the slot is touched: it may throw, or use other state.
  if (aggregate_ != nullptr) {
    next = aggregate_->add(next, old.is_null() ? aggregate_->create_accumulator() : old);
  } else if (!old.is_null()) {
    next = reduce_->reduce(old, next);
  }
  set(std::move(next));
}

bool RocksAppendingState::add_row(const Batch& batch, std::int64_t row) {
  if (in_place_ == nullptr) {
    return AppendingState::add_row(batch, row);
  }
  begin_access();
  if (Value* accumulator = live_accumulator()) {
    in_place_->add_row(batch, row, *accumulator);
    return true;
  }
  Value accumulator = unexpired(slot());
  const bool had = !accumulator.is_null();
  if (!had) {
    accumulator = in_place_->create_accumulator();
  }
  in_place_->add_row(batch, row, accumulator);
  write(slot(), std::move(accumulator));
  return had;
}

Value RocksAppendingState::accumulator() {
  begin_access();
  return read();
}

void RocksAppendingState::set_accumulator(Value accumulator) {
  begin_access();
  set(std::move(accumulator));
}

Value RocksAppendingState::merge(const Value& a, const Value& b) {
  if (a.is_null() || b.is_null()) {
    return a.is_null() ? b : a;
  }
  return aggregate_ != nullptr ? aggregate_->merge(a, b) : reduce_->reduce(a, b);
}

void RocksAppendingState::merge_namespaces(const Window& target,
                                           const std::vector<Window>& sources) {
  begin_access();
  Value merged;
  for (const Window& source : sources) {
    if (source != target) {
      merged = merge(merged, unexpired(slot_in(source)));
    }
  }
  // As in Flink the sources are merged among themselves first, then into the target.
  if (!merged.is_null()) {
    Value result = merge(unexpired(slot_in(target)), merged);
    ValueSlot& slot = slot_in(target);
    if (result.is_null()) {
      SingleValueState::clear(slot);
    } else {
      write(slot, std::move(result));
    }
  }
  for (const Window& source : sources) {
    if (source != target) {
      SingleValueState::clear(slot_in(source));
    }
  }
}

}  // namespace flott::rocks
