#pragma once

#include "state/heap/value_state.h"

#include <memory>
#include <vector>

namespace flott::heap {

/// Reducing and aggregating state. The accumulator belongs to the state: what is isolated is what
/// goes in, so that an aggregate may grow one accumulator in place without a copy a record.
class HeapAppendingState final : public SingleValueSlot, public AppendingState {
 public:
  HeapAppendingState(Core& core, std::uint32_t index, const StateDescriptor& descriptor);

  void set_namespace(const Window& window) override { use_namespace(window); }
  void clear() override {
    begin_access();
    clear_slot();
  }
  Value get() override;
  void add(const Value& value) override;
  bool add_row(const Batch& batch, std::int64_t row) override;
  Value accumulator() override {
    begin_access();
    return read();
  }
  void set_accumulator(Value accumulator) override;
  void merge_namespaces(const Window& target, const std::vector<Window>& sources) override;

 private:
  /// The accumulator as adding sees it: null when absent, or expired and not to be shown.
  Value unexpired(const Slot* slot) const {
    return slot == nullptr || hides(*slot) ? Value() : slot->value;
  }
  /// Its time stamp is not even read without TTL: another thread may note the slot's size there.
  bool hides(const Slot& slot) const {
    return ttl_.enabled() && ttl_.expired(slot.access, now_) && !ttl_.return_expired();
  }
  /// The slot whose accumulator may be changed in place, its access noted; null when there is none.
  Slot* live_slot() {
    Slot* slot = find();
    if (slot == nullptr || hides(*slot)) {
      return nullptr;
    }
    core_.note_change();
    stamp(*slot);
    return slot;
  }
  Value merge(const Value& a, const Value& b);
  /// Stores an accumulator that is already the state's own; null clears.
  void set_own(Value accumulator) {
    if (accumulator.is_null()) {
      clear_slot();
    } else {
      write(std::move(accumulator));
    }
  }

  const std::shared_ptr<ReduceFunction> reduce_;
  const std::shared_ptr<AggregateFunction> aggregate_;
  /// `aggregate_` when it changes accumulators in place, else null.
  InPlaceAggregateFunction* const in_place_;
};

}  // namespace flott::heap
