#include "state/rocksdb/cached_value.h"

#include "base/bytes.h"
#include "types/value_encoding.h"

#include <algorithm>
#include <cstring>
#include <optional>
#include <vector>

namespace flott::rocks {
namespace {

/// Larger values are as large decoded.
constexpr std::size_t kCompactUpTo = 512;

/// Whether nobody can change what is in the value through another reference.
bool may_be_kept(const Value& value) {
  switch (value.kind()) {
    case ValueKind::kBatchRow:
      return false;
    case ValueKind::kObject: {
      // Immutable objects are their own copies.
      const Value copy = value.isolated();
      return copy.as_object() == value.as_object();
    }
    case ValueKind::kRow:
      return std::all_of(value.as_row().fields.begin(), value.as_row().fields.end(), may_be_kept);
    case ValueKind::kArray:
      return std::all_of(value.as_array().begin(), value.as_array().end(), may_be_kept);
    case ValueKind::kMap:
      return std::all_of(value.as_map().begin(), value.as_map().end(), [](const auto& entry) {
        return may_be_kept(entry.first) && may_be_kept(entry.second);
      });
    default:
      return true;
  }
}

bool holds_objects(const Value& value) {
  switch (value.kind()) {
    case ValueKind::kObject:
      return true;
    case ValueKind::kRow:
      return std::any_of(value.as_row().fields.begin(), value.as_row().fields.end(), holds_objects);
    case ValueKind::kArray:
      return std::any_of(value.as_array().begin(), value.as_array().end(), holds_objects);
    case ValueKind::kMap:
      return std::any_of(value.as_map().begin(), value.as_map().end(), [](const auto& entry) {
        return holds_objects(entry.first) || holds_objects(entry.second);
      });
    default:
      return false;
  }
}

/// What is encoded behind the type of a row; nothing if it is not a row of the common type.
std::optional<std::string_view> fields_of(std::string_view encoded, const CommonRowType& rows) {
  constexpr std::size_t kHead = 2;
  if (rows.type == nullptr || encoded.size() <= kHead || encoded[0] != kRowTag ||
      (static_cast<std::uint8_t>(encoded[1]) & ~kRowKindMask) != kRowTypeFlag ||
      !encoded.substr(kHead).starts_with(rows.bytes)) {
    return std::nullopt;
  }
  return encoded.substr(kHead + rows.bytes.size());
}

/// Whether they are as many as the common type says, none of them the host's.
bool are_native(std::string_view fields, const CommonRowType& rows) {
  BytesReader in(fields);
  const std::uint64_t count = in.count();
  bool native = count == rows.type->children().size();
  for (std::uint64_t i = 0; native && i < count; ++i) {
    native = !skip_value(in);
  }
  return native;
}

}  // namespace

void CachedValue::drop() {
  if (form_ == Form::kDecoded) {
    value_.~Value();
  } else if (form_ == Form::kOutside) {
    delete[] outside_.data;
  }
}

void CachedValue::swap(CachedValue& other) noexcept {
  // Every form may be moved as its bytes: Values hold nothing that points to themselves. What is
  // behind the last member may belong to somebody else ([[no_unique_address]]).
  constexpr std::size_t kBytes = 22;
  static_assert(sizeof(value_) + sizeof(charge_) + sizeof(form_) + 1 == kBytes);
  char bytes[kBytes];
  std::memcpy(bytes, static_cast<void*>(this), kBytes);
  std::memcpy(static_cast<void*>(this), static_cast<void*>(&other), kBytes);
  std::memcpy(static_cast<void*>(&other), bytes, kBytes);
}

void CachedValue::set_bytes(std::string_view head, std::string_view rest) {
  const std::size_t size = head.size() + rest.size();
  char* to = inside_;
  if (size <= sizeof inside_) {
    inside_size_ = static_cast<std::uint8_t>(size);
    form_ = Form::kInside;
  } else {
    to = new char[size];
    outside_ = {to, static_cast<std::uint32_t>(size)};
    form_ = Form::kOutside;
  }
  std::copy(rest.begin(), rest.end(), std::copy(head.begin(), head.end(), to));
}

void CachedValue::set_row(char flags, std::string_view fields) {
  const char head[] = {kRowTag,
                       static_cast<char>(static_cast<std::uint8_t>(flags) & ~kRowTypeFlag)};
  set_bytes({head, sizeof head}, fields);
  common_type_ = true;
}

bool CachedValue::set_short_row(const Value& value, CommonRowType& rows) {
  const RowNode& row = value.as_row();
  if (row.type == nullptr || row.fields.size() > sizeof inside_) {
    return false;
  }
  rows.know(row.type);
  if (!rows.is(row.type)) {
    return false;
  }
  char bytes[sizeof inside_ + kMaxScalarBytes];
  char* end = bytes;
  *end++ = kRowTag;
  *end++ = static_cast<char>(row.kind);
  *end++ = static_cast<char>(row.fields.size());  // as varint: it is small
  for (const Value& field : row.fields) {
    if (!is_scalar(field)) {
      return false;
    }
    end = encode_scalar(field, end);
    if (end > bytes + sizeof inside_) {
      return false;
    }
  }
  set_bytes({bytes, static_cast<std::size_t>(end - bytes)});
  common_type_ = true;
  return true;
}

void CachedValue::set(Value value, CommonRowType& rows) {
  if (value.kind() == ValueKind::kBatchRow) {
    value = value.detached();
  }
  if (CachedValue row; value.kind() == ValueKind::kRow && row.set_short_row(value, rows)) {
    row.charge_ = charge_;
    swap(row);
  } else {
    keep(std::move(value), {});
  }
}

void CachedValue::load(std::string_view encoded, CommonRowType& rows) {
  const auto fields = fields_of(encoded, rows);
  if (fields && encoded.size() <= kCompactUpTo && are_native(*fields, rows)) {
    CachedValue row;
    row.charge_ = charge_;
    row.set_row(encoded[1], *fields);
    swap(row);
    return;
  }
  BytesReader in(encoded);
  Value value = Value::decode(in);
  if (value.kind() == ValueKind::kRow && value.as_row().type != nullptr) {
    rows.know(value.as_row().type);
  }
  keep(std::move(value), encoded);
}

void CachedValue::keep(Value value, std::string_view encoded) {
  // Last of all the old one is destroyed: that may run user code, which must find this in order.
  CachedValue next;
  next.charge_ = charge_;
  if (is_scalar(value) || may_be_kept(value)) {
    next.set_decoded(std::move(value));
  } else {
    std::string bytes;
    if (encoded.empty()) {
      value.encode(bytes);
      encoded = bytes;
    }
    next.set_bytes(encoded);
    next.copied_ = true;
  }
  swap(next);
}

void CachedValue::compact_decoded(CommonRowType& rows, std::string_view encoded) {
  if (encoded.size() > kCompactUpTo || holds_objects(value_)) {
    return;
  }
  CachedValue next;
  next.charge_ = charge_;
  if (value_.kind() == ValueKind::kRow && value_.as_row().type != nullptr) {
    rows.know(value_.as_row().type);
  }
  if (const auto fields = fields_of(encoded, rows)) {
    next.set_row(encoded[1], *fields);
  } else {
    next.set_bytes(encoded);
  }
  swap(next);
}

Value CachedValue::decoded(const CommonRowType& rows) const {
  BytesReader in(bytes());
  if (!common_type_) {
    return Value::decode(in);
  }
  in.u8();
  const auto kind = static_cast<RowKind>(in.u8() & kRowKindMask);
  std::vector<Value> fields(in.count());
  for (Value& field : fields) {
    field = Value::decode(in);
  }
  return Value::row(std::move(fields), rows.type, kind);
}

void CachedValue::append_bytes(const CommonRowType& rows, std::string& out) const {
  const std::string_view all = bytes();
  if (!common_type_) {
    out.append(all);
    return;
  }
  out.push_back(kRowTag);
  out.push_back(static_cast<char>(static_cast<std::uint8_t>(all[1]) | kRowTypeFlag));
  out.append(rows.bytes);
  out.append(all.substr(2));
}

void CachedValue::append_row(const CommonRowType& rows, std::string& out) const {
  const RowNode& row = value_.as_row();
  BytesWriter writer(out);
  writer.u8(kRowTag);
  writer.u8(static_cast<std::uint8_t>(row.kind) | kRowTypeFlag);
  out.append(rows.bytes);
  writer.varint(row.fields.size());
  for (const Value& field : row.fields) {
    field.encode(out);
  }
}

Value* CachedValue::in_place(const CommonRowType& rows) {
  if (form_ != Form::kDecoded) {
    if (copied_) {
      return nullptr;
    }
    CachedValue next;
    next.charge_ = charge_;
    next.set_decoded(decoded(rows));
    swap(next);
  }
  return &value_;
}

std::size_t CachedValue::heap_bytes() const {
  switch (form_) {
    case Form::kDecoded:
      return is_scalar(value_) ? 0 : value_.size_hint();
    case Form::kInside:
      return 0;
    case Form::kOutside:
      break;
  }
  return outside_.size + 16;
}

}  // namespace flott::rocks
