#pragma once

#include "runtime/operator.h"
#include "types/logical_type.h"

#include <memory>
#include <vector>

namespace flott {

/// Some fields of rows or tuples, in the order given: a batch leaves with these columns, shared
/// with the one that came. `output_type` is the composite of exactly these fields. Timestamps, row
/// kinds and keys stay. A record without one of the fields is a kUserCode error that shows it.
std::unique_ptr<Operator> make_project_operator(std::vector<int> fields,
                                                LogicalTypePtr output_type);

/// The projection of one native record.
Value project(const Value& record, const std::vector<int>& fields, const LogicalTypePtr& type);

}  // namespace flott
