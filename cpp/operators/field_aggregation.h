#pragma once

#include "state/state.h"
#include "types/value.h"

#include <memory>
#include <string>

namespace flott {

enum class Aggregation { kSum, kMin, kMax, kMinBy, kMaxBy };

/// Where an aggregation looks: a position, or a field name of rows. On values that have no fields
/// (numbers, strings) position 0 is the value itself.
struct FieldSelector {
  int index = 0;
  std::string name;  ///< wins over `index` when not empty

  static FieldSelector at(int index) { return {index, {}}; }
  static FieldSelector named(std::string name) { return {0, std::move(name)}; }
};

/// sum / min / max / min_by / max_by as a reduce function over native values: rows, tuples and
/// arrays, batch rows, numbers, strings. sum, min and max keep the first record and replace only
/// the field; min_by and max_by return a whole record, the earlier one on ties. Integers add with
/// wrap-around at 64 bits, decimals exactly, strings by concatenation, mixed numbers as doubles.
///
/// Throws kUserCode, showing field and value, when a value has no such field, when two values
/// cannot be added or compared, or for opaque values (those are the host's to aggregate).
std::unique_ptr<ReduceFunction> make_field_aggregation(Aggregation aggregation,
                                                       FieldSelector field);

/// `a + b` of two native values, as `sum` adds them.
Value add_values(const Value& a, const Value& b);

}  // namespace flott
