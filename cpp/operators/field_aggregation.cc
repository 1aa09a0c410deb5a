#include "operators/field_aggregation.h"

#include "base/error.h"
#include "types/batch.h"

#include <algorithm>
#include <cstdint>
#include <utility>
#include <vector>

namespace flott {
namespace {

std::string_view name_of(Aggregation aggregation) {
  switch (aggregation) {
    case Aggregation::kSum:
      return "sum";
    case Aggregation::kMin:
      return "min";
    case Aggregation::kMax:
      return "max";
    case Aggregation::kMinBy:
      return "min_by";
    case Aggregation::kMaxBy:
      return "max_by";
  }
  return "?";
}

bool has_fields(const Value& value) {
  return value.kind() == ValueKind::kRow || value.kind() == ValueKind::kArray ||
         value.kind() == ValueKind::kBatchRow;
}

/// The row type of a value that has one, else null.
const LogicalType* row_type(const Value& value) {
  if (value.kind() == ValueKind::kRow) {
    return value.as_row().type.get();
  }
  return value.kind() == ValueKind::kBatchRow ? value.as_batch().type().get() : nullptr;
}

bool is_number(const Value& value) {
  return value.kind() == ValueKind::kInt || value.kind() == ValueKind::kDouble ||
         value.kind() == ValueKind::kBool;
}

double to_double(const Value& value) {
  return value.kind() == ValueKind::kDouble ? value.as_double()
                                            : static_cast<double>(value.as_int());
}

__int128 power_of_ten(int exponent) {
  __int128 power = 1;
  for (int i = 0; i < exponent; ++i) {
    power *= 10;
  }
  return power;
}

/// A number as a decimal of at least the given scale.
__int128 unscaled_at(const Value& value, int scale) {
  if (value.kind() == ValueKind::kDecimal) {
    const DecimalNode& decimal = value.as_decimal();
    return decimal.unscaled * power_of_ten(scale - decimal.scale);
  }
  return static_cast<__int128>(value.as_int()) * power_of_ten(scale);
}

Value add_decimals(const Value& a, const Value& b) {
  const auto scale_of = [](const Value& v) {
    return v.kind() == ValueKind::kDecimal ? v.as_decimal().scale : 0;
  };
  const int scale = std::max(scale_of(a), scale_of(b));
  return Value::decimal(unscaled_at(a, scale) + unscaled_at(b, scale), scale);
}

/// `record` with one field replaced; batch rows become rows of their own.
Value with_field(const Value& record, std::size_t index, Value field) {
  if (record.kind() == ValueKind::kArray) {
    std::vector<Value> items = record.as_array();
    items[index] = std::move(field);
    return Value::array(std::move(items));
  }
  const Value own = record.isolated();
  const RowNode& row = own.as_row();
  std::vector<Value> fields = row.fields;
  fields[index] = std::move(field);
  return Value::row(std::move(fields), row.type, row.kind);
}

class FieldAggregation final : public ReduceFunction {
 public:
  FieldAggregation(Aggregation aggregation, FieldSelector field)
      : aggregation_(aggregation), field_(std::move(field)) {}

  Value reduce(const Value& accumulated, const Value& value) override {
    if (!has_fields(accumulated)) {
      check_plain(accumulated);
      return combine(accumulated, value, accumulated, value, [](Value v) { return v; });
    }
    const std::size_t index = index_in(accumulated);
    check_has(value, index);
    return combine(accumulated, value, accumulated.field(index), value.field(index), [&](Value v) {
      return with_field(accumulated, index, std::move(v));
    });
  }

 private:
  /// `replace` makes the result record out of a new field.
  template <typename Replace>
  Value combine(const Value& accumulated,
                const Value& value,
                const Value& a,
                const Value& b,
                Replace replace) const {
    switch (aggregation_) {
      case Aggregation::kSum:
        return replace(add_values(a, b));
      case Aggregation::kMin:
        return Value::less(b, a) ? replace(b) : accumulated;
      case Aggregation::kMax:
        return Value::less(a, b) ? replace(b) : accumulated;
      case Aggregation::kMinBy:
        return Value::less(b, a) ? value : accumulated;
      case Aggregation::kMaxBy:
        return Value::less(a, b) ? value : accumulated;
    }
    return accumulated;
  }

  void check_plain(const Value& value) const {
    if (value.is_object()) {
      throw_error(ErrorKind::kUserCode,
                  "{}() cannot look into the value {}; declare the stream's type, or use reduce()",
                  name_of(aggregation_),
                  value.to_string());
    }
    if (field_.index != 0 || !field_.name.empty()) {
      throw_error(ErrorKind::kUserCode,
                  "{}() of field {}: the value {} has no fields",
                  name_of(aggregation_),
                  field_text(),
                  value.to_string());
    }
  }

  std::size_t index_in(const Value& record) const {
    int index = field_.index;
    if (!field_.name.empty()) {
      const LogicalType* type = row_type(record);
      index = type == nullptr ? -1 : type->field_index(field_.name);
    }
    if (index < 0) {
      no_such_field(record);
    }
    check_has(record, static_cast<std::size_t>(index));
    return static_cast<std::size_t>(index);
  }

  void check_has(const Value& record, std::size_t index) const {
    if (!has_fields(record) || index >= record.field_count()) {
      no_such_field(record);
    }
  }

  [[noreturn]] void no_such_field(const Value& record) const {
    throw_error(ErrorKind::kUserCode,
                "{}() of field {}: the record {} has no such field",
                name_of(aggregation_),
                field_text(),
                record.to_string());
  }

  std::string field_text() const {
    return field_.name.empty() ? fmt::format("{}", field_.index) : fmt::format("'{}'", field_.name);
  }

  Aggregation aggregation_;
  FieldSelector field_;
};

}  // namespace

Value add_values(const Value& a, const Value& b) {
  if (a.kind() == ValueKind::kString && b.kind() == ValueKind::kString) {
    return Value::string(a.as_string() + b.as_string());
  }
  const bool decimals = a.kind() == ValueKind::kDecimal || b.kind() == ValueKind::kDecimal;
  const auto exact = [](const Value& v) {
    return v.kind() == ValueKind::kDecimal || v.kind() == ValueKind::kInt;
  };
  if (decimals && exact(a) && exact(b)) {
    return add_decimals(a, b);
  }
  if (!is_number(a) || !is_number(b)) {
    throw_error(ErrorKind::kUserCode, "cannot add {} and {}", a.to_string(), b.to_string());
  }
  if (a.kind() == ValueKind::kDouble || b.kind() == ValueKind::kDouble) {
    return Value::real(to_double(a) + to_double(b));
  }
  // Unsigned arithmetic wraps around without undefined behaviour.
  return Value::integer(static_cast<std::int64_t>(static_cast<std::uint64_t>(a.as_int()) +
                                                  static_cast<std::uint64_t>(b.as_int())));
}

std::unique_ptr<ReduceFunction> make_field_aggregation(Aggregation aggregation,
                                                       FieldSelector field) {
  return std::make_unique<FieldAggregation>(aggregation, std::move(field));
}

}  // namespace flott
