#include "base/error.h"
#include "types/batch.h"
#include "types/coerce.h"
#include "types/decimal.h"

#include <algorithm>
#include <bit>
#include <limits>

namespace flott {

namespace {

constexpr std::size_t kSampleEvery = 64;

/// Bytes of a fixed-width entry; 0 for kinds without (and for bits).
std::size_t width_of(const LogicalType& type) {
  switch (type.kind()) {
    case TypeKind::kTinyInt:
      return 1;
    case TypeKind::kSmallInt:
      return 2;
    case TypeKind::kInt:
    case TypeKind::kFloat:
    case TypeKind::kDate:
      return 4;
    case TypeKind::kBigInt:
    case TypeKind::kDouble:
    case TypeKind::kTime:
    case TypeKind::kTimestamp:
    case TypeKind::kTimestampLtz:
    case TypeKind::kIntervalMonths:
    case TypeKind::kIntervalMillis:
      return 8;
    case TypeKind::kDecimal:
      return 16;
    default:
      return 0;
  }
}

bool has_offsets(TypeKind kind) {
  return kind == TypeKind::kString || kind == TypeKind::kBytes || kind == TypeKind::kArray ||
         kind == TypeKind::kMap || kind == TypeKind::kMultiset;
}

bool is_nested_list(TypeKind kind) {
  return kind == TypeKind::kArray || kind == TypeKind::kMap || kind == TypeKind::kMultiset;
}

std::size_t bit_bytes(std::int64_t bits) {
  return static_cast<std::size_t>((bits + 7) / 8);
}

/// Writes bit `index`, which is the last one or the next one.
void push_bit(ByteVector& bits, std::int64_t index, bool value) {
  const auto byte = static_cast<std::size_t>(index >> 3);
  if (byte == bits.size()) {
    bits.push<std::uint8_t>(0);
  }
  const auto mask = static_cast<std::uint8_t>(1U << (index & 7));
  bits[byte] = static_cast<std::uint8_t>(value ? bits[byte] | mask : bits[byte] & ~mask);
}

bool bit_at(const std::uint8_t* bits, std::int64_t i) {
  return (bits[i >> 3] >> (i & 7) & 1) != 0;
}

template <typename T>
T load(const Buffer& buffer, std::int64_t i) {
  // Imported buffers may be unaligned; a memcpy of fixed size is one load.
  T v;
  std::memcpy(&v, buffer.data() + static_cast<std::size_t>(i) * sizeof v, sizeof v);
  return v;
}

template <typename T>
Buffer gather(const Buffer& values, std::span<const std::uint32_t> rows) {
  ByteVector out;
  out.reserve(rows.size() * sizeof(T));
  for (const std::uint32_t row : rows) {
    out.push(load<T>(values, row));
  }
  return out.finish();
}

Buffer gather_bits(const Buffer& bits, std::span<const std::uint32_t> rows) {
  ByteVector out;
  out.append_filled(bit_bytes(static_cast<std::int64_t>(rows.size())), 0);
  for (std::size_t i = 0; i < rows.size(); ++i) {
    if (bit_at(bits.data(), rows[i])) {
      out[i >> 3] = static_cast<std::uint8_t>(out[i >> 3] | 1U << (i & 7));
    }
  }
  return out.finish();
}

/// Bits [begin, end), shared when they start at a byte.
Buffer slice_bits(const Buffer& bits, std::int64_t begin, std::int64_t end) {
  const std::size_t size = bit_bytes(end - begin);
  if ((begin & 7) == 0) {
    return bits.part(static_cast<std::size_t>(begin >> 3), size);
  }
  ByteVector out;
  out.append_filled(size, 0);
  for (std::int64_t i = begin; i < end; ++i) {
    if (bit_at(bits.data(), i)) {
      const auto to = static_cast<std::size_t>(i - begin);
      out[to >> 3] = static_cast<std::uint8_t>(out[to >> 3] | 1U << (to & 7));
    }
  }
  return out.finish();
}

std::int64_t count_nulls(const Column& column) {
  if (!column.validity) {
    return 0;
  }
  std::int64_t nulls = 0;
  for (std::int64_t i = 0; i < column.length; ++i) {
    nulls += column.is_null(i) ? 1 : 0;
  }
  return nulls;
}

void drop_validity_without_nulls(Column& column) {
  column.null_count = count_nulls(column);
  if (column.null_count == 0) {
    column.validity = nullptr;
  }
}

LogicalTypePtr multiset_count_type() {
  return LogicalType::of(TypeKind::kBigInt, false);
}

}  // namespace

// ---- reading ----

Value Column::value_at(std::int64_t i) const {
  STREAM_DCHECK(i >= 0 && i < length, "row {} of a column of {}", i, length);
  const TypeKind kind = type->kind();
  if (kind == TypeKind::kBigInt && !validity) {
    return Value::integer(load<std::int64_t>(values, i));
  }
  if (kind == TypeKind::kObject) {
    return objects[static_cast<std::size_t>(i)];
  }
  if (is_null(i)) {
    return {};
  }
  switch (kind) {
    case TypeKind::kObject:
    case TypeKind::kNull:
      return {};
    case TypeKind::kBoolean:
      return Value::boolean(bool_at(i));
    case TypeKind::kTinyInt:
      return Value::integer(load<std::int8_t>(values, i));
    case TypeKind::kSmallInt:
      return Value::integer(load<std::int16_t>(values, i));
    case TypeKind::kInt:
      return Value::integer(load<std::int32_t>(values, i));
    case TypeKind::kBigInt:
      return Value::integer(load<std::int64_t>(values, i));
    case TypeKind::kFloat:
      return Value::real(static_cast<double>(load<float>(values, i)));
    case TypeKind::kDouble:
      return Value::real(load<double>(values, i));
    case TypeKind::kDecimal:
      return Value::decimal(load<int128>(values, i), type->scale());
    case TypeKind::kString:
      return Value::string(std::string(string_at(i)));
    case TypeKind::kBytes:
      return Value::bytes(std::string(string_at(i)));
    case TypeKind::kDate:
      return Value::date(load<std::int32_t>(values, i));
    case TypeKind::kTime:
    case TypeKind::kTimestamp:
    case TypeKind::kTimestampLtz:
    case TypeKind::kIntervalMonths:
    case TypeKind::kIntervalMillis:
      return temporal_value(load<std::int64_t>(values, i), *type);
    case TypeKind::kArray: {
      const auto begin = load<std::int32_t>(offsets, i);
      const auto end = load<std::int32_t>(offsets, i + 1);
      std::vector<Value> items;
      items.reserve(static_cast<std::size_t>(end - begin));
      for (std::int32_t k = begin; k < end; ++k) {
        items.push_back(children[0]->value_at(k));
      }
      return Value::array(std::move(items));
    }
    case TypeKind::kMap:
    case TypeKind::kMultiset: {
      const auto begin = load<std::int32_t>(offsets, i);
      const auto end = load<std::int32_t>(offsets, i + 1);
      std::vector<std::pair<Value, Value>> entries;
      entries.reserve(static_cast<std::size_t>(end - begin));
      for (std::int32_t k = begin; k < end; ++k) {
        entries.emplace_back(children[0]->value_at(k), children[1]->value_at(k));
      }
      return Value::map(std::move(entries));
    }
    case TypeKind::kRow:
    case TypeKind::kTuple: {
      std::vector<Value> fields;
      fields.reserve(children.size());
      for (const auto& child : children) {
        fields.push_back(child->value_at(i));
      }
      return Value::row(std::move(fields), type);
    }
  }
  return {};
}

std::size_t Column::size_bytes() const {
  std::size_t bytes = sizeof(Column) + validity.size() + offsets.size() + object_bytes;
  if (!offsets || length == 0) {
    bytes += values.size();
    for (const auto& child : children) {
      bytes += child->size_bytes();
    }
    return bytes;
  }
  // A slice shares the data of its neighbours: count its own part.
  const auto used = static_cast<std::size_t>(load<std::int32_t>(offsets, length) -
                                             load<std::int32_t>(offsets, 0));
  if (values) {
    return bytes + used;
  }
  for (const auto& child : children) {
    const auto entries = static_cast<std::size_t>(std::max<std::int64_t>(1, child->length));
    bytes += child->size_bytes() * used / entries;
  }
  return bytes;
}

// ---- whole columns ----

ColumnPtr take_column(const Column& column, std::span<const std::uint32_t> rows) {
  auto out = std::make_shared<Column>();
  out->type = column.type;
  out->length = static_cast<std::int64_t>(rows.size());
  const TypeKind kind = column.type->kind();
  if (column.validity) {
    out->validity = gather_bits(column.validity, rows);
    if (kind == TypeKind::kNull) {
      out->null_count = out->length;
    } else {
      drop_validity_without_nulls(*out);
    }
  }
  if (kind == TypeKind::kObject) {
    const HostScope scope;
    out->objects.reserve(rows.size());
    for (const std::uint32_t row : rows) {
      out->objects.push_back(column.objects[row]);
    }
    out->object_bytes = column.length == 0 ? 0
                                           : column.object_bytes * rows.size() /
                                                 static_cast<std::size_t>(column.length);
  } else if (kind == TypeKind::kBoolean) {
    out->values = gather_bits(column.values, rows);
  } else if (kind == TypeKind::kString || kind == TypeKind::kBytes) {
    std::size_t total = 0;
    for (const std::uint32_t row : rows) {
      total += column.string_at(row).size();
    }
    STREAM_CHECK(total <= static_cast<std::size_t>(std::numeric_limits<std::int32_t>::max()),
                 "more than 2 GiB of text in one column; use smaller batches");
    ByteVector values;
    ByteVector offsets;
    values.reserve(total);
    offsets.reserve((rows.size() + 1) * sizeof(std::int32_t));
    offsets.push<std::int32_t>(0);
    for (const std::uint32_t row : rows) {
      const std::string_view text = column.string_at(row);
      values.append(text.data(), text.size());
      offsets.push(static_cast<std::int32_t>(values.size()));
    }
    out->values = values.finish();
    out->offsets = offsets.finish();
  } else if (is_nested_list(kind)) {
    std::vector<std::uint32_t> entries;
    ByteVector offsets;
    offsets.push<std::int32_t>(0);
    for (const std::uint32_t row : rows) {
      const auto end = static_cast<std::uint32_t>(load<std::int32_t>(column.offsets, row + 1));
      for (auto k = static_cast<std::uint32_t>(load<std::int32_t>(column.offsets, row)); k < end;
           ++k) {
        entries.push_back(k);
      }
      STREAM_CHECK(
          entries.size() <= static_cast<std::size_t>(std::numeric_limits<std::int32_t>::max()),
          "more than 2^31 items in one column; use smaller batches");
      offsets.push(static_cast<std::int32_t>(entries.size()));
    }
    out->offsets = offsets.finish();
    for (const auto& child : column.children) {
      out->children.push_back(take_column(*child, entries));
    }
  } else if (column.type->is_composite()) {
    for (const auto& child : column.children) {
      out->children.push_back(take_column(*child, rows));
    }
  } else {
    switch (width_of(*column.type)) {
      case 1:
        out->values = gather<std::uint8_t>(column.values, rows);
        break;
      case 2:
        out->values = gather<std::uint16_t>(column.values, rows);
        break;
      case 4:
        out->values = gather<std::uint32_t>(column.values, rows);
        break;
      case 8:
        out->values = gather<std::uint64_t>(column.values, rows);
        break;
      case 16:
        out->values = gather<int128>(column.values, rows);
        break;
      default:
        break;  // kNull
    }
  }
  return out;
}

ColumnPtr slice_column(const ColumnPtr& column, std::int64_t begin, std::int64_t end) {
  STREAM_CHECK(begin >= 0 && begin <= end && end <= column->length,
               "rows {} to {} of a column of {}",
               begin,
               end,
               column->length);
  if (begin == 0 && end == column->length) {
    return column;
  }
  auto out = std::make_shared<Column>();
  out->type = column->type;
  out->length = end - begin;
  const TypeKind kind = column->type->kind();
  const auto first = static_cast<std::size_t>(begin);
  const auto count = static_cast<std::size_t>(end - begin);
  if (column->validity) {
    out->validity = slice_bits(column->validity, begin, end);
    if (kind == TypeKind::kNull) {
      out->null_count = out->length;
    } else {
      drop_validity_without_nulls(*out);
    }
  }
  if (kind == TypeKind::kObject) {
    const HostScope scope;
    out->objects.assign(column->objects.begin() + begin, column->objects.begin() + end);
    out->object_bytes = column->object_bytes * count / static_cast<std::size_t>(column->length);
  } else if (kind == TypeKind::kBoolean) {
    out->values = slice_bits(column->values, begin, end);
  } else if (has_offsets(kind)) {
    out->offsets =
        column->offsets->part(first * sizeof(std::int32_t), (count + 1) * sizeof(std::int32_t));
    out->values = column->values;
    out->children = column->children;
  } else if (column->type->is_composite()) {
    for (const auto& child : column->children) {
      out->children.push_back(slice_column(child, begin, end));
    }
  } else if (const std::size_t width = width_of(*column->type)) {
    out->values = column->values->part(first * width, count * width);
  }
  return out;
}

// ---- building ----

ColumnBuilder::ColumnBuilder(LogicalTypePtr type) : type_(std::move(type)), kind_(type_->kind()) {
  if (has_offsets(kind_)) {
    offsets_.push<std::int32_t>(0);
  }
  for (const LogicalTypePtr& child : type_->children()) {
    children_.push_back(std::make_unique<ColumnBuilder>(child));
  }
  if (kind_ == TypeKind::kMultiset) {
    children_.push_back(std::make_unique<ColumnBuilder>(multiset_count_type()));
  }
}

ColumnBuilder::~ColumnBuilder() = default;
ColumnBuilder::ColumnBuilder(ColumnBuilder&&) noexcept = default;
ColumnBuilder& ColumnBuilder::operator=(ColumnBuilder&&) noexcept = default;

void ColumnBuilder::set_validity_bit(bool valid) {
  if (validity_.empty() && length_ > 0) {
    validity_.append_filled(bit_bytes(length_), 0xff);
  }
  push_bit(validity_, length_, valid);
}

void ColumnBuilder::append_offset(std::size_t end) {
  if (end > static_cast<std::size_t>(std::numeric_limits<std::int32_t>::max())) [[unlikely]] {
    throw_error(ErrorKind::kExternal,
                "a batch holds more than 2 GiB in a column of type {}; use smaller batches",
                type_->to_string());
  }
  offsets_.push(static_cast<std::int32_t>(end));
}

void ColumnBuilder::append_null() {
  if (!type_->nullable()) [[unlikely]] {
    throw_error(ErrorKind::kUserCode,
                "null does not fit the type {}; declare it nullable",
                type_->to_string());
  }
  append_filler();
}

void ColumnBuilder::append_filler() {
  switch (kind_) {
    case TypeKind::kObject:
      objects_.emplace_back();
      break;
    case TypeKind::kNull:
      break;
    case TypeKind::kBoolean:
      push_bit(values_, length_, false);
      break;
    case TypeKind::kString:
    case TypeKind::kBytes:
      append_offset(values_.size());
      break;
    case TypeKind::kArray:
    case TypeKind::kMap:
    case TypeKind::kMultiset:
      append_offset(static_cast<std::size_t>(children_[0]->length_));
      break;
    case TypeKind::kRow:
    case TypeKind::kTuple:
      for (const auto& child : children_) {
        child->append_filler();
      }
      break;
    default:
      values_.append_filled(width_of(*type_), 0);
  }
  set_valid(false);
  ++null_count_;
  ++length_;
}

void ColumnBuilder::append_bool(bool v) {
  STREAM_DCHECK(kind_ == TypeKind::kBoolean, "a boolean in a column of {}", type_->to_string());
  push_bit(values_, length_, v);
  set_valid(true);
  ++length_;
}

void ColumnBuilder::append_int(std::int64_t v) {
  switch (kind_) {
    case TypeKind::kTinyInt:
      values_.push(static_cast<std::int8_t>(v));
      break;
    case TypeKind::kSmallInt:
      values_.push(static_cast<std::int16_t>(v));
      break;
    case TypeKind::kInt:
    case TypeKind::kDate:
      values_.push(static_cast<std::int32_t>(v));
      break;
    default:
      STREAM_DCHECK(width_of(*type_) == 8 && kind_ != TypeKind::kDouble,
                    "an integer in a column of {}",
                    type_->to_string());
      values_.push(v);
  }
  set_valid(true);
  ++length_;
}

void ColumnBuilder::append_double(double v) {
  if (kind_ == TypeKind::kFloat) {
    values_.push(static_cast<float>(v));
  } else {
    STREAM_DCHECK(kind_ == TypeKind::kDouble, "a float in a column of {}", type_->to_string());
    values_.push(v);
  }
  set_valid(true);
  ++length_;
}

void ColumnBuilder::append_decimal(__int128 unscaled) {
  STREAM_DCHECK(kind_ == TypeKind::kDecimal, "a decimal in a column of {}", type_->to_string());
  values_.push(unscaled);
  set_valid(true);
  ++length_;
}

void ColumnBuilder::append_string(std::string_view v) {
  STREAM_DCHECK(kind_ == TypeKind::kString || kind_ == TypeKind::kBytes,
                "text in a column of {}",
                type_->to_string());
  append_offset(values_.size() + v.size());
  values_.append(v.data(), v.size());
  set_valid(true);
  ++length_;
}

void ColumnBuilder::append_object(Value handle) {
  STREAM_DCHECK(kind_ == TypeKind::kObject, "an object in a column of {}", type_->to_string());
  if (handle.kind() == ValueKind::kBatchRow) [[unlikely]] {
    handle = handle.detached();  // an object column must not pin the batch it was made from
  }
  const bool valid = !handle.is_null();
  if (objects_.size() == objects_.capacity()) [[unlikely]] {
    objects_.reserve(std::max({expected_length_, objects_.size() * 2, std::size_t{16}}));
  }
  if (static_cast<std::size_t>(length_) % kSampleEvery == 0) [[unlikely]] {
    sampled_bytes_ += handle.size_hint();
    ++sampled_count_;
  }
  objects_.push_back(std::move(handle));
  set_valid(valid);
  null_count_ += valid ? 0 : 1;
  ++length_;
}

void ColumnBuilder::close_entry() {
  if (is_nested_list(kind_)) {
    if (children_.size() == 2) {
      STREAM_CHECK(children_[0]->length_ == children_[1]->length_,
                   "a map entry closed with {} keys and {} values",
                   children_[0]->length_,
                   children_[1]->length_);
    }
    append_offset(static_cast<std::size_t>(children_[0]->length_));
  } else {
    STREAM_CHECK(type_->is_composite(), "close_entry on a column of {}", type_->to_string());
    for (const auto& child : children_) {
      STREAM_CHECK(child->length_ == length_ + 1,
                   "a row closed with a field of {} instead of {} entries",
                   child->length_,
                   length_ + 1);
    }
  }
  set_valid(true);
  ++length_;
}

void ColumnBuilder::append(const Value& value) {
  if (kind_ == TypeKind::kObject) {
    append_object(value);
    return;
  }
  if (value.is_null()) {
    append_null();
    return;
  }
  const std::int64_t before = length_;
  try {
    if (value.is_object()) {
      const Value native = require_host().to_native(value.as_object(), *type_);
      STREAM_CHECK(
          !native.is_object(), "the host did not convert a value to {}", type_->to_string());
      if (native.is_null()) {
        append_null();
      } else {
        append_native(native);
      }
    } else {
      append_native(value);
    }
  } catch (...) {
    truncate(before);  // items of a nested value may be there already
    throw;
  }
}

void ColumnBuilder::append_native(const Value& value) {
  switch (kind_) {
    case TypeKind::kObject:
      append_object(value);
      break;
    case TypeKind::kNull:
      throw_does_not_fit(value, *type_);
    case TypeKind::kBoolean:
      append_bool(coerce_bool(value, *type_));
      break;
    case TypeKind::kTinyInt:
    case TypeKind::kSmallInt:
    case TypeKind::kInt:
    case TypeKind::kBigInt:
      append_int(coerce_int(value, *type_));
      break;
    case TypeKind::kFloat:
    case TypeKind::kDouble:
      append_double(coerce_double(value, *type_));
      break;
    case TypeKind::kDecimal:
      append_decimal(coerce_decimal(value, *type_));
      break;
    case TypeKind::kString:
    case TypeKind::kBytes:
      append_string(coerce_text(value, *type_));
      break;
    case TypeKind::kDate:
    case TypeKind::kTime:
    case TypeKind::kTimestamp:
    case TypeKind::kTimestampLtz:
    case TypeKind::kIntervalMonths:
    case TypeKind::kIntervalMillis:
      append_int(coerce_temporal(value, *type_));
      break;
    case TypeKind::kArray:
    case TypeKind::kMap:
    case TypeKind::kMultiset:
      append_items(value);
      break;
    case TypeKind::kRow:
    case TypeKind::kTuple:
      append_row(value);
      break;
  }
}

void ColumnBuilder::append_items(const Value& value) {
  if (kind_ == TypeKind::kArray) {
    if (!has_fields(value)) {
      throw_does_not_fit(value, *type_);
    }
    const std::size_t count = value.field_count();
    for (std::size_t i = 0; i < count; ++i) {
      children_[0]->append(value.field(i));
    }
  } else {
    if (value.kind() != ValueKind::kMap) {
      throw_does_not_fit(value, *type_);
    }
    for (const auto& [key, item] : value.as_map()) {
      children_[0]->append(key);
      children_[1]->append(item);
    }
  }
  close_entry();
}

void ColumnBuilder::append_row(const Value& value) {
  std::size_t field = 0;
  try {
    if (value.kind() == ValueKind::kMap) {
      for (; field < children_.size(); ++field) {
        children_[field]->append(map_field(value, type_->field_names()[field]));
      }
    } else if (has_fields(value)) {
      field = children_.size();  // a wrong count is no field's fault
      const FieldMapping mapping(value, *type_);
      for (field = 0; field < children_.size(); ++field) {
        children_[field]->append(value.field(mapping[field]));
      }
    } else {
      field = children_.size();
      throw_does_not_fit(value, *type_);
    }
  } catch (const Error& e) {
    if (field == children_.size()) {
      throw;
    }
    rethrow_for_field(e, *type_, field);
  }
  close_entry();
}

void ColumnBuilder::append_from(const Column& column, std::int64_t i) {
  if (kind_ == TypeKind::kObject) {
    append_object(column.objects[static_cast<std::size_t>(i)]);
    return;
  }
  if (column.is_null(i)) {
    append_null();
    return;
  }
  switch (kind_) {
    case TypeKind::kObject:
    case TypeKind::kNull:
      append_filler();
      return;
    case TypeKind::kBoolean:
      append_bool(column.bool_at(i));
      return;
    case TypeKind::kString:
    case TypeKind::kBytes:
      append_string(column.string_at(i));
      return;
    case TypeKind::kArray:
    case TypeKind::kMap:
    case TypeKind::kMultiset: {
      const auto end = load<std::int32_t>(column.offsets, i + 1);
      for (auto k = load<std::int32_t>(column.offsets, i); k < end; ++k) {
        for (std::size_t c = 0; c < children_.size(); ++c) {
          children_[c]->append_from(*column.children[c], k);
        }
      }
      close_entry();
      return;
    }
    case TypeKind::kRow:
    case TypeKind::kTuple:
      for (std::size_t c = 0; c < children_.size(); ++c) {
        children_[c]->append_from(*column.children[c], i);
      }
      close_entry();
      return;
    default: {
      const std::size_t width = width_of(*type_);
      values_.append(column.values.data() + static_cast<std::size_t>(i) * width, width);
      set_valid(true);
      ++length_;
    }
  }
}

std::size_t ColumnBuilder::size_bytes() const {
  std::size_t bytes = sizeof(Column) + validity_.size() + values_.size() + offsets_.size();
  if (sampled_count_ > 0) {
    bytes += sampled_bytes_ * static_cast<std::size_t>(length_) / sampled_count_;
  }
  for (const auto& child : children_) {
    bytes += child->size_bytes();
  }
  return bytes;
}

void ColumnBuilder::truncate(std::int64_t length) {
  STREAM_CHECK(length >= 0 && length <= length_, "truncate a column of {} to {}", length_, length);
  if (!validity_.empty()) {
    for (std::int64_t i = length; i < length_; ++i) {
      null_count_ -= bit_at(validity_.data(), i) ? 0 : 1;
    }
    // A half-written entry may have a bit although length_ does not count it yet.
    validity_.truncate(bit_bytes(length));
  }
  const auto count = static_cast<std::size_t>(length);
  if (kind_ == TypeKind::kObject) {
    objects_.resize(count);
  } else if (kind_ == TypeKind::kBoolean) {
    values_.truncate(bit_bytes(length));
  } else if (has_offsets(kind_)) {
    offsets_.truncate((count + 1) * sizeof(std::int32_t));
    std::int32_t end = 0;
    std::memcpy(&end, offsets_.data() + count * sizeof end, sizeof end);
    values_.truncate(static_cast<std::size_t>(end));
    for (const auto& child : children_) {
      child->truncate(end);
    }
  } else if (type_->is_composite()) {
    for (const auto& child : children_) {
      child->truncate(length);
    }
  } else {
    values_.truncate(count * width_of(*type_));
  }
  length_ = length;
}

ColumnPtr ColumnBuilder::finish() {
  auto out = std::make_shared<Column>();
  out->type = type_;
  out->length = length_;
  out->null_count = null_count_;
  if (null_count_ > 0) {
    out->validity = validity_.finish();
  } else {
    validity_.truncate(0);
  }
  if (kind_ == TypeKind::kObject) {
    if (sampled_count_ > 0) {
      out->object_bytes = sampled_bytes_ * static_cast<std::size_t>(length_) / sampled_count_;
    }
    expected_length_ = objects_.size();
    out->objects = std::move(objects_);
    objects_ = {};
  } else if (kind_ != TypeKind::kNull && !is_nested_list(kind_) && !type_->is_composite()) {
    out->values = values_.finish();
  }
  if (has_offsets(kind_)) {
    out->offsets = offsets_.finish();
    offsets_.push<std::int32_t>(0);
  }
  for (const auto& child : children_) {
    out->children.push_back(child->finish());
  }
  length_ = 0;
  null_count_ = 0;
  sampled_bytes_ = 0;
  sampled_count_ = 0;
  return out;
}

}  // namespace flott
