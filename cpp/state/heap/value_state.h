#pragma once

#include "state/heap/heap_state.h"

#include <string>
#include <utility>

namespace flott::heap {

/// Codec of the slots that hold one Value:  [access:i64 with TTL] value:Value
class SingleValueSlot : public HeapState {
 public:
  using HeapState::HeapState;

  bool encode(const Slot& slot, Timestamp now, std::string& out) const final {
    if (ttl_.expired(slot.access, now)) {
      return false;
    }
    if (ttl_.enabled()) {
      BytesWriter(out).i64(slot.access);
    }
    slot.value.encode(out);
    return true;
  }
  bool is_plain() const final { return !ttl_.enabled(); }
  void decode(BytesReader& in, bool stamped, Slot& slot) final {
    const Timestamp access = stamped ? in.i64() : ttl_.now();
    slot.access = access;
    slot.value = Value::decode(in);
    core_.note_content(slot.value);
    note_access(access);
  }
  void convert(Slot& slot, const std::function<Value(const Value&)>& convert) final {
    slot.value = convert(slot.value);
  }

 protected:
  void expire(Slot& slot, Timestamp now, Timestamp& earliest) final {
    if (ttl_.expired(slot.access, now)) {
      slot = Slot{};
    } else {
      earliest = std::min(earliest, slot.access);
    }
  }
  /// The value to show, or null: applies TTL's rules for a read.
  Value read() {
    Slot* slot = find();
    if (slot == nullptr) {
      return {};
    }
    if (ttl_.enabled()) {
      if (ttl_.expired(slot->access, now_)) {
        Value last = ttl_.return_expired() ? slot->value : Value();
        reset(*slot);
        return last;
      }
      if (ttl_.renew_on_read()) {
        slot->access = now_;
        note_access(now_);
        core_.note_change();
      }
    }
    core_.note_shown(slot->value);
    return slot->value;
  }
  void write(Value value) { put(fill(), std::move(value)); }
  void write_in(const Window& window, Value value) { put(fill_in(window), std::move(value)); }

 private:
  void put(Slot& slot, Value value) {
    stamp(slot);
    core_.note_content(value);
    slot.value = std::move(value);  // swaps: the old value dies with the parameter
  }
};

class HeapValueState final : public SingleValueSlot, public ValueState {
 public:
  HeapValueState(Core& core, std::uint32_t index, const StateDescriptor& descriptor)
      : SingleValueSlot(core, index, descriptor), default_(descriptor.default_value) {}

  void set_namespace(const Window& window) override { use_namespace(window); }
  void clear() override {
    begin_access();
    clear_slot();
  }
  Value value() override {
    begin_access();
    Value value = read();
    // A copy, lest one key's changes to a mutable default reach the other keys.
    return value.is_null() && !default_.is_null() ? Core::isolate(default_) : value;
  }
  void update(Value value) override {
    begin_access();
    if (value.is_null()) {
      clear_slot();
    } else {
      write(core_.keep(std::move(value)));
    }
  }
  void reduce(ReduceFunction& function, Value& value) override {
    const Slot* slot = find();
    if (slot == nullptr || ttl_.enabled()) {
      ValueState::reduce(function, value);
      return;
    }
    // Without a reference of our own; the slot is looked up again, as user code has run.
    value = function.reduce(slot->value, value);
    if (value.is_null()) {
      clear_slot();
    } else {
      write(core_.kept(value));
    }
  }

 private:
  const Value default_;
};

}  // namespace flott::heap
