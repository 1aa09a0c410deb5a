#pragma once

#include "bindings/functions/function_object.h"
#include "graph/stream_graph.h"
#include "operators/field_aggregates.h"
#include "operators/field_condition.h"
#include "windows/assigner.h"
#include "windows/trigger.h"

#include <functional>
#include <memory>
#include <vector>

namespace flott::bindings {

/// The tuples of _native.pyi (assigner, trigger, evictor, WatermarkSpec) -> factories that make one
/// engine object a subtask. Parsed once, when the node is added: a wrong spec fails there.

struct AssignerSpec {
  std::function<std::unique_ptr<WindowAssigner>(const OperatorScopePtr&)> make;
  bool is_python = false;
  bool is_merging = false;
  bool needs_scope = false;  ///< uses the scope though it is native
};
AssignerSpec parse_assigner(PyObject* spec);

struct TriggerSpec {
  std::function<std::unique_ptr<Trigger>(const OperatorScopePtr&)> make;
  bool is_python = false;
};
TriggerSpec parse_trigger(PyObject* spec);

struct EvictorSpec {
  std::function<std::unique_ptr<Evictor>()> make;  ///< may be empty: none
  bool is_python = false;
};
EvictorSpec parse_evictor(PyObject* spec_or_null);

/// `none_or_null` gives an empty strategy.
struct WatermarkSpec {
  WatermarkStrategy strategy;
  bool uses_host = false;
};
WatermarkSpec parse_watermarks(PyObject* spec_or_null, const FunctionSpec& base);

/// (how, field) of each aggregate that FieldAggregates lowers to.
std::vector<FieldAggregate> parse_field_aggregates(PyObject* spec);

/// The nested tuples that a Condition of pyflink.datastream.expressions lowers to.
FieldCondition parse_condition(PyObject* spec);

}  // namespace flott::bindings
