#include "types/coerce.h"

#include "types/batch.h"

#include <algorithm>
#include <cmath>

namespace flott {

namespace {

constexpr std::int64_t kMicrosPerDay = 86'400'000'000;
constexpr std::size_t kShownCharacters = 200;

std::string shown(const Value& value) {
  std::string text = value.to_string();
  if (text.size() > kShownCharacters) {
    text.resize(kShownCharacters);
    while (!text.empty() && (static_cast<unsigned char>(text.back()) & 0xC0) == 0x80) {
      text.pop_back();
    }
    if (!text.empty() && static_cast<unsigned char>(text.back()) >= 0xC0) {
      text.pop_back();
    }
    text += "...";
  }
  return text;
}

std::int64_t floor_div(std::int64_t a, std::int64_t b) {
  const std::int64_t q = a / b;
  return (a % b != 0 && (a < 0) != (b < 0)) ? q - 1 : q;
}

std::int64_t pow10_int64(int n) {
  std::int64_t p = 1;
  while (n-- > 0) {
    p *= 10;
  }
  return p;
}

}  // namespace

void throw_does_not_fit(const Value& value, const LogicalType& type, std::string_view hint) {
  throw_error(ErrorKind::kUserCode,
              "value {} does not fit the type {}{}{}",
              shown(value),
              type.to_string(),
              hint.empty() ? "" : ": ",
              hint);
}

void rethrow_for_field(const Error& error, const LogicalType& row, std::size_t field) {
  // Nested rows read like a path: "field 'a': field 'b': value ...".
  const std::string name =
      field < row.field_names().size() ? row.field_names()[field] : std::to_string(field);
  throw Error(error.kind(),
              fmt::format("field '{}': {}", name, error.what()),
              error.retryable() ? Retryable::kYes : Retryable::kNo);
}

bool coerce_bool(const Value& value, const LogicalType& type) {
  if (value.kind() == ValueKind::kBool || value.kind() == ValueKind::kInt) {
    return value.as_int() != 0;
  }
  throw_does_not_fit(value, type);
}

std::int64_t wrap_int(std::int64_t v, TypeKind kind) {
  switch (kind) {
    case TypeKind::kTinyInt:
      return static_cast<std::int8_t>(v);
    case TypeKind::kSmallInt:
      return static_cast<std::int16_t>(v);
    case TypeKind::kInt:
      return static_cast<std::int32_t>(v);
    default:
      return v;
  }
}

std::int64_t coerce_int(const Value& value, const LogicalType& type) {
  switch (value.kind()) {
    case ValueKind::kBool:
    case ValueKind::kInt:
      return wrap_int(value.as_int(), type.kind());
    case ValueKind::kDouble: {
      const double d = value.as_double();
      if (d >= -9223372036854775808.0 && d < 9223372036854775808.0 && std::trunc(d) == d) {
        return wrap_int(static_cast<std::int64_t>(d), type.kind());
      }
      throw_does_not_fit(value, type, "it is no integer; round it first");
    }
    case ValueKind::kDecimal: {
      const Decimal d = normalized({value.as_decimal().unscaled, value.as_decimal().scale});
      if (d.scale != 0) {
        throw_does_not_fit(value, type, "it is no integer; round it first");
      }
      return wrap_int(static_cast<std::int64_t>(static_cast<std::uint64_t>(d.unscaled)),
                      type.kind());
    }
    default:
      throw_does_not_fit(value, type);
  }
}

double coerce_double(const Value& value, const LogicalType& type) {
  double d = 0;
  switch (value.kind()) {
    case ValueKind::kDouble:
      d = value.as_double();
      break;
    case ValueKind::kBool:
    case ValueKind::kInt:
      d = static_cast<double>(value.as_int());
      break;
    case ValueKind::kDecimal:
      d = decimal_to_double(value.as_decimal().unscaled, value.as_decimal().scale);
      break;
    default:
      throw_does_not_fit(value, type);
  }
  return type.kind() == TypeKind::kFloat ? static_cast<double>(static_cast<float>(d)) : d;
}

int128 coerce_decimal(const Value& value, const LogicalType& type) {
  Decimal d;
  switch (value.kind()) {
    case ValueKind::kDecimal:
      d = {value.as_decimal().unscaled, value.as_decimal().scale};
      break;
    case ValueKind::kBool:
    case ValueKind::kInt:
      d = {value.as_int(), 0};
      break;
    case ValueKind::kDouble: {
      const auto parsed = decimal_from_double(value.as_double());
      if (!parsed) {
        throw_does_not_fit(value, type);
      }
      d = *parsed;
      break;
    }
    default:
      throw_does_not_fit(value, type);
  }
  const auto rescaled = rescale_decimal(d.unscaled, d.scale, type.scale());
  if (!rescaled || decimal_digits(*rescaled) > type.precision()) {
    throw_does_not_fit(value, type, "it has too many digits before the decimal point");
  }
  return *rescaled;
}

const std::string& coerce_text(const Value& value, const LogicalType& type) {
  const ValueKind wanted =
      type.kind() == TypeKind::kString ? ValueKind::kString : ValueKind::kBytes;
  if (value.kind() != wanted) {
    throw_does_not_fit(value, type);
  }
  return value.as_string();
}

std::int64_t coerce_temporal(const Value& value, const LogicalType& type) {
  const ValueKind kind = value.kind();
  switch (type.kind()) {
    case TypeKind::kDate:
      if (kind == ValueKind::kDate) {
        return value.as_int();
      }
      break;
    case TypeKind::kTime:
      if (kind == ValueKind::kTime) {
        if (value.as_int() < 0 || value.as_int() >= kMicrosPerDay) {
          throw_does_not_fit(value, type, "a time lies between 00:00 and 24:00");
        }
        return value.as_int();
      }
      break;
    case TypeKind::kTimestamp:
    case TypeKind::kTimestampLtz:
      if (kind == ValueKind::kTimestamp || kind == ValueKind::kTimestampLtz) {
        const std::int64_t micros = value.as_int();
        if (type.precision() == 6) {
          return micros;
        }
        if (type.precision() < 6) {
          const std::int64_t unit = pow10_int64(6 - type.precision());
          return micros - (micros - floor_div(micros, unit) * unit);
        }
        std::int64_t nanos = 0;
        if (__builtin_mul_overflow(micros, std::int64_t{1000}, &nanos) ||
            __builtin_add_overflow(nanos, static_cast<std::int64_t>(value.aux()), &nanos)) {
          throw_does_not_fit(
              value,
              type,
              "nanoseconds reach from 1677 to 2262 only; use a precision of at most 6");
        }
        const std::int64_t unit = pow10_int64(9 - type.precision());
        return unit == 1 ? nanos : nanos - (nanos - floor_div(nanos, unit) * unit);
      }
      break;
    case TypeKind::kIntervalMonths:
      if (kind == ValueKind::kIntervalMonths || kind == ValueKind::kInt) {
        return value.as_int();
      }
      break;
    case TypeKind::kIntervalMillis:
      if (kind == ValueKind::kIntervalMillis || kind == ValueKind::kInt) {
        return value.as_int();
      }
      break;
    default:
      break;
  }
  throw_does_not_fit(value, type);
}

Value temporal_value(std::int64_t stored, const LogicalType& type) {
  switch (type.kind()) {
    case TypeKind::kDate:
      return Value::date(static_cast<std::int32_t>(stored));
    case TypeKind::kTime:
      return Value::time(stored);
    case TypeKind::kTimestamp:
    case TypeKind::kTimestampLtz: {
      std::int64_t micros = stored;
      std::uint32_t nanos = 0;
      if (type.precision() > 6) {
        micros = floor_div(stored, 1000);
        nanos = static_cast<std::uint32_t>(stored - micros * 1000);
      }
      return type.kind() == TypeKind::kTimestamp ? Value::timestamp(micros, nanos)
                                                 : Value::timestamp_ltz(micros, nanos);
    }
    case TypeKind::kIntervalMonths:
      return Value::interval_months(stored);
    default:
      return Value::interval_millis(stored);
  }
}

bool has_fields(const Value& value) {
  return value.kind() == ValueKind::kBatchRow || value.kind() == ValueKind::kRow ||
         value.kind() == ValueKind::kArray;
}

FieldMapping::FieldMapping(const Value& row, const LogicalType& type) {
  const std::size_t wanted = type.children().size();
  const LogicalType* own = nullptr;
  if (row.kind() == ValueKind::kBatchRow) {
    own = row.as_batch().type().get();
  } else if (row.kind() == ValueKind::kRow) {
    own = row.as_row().type.get();
  }
  if (own != nullptr && own != &type && type.kind() == TypeKind::kRow &&
      own->kind() == TypeKind::kRow && own->field_names() != type.field_names()) {
    for (const std::string& name : type.field_names()) {
      const int index = own->field_index(name);
      if (index < 0) {
        order_.clear();
        break;
      }
      order_.push_back(static_cast<std::size_t>(index));
    }
    if (!order_.empty()) {
      return;
    }
  }
  if (row.field_count() != wanted) {
    throw_does_not_fit(
        row, type, fmt::format("it has {} fields, the type has {}", row.field_count(), wanted));
  }
}

Value coerce(const Value& value, const LogicalType& type) {
  if (value.is_null()) {
    if (!type.nullable()) {
      throw_error(ErrorKind::kUserCode,
                  "null does not fit the type {}; declare it nullable",
                  type.to_string());
    }
    return {};
  }
  if (type.kind() == TypeKind::kObject) {
    return value.detached();
  }
  if (value.is_object()) {
    const Value native = require_host().to_native(value.as_object(), type);
    STREAM_CHECK(!native.is_object(), "the host did not convert a value to {}", type.to_string());
    return coerce(native, type);
  }
  switch (type.kind()) {
    case TypeKind::kObject:
      return value;
    case TypeKind::kNull:
      throw_does_not_fit(value, type);
    case TypeKind::kBoolean:
      return Value::boolean(coerce_bool(value, type));
    case TypeKind::kTinyInt:
    case TypeKind::kSmallInt:
    case TypeKind::kInt:
    case TypeKind::kBigInt:
      return Value::integer(coerce_int(value, type));
    case TypeKind::kFloat:
    case TypeKind::kDouble:
      return Value::real(coerce_double(value, type));
    case TypeKind::kDecimal:
      return Value::decimal(coerce_decimal(value, type), type.scale());
    case TypeKind::kString:
    case TypeKind::kBytes:
      coerce_text(value, type);
      return value;
    case TypeKind::kDate:
    case TypeKind::kTime:
    case TypeKind::kTimestamp:
    case TypeKind::kTimestampLtz:
    case TypeKind::kIntervalMonths:
    case TypeKind::kIntervalMillis:
      return temporal_value(coerce_temporal(value, type), type);
    case TypeKind::kArray: {
      if (!has_fields(value)) {
        throw_does_not_fit(value, type);
      }
      std::vector<Value> items;
      const std::size_t count = value.field_count();
      items.reserve(count);
      for (std::size_t i = 0; i < count; ++i) {
        items.push_back(coerce(value.field(i), *type.children()[0]));
      }
      return Value::array(std::move(items));
    }
    case TypeKind::kMap:
    case TypeKind::kMultiset: {
      if (value.kind() != ValueKind::kMap) {
        throw_does_not_fit(value, type);
      }
      const LogicalTypePtr count_type = LogicalType::of(TypeKind::kBigInt, false);
      const LogicalType& value_type =
          type.kind() == TypeKind::kMap ? *type.children()[1] : *count_type;
      std::vector<std::pair<Value, Value>> entries;
      entries.reserve(value.as_map().size());
      for (const auto& [k, v] : value.as_map()) {
        entries.emplace_back(coerce(k, *type.children()[0]), coerce(v, value_type));
      }
      return Value::map(std::move(entries));
    }
    case TypeKind::kRow:
    case TypeKind::kTuple: {
      std::vector<Value> fields;
      fields.reserve(type.children().size());
      const auto add = [&](std::size_t i, const Value& field) {
        try {
          fields.push_back(coerce(field, *type.children()[i]));
        } catch (const Error& e) {
          rethrow_for_field(e, type, i);
        }
      };
      RowKind kind = RowKind::kInsert;
      if (value.kind() == ValueKind::kMap) {
        for (std::size_t i = 0; i < type.children().size(); ++i) {
          add(i, map_field(value, type.field_names()[i]));
        }
      } else if (has_fields(value)) {
        const FieldMapping mapping(value, type);
        for (std::size_t i = 0; i < type.children().size(); ++i) {
          add(i, value.field(mapping[i]));
        }
        if (value.kind() == ValueKind::kRow) {
          kind = value.as_row().kind;
        } else if (value.kind() == ValueKind::kBatchRow) {
          kind = value.as_batch().kind_at(value.aux());
        }
      } else {
        throw_does_not_fit(value, type);
      }
      return Value::row(std::move(fields), type.shared_from_this(), kind);
    }
  }
  throw_does_not_fit(value, type);
}

Value map_field(const Value& map, std::string_view name) {
  for (const auto& [key, value] : map.as_map()) {
    if (key.kind() == ValueKind::kString && key.as_string() == name) {
      return value;
    }
  }
  return {};
}

}  // namespace flott
