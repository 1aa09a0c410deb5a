#pragma once

#include "operators/functions.h"

#include <memory>

namespace flott {

/// The event timestamp is field `index` of a typed row, an integer of milliseconds: read from the
/// column, without the host. A null field is an error, as None is of a Python assigner.
std::unique_ptr<TimestampAssigner> make_field_timestamp_assigner(int index);

}  // namespace flott
