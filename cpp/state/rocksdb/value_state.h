#pragma once

#include "state/rocksdb/rocks_state.h"
#include "types/host.h"

#include <future>
#include <memory>
#include <vector>

namespace flott::rocks {

struct ValueSlot : CachedSlot {
  std::size_t charge() const { return value.charge(); }

  [[no_unique_address]] CachedValue value;
  /// What is known: nothing yet, or whether there is a value.
  bool loaded : 1 = false;
  bool present : 1 = false;
  /// The database certainly has nothing by this key.
  bool absent_in_database : 1 = false;
  Timestamp access = 0;
};
static_assert(sizeof(ValueSlot) == 48);

/// States of one value a slot: value, reducing and aggregating state.
class SingleValueState : public SlottedState<ValueSlot> {
 public:
  using SlottedState::SlottedState;
  bool has_dirty() const final { return SlottedState::has_dirty() || writing_ != nullptr; }
  void flush(rocksdb::WriteBatch& batch) final;
  void relieve(rocksdb::WriteBatch& batch) final;
  bool sweep(std::size_t& visits) final;
  void drop_cache() final;
  void prefetch(const KeyColumn& keys, std::size_t begin, std::size_t end) final;

 protected:
  /// The value to show, or null: applies TTL's rules for a read.
  Value read();
  /// Likewise without removing or renewing: what a slot has, unless it has expired and is not to be
  /// shown.
  Value unexpired(ValueSlot& slot);
  void write(ValueSlot& slot, Value value);
  void clear(ValueSlot& slot);
  ValueSlot& load(ValueSlot& slot);
  bool is_expired(const ValueSlot& slot) const { return ttl_.expired(slot.access, now_); }
  void update_charge(ValueSlot& slot);
  std::size_t most_dirty_bytes() const final { return dirty_share(); }
  void fill(ValueSlot& slot, std::string_view stored);
  void fetch(const KeyColumn& keys);

  CommonRowType rows_;

 private:
  /// Many slots on their way to a table, some at a time. They stay in the cache until the table is
  /// a part of the database.
  struct Writing {
    ~Writing() {
      if (sorting.valid()) {
        const HostRelease without_host_lock;
        sorting.wait();
      }
    }

    std::vector<ValueSlot*> slots;
    std::size_t next = 0;      ///< of them
    bool handed_over = false;  ///< all
    std::shared_ptr<TableWriter> table;
    std::future<void> sorting;  ///< of the slots
  };
  void put(ValueSlot& slot, rocksdb::WriteBatch& batch);
  void begin_table();
  void write_more();
  void hand_over();
  /// Nothing stays for a table that is a part of the database.
  void end_table();

  std::size_t prefetched_ = 0;         ///< rows, in the last call of prefetch()
  std::vector<std::size_t> to_fetch_;  ///< rows
  std::unique_ptr<Writing> writing_;
};

class RocksValueState final : public SingleValueState, public ValueState {
 public:
  RocksValueState(Core& core, Column& column, const StateDescriptor& descriptor)
      : SingleValueState(core, column, descriptor), default_(descriptor.default_value) {}

  void set_namespace(const Window& window) override { use_namespace(window); }
  void clear() override;
  Value value() override;
  void update(Value value) override;

 private:
  const Value default_;
};

/// Reducing and aggregating state.
class RocksAppendingState final : public SingleValueState, public AppendingState {
 public:
  RocksAppendingState(Core& core, Column& column, const StateDescriptor& descriptor);

  void set_namespace(const Window& window) override { use_namespace(window); }
  void clear() override;
  Value get() override;
  void add(const Value& value) override;
  bool add_row(const Batch& batch, std::int64_t row) override;
  Value accumulator() override;
  void set_accumulator(Value accumulator) override;
  void merge_namespaces(const Window& target, const std::vector<Window>& sources) override;

 private:
  Value merge(const Value& a, const Value& b);
  /// The accumulator to be changed in place, marked as changed; null when there is none.
  Value* live_accumulator();
  void set(Value accumulator);

  const std::shared_ptr<ReduceFunction> reduce_;
  const std::shared_ptr<AggregateFunction> aggregate_;
  /// `aggregate_` when it changes accumulators in place, else null.
  InPlaceAggregateFunction* const in_place_;
};

}  // namespace flott::rocks
