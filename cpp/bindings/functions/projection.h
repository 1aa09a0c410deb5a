#pragma once

#include "operators/functions.h"
#include "types/logical_type.h"

#include <memory>
#include <vector>

namespace flott::bindings {

/// DataStream.project() over Python's tuples and rows, without a call into Python: a tuple of a
/// kTuple `type`, a named Row of a kRow one. Native records stay native.
std::unique_ptr<MapFunction> make_projection(std::vector<int> fields, LogicalTypePtr type);

}  // namespace flott::bindings
