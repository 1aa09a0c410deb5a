#pragma once

#include "operators/functions.h"
#include "runtime/operator.h"

#include <memory>

namespace flott {

/// Any number of values out for each value in; each carries the timestamp, row kind and key of its
/// input. Values collected to a side output likewise.
std::unique_ptr<Operator> make_flat_map_operator(std::unique_ptr<FlatMapFunction> function);

}  // namespace flott
