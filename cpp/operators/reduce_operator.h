#pragma once

#include "operators/functions.h"
#include "runtime/operator.h"
#include "state/state.h"

#include <memory>

namespace flott {

/// Rolling reduce of a keyed stream; the value so far is ValueState "_reduce_state". In STREAMING
/// mode each record emits the new value with the record's timestamp; in BATCH mode only the final
/// value of each key is emitted, with the maximum timestamp, before the last watermark goes on.
///
/// `function` is also opened and closed when it is a UserFunction given as `life_cycle` (borrowed,
/// may be null; usually the same object).
std::unique_ptr<Operator> make_reduce_operator(std::shared_ptr<ReduceFunction> function,
                                               UserFunction* life_cycle = nullptr,
                                               LogicalTypePtr value_type = LogicalType::object());

}  // namespace flott
