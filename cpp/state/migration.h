#pragma once

#include "types/logical_type.h"
#include "types/value.h"

#include <string_view>

namespace flott {

/// Whether stored values of one type can become values of another, as a state's type may change
/// between two runs of a program: rows by the names of their fields, of which some may be new
/// (null, or zero where null is not allowed) and some gone, but not all; integers, floating-point
/// numbers, decimals, strings and timestamps of a wider type; NOT NULL that is given up; the same
/// within arrays, maps, tuples and rows. More than Flink's row serializer does, which takes the
/// same type only.
bool can_migrate(const LogicalType& stored, const LogicalType& declared);

/// What to do about a state that cannot.
inline constexpr std::string_view kHowToChangeState =
    "declare it as it was stored, or give the new state another name (fields of rows may be added, "
    "removed and widened, as INT to BIGINT, FLOAT to DOUBLE; nothing else may change)";

/// Whether values have to be changed for it, or are the same in both types.
bool needs_migration(const LogicalType& stored, const LogicalType& declared);

/// A value of `stored` as one of `declared`; can_migrate() holds.
Value migrate(const Value& value, const LogicalType& stored, const LogicalTypePtr& declared);

}  // namespace flott
