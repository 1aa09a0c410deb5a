#include "operators/field_condition.h"

#include "base/error.h"
#include "types/batch.h"

#include <algorithm>
#include <cmath>
#include <string>
#include <utility>

namespace flott {
namespace {

using Comparison = FieldCondition::Comparison;
using Kind = FieldCondition::Kind;

/// Doubles beyond this do not tell neighbouring integers apart.
constexpr std::int64_t kExactInDouble = std::int64_t{1} << 53;

template <typename T>
bool compare(const T& a, Comparison how, const T& b) {
  switch (how) {
    case Comparison::kEqual:
      return a == b;
    case Comparison::kNotEqual:
      return a != b;
    case Comparison::kLess:
      return a < b;
    case Comparison::kLessEqual:
      return a <= b;
    case Comparison::kGreater:
      return a > b;
    case Comparison::kGreaterEqual:
      return a >= b;
  }
  return false;
}

bool is_nan(const Value& value) {
  return value.kind() == ValueKind::kDouble && std::isnan(value.as_double());
}

bool compare_values(const Value& a, Comparison how, const Value& b) {
  const bool orders = how != Comparison::kEqual && how != Comparison::kNotEqual;
  if (a.is_null() || b.is_null()) {
    return !orders && (how == Comparison::kEqual) == (a.is_null() && b.is_null());
  }
  if (is_nan(a) || is_nan(b)) {
    return how == Comparison::kNotEqual;
  }
  switch (how) {
    case Comparison::kEqual:
      return a == b;
    case Comparison::kNotEqual:
      return !(a == b);
    case Comparison::kLess:
      return Value::less(a, b);
    case Comparison::kLessEqual:
      return !Value::less(b, a);
    case Comparison::kGreater:
      return Value::less(b, a);
    case Comparison::kGreaterEqual:
      return !Value::less(a, b);
  }
  return false;
}

bool is_in(const Value& value, const std::vector<Value>& values) {
  return std::any_of(values.begin(), values.end(), [&](const Value& candidate) {
    return compare_values(value, Comparison::kEqual, candidate);
  });
}

/// A field of a record, or the record itself.
Value field_of(const Value& record, int field) {
  if (field == FieldCondition::kWholeRecord) {
    return record;
  }
  const bool has_fields = record.kind() == ValueKind::kRow || record.kind() == ValueKind::kArray ||
                          record.kind() == ValueKind::kBatchRow;
  if (!has_fields || static_cast<std::size_t>(field) >= record.field_count()) {
    throw_error(ErrorKind::kUserCode,
                "a condition on field {}: the record {} has no such field",
                field,
                record.to_string());
  }
  return record.field(static_cast<std::size_t>(field));
}

const Column& column_of(const Batch& batch, int field) {
  const auto index =
      field == FieldCondition::kWholeRecord ? std::size_t{0} : static_cast<std::size_t>(field);
  STREAM_CHECK(index < batch.columns().size(),
               "a condition on field {} of a row of {} fields",
               field,
               batch.columns().size());
  return batch.column(index);
}

using Mask = std::vector<std::uint8_t>;

/// `test(row)` for each row that is not null, `null` for the others.
template <typename Test>
void fill(const Column& column, bool null, Mask& out, Test test) {
  const std::int64_t rows = column.length;
  if (!column.validity) {
    for (std::int64_t i = 0; i < rows; ++i) {
      out[static_cast<std::size_t>(i)] = test(i) ? 1 : 0;
    }
    return;
  }
  for (std::int64_t i = 0; i < rows; ++i) {
    out[static_cast<std::size_t>(i)] = (column.is_null(i) ? null : test(i)) ? 1 : 0;
  }
}

/// The comparison is chosen once and not a row.
template <typename T, typename At>
void compare_all(const Column& column, Comparison how, const T& constant, Mask& out, At at) {
  const bool null = how == Comparison::kNotEqual;
  switch (how) {
    case Comparison::kEqual:
      fill(column, null, out, [&](std::int64_t i) { return at(i) == constant; });
      return;
    case Comparison::kNotEqual:
      fill(column, null, out, [&](std::int64_t i) { return at(i) != constant; });
      return;
    case Comparison::kLess:
      fill(column, null, out, [&](std::int64_t i) { return at(i) < constant; });
      return;
    case Comparison::kLessEqual:
      fill(column, null, out, [&](std::int64_t i) { return at(i) <= constant; });
      return;
    case Comparison::kGreater:
      fill(column, null, out, [&](std::int64_t i) { return at(i) > constant; });
      return;
    case Comparison::kGreaterEqual:
      fill(column, null, out, [&](std::int64_t i) { return at(i) >= constant; });
      return;
  }
}

template <typename T>
void compare_integers(const Column& column, Comparison how, std::int64_t constant, Mask& out) {
  const T* data = column.data<T>();
  compare_all(column, how, constant, out, [data](std::int64_t i) {
    return static_cast<std::int64_t>(data[i]);
  });
}

template <typename T>
void compare_reals(const Column& column, Comparison how, double constant, Mask& out) {
  const T* data = column.data<T>();
  compare_all(
      column, how, constant, out, [data](std::int64_t i) { return static_cast<double>(data[i]); });
}

/// Whether there was a loop of its own for the column's kind.
bool compare_column(const Column& column, Comparison how, const Value& constant, Mask& out) {
  const bool is_int = constant.kind() == ValueKind::kInt;
  const bool is_small =
      is_int && constant.as_int() <= kExactInDouble && constant.as_int() >= -kExactInDouble;
  const double real = is_small ? static_cast<double>(constant.as_int())
                      : constant.kind() == ValueKind::kDouble ? constant.as_double()
                                                              : 0;
  switch (column.type->kind()) {
    case TypeKind::kTinyInt:
      if (is_int) {
        compare_integers<std::int8_t>(column, how, constant.as_int(), out);
      }
      return is_int;
    case TypeKind::kSmallInt:
      if (is_int) {
        compare_integers<std::int16_t>(column, how, constant.as_int(), out);
      }
      return is_int;
    case TypeKind::kInt:
      if (is_int) {
        compare_integers<std::int32_t>(column, how, constant.as_int(), out);
      }
      return is_int;
    case TypeKind::kBigInt:
      if (is_int) {
        compare_integers<std::int64_t>(column, how, constant.as_int(), out);
      }
      return is_int;
    case TypeKind::kFloat:
      if (is_small || constant.kind() == ValueKind::kDouble) {
        compare_reals<float>(column, how, real, out);
        return true;
      }
      return false;
    case TypeKind::kDouble:
      if (is_small || constant.kind() == ValueKind::kDouble) {
        compare_reals<double>(column, how, real, out);
        return true;
      }
      return false;
    case TypeKind::kString:
      if (constant.kind() == ValueKind::kString) {
        compare_all(column, how, std::string_view(constant.as_string()), out, [&](std::int64_t i) {
          return column.string_at(i);
        });
        return true;
      }
      return false;
    default:
      return false;
  }
}

class FieldFilterOperator final : public Operator {
 public:
  explicit FieldFilterOperator(FieldCondition condition) : condition_(std::move(condition)) {}

