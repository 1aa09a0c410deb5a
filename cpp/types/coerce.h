#pragma once

#include "base/error.h"
#include "types/decimal.h"
#include "types/logical_type.h"
#include "types/value.h"

#include <cstdint>
#include <string>

namespace flott {

/// The scalar parts of coerce() (types/value.h): a native, non-null Value as what a column of the
/// type stores. All throw kUserCode with value and type when it does not fit.

bool coerce_bool(const Value& value, const LogicalType& type);
/// kTinyInt .. kBigInt; wraps to the width as Flink's serializers do.
std::int64_t coerce_int(const Value& value, const LogicalType& type);
/// kFloat is rounded to single precision.
double coerce_double(const Value& value, const LogicalType& type);
int128 coerce_decimal(const Value& value, const LogicalType& type);
/// kString and kBytes; no length is enforced.
const std::string& coerce_text(const Value& value, const LogicalType& type);
/// Temporal kinds and intervals, in the unit of the column; fractional seconds beyond the precision
/// of a timestamp are cut off.
std::int64_t coerce_temporal(const Value& value, const LogicalType& type);
/// The other way: what a temporal or interval column stores, as a Value.
Value temporal_value(std::int64_t stored, const LogicalType& type);

/// `v` cut to the width of an integer type.
std::int64_t wrap_int(std::int64_t v, TypeKind kind);

/// Position of each field of `type` in a row value: by name when the row's own type has all the
/// names in another order, else by position. Throws kUserCode when the field counts differ.
class FieldMapping {
 public:
  FieldMapping(const Value& row, const LogicalType& type);
  std::size_t operator[](std::size_t i) const { return order_.empty() ? i : order_[i]; }

 private:
  std::vector<std::size_t> order_;
};

/// True for what has fields by position: rows, batch rows, arrays.
bool has_fields(const Value& value);

/// The value of a text key in a map, null when it has none: a map as a row.
Value map_field(const Value& map, std::string_view name);

[[noreturn]] void throw_does_not_fit(const Value& value,
                                     const LogicalType& type,
                                     std::string_view hint = {});
/// Rethrows an Error with the name of the field in front.
[[noreturn]] void rethrow_for_field(const Error& error, const LogicalType& row, std::size_t field);

}  // namespace flott
