#include "types/value.h"

#include "base/error.h"
#include "types/batch.h"
#include "types/decimal.h"

#include <algorithm>
#include <cmath>

namespace flott {

// ---- counting ----

void Value::retain_node() {
  if (kind_ == ValueKind::kBatchRow) {
    intrusive_ptr_add_ref(&as_batch());
  } else {
    node()->refs.fetch_add(1, std::memory_order_relaxed);
  }
}

void Value::release_node() {
  if (kind_ == ValueKind::kBatchRow) {
    intrusive_ptr_release(&as_batch());
    return;
  }
  ValueNode* const n = node();
  // The sole owner needs no atomic write: nobody else can take a reference any more.
  if (n->refs.load(std::memory_order_acquire) == 1 ||
      n->refs.fetch_sub(1, std::memory_order_acq_rel) == 1) {
    delete n;
  }
}

// ---- making ----

Value Value::decimal(__int128 unscaled, int scale) {
  if (scale < 0 || scale > kMaxDecimalDigits || decimal_digits(unscaled) > kMaxDecimalDigits) {
    throw_error(
        ErrorKind::kInvalidArgument,
        "a decimal has at most 38 digits and a scale of 0 to 38; this one has {} digits, scale {}",
        decimal_digits(unscaled),
        scale);
  }
  auto* const node = new DecimalNode;
  node->unscaled = unscaled;
  node->scale = scale;
  return node_value(ValueKind::kDecimal, node);
}

Value Value::row(std::vector<Value> fields, LogicalTypePtr type, RowKind kind) {
  auto* const node = new RowNode;
  node->kind = kind;
  node->type = std::move(type);
  node->fields = std::move(fields);
  return node_value(ValueKind::kRow, node);
}

Value Value::array(std::vector<Value> items) {
  auto* const node = new ArrayNode;
  node->items = std::move(items);
  return node_value(ValueKind::kArray, node);
}

Value Value::map(std::vector<std::pair<Value, Value>> entries) {
  auto* const node = new MapNode;
  node->entries = std::move(entries);
  return node_value(ValueKind::kMap, node);
}

Value Value::batch_row(const Batch& batch, std::uint32_t row) {
  Value out;
  out.kind_ = ValueKind::kBatchRow;
  out.aux_ = row;
  // Stored without const as the union has one pointer; as_batch() gives it back const.
  out.bits_.pointer = const_cast<Batch*>(&batch);
  intrusive_ptr_add_ref(&batch);
  return out;
}

// ---- parts ----

Value Value::field(std::size_t index) const {
  switch (kind_) {
    case ValueKind::kBatchRow:
      return as_batch().column(index).value_at(aux_);
    case ValueKind::kRow:
      STREAM_DCHECK(index < as_row().fields.size(), "field {} of {}", index, to_string());
      return as_row().fields[index];
    case ValueKind::kArray:
      STREAM_DCHECK(index < as_array().size(), "item {} of {}", index, to_string());
      return as_array()[index];
    default:
      throw_error(ErrorKind::kInternal, "value has no fields: {}", to_string());
  }
}

std::size_t Value::field_count() const {
  switch (kind_) {
    case ValueKind::kBatchRow:
      return as_batch().columns().size();
    case ValueKind::kRow:
      return as_row().fields.size();
    case ValueKind::kArray:
      return as_array().size();
    default:
      return 0;
  }
}

Value Value::detached() const {
  if (kind_ != ValueKind::kBatchRow) {
    return *this;
  }
  const Batch& batch = as_batch();
  std::vector<Value> fields;
  fields.reserve(batch.columns().size());
  for (const ColumnPtr& column : batch.columns()) {
    fields.push_back(column->value_at(aux_).detached());
  }
  return row(std::move(fields), batch.type(), batch.kind_at(aux_));
}

namespace {

/// True when something inside pins a batch or belongs to the host.
bool needs_isolation(const Value& v) {
  switch (v.kind()) {
    case ValueKind::kObject:
    case ValueKind::kBatchRow:
      return true;
    case ValueKind::kRow:
      return std::any_of(v.as_row().fields.begin(), v.as_row().fields.end(), needs_isolation);
    case ValueKind::kArray:
      return std::any_of(v.as_array().begin(), v.as_array().end(), needs_isolation);
    case ValueKind::kMap:
      return std::any_of(v.as_map().begin(), v.as_map().end(), [](const auto& entry) {
        return needs_isolation(entry.first) || needs_isolation(entry.second);
      });
    default:
      return false;
  }
}

std::vector<Value> isolated_all(const std::vector<Value>& values) {
  std::vector<Value> out;
  out.reserve(values.size());
  for (const Value& v : values) {
    out.push_back(v.isolated());
  }
  return out;
}

}  // namespace

std::vector<Value>& Value::own_items() {
  STREAM_DCHECK(kind_ == ValueKind::kArray || kind_ == ValueKind::kRow,
                "value has no items: {}",
                to_string());
  if (node()->refs.load(std::memory_order_acquire) != 1) {
    *this = kind_ == ValueKind::kArray ? array(as_array())
                                       : row(as_row().fields, as_row().type, as_row().kind);
  }
  return kind_ == ValueKind::kArray ? static_cast<ArrayNode*>(node())->items
                                    : static_cast<RowNode*>(node())->fields;
}

Value Value::isolated() const {
  switch (kind_) {
    case ValueKind::kObject:
      return adopt_object(require_host().isolate(bits_.pointer));
    case ValueKind::kBatchRow:
      return detached().isolated();
    case ValueKind::kRow:
      return needs_isolation(*this)
                 ? row(isolated_all(as_row().fields), as_row().type, as_row().kind)
                 : *this;
    case ValueKind::kArray:
      return needs_isolation(*this) ? array(isolated_all(as_array())) : *this;
    case ValueKind::kMap: {
      if (!needs_isolation(*this)) {
        return *this;
      }
      std::vector<std::pair<Value, Value>> entries;
      entries.reserve(as_map().size());
      for (const auto& [key, value] : as_map()) {
        entries.emplace_back(key.isolated(), value.isolated());
      }
      return map(std::move(entries));
    }
    default:
      return *this;
  }
}

LogicalTypePtr natural_type(const Value& value) {
  const auto first_type = [](const auto& range, auto&& project) {
    for (const auto& item : range) {
      if (!project(item).is_null()) {
        return natural_type(project(item));
      }
    }
    return LogicalType::of(TypeKind::kNull);
  };
  const auto itself = [](const Value& v) -> const Value& { return v; };
  switch (value.kind()) {
    case ValueKind::kNull:
      return LogicalType::of(TypeKind::kNull);
    case ValueKind::kBool:
      return LogicalType::of(TypeKind::kBoolean);
    case ValueKind::kInt:
      return LogicalType::of(TypeKind::kBigInt);
    case ValueKind::kDouble:
      return LogicalType::of(TypeKind::kDouble);
    case ValueKind::kDate:
      return LogicalType::of(TypeKind::kDate);
    case ValueKind::kTime:
      return LogicalType::temporal(TypeKind::kTime, 6);
    case ValueKind::kTimestamp:
      return LogicalType::temporal(TypeKind::kTimestamp, value.aux() != 0 ? 9 : 6);
    case ValueKind::kTimestampLtz:
      return LogicalType::temporal(TypeKind::kTimestampLtz, value.aux() != 0 ? 9 : 6);
    case ValueKind::kIntervalMonths:
      return LogicalType::of(TypeKind::kIntervalMonths);
    case ValueKind::kIntervalMillis:
      return LogicalType::of(TypeKind::kIntervalMillis);
    case ValueKind::kDecimal:
      return LogicalType::decimal(kMaxDecimalDigits, value.as_decimal().scale);
    case ValueKind::kString:
      return LogicalType::of(TypeKind::kString);
    case ValueKind::kBytes:
      return LogicalType::of(TypeKind::kBytes);
    case ValueKind::kArray:
      return LogicalType::array(first_type(value.as_array(), itself));
    case ValueKind::kMap:
      return LogicalType::map(
          first_type(value.as_map(), [](const auto& e) -> const Value& { return e.first; }),
          first_type(value.as_map(), [](const auto& e) -> const Value& { return e.second; }));
    case ValueKind::kBatchRow:
      return value.as_batch().type();
    case ValueKind::kRow: {
      if (value.as_row().type != nullptr) {
        return value.as_row().type;
      }
      std::vector<std::string> names;
      std::vector<LogicalTypePtr> types;
      for (const Value& field : value.as_row().fields) {
        names.push_back(fmt::format("f{}", names.size()));
        types.push_back(natural_type(field));
      }
      return LogicalType::row(std::move(names), std::move(types));
    }
    case ValueKind::kObject:
      return LogicalType::object();
  }
  return LogicalType::object();
}

// ---- comparing ----

namespace {

bool is_number(ValueKind kind) {
  return kind == ValueKind::kBool || kind == ValueKind::kInt || kind == ValueKind::kDouble ||
         kind == ValueKind::kDecimal;
}

bool is_row(ValueKind kind) {
  return kind == ValueKind::kRow || kind == ValueKind::kBatchRow;
}

/// A tuple may be an array or a row of a tuple type.
bool is_tuple_row(const Value& v) {
  if (v.kind() == ValueKind::kBatchRow) {
    return v.as_batch().type()->kind() == TypeKind::kTuple;
  }
  return v.kind() == ValueKind::kRow && v.as_row().type != nullptr &&
         v.as_row().type->kind() == TypeKind::kTuple;
}

RowKind row_kind(const Value& v) {
  return v.kind() == ValueKind::kBatchRow ? v.as_batch().kind_at(v.aux()) : v.as_row().kind;
}

int sign_of(bool less, bool greater) {
  return less ? -1 : greater ? 1 : 0;
}

/// Exact; `i` against a double that is no NaN.
int compare_int_double(std::int64_t i, double d) {
  if (d >= 9223372036854775808.0) {
    return -1;
  }
  if (d < -9223372036854775808.0) {
    return 1;
  }
  const double whole = std::trunc(d);
  const auto w = static_cast<std::int64_t>(whole);
  if (i != w) {
    return i < w ? -1 : 1;
  }
  return sign_of(whole<d, whole> d);
}

int compare_decimal_double(const DecimalNode& a, double d) {
  if (const auto exact = decimal_as_exact_double(a.unscaled, a.scale)) {
    return sign_of(*exact<d, *exact> d);
  }
  // Not equal to any double; only on which side it lies is left. Where the nearest double is `d`
  // itself, 113 bits decide.
  const double nearest = decimal_to_double(a.unscaled, a.scale);
  if (nearest != d) {
    return nearest < d ? -1 : 1;
  }
  const __float128 wide =
      static_cast<__float128>(a.unscaled) / static_cast<__float128>(pow10_int128(a.scale));
  return wide < static_cast<__float128>(d) ? -1 : 1;
}

/// Total order of numbers: NaN last and equal to itself, -0.0 equal to 0.
int compare_numbers(const Value& a, const Value& b) {
  const bool double_a = a.kind() == ValueKind::kDouble;
  const bool double_b = b.kind() == ValueKind::kDouble;
  const bool nan_a = double_a && std::isnan(a.as_double());
  const bool nan_b = double_b && std::isnan(b.as_double());
  if (nan_a || nan_b) {
    return sign_of(nan_b && !nan_a, nan_a && !nan_b);
  }
  if (double_a && double_b) {
    return sign_of(a.as_double() < b.as_double(), a.as_double() > b.as_double());
  }
  if (double_b) {
    return a.kind() == ValueKind::kDecimal ? compare_decimal_double(a.as_decimal(), b.as_double())
                                           : compare_int_double(a.as_int(), b.as_double());
  }
  if (double_a) {
    return -compare_numbers(b, a);
  }
  const auto as_decimal = [](const Value& v) {
    return v.kind() == ValueKind::kDecimal ? Decimal{v.as_decimal().unscaled, v.as_decimal().scale}
                                           : Decimal{v.as_int(), 0};
  };
  if (a.kind() == ValueKind::kDecimal || b.kind() == ValueKind::kDecimal) {
    return compare_decimals(as_decimal(a), as_decimal(b));
  }
  return sign_of(a.as_int() < b.as_int(), a.as_int() > b.as_int());
}

/// The host's object for any value, for comparisons with opaque ones.
Value as_host_object(const Value& v) {
  if (v.is_object()) {
    return v;
  }
  return Value::adopt_object(require_host().to_object(v, *natural_type(v)));
}

/// Python's dict equality: same keys with equal values in any order.
bool maps_equal(const std::vector<std::pair<Value, Value>>& a,
                const std::vector<std::pair<Value, Value>>& b) {
  if (a.size() != b.size()) {
    return false;
  }
  for (std::size_t i = 0; i < a.size(); ++i) {
    if (a[i].first == b[i].first) {  // the usual case: the same order
      if (!(a[i].second == b[i].second)) {
        return false;
      }
      continue;
    }
    const auto found = std::find_if(
        b.begin(), b.end(), [&](const auto& entry) { return entry.first == a[i].first; });
    if (found == b.end() || !(found->second == a[i].second)) {
      return false;
    }
  }
  return true;
}

bool is_instant(ValueKind kind) {
  return kind == ValueKind::kTimestamp || kind == ValueKind::kTimestampLtz;
}

}  // namespace

bool Value::operator==(const Value& other) const {
  if (is_number(kind_) && is_number(other.kind_)) {
    return compare_numbers(*this, other) == 0;
  }
  if (kind_ == ValueKind::kObject || other.kind_ == ValueKind::kObject) {
    if (kind_ == other.kind_) {
      return bits_.pointer == other.bits_.pointer ||
             require_host().equal(bits_.pointer, other.bits_.pointer);
    }
    if (is_null() || other.is_null()) {
      return false;  // a host's None is a null Value, never an object
    }
    const HostScope scope;
    const Value a = as_host_object(*this);
    const Value b = as_host_object(other);
    return require_host().equal(a.as_object(), b.as_object());
  }
  if ((is_row(kind_) && is_row(other.kind_)) ||
      (kind_ == ValueKind::kArray && other.kind_ == ValueKind::kArray) ||
      (kind_ == ValueKind::kArray && is_tuple_row(other)) ||
      (is_tuple_row(*this) && other.kind_ == ValueKind::kArray)) {
    if (kind_ == other.kind_ && bits_.pointer == other.bits_.pointer && aux_ == other.aux_) {
      return true;
    }
    if (is_row(kind_) && is_row(other.kind_) && row_kind(*this) != row_kind(other)) {
      return false;
    }
    const std::size_t count = field_count();
    if (count != other.field_count()) {
      return false;
    }
    for (std::size_t i = 0; i < count; ++i) {
      if (!(field(i) == other.field(i))) {
        return false;
      }
    }
    return true;
  }
  if (kind_ != other.kind_) {
    return false;
  }
  switch (kind_) {
    case ValueKind::kNull:
      return true;
    case ValueKind::kString:
    case ValueKind::kBytes:
      return as_string() == other.as_string();
    case ValueKind::kMap:
      return maps_equal(as_map(), other.as_map());
    default:
      return bits_.integer == other.bits_.integer && (!is_instant(kind_) || aux_ == other.aux_);
  }
}

bool Value::less(const Value& a, const Value& b) {
  if (a.is_null() || b.is_null()) {
    return a.is_null() && !b.is_null();
  }
  if (is_number(a.kind_) && is_number(b.kind_)) {
    return compare_numbers(a, b) < 0;
  }
  if (a.is_object() || b.is_object()) {
    const HostScope scope;
    const Value x = as_host_object(a);
    const Value y = as_host_object(b);
    return require_host().less(x.as_object(), y.as_object());
  }
  const auto sequence = [](ValueKind kind) { return is_row(kind) || kind == ValueKind::kArray; };
  if (sequence(a.kind_) && sequence(b.kind_)) {
    const std::size_t count_a = a.field_count();
    const std::size_t count_b = b.field_count();
    for (std::size_t i = 0; i < count_a && i < count_b; ++i) {
      const Value x = a.field(i);
      const Value y = b.field(i);
      if (less(x, y)) {
        return true;
      }
      if (less(y, x)) {
        return false;
      }
    }
    return count_a < count_b;
  }
  if (is_instant(a.kind_) && is_instant(b.kind_)) {
    return a.as_int() != b.as_int() ? a.as_int() < b.as_int() : a.aux_ < b.aux_;
  }
  if (a.kind_ == b.kind_) {
    switch (a.kind_) {
      case ValueKind::kString:
      case ValueKind::kBytes:
        return a.as_string() < b.as_string();
      case ValueKind::kDate:
      case ValueKind::kTime:
      case ValueKind::kIntervalMonths:
      case ValueKind::kIntervalMillis:
        return a.as_int() < b.as_int();
      default:
        break;
    }
  }
  throw_error(ErrorKind::kUserCode,
              "values have no order: {} and {}; compare values of one kind",
              a.to_string(),
              b.to_string());
}

std::size_t Value::size_hint() const {
  constexpr std::size_t kSelf = sizeof(Value);
  const auto sum = [](const std::vector<Value>& values) {
    std::size_t bytes = 0;
    for (const Value& v : values) {
      bytes += v.size_hint();
    }
    return bytes;
  };
  switch (kind_) {
    case ValueKind::kString:
    case ValueKind::kBytes:
      return kSelf + sizeof(StringNode) + as_string().capacity();
    case ValueKind::kDecimal:
      return kSelf + sizeof(DecimalNode);
    case ValueKind::kRow:
      return kSelf + sizeof(RowNode) + sum(as_row().fields);
    case ValueKind::kArray:
      return kSelf + sizeof(ArrayNode) + sum(as_array());
    case ValueKind::kMap: {
      std::size_t bytes = kSelf + sizeof(MapNode);
      for (const auto& [key, value] : as_map()) {
        bytes += key.size_hint() + value.size_hint();
      }
      return bytes;
    }
    case ValueKind::kObject:
      return kSelf + require_host().size_hint(bits_.pointer);
    case ValueKind::kBatchRow: {
      const Batch& batch = as_batch();
      return kSelf + batch.size_bytes() /
                         static_cast<std::size_t>(std::max<std::int64_t>(1, batch.num_rows()));
    }
    default:
      return kSelf;
  }
}

}  // namespace flott
