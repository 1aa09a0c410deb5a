#pragma once

#include "operators/functions.h"
#include "runtime/operator.h"

#include <memory>

namespace flott {

/// Passes the records for which the function is true, unchanged.
std::unique_ptr<Operator> make_filter_operator(std::unique_ptr<FilterFunction> function);

}  // namespace flott
