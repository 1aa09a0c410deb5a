#pragma once

#include "runtime/operator.h"
#include "types/logical_type.h"

#include <memory>

namespace flott {

/// Makes every value one of `target`: opaque host objects become typed native values, native ones
/// are coerced (types/value.h: coerce). Batches leave as batches of `target`. With an opaque
/// `target`, native values become host objects, described by `source`. A value that does not fit
/// is a kUserCode error that shows it.
std::unique_ptr<Operator> make_convert_operator(LogicalTypePtr target,
                                                LogicalTypePtr source = LogicalType::object());

}  // namespace flott
