#pragma once

#include "types/key.h"
#include "types/logical_type.h"
#include "types/value.h"
#include "types/window.h"

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace flott {

/// How long state lives after its last write (or read); Flink's StateTtlConfig.
struct StateTtlConfig {
  enum class UpdateType { kDisabled, kOnCreateAndWrite, kOnReadAndWrite };
  enum class Visibility { kReturnExpiredIfNotCleanedUp, kNeverReturnExpired };
  UpdateType update_type = UpdateType::kDisabled;
  Visibility visibility = Visibility::kNeverReturnExpired;
  std::int64_t ttl_ms = 0;
  /// Drop expired entries while a full snapshot is written.
  bool cleanup_full_snapshot = true;
  /// Entries looked at for expiry per state access (Flink's incremental clean-up; 0 = off).
  int cleanup_incremental_size = 5;
  /// RocksDB drops what has expired while it compacts files, looking at the clock every so many
  /// entries.
  bool cleanup_in_compaction = true;
  std::int64_t compaction_refresh_after = 1000;
  bool enabled() const { return update_type != UpdateType::kDisabled; }
};

/// Combines two values: reduce functions and reducing state. Called on the task's thread.
class ReduceFunction {
 public:
  virtual ~ReduceFunction() = default;
  /// `accumulated` may be the state's own value: it is not looked at after user code was called.
  virtual Value reduce(const Value& accumulated, const Value& value) = 0;
};

/// Flink's AggregateFunction: aggregate() windows and aggregating state.
class AggregateFunction {
 public:
  virtual ~AggregateFunction() = default;
  virtual Value create_accumulator() = 0;
  virtual Value add(const Value& value, const Value& accumulator) = 0;
  virtual Value get_result(const Value& accumulator) = 0;
  virtual Value merge(const Value& a, const Value& b) = 0;
};

/// An aggregate whose accumulators are values of its own that it changes in place: no copy
/// of a value or an accumulator a record. It never keeps a value it was given.
class InPlaceAggregateFunction : public AggregateFunction {
 public:
  /// add() to an accumulator that only the caller holds.
  virtual void add_in_place(const Value& value, Value& accumulator) = 0;
  /// Likewise row `row` of a batch of the type it was made for.
  virtual void add_row(const Batch& batch, std::int64_t row, Value& accumulator) = 0;
  /// Whether objects of the host may be in its accumulators.
  virtual bool may_hold_objects() const = 0;
  Value add(const Value& value, const Value& accumulator) final {
    Value own = accumulator;
    add_in_place(value, own);
    return own;
  }
};

enum class StateKind : std::uint8_t { kValue, kList, kMap, kReducing, kAggregating };

/// State is declared by name; kind, types, functions and TTL say what it is.
struct StateDescriptor {
  StateKind kind = StateKind::kValue;
  std::string name;
  LogicalTypePtr value_type = LogicalType::object();  ///< list: element; map: value
  LogicalTypePtr key_type;                            ///< map only
  Value default_value;                                ///< value state only
  StateTtlConfig ttl;
  /// Its owner removes in the end whatever it puts in (windows that end): not among
  /// KeyedStateBackend::state_sizes().
  bool ends_by_itself = false;
  std::shared_ptr<ReduceFunction> reduce;        ///< reducing state
  std::shared_ptr<AggregateFunction> aggregate;  ///< aggregating state
};

/// State of the backend's current key and this object's namespace. Every value put in is isolated
/// (Value::isolated) unless object reuse is on; what comes out may be shared: a caller that hands
/// a mutable host object to user code relies on the backend having marked the entry as touched.
class State {
 public:
  virtual ~State() = default;
  /// The window whose state the next calls mean; the void namespace at first.
  virtual void set_namespace(const Window& window) = 0;
  virtual void clear() = 0;
};

class ValueState : public State {
 public:
  /// The value, or the descriptor's default (null when there is none).
  virtual Value value() = 0;
  /// Updating with null clears, as in Flink.
  virtual void update(Value value) = 0;
  /// Replaces the value by what `function` makes of it and of `value`, or by `value` when there is
  /// none; `value` becomes the new value, and stays as it is when the function fails.
  virtual void reduce(ReduceFunction& function, Value& value) {
    if (const Value before = this->value(); !before.is_null()) {
      value = function.reduce(before, value);
    }
    update(value);
  }
};

class ListState : public State {
 public:
  virtual std::vector<Value> get() = 0;
  virtual bool is_empty() = 0;
  virtual void add(Value value) = 0;
  virtual void add_all(std::vector<Value> values) = 0;
  virtual void update(std::vector<Value> values) = 0;
};

class MapState : public State {
 public:
  virtual Value get(const Value& key) = 0;  ///< null when absent
  virtual bool contains(const Value& key) = 0;
  virtual void put(const Value& key, Value value) = 0;
  virtual void remove(const Value& key) = 0;
  virtual bool is_empty() = 0;
  /// A snapshot of the entries in insertion order; changing the map meanwhile is allowed.
  virtual std::vector<std::pair<Value, Value>> entries() = 0;
};

/// Reducing and aggregating state.
class AppendingState : public State {
 public:
  virtual Value get() = 0;  ///< null when nothing was added
  virtual void add(const Value& value) = 0;
  /// Adds row `row` of a batch; returns whether anything had been added before.
  virtual bool add_row(const Batch& batch, std::int64_t row) {
    const bool had = !accumulator().is_null();
    add(Value::batch_row(batch, static_cast<std::uint32_t>(row)));
    return had;
  }
  /// The raw accumulator, for merging windows.
  virtual Value accumulator() = 0;
  virtual void set_accumulator(Value accumulator) = 0;
  /// Merges the accumulators of `sources` namespaces into `target` and clears the sources.
  virtual void merge_namespaces(const Window& target, const std::vector<Window>& sources) = 0;
};

}  // namespace flott
