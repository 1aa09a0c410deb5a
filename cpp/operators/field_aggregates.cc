#include "operators/field_aggregates.h"

#include "base/error.h"
#include "operators/field_aggregation.h"
#include "types/batch.h"

#include <utility>

namespace flott {
namespace {

using How = FieldAggregate::How;

/// The representation that a field's type is computed in.
enum class Domain : std::uint8_t {
  kNone,
  kInteger,
  kReal,
  kString,
  kOrdered,  ///< has an order, and no column access of its own here
};

Domain domain_of(const LogicalType& type) {
  switch (type.kind()) {
    case TypeKind::kTinyInt:
    case TypeKind::kSmallInt:
    case TypeKind::kInt:
    case TypeKind::kBigInt:
      return Domain::kInteger;
    case TypeKind::kFloat:
    case TypeKind::kDouble:
      return Domain::kReal;
    case TypeKind::kString:
      return Domain::kString;
    case TypeKind::kBoolean:
    case TypeKind::kDecimal:
    case TypeKind::kBytes:
    case TypeKind::kDate:
    case TypeKind::kTime:
    case TypeKind::kTimestamp:
    case TypeKind::kTimestampLtz:
    case TypeKind::kIntervalMonths:
    case TypeKind::kIntervalMillis:
      return Domain::kOrdered;
    default:
      return Domain::kNone;
  }
}

std::int64_t integer_at(const Column& column, std::int64_t row) {
  switch (column.type->kind()) {
    case TypeKind::kTinyInt:
      return column.data<std::int8_t>()[row];
    case TypeKind::kSmallInt:
      return column.data<std::int16_t>()[row];
    case TypeKind::kInt:
      return column.data<std::int32_t>()[row];
    default:
      return column.data<std::int64_t>()[row];
  }
}

double real_at(const Column& column, std::int64_t row) {
  return column.type->kind() == TypeKind::kFloat ? static_cast<double>(column.data<float>()[row])
                                                 : column.data<double>()[row];
}

std::int64_t wrapping_sum(std::int64_t a, std::int64_t b) {
  return static_cast<std::int64_t>(static_cast<std::uint64_t>(a) + static_cast<std::uint64_t>(b));
}

/// Value::less of two reals calls NaN the largest or not as it likes; here, as in Python, it is
/// neither less nor greater.
bool is_less(const Value& a, const Value& b) {
  return a.kind() == ValueKind::kDouble && b.kind() == ValueKind::kDouble
             ? a.as_double() < b.as_double()
             : Value::less(a, b);
}

void count_one(Value& item) {
  item = Value::integer(item.as_int() + 1);
}

void add_real(Value& item, double value) {
  item = Value::real(item.is_null() ? value : item.as_double() + value);
}

struct Part {
  How how;
  Domain domain;
  int field;
};

class FieldAggregates final : public InPlaceAggregateFunction {
 public:
  FieldAggregates(LogicalTypePtr input_type,
                  const std::vector<FieldAggregate>& aggregates,
                  LogicalTypePtr result_type)
      : input_type_(std::move(input_type)), result_type_(std::move(result_type)) {
    for (const FieldAggregate& aggregate : aggregates) {
      const Domain domain =
          aggregate.field < 0
              ? Domain::kNone
              : domain_of(*input_type_->children()[static_cast<std::size_t>(aggregate.field)]);
      parts_.push_back({aggregate.how, domain, aggregate.field});
    }
  }

  Value create_accumulator() override {
    std::vector<Value> items;
    items.reserve(parts_.size() + 1);
    for (const Part& part : parts_) {
      items.push_back(part.how == How::kCount ? Value::integer(0) : Value());
      if (part.how == How::kAvg) {
        items.push_back(Value::integer(0));
      }
    }
    // The first record is told by this one: its kFirst fields may be null.
    items.push_back(Value::boolean(false));
    return Value::array(std::move(items));
  }

  bool may_hold_objects() const override { return !input_type_->is_native(); }

  void add_in_place(const Value& value, Value& accumulator) override {
    if (value.is_object()) {
      const Value native = coerce(value, *input_type_);
      add_value(native, accumulator);
    } else {
      add_value(value, accumulator);
    }
  }

