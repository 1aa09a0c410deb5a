#pragma once

#include "operators/field_aggregation.h"
#include "runtime/operator.h"

#include <memory>

namespace flott {

/// Rolling sum / min / max / min_by / max_by of a keyed stream over native values; emits as
/// make_reduce_operator does, and keeps its state under the same name.
std::unique_ptr<Operator> make_aggregation_operator(
    Aggregation aggregation,
    FieldSelector field,
    LogicalTypePtr value_type = LogicalType::object());

}  // namespace flott
