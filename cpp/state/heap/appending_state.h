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
  Value accumulator() override {
    begin_access();
    return read();
  }
  void set_accumulator(Value accumulator) override;
  void merge_namespaces(const Window& target, const std::vector<Window>& sources) override;

 private:
  /// The accumulator as adding sees it: null when absent, or expired and not to be shown.
  Value unexpired(const Slot* slot) const {
    return slot == nullptr || (ttl_.expired(slot->access, now_) && !ttl_.return_expired())
               ? Value()
               : slot->value;
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
};

}  // namespace flott::heap