  void add_row(const Batch& batch, std::int64_t row, Value& accumulator) override {
    std::vector<Value>& items = accumulator.own_items();
    Value* item = items.data();
    Value& started = items.back();
    for (const Part& part : parts_) {
      if (part.field < 0) {
        count_one(*item++);
        continue;
      }
      const Column& column = batch.column(static_cast<std::size_t>(part.field));
      if (part.how == How::kFirst) {
        if (!started.as_bool()) {
          *item = column.value_at(row);
        }
        ++item;
        continue;
      }
      if (column.is_null(row)) {
        item += part.how == How::kAvg ? 2 : 1;
        continue;
      }
      item = add_valid(part, column, row, item);
    }
    started = Value::boolean(true);
  }

  Value get_result(const Value& accumulator) override {
    const std::vector<Value>& items = accumulator.as_array();
    const Value* item = items.data();
    std::vector<Value> fields;
    fields.reserve(parts_.size());
    for (const Part& part : parts_) {
      if (part.how == How::kAvg) {
        fields.push_back(item->is_null() ? Value()
                                         : Value::real(item->as_double() /
                                                       static_cast<double>(item[1].as_int())));
        item += 2;
      } else {
        fields.push_back(*item++);
      }
    }
    return Value::row(std::move(fields), result_type_);
  }

  Value merge(const Value& a, const Value& b) override {
    if (!b.as_array().back().as_bool()) {
      return a;
    }
    if (!a.as_array().back().as_bool()) {
      return b;
    }
    Value merged = a;
    Value* item = merged.own_items().data();
    const Value* other = b.as_array().data();
    for (const Part& part : parts_) {
      switch (part.how) {
        case How::kFirst:
          break;
        case How::kCount:
          *item = Value::integer(item->as_int() + other->as_int());
          break;
        case How::kAvg:
          if (!other->is_null()) {
            add_real(*item, other->as_double());
          }
          ++item;
          ++other;
          *item = Value::integer(item->as_int() + other->as_int());
          break;
        default:
          if (!other->is_null()) {
            combine(part, *other, *item);
          }
      }
      ++item;
      ++other;
    }
    return merged;
  }

 private:
  /// The part's item with a field that is not null in it; returns the next part's item.
  static Value* add_valid(const Part& part, const Column& column, std::int64_t row, Value* item) {
    switch (part.domain) {
      case Domain::kInteger:
        return add_integer(part.how, integer_at(column, row), item);
      case Domain::kReal:
        return add_double(part.how, real_at(column, row), item);
      case Domain::kString:
        if (part.how != How::kCount) {
          // Compared before it is copied.
          const std::string_view text = column.string_at(row);
          if (item->is_null() ||
              (part.how == How::kMin ? text < item->as_string() : text > item->as_string())) {
            *item = Value::string(std::string(text));
          }
          return item + 1;
        }
        break;
      default:
        if (part.how != How::kCount) {
          combine(part, column.value_at(row), *item);
          return item + 1;
        }
    }
    count_one(*item);
    return item + 1;
  }

  static Value* add_integer(How how, std::int64_t value, Value* item) {
    switch (how) {
      case How::kCount:
        count_one(*item);
        break;
      case How::kSum:
        *item = Value::integer(item->is_null() ? value : wrapping_sum(item->as_int(), value));
        break;
      case How::kMin:
        if (item->is_null() || value < item->as_int()) {
          *item = Value::integer(value);
        }
        break;
      case How::kMax:
        if (item->is_null() || value > item->as_int()) {
          *item = Value::integer(value);
        }
        break;
      case How::kAvg:
        add_real(*item++, static_cast<double>(value));
        count_one(*item);
        break;
      case How::kFirst:
        break;  // add_row's
    }
    return item + 1;
  }

  static Value* add_double(How how, double value, Value* item) {
    switch (how) {
      case How::kCount:
        count_one(*item);
        break;
      case How::kSum:
        add_real(*item, value);
        break;
      case How::kMin:
        if (item->is_null() || value < item->as_double()) {
          *item = Value::real(value);
        }
        break;
      case How::kMax:
        if (item->is_null() || value > item->as_double()) {
          *item = Value::real(value);
        }
        break;
      case How::kAvg:
        add_real(*item++, value);
        count_one(*item);
        break;
      case How::kFirst:
        break;  // add_row's
    }
    return item + 1;
  }

  /// kSum, kMin and kMax of any type; `value` is not null.
  static void combine(const Part& part, const Value& value, Value& item) {
    if (item.is_null()) {
      item = value;
    } else if (part.how == How::kSum) {
      item = add_values(item, value);
    } else if (part.how == How::kMin ? is_less(value, item) : is_less(item, value)) {
      item = value;
    }
  }

