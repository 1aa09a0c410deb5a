#include "state/heap/appending_state.h"

#include <utility>

namespace flott::heap {

HeapAppendingState::HeapAppendingState(Core& core,
                                       std::uint32_t index,
                                       const StateDescriptor& descriptor)
    : SingleValueSlot(core, index, descriptor),
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
  if (in_place_ != nullptr && in_place_->may_hold_objects()) {
    core_.has_objects = true;  // what it changes in place is not looked at each time
  }
}

Value HeapAppendingState::get() {
  begin_access();
  Value accumulator = read();
  if (accumulator.is_null() || reduce_ != nullptr) {
    return accumulator;
  }
  return aggregate_->get_result(accumulator);
}

void HeapAppendingState::add(const Value& value) {
  begin_access();
  if (value.is_null()) {
    clear_slot();  // as in Flink: adding null clears
    return;
  }
  if (in_place_ != nullptr) {
    if (Slot* slot = live_slot()) {
      in_place_->add_in_place(value, slot->value);
      return;
    }
    Value accumulator = in_place_->create_accumulator();
    in_place_->add_in_place(value, accumulator);
    write(std::move(accumulator));
    return;
  }
  const Value old = unexpired(find());
  Value next = core_.keep(value);
  // The user's function runs before any slot is touched: it may throw, or use other state.
  if (aggregate_ != nullptr) {
    next = aggregate_->add(next, old.is_null() ? aggregate_->create_accumulator() : old);
  } else if (!old.is_null()) {
    next = reduce_->reduce(old, next);
  }
  set_own(std::move(next));
}

bool HeapAppendingState::add_row(const Batch& batch, std::int64_t row) {
  if (in_place_ == nullptr) {
    return AppendingState::add_row(batch, row);
  }
  begin_access();
  if (Slot* slot = live_slot()) {
    in_place_->add_row(batch, row, slot->value);
    return true;
  }
  Value accumulator = in_place_->create_accumulator();
  in_place_->add_row(batch, row, accumulator);
  write(std::move(accumulator));
  return false;
}

void HeapAppendingState::set_accumulator(Value accumulator) {
  begin_access();
  set_own(core_.keep(std::move(accumulator)));
}

Value HeapAppendingState::merge(const Value& a, const Value& b) {
  if (a.is_null() || b.is_null()) {
    return a.is_null() ? b : a;
  }
  return aggregate_ != nullptr ? aggregate_->merge(a, b) : reduce_->reduce(a, b);
}

void HeapAppendingState::merge_namespaces(const Window& target,
                                          const std::vector<Window>& sources) {
  begin_access();
  Value merged;
  for (const Window& source : sources) {
    if (source != target) {
      merged = merge(merged, unexpired(find_in(source)));
    }
  }
  // As in Flink the sources are merged among themselves first, then into the target.
  if (!merged.is_null()) {
    Value result = merge(unexpired(find_in(target)), merged);
    if (result.is_null()) {
      if (Slot* slot = find_in(target)) {
        reset_in(target, *slot);
      }
    } else {
      write_in(target, std::move(result));
    }
  }
  for (const Window& source : sources) {
    if (source != target) {
      if (Slot* slot = find_in(source)) {
        reset_in(source, *slot);
      }
    }
  }
}

}  // namespace flott::heap
