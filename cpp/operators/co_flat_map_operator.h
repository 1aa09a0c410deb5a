#pragma once

#include "operators/functions.h"
#include "runtime/operator.h"

#include <memory>

namespace flott {

/// Map and flat-map of two connected streams: the function learns which input a value came from.
/// On keyed inputs both streams share the function's keyed state.
std::unique_ptr<Operator> make_co_flat_map_operator(std::unique_ptr<CoFlatMapFunction> function);

}  // namespace flott
