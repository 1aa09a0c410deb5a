#pragma once

#include "bindings/functions/function_object.h"
#include "bindings/functions/simple_functions.h"
#include "operators/field_aggregation.h"

namespace flott::bindings {

/// sum / min / max / min_by / max_by over Python values: rows, tuples and lists by position, rows
/// by name, plain numbers and strings. Native records go to the engine's own
/// make_field_aggregation.
ReduceParts make_python_aggregation(Aggregation aggregation,
                                    FieldSelector field,
                                    const LogicalTypePtr& type);

}  // namespace flott::bindings
