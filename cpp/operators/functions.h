#pragma once

#include "runtime/operator.h"
#include "state/state.h"
#include "types/value.h"
#include "types/window.h"

#include <memory>
#include <string>
#include <vector>

namespace flott {

/// User functions as the engine sees them. `bindings/` implements them over Python callables; C++
/// tests over lambdas. One instance per subtask, called on the task's thread with the host's lock
/// held.

/// Life cycle shared by all. `context` gives subtask, state and metrics.
class UserFunction {
 public:
  virtual ~UserFunction() = default;
  virtual void open(OperatorContext& /*context*/) {}
  virtual void close() {}
  virtual bool uses_host() const { return false; }
};

class MapFunction : public UserFunction {
 public:
  virtual Value map(Value&& value) = 0;
};

class FilterFunction : public UserFunction {
 public:
  virtual bool filter(const Value& value) = 0;
};

/// Receives what a function yields.
class Collector {
 public:
  virtual ~Collector() = default;
  virtual void collect(Value value) = 0;
  virtual void collect_side(SideOutputId side, Value value) = 0;
};

class FlatMapFunction : public UserFunction {
 public:
  virtual void flat_map(Value&& value, Collector& out) = 0;
};

/// Both streams of a connect; a co-map emits exactly one value, a co-flat-map any number.
class CoFlatMapFunction : public UserFunction {
 public:
  virtual void flat_map(Value&& value, int input, Collector& out) = 0;
};

/// What a process function may ask while it runs.
class ProcessContext {
 public:
  virtual ~ProcessContext() = default;
  virtual Timestamp timestamp() const = 0;  ///< kNoTimestamp when the record has none
  virtual Timestamp current_watermark() const = 0;
  virtual Timestamp current_processing_time() const = 0;
  virtual const Value& current_key() const = 0;  ///< null on unkeyed streams
  virtual TimeDomain time_domain() const = 0;    ///< in on_timer
  virtual void register_timer(TimeDomain domain, Timestamp time) = 0;
  virtual void delete_timer(TimeDomain domain, Timestamp time) = 0;
};

/// ProcessFunction, KeyedProcessFunction, CoProcessFunction, KeyedCoProcessFunction and the
/// broadcast variants: `input` tells the stream.
class ProcessFunction : public UserFunction {
 public:
  virtual void process_element(Value&& value,
                               int input,
                               ProcessContext& context,
                               Collector& out) = 0;
  virtual void on_timer(Timestamp time, ProcessContext& context, Collector& out) = 0;
};

class KeySelector : public UserFunction {
 public:
  virtual Value key_of(const Value& value) = 0;
  /// Key columns when the key is just a field of a typed row (native path), else -1.
  virtual int field_index() const { return -1; }
  /// Native records are keyed a batch at a time.
  virtual bool takes_batches() const { return field_index() >= 0 && !uses_host(); }
  /// Called while the exception of a key that cannot be encoded is handled: throws it on, saying
  /// whose key it was.
  [[noreturn]] virtual void refuse_key() { throw; }
};

/// partition_custom.
class PartitionFunction : public UserFunction {
 public:
  virtual int partition(const Value& key, int num_partitions) = 0;
};

class TimestampAssigner : public UserFunction {
 public:
  virtual Timestamp extract_timestamp(const Value& value, Timestamp record_timestamp) = 0;
  /// The timestamps of all rows at once; false: this one is asked row by row.
  virtual bool extract_timestamps(const Batch& /*batch*/, std::vector<Timestamp>& /*out*/) {
    return false;
  }
};

/// Watermark generation; one instance per split (sources) or subtask.
class WatermarkGenerator {
 public:
  virtual ~WatermarkGenerator() = default;
  /// Returns a watermark to emit right after this record, or kMinWatermark for none.
  virtual Timestamp on_event(const Value& value, Timestamp timestamp) = 0;
  /// Called on the auto-watermark interval; the watermark to emit, or kMinWatermark.
  virtual Timestamp on_periodic() = 0;
  virtual bool uses_host() const { return false; }
  /// True when on_event never returns a watermark and only needs timestamps: lets native sources
  /// feed whole batches by on_batch().
  virtual bool is_periodic_only() const { return false; }
  virtual void on_batch(Timestamp /*max_timestamp*/) {}
  /// Asked after on_event and on_periodic: the generator has declared itself idle
  /// (WatermarkOutput.markIdle) and holds nobody back until it says otherwise or emits a watermark.
  virtual bool is_idle() const { return false; }
};

/// What window functions get.
class WindowFunctionContext {
 public:
  virtual ~WindowFunctionContext() = default;
  virtual const Value& current_key() const = 0;
  virtual const Window& window() const = 0;
  /// Session-like windows: per-window state is not allowed, since the window may still become
  /// another one.
  virtual bool is_merging() const { return false; }
  virtual Timestamp current_watermark() const = 0;
  virtual Timestamp current_processing_time() const = 0;
  /// State of this key and window (`window_state`) or this key (`global_state`).
  virtual KeyedStateBackend& state_backend() = 0;
};

/// ProcessWindowFunction, WindowFunction and their window_all forms.
class WindowFunction : public UserFunction {
 public:
  virtual void process(WindowFunctionContext& context,
                       std::vector<Value> elements,
                       Collector& out) = 0;
  /// The window is being removed: clear what `window_state` holds.
  virtual void clear(WindowFunctionContext& /*context*/) {}
};

}  // namespace flott