  Granularity granularity() const override { return Granularity::kBatch; }

  void open(OperatorContext& /*context*/) override {}

  void process(Record&& record, int /*input*/, Output& out) override {
    if (holds(condition_, record.value)) {
      out.emit(std::move(record));
    }
  }

  void process_batch(const BatchPtr& batch, int /*input*/, Output& out) override {
    evaluate(condition_, *batch, mask_);
    rows_.clear();
    for (std::size_t row = 0; row < mask_.size(); ++row) {
      if (mask_[row] != 0) {
        rows_.push_back(static_cast<std::uint32_t>(row));
      }
    }
    if (rows_.size() == mask_.size()) {
      out.emit_batch(batch);
    } else if (!rows_.empty()) {
      out.emit_batch(batch->take(rows_));
    }
  }

 private:
  FieldCondition condition_;
  Mask mask_;                        ///< reused
  std::vector<std::uint32_t> rows_;  ///< reused
};

}  // namespace

std::string_view text_of(FieldCondition::Comparison comparison) {
  switch (comparison) {
    case Comparison::kEqual:
      return "==";
    case Comparison::kNotEqual:
      return "!=";
    case Comparison::kLess:
      return "<";
    case Comparison::kLessEqual:
      return "<=";
    case Comparison::kGreater:
      return ">";
    case Comparison::kGreaterEqual:
      return ">=";
  }
  return "?";
}

bool holds(const FieldCondition& condition, const Value& record) {
  const auto child_holds = [&](const FieldCondition& child) { return holds(child, record); };
  const std::vector<FieldCondition>& children = condition.children;
  switch (condition.kind) {
    case Kind::kAnd:
      return std::all_of(children.begin(), children.end(), child_holds);
    case Kind::kOr:
      return std::any_of(children.begin(), children.end(), child_holds);
    case Kind::kNot:
      return !holds(children.front(), record);
    case Kind::kIsNull:
      return field_of(record, condition.field).is_null();
    case Kind::kIsTrue: {
      const Value value = field_of(record, condition.field);
      return !value.is_null() && value.as_bool();
    }
    case Kind::kIsIn:
      return is_in(field_of(record, condition.field), condition.values);
    case Kind::kCompare:
      return compare_values(field_of(record, condition.field),
                            condition.comparison,
                            condition.other_field == FieldCondition::kNoField
                                ? condition.values.front()
                                : field_of(record, condition.other_field));
  }
  return false;
}

void evaluate(const FieldCondition& condition, const Batch& batch, std::vector<std::uint8_t>& out) {
  const auto rows = static_cast<std::size_t>(batch.num_rows());
  out.assign(rows, 0);
  switch (condition.kind) {
    case Kind::kAnd:
    case Kind::kOr: {
      const bool all = condition.kind == Kind::kAnd;
      std::fill(out.begin(), out.end(), all ? 1 : 0);
      Mask other;
      for (const FieldCondition& child : condition.children) {
        evaluate(child, batch, other);
        for (std::size_t i = 0; i < rows; ++i) {
          out[i] = static_cast<std::uint8_t>(all ? out[i] & other[i] : out[i] | other[i]);
        }
      }
      return;
    }
    case Kind::kNot:
      evaluate(condition.children.front(), batch, out);
      for (std::uint8_t& bit : out) {
        bit ^= 1;
      }
      return;
    case Kind::kIsNull: {
      const Column& column = column_of(batch, condition.field);
      fill(column, true, out, [](std::int64_t) { return false; });
      return;
    }
    case Kind::kIsTrue: {
      const Column& column = column_of(batch, condition.field);
      fill(column, false, out, [&](std::int64_t i) { return column.bool_at(i); });
      return;
    }
    case Kind::kIsIn: {
      const Column& column = column_of(batch, condition.field);
      fill(column, false, out, [&](std::int64_t i) {
        return is_in(column.value_at(i), condition.values);
      });
      return;
    }
    case Kind::kCompare:
      break;
  }
  const Column& column = column_of(batch, condition.field);
  const Comparison how = condition.comparison;
  if (condition.other_field != FieldCondition::kNoField) {
    const Column& other = column_of(batch, condition.other_field);
    if (column.type->kind() == TypeKind::kBigInt && other.type->kind() == TypeKind::kBigInt &&
        !column.validity && !other.validity) {
      const auto* a = column.data<std::int64_t>();
      const auto* b = other.data<std::int64_t>();
      fill(column, false, out, [&](std::int64_t i) { return compare(a[i], how, b[i]); });
      return;
    }
    for (std::size_t i = 0; i < rows; ++i) {
      const auto row = static_cast<std::int64_t>(i);
      const bool both = compare_values(column.is_null(row) ? Value() : column.value_at(row),
                                       how,
                                       other.is_null(row) ? Value() : other.value_at(row));
      out[i] = both ? 1 : 0;
    }
    return;
  }
  const Value& constant = condition.values.front();
  if (!compare_column(column, how, constant, out)) {
    fill(column, how == Comparison::kNotEqual, out, [&](std::int64_t i) {
      return compare_values(column.value_at(i), how, constant);
    });
  }
}

std::unique_ptr<Operator> make_field_filter_operator(FieldCondition condition) {
  return std::make_unique<FieldFilterOperator>(std::move(condition));
}

}  // namespace flott
