#pragma once

#include "operators/functions.h"
#include "runtime/operator.h"

#include <memory>

namespace flott {

/// One value out for each value in; timestamp, row kind and key stay.
std::unique_ptr<Operator> make_map_operator(std::unique_ptr<MapFunction> function);

}  // namespace flott
