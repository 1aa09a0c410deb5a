#include "state/migration.h"

#include <algorithm>
#include <cstddef>
#include <utility>
#include <vector>

namespace flott {
namespace {

bool is_integer(TypeKind kind) {
  return kind >= TypeKind::kTinyInt && kind <= TypeKind::kBigInt;
}

/// Numbers whose every value the other type has, too.
bool widens(const LogicalType& stored, const LogicalType& declared) {
  if (is_integer(stored.kind())) {
    switch (declared.kind()) {
      case TypeKind::kFloat:  // 24 bits
        return stored.kind() <= TypeKind::kSmallInt;
      case TypeKind::kDouble:  // 53 bits
        return stored.kind() <= TypeKind::kInt;
      default:
        return is_integer(declared.kind()) && stored.kind() <= declared.kind();
    }
  }
  return stored.kind() == TypeKind::kFloat && declared.kind() == TypeKind::kDouble;
}

bool rows_migrate(const LogicalType& stored, const LogicalType& declared) {
  bool any_common = false;
  for (std::size_t i = 0; i < declared.children().size(); ++i) {
    const int from = stored.field_index(declared.field_names()[i]);
    if (from >= 0) {
      any_common = true;
      const LogicalType& before = *stored.children()[static_cast<std::size_t>(from)];
      if (!can_migrate(before, *declared.children()[i])) {
        return false;
      }
    }
  }
  // Nothing in common: another row, or all fields renamed. Either way everything would be lost.
  return any_common;
}

bool same_children(const LogicalType& stored,
                   const LogicalType& declared,
                   bool (*fits)(const LogicalType&, const LogicalType&)) {
  return stored.children().size() == declared.children().size() &&
         std::equal(stored.children().begin(),
                    stored.children().end(),
                    declared.children().begin(),
                    [&](const auto& a, const auto& b) { return fits(*a, *b); });
}

/// What a field holds that was not stored.
Value initial_value(const LogicalType& type) {
  if (type.nullable()) {
    return {};
  }
  switch (type.kind()) {
    case TypeKind::kBoolean:
      return Value::boolean(false);
    case TypeKind::kTinyInt:
    case TypeKind::kSmallInt:
    case TypeKind::kInt:
    case TypeKind::kBigInt:
      return Value::integer(0);
    case TypeKind::kFloat:
    case TypeKind::kDouble:
      return Value::real(0.0);
    case TypeKind::kString:
      return Value::string("");
    case TypeKind::kArray:
      return Value::array({});
    case TypeKind::kMap:
    case TypeKind::kMultiset:
      return Value::map({});
    default:
      return {};
  }
}

}  // namespace

bool can_migrate(const LogicalType& stored, const LogicalType& declared) {
  if (stored == declared) {
    return true;
  }
  if (stored.nullable() && !declared.nullable()) {
    return false;
  }
  if (stored.kind() != declared.kind()) {
    return widens(stored, declared);
  }
  switch (stored.kind()) {
    case TypeKind::kDecimal:
      return stored.scale() == declared.scale() && stored.precision() <= declared.precision();
    case TypeKind::kString:
    case TypeKind::kBytes:
      return !stored.fixed_length() && !declared.fixed_length() &&
             (declared.length() < 0 ||
              (stored.length() >= 0 && stored.length() <= declared.length()));
    case TypeKind::kTime:
    case TypeKind::kTimestamp:
    case TypeKind::kTimestampLtz:
      return stored.precision() <= declared.precision();
    case TypeKind::kArray:
    case TypeKind::kTuple:
      return same_children(stored, declared, can_migrate);
    case TypeKind::kMap:
      // Keys stay what they are: two that were different must not become equal.
      return !needs_migration(*stored.children()[0], *declared.children()[0]) &&
             can_migrate(*stored.children()[0], *declared.children()[0]) &&
             can_migrate(*stored.children()[1], *declared.children()[1]);
    case TypeKind::kRow:
      return rows_migrate(stored, declared);
    default:
      // Only NOT NULL differs, if anything.
      return *stored.with_nullable(true) == *declared.with_nullable(true);
  }
}

bool needs_migration(const LogicalType& stored, const LogicalType& declared) {
  if (stored == declared) {
    return false;
  }
  if (is_integer(stored.kind())) {
    return !is_integer(declared.kind());
  }
  if (stored.kind() == TypeKind::kRow) {
    return true;  // a row of values that stay the same has another type itself
  }
  return stored.kind() == declared.kind() && !stored.children().empty() &&
         !same_children(stored, declared, [](const LogicalType& a, const LogicalType& b) {
           return !needs_migration(a, b);
         });
}

Value migrate(const Value& value, const LogicalType& stored, const LogicalTypePtr& declared) {
  if (value.is_null() || stored == *declared) {
    return value;
  }
  const LogicalType& to = *declared;
  const auto child = [&](const Value& part, std::size_t from, std::size_t at) {
    return migrate(part, *stored.children()[from], to.children()[at]);
  };
  if (value.kind() == ValueKind::kInt && is_integer(stored.kind()) && !is_integer(to.kind())) {
    return Value::real(static_cast<double>(value.as_int()));
  }
  switch (value.kind()) {
    case ValueKind::kRow: {
      const RowNode& row = value.as_row();
      if (row.fields.size() != stored.children().size() || to.children().empty()) {
        return value;
      }
      const bool by_position = stored.kind() == TypeKind::kTuple;
      std::vector<Value> fields;
      fields.reserve(to.children().size());
      for (std::size_t i = 0; i < to.children().size(); ++i) {
        const int from =
            by_position ? static_cast<int>(i) : stored.field_index(to.field_names()[i]);
        const auto at = static_cast<std::size_t>(from);
        fields.push_back(from >= 0 ? child(row.fields[at], at, i)
                                   : initial_value(*to.children()[i]));
      }
      return Value::row(std::move(fields), row.type != nullptr ? declared : nullptr, row.kind);
    }
    case ValueKind::kArray: {
      // A tuple's fields are an array, too.
      const bool tuple = stored.kind() == TypeKind::kTuple;
      std::vector<Value> items;
      items.reserve(value.as_array().size());
      for (std::size_t i = 0; i < value.as_array().size(); ++i) {
        const std::size_t at = tuple ? i : 0;
        items.push_back(at < to.children().size() ? child(value.as_array()[i], at, at)
                                                  : value.as_array()[i]);
      }
      return Value::array(std::move(items));
    }
    case ValueKind::kMap: {
      if (stored.kind() != TypeKind::kMap) {
        return value;
      }
      std::vector<std::pair<Value, Value>> entries;
      entries.reserve(value.as_map().size());
      for (const auto& [key, item] : value.as_map()) {
        entries.emplace_back(key, child(item, 1, 1));
      }
      return Value::map(std::move(entries));
    }
    default:
      return value;
  }
}

}  // namespace flott