  void add_value(const Value& record, Value& accumulator) {
    if (record.field_count() != input_type_->children().size()) {
      throw_error(ErrorKind::kUserCode,
                  "FieldAggregates expects records of the type {}, got {}",
                  input_type_->to_string(),
                  record.to_string());
    }
    std::vector<Value>& items = accumulator.own_items();
    Value* item = items.data();
    Value& started = items.back();
    for (const Part& part : parts_) {
      if (part.field < 0) {
        count_one(*item++);
        continue;
      }
      const Value value = record.field(static_cast<std::size_t>(part.field));
      if (part.how == How::kFirst) {
        if (!started.as_bool()) {
          *item = value;
        }
      } else if (value.is_null()) {
        item += part.how == How::kAvg ? 1 : 0;
      } else if (part.how == How::kCount) {
        count_one(*item);
      } else if (part.how == How::kAvg) {
        add_real(*item++,
                 value.kind() == ValueKind::kDouble ? value.as_double()
                                                    : static_cast<double>(value.as_int()));
        count_one(*item);
      } else {
        combine(part, value, *item);
      }
      ++item;
    }
    started = Value::boolean(true);
  }

  const LogicalTypePtr input_type_;
  const LogicalTypePtr result_type_;
  std::vector<Part> parts_;
};

void check(const LogicalType& input_type, const std::vector<FieldAggregate>& aggregates) {
  if (!input_type.is_composite()) {
    throw_error(ErrorKind::kInvalidArgument,
                "FieldAggregates needs rows or tuples, not {}",
                input_type.to_string());
  }
  for (const FieldAggregate& aggregate : aggregates) {
    if (aggregate.field == FieldAggregate::kEveryRecord && aggregate.how == How::kCount) {
      continue;
    }
    if (aggregate.field < 0 || aggregate.field >= static_cast<int>(input_type.children().size())) {
      throw_error(ErrorKind::kInvalidArgument,
                  "FieldAggregates: {} of field {}: {} has no such field",
                  name_of(aggregate.how),
                  aggregate.field,
                  input_type.to_string());
    }
    const LogicalType& type = *input_type.children()[static_cast<std::size_t>(aggregate.field)];
    if (!takes_field_type(aggregate.how, type)) {
      throw_error(ErrorKind::kInvalidArgument,
                  "FieldAggregates: {} of field {} cannot take the type {}",
                  name_of(aggregate.how),
                  aggregate.field,
                  type.to_string());
    }
  }
}

}  // namespace

std::string_view name_of(FieldAggregate::How how) {
  switch (how) {
    case How::kFirst:
      return "first";
    case How::kCount:
      return "count";
    case How::kSum:
      return "sum";
    case How::kMin:
      return "min";
    case How::kMax:
      return "max";
    case How::kAvg:
      return "avg";
  }
  return "?";
}

bool takes_field_type(FieldAggregate::How how, const LogicalType& type) {
  const Domain domain = domain_of(type);
  switch (how) {
    case How::kFirst:
    case How::kCount:
      return type.is_native();
    case How::kSum:
      return domain == Domain::kInteger || domain == Domain::kReal ||
             type.kind() == TypeKind::kDecimal;
    case How::kAvg:
      return domain == Domain::kInteger || domain == Domain::kReal;
    case How::kMin:
    case How::kMax:
      return domain != Domain::kNone;
  }
  return false;
}

LogicalTypePtr field_accumulator_type(const LogicalType& input_type,
                                      const std::vector<FieldAggregate>& aggregates) {
  check(input_type, aggregates);
  std::vector<std::string> names;
  std::vector<LogicalTypePtr> types;
  for (const FieldAggregate& aggregate : aggregates) {
    names.push_back(fmt::format("{}_{}_{}", names.size(), name_of(aggregate.how), aggregate.field));
    types.push_back(aggregate.field < 0
                        ? LogicalType::of(TypeKind::kBigInt)
                        : input_type.children()[static_cast<std::size_t>(aggregate.field)]);
  }
  return LogicalType::row(std::move(names), std::move(types));
}

std::shared_ptr<InPlaceAggregateFunction> make_field_aggregates(
    LogicalTypePtr input_type,
    const std::vector<FieldAggregate>& aggregates,
    LogicalTypePtr result_type) {
  check(*input_type, aggregates);
  if (!result_type->is_composite() || result_type->children().size() != aggregates.size()) {
    throw_error(ErrorKind::kInvalidArgument,
                "FieldAggregates: {} results do not make a {}",
                aggregates.size(),
                result_type->to_string());
  }
  return std::make_shared<FieldAggregates>(
      std::move(input_type), aggregates, std::move(result_type));
}

}  // namespace flott
