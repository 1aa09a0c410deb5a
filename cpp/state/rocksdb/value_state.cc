#include "state/rocksdb/value_state.h"

#include "types/host.h"

#include <utility>

namespace flott::rocks {

ValueSlot& SingleValueState::load(ValueSlot& slot) {
  if (slot.loaded) {
    return slot;
  }
  rocksdb::PinnableSlice stored;
  if (!read_entry(slot.key, &stored)) {
    slot.loaded = true;
    slot.absent_in_database = true;
    return slot;
  }
  BytesReader in(view(stored));
  const EntryHeader header = read_header(in);
  slot.access = header.stamped ? in.i64() : core_.birth;
  slot.value.load(in.take(in.remaining()));
  slot.loaded = true;
  slot.present = true;
  core_.cached_bytes += slot.value.size_hint();
  return slot;
}

Value SingleValueState::read() {
  ValueSlot& slot = load(this->slot());
  if (!slot.present) {
    return {};
  }
  if (ttl_.enabled()) {
    if (is_expired(slot)) {
      Value last = ttl_.return_expired() ? slot.value.get() : Value();
      clear(slot);
      return last;
    }
    if (ttl_.renew_on_read() && slot.access != now_) {
      slot.access = now_;
      mark_dirty(slot);
    }
  }
  return slot.value.get();
}

Value SingleValueState::unexpired(ValueSlot& slot) {
  load(slot);
  return !slot.present || (is_expired(slot) && !ttl_.return_expired()) ? Value() : slot.value.get();
}

void SingleValueState::write(ValueSlot& slot, Value value) {
  slot.value.set(std::move(value));
  slot.access = now_;
  slot.loaded = true;
  slot.present = true;
  core_.cached_bytes += slot.value.size_hint();
  mark_dirty(slot);
}

void SingleValueState::clear(ValueSlot& slot) {
  if (slot.loaded && !slot.present) {
    return;
  }
  slot.loaded = true;
  slot.present = false;
  mark_dirty(slot);
  // Last: destroying a host object may run user code, which must find the state in order.
  CachedValue old;
  std::swap(old, slot.value);
}

void SingleValueState::flush(rocksdb::WriteBatch& batch) {
  if (!has_dirty()) {
    return;
  }
  const bool stamps = ttl_.enabled();
  cache_.take_dirty([&](ValueSlot& slot) {
    if (!slot.present) {
      if (!slot.absent_in_database) {
        check_rocksdb(batch.Delete(column_.handle, slot.key), "written", core_.database->path());
        slot.absent_in_database = true;
      }
      return;
    }
    scratch_.clear();
    write_header(slot.key_value(), stamps, scratch_);
    if (stamps) {
      BytesWriter(scratch_).i64(slot.access);
    }
    slot.value.encode(scratch_);
    check_rocksdb(batch.Put(column_.handle, slot.key, scratch_), "written", core_.database->path());
    slot.absent_in_database = false;
    write_if_large(batch);
  });
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
  Value* accumulator = slot.value.in_place();
  if (accumulator != nullptr) {
    slot.access = now_;
    mark_dirty(slot);
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
