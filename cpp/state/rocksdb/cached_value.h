#pragma once

#include "types/logical_type.h"
#include "types/value.h"

#include <cstdint>
#include <new>
#include <string>
#include <string_view>
#include <utility>

namespace flott::rocks {

/// Rows of a state that carry their type nearly always have the same one: in a cache it is named
/// once, and does not change after it is known.
struct CommonRowType {
  LogicalTypePtr type;
  std::string bytes;  ///< its encoding

  void know(const LogicalTypePtr& row_type) {
    if (type == nullptr) {
      type = row_type;
      type->encode(bytes);
    }
  }
  /// What is read has types of its own: the caller's equal one takes their place, so that it is
  /// known by its address.
  bool is(const LogicalTypePtr& row_type) {
    if (row_type != type && type != nullptr && *row_type == *type) {
      type = row_type;
    }
    return row_type == type;
  }
};

/// One value in a cache, 24 bytes and what hangs on it. Numbers are kept as they are, short rows of
/// numbers as their bytes. Other values are kept decoded if nobody can change them through another
/// reference, until they have been written: then as their bytes, which are a fraction of the size;
/// those of the host, which are dear to decode, stay. Values that somebody could change are bytes
/// from the beginning: each get() makes a copy.
class CachedValue {
 public:
  CachedValue() : value_() {}
  ~CachedValue() { drop(); }
  CachedValue(CachedValue&& other) noexcept : CachedValue() { swap(other); }
  CachedValue& operator=(CachedValue&& other) noexcept {
    swap(other);
    return *this;
  }
  CachedValue(const CachedValue&) = delete;
  CachedValue& operator=(const CachedValue&) = delete;
  void swap(CachedValue& other) noexcept;

  /// Takes over a value that is to be stored.
  void set(Value value, CommonRowType& rows);
  /// What set() stored and encode() wrote.
  void load(std::string_view encoded, CommonRowType& rows);
  Value get(const CommonRowType& rows) const {
    return form_ == Form::kDecoded ? value_ : decoded(rows);
  }
  void encode(const CommonRowType& rows, std::string& out) const {
    if (form_ != Form::kDecoded) {
      append_bytes(rows, out);
    } else if (value_.kind() == ValueKind::kRow && rows.type != nullptr &&
               value_.as_row().type == rows.type) {
      append_row(rows, out);
    } else {
      value_.encode(out);
    }
  }
  /// The value to change in place; null when each get() is to make a copy.
  Value* in_place(const CommonRowType& rows);
  /// Makes it small, now that it is written; `encoded` is what encode() gave.
  void compact(CommonRowType& rows, std::string_view encoded) {
    if (form_ == Form::kDecoded && value_.kind() >= ValueKind::kDecimal &&
        value_.kind() < ValueKind::kObject) {
      compact_decoded(rows, encoded);
    }
  }

  /// Bytes on the heap, roughly; asks the host about objects of its own.
  std::size_t heap_bytes() const;
  /// What its owner's budget was charged for it.
  std::uint32_t charge() const { return charge_; }
  void set_charge(std::size_t bytes) {
    charge_ = static_cast<std::uint32_t>(std::min<std::size_t>(bytes, 0xffffffffU));
  }

 private:
  enum class Form : std::uint8_t { kDecoded, kInside, kOutside };
  struct Outside {
    char* data;
    std::uint32_t size;
  };
  /// Encoded; without the type if `common_type_`.
  std::string_view bytes() const {
    return form_ == Form::kInside ? std::string_view(inside_, inside_size_)
                                  : std::string_view(outside_.data, outside_.size);
  }
  /// `head` and `rest`, one behind the other.
  void set_bytes(std::string_view head, std::string_view rest = {});
  void set_decoded(Value value) {
    new (&value_) Value(std::move(value));
    form_ = Form::kDecoded;
  }
  void drop();
  /// Takes over a value; `encoded` are its bytes, if they are known.
  void keep(Value value, std::string_view encoded);
  /// Its bytes within, if it is a short row of the common type and of nothing but scalars.
  bool set_short_row(const Value& value, CommonRowType& rows);
  /// A row of the common type; `fields`: what is encoded behind the type.
  void set_row(char flags, std::string_view fields);
  Value decoded(const CommonRowType& rows) const;
  void append_bytes(const CommonRowType& rows, std::string& out) const;
  /// What Value::encode() writes of a row of the common type, without asking the type again.
  void append_row(const CommonRowType& rows, std::string& out) const;
  void compact_decoded(CommonRowType& rows, std::string_view encoded);

  union {
    Value value_;
    char inside_[16];
    Outside outside_;
  };
  std::uint32_t charge_ = 0;
  Form form_ = Form::kDecoded;
  std::uint8_t inside_size_ : 6 = 0;
  bool common_type_ : 1 = false;  ///< the bytes are of a row whose type is named elsewhere
  bool copied_ : 1 = false;       ///< each get() is to make a copy
};
static_assert(sizeof(CachedValue) == 24);

}  // namespace flott::rocks
