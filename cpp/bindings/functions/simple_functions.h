#pragma once

#include "bindings/functions/emit_results.h"
#include "bindings/functions/function_object.h"
#include "operators/functions.h"
#include "runtime/partitioner.h"
#include "state/state.h"
#include "windows/assigner.h"

#include <memory>

namespace flott::bindings {

/// Python implementations of the engine's function interfaces, one instance a subtask. Made and
/// called with the GIL held; each caches the bound method it calls. A function is either an object
/// with Flink's method or a plain callable.

std::unique_ptr<MapFunction> make_map_function(const FunctionSpec& spec);
std::unique_ptr<FilterFunction> make_filter_function(const FunctionSpec& spec);
std::unique_ptr<FlatMapFunction> make_flat_map_function(const FunctionSpec& spec,
                                                        std::shared_ptr<const SideOutputs> sides);
/// map1 / map2: exactly one result, or none if it is None.
std::unique_ptr<CoFlatMapFunction> make_co_map_function(const FunctionSpec& spec);
std::unique_ptr<CoFlatMapFunction> make_co_flat_map_function(
    const FunctionSpec& spec, std::shared_ptr<const SideOutputs> sides);
/// `key_type` may be null; `field` >= 0: that field of each record is the key.
std::unique_ptr<KeySelector> make_key_selector(const FunctionSpec& spec,
                                               LogicalTypePtr key_type,
                                               int field);
/// partition_custom: the partitioner's partition(key, n) over the selected key; a null
/// `key_selector` stands for the record itself.
std::unique_ptr<CustomPartitioner> make_custom_partitioner(PyObject* partitioner,
                                                           PyObject* key_selector);
std::unique_ptr<TimestampAssigner> make_timestamp_assigner(const FunctionSpec& spec);
std::unique_ptr<SessionGapExtractor> make_session_gap_extractor(PyObject* extractor);

/// A reduce or aggregate with its life cycle: both views are one object.
struct ReduceParts {
  std::shared_ptr<ReduceFunction> function;
  UserFunction* life_cycle = nullptr;
};
ReduceParts make_reduce_function(const FunctionSpec& spec);
struct AggregateParts {
  std::shared_ptr<AggregateFunction> function;
  UserFunction* life_cycle = nullptr;
};
AggregateParts make_aggregate_function(const FunctionSpec& spec, LogicalTypePtr accumulator_type);

}  // namespace flott::bindings
