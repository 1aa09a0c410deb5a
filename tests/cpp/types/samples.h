#pragma once

#include "types/decimal.h"
#include "types/logical_type.h"
#include "types/value.h"

#include <cstdint>
#include <random>
#include <string>
#include <vector>

namespace flott {

/// One of each kind of type: what the round-trip tests walk over.
inline std::vector<LogicalTypePtr> sample_types() {
  using T = LogicalType;
  std::vector<LogicalTypePtr> out;
  for (const TypeKind kind : {TypeKind::kBoolean,
                              TypeKind::kTinyInt,
                              TypeKind::kSmallInt,
                              TypeKind::kInt,
                              TypeKind::kBigInt,
                              TypeKind::kFloat,
                              TypeKind::kDouble,
                              TypeKind::kString,
                              TypeKind::kBytes,
                              TypeKind::kDate,
                              TypeKind::kTime,
                              TypeKind::kTimestamp,
                              TypeKind::kTimestampLtz,
                              TypeKind::kIntervalMonths,
                              TypeKind::kIntervalMillis,
                              TypeKind::kNull}) {
    out.push_back(T::of(kind));
  }
  out.push_back(T::decimal(10, 2));
  out.push_back(T::decimal(38, 18));
  out.push_back(T::temporal(TypeKind::kTimestamp, 3));
  out.push_back(T::temporal(TypeKind::kTimestamp, 9));
  out.push_back(T::temporal(TypeKind::kTimestampLtz, 9));
  out.push_back(T::bounded(TypeKind::kString, 5, true));
  out.push_back(T::array(T::of(TypeKind::kInt)));
  out.push_back(T::array(T::array(T::of(TypeKind::kString))));
  out.push_back(T::map(T::of(TypeKind::kString, false), T::of(TypeKind::kDouble)));
  out.push_back(T::multiset(T::of(TypeKind::kString, false)));
  out.push_back(T::row({"a", "b"}, {T::of(TypeKind::kInt), T::of(TypeKind::kString)}));
  out.push_back(T::tuple({T::of(TypeKind::kString), T::array(T::of(TypeKind::kBoolean))}));
  out.push_back(T::array(T::row({"x"}, {T::map(T::of(TypeKind::kInt, false), T::decimal(5, 1))})));
  return out;
}

/// A random value that a column of `type` holds without change; sometimes null where allowed.
inline Value random_value(const LogicalType& type, std::mt19937_64& random, int null_percent = 20) {
  const auto below = [&](std::uint64_t n) { return random() % n; };
  if (type.kind() == TypeKind::kNull ||
      (type.nullable() && below(100) < static_cast<std::uint64_t>(null_percent))) {
    return {};
  }
  const auto text = [&] {
    std::string out(below(12), '\0');
    for (char& c : out) {
      c = static_cast<char>('a' + below(26));
    }
    return out;
  };
  const auto number = static_cast<std::int64_t>(random());
  switch (type.kind()) {
    case TypeKind::kBoolean:
      return Value::boolean(below(2) == 1);
    case TypeKind::kTinyInt:
      return Value::integer(static_cast<std::int8_t>(number));
    case TypeKind::kSmallInt:
      return Value::integer(static_cast<std::int16_t>(number));
    case TypeKind::kInt:
      return Value::integer(static_cast<std::int32_t>(number));
    case TypeKind::kBigInt:
      return Value::integer(number);
    case TypeKind::kFloat:
      return Value::real(static_cast<double>(static_cast<float>(number) / 7.0F));
    case TypeKind::kDouble:
      return Value::real(static_cast<double>(number) / 7.0);
    case TypeKind::kDecimal: {
      int128 v = static_cast<int128>(number) * static_cast<std::int32_t>(random());
      return Value::decimal(v % pow10_int128(type.precision()), type.scale());
    }
    case TypeKind::kString:
      return Value::string(text());
    case TypeKind::kBytes:
      return Value::bytes(text() + '\0' + '\xff');
    case TypeKind::kDate:
      return Value::date(static_cast<std::int32_t>(number));
    case TypeKind::kTime:
      return Value::time(static_cast<std::int64_t>(below(86'400'000'000)));
    case TypeKind::kTimestamp:
    case TypeKind::kTimestampLtz: {
      std::int64_t micros = number % 4'000'000'000'000'000;
      std::uint32_t nanos = 0;
      if (type.precision() == 3) {
        micros -= micros % 1000;
      } else if (type.precision() > 6) {
        nanos = static_cast<std::uint32_t>(below(1000));
      }
      return type.kind() == TypeKind::kTimestamp ? Value::timestamp(micros, nanos)
                                                 : Value::timestamp_ltz(micros, nanos);
    }
    case TypeKind::kIntervalMonths:
      return Value::interval_months(static_cast<std::int32_t>(number));
    case TypeKind::kIntervalMillis:
      return Value::interval_millis(number);
    case TypeKind::kArray: {
      std::vector<Value> items;
      for (std::uint64_t n = below(4); n > 0; --n) {
        items.push_back(random_value(*type.children()[0], random, null_percent));
      }
      return Value::array(std::move(items));
    }
    case TypeKind::kMap:
    case TypeKind::kMultiset: {
      std::vector<std::pair<Value, Value>> entries;
      for (std::uint64_t n = below(3); n > 0; --n) {
        Value key = random_value(*type.children()[0], random, 0);
        bool known = false;
        for (const auto& entry : entries) {
          known = known || entry.first == key;
        }
        if (!known) {
          entries.emplace_back(std::move(key),
                               type.kind() == TypeKind::kMap
                                   ? random_value(*type.children()[1], random, null_percent)
                                   : Value::integer(number));
        }
      }
      return Value::map(std::move(entries));
    }
    case TypeKind::kRow:
    case TypeKind::kTuple: {
      std::vector<Value> fields;
      for (const LogicalTypePtr& child : type.children()) {
        fields.push_back(random_value(*child, random, null_percent));
      }
      return Value::row(std::move(fields), type.shared_from_this());
    }
    default:
      return {};
  }
}

}  // namespace flott
