#pragma once

#include "types/value.h"

#include <cstddef>
#include <cstdint>

namespace flott {

/// What encode_scalar() writes at most.
inline constexpr std::size_t kMaxScalarBytes = 16;

/// Of the grammar in value_encoding.cc: how a row begins, and its flags.
inline constexpr char kRowTag = 'r';
inline constexpr std::uint8_t kRowKindMask = 3;
inline constexpr std::uint8_t kRowTypeFlag = 4;

/// Whether the value lies in the Value itself: a number, a boolean, a time, null.
inline bool is_scalar(const Value& value) {
  return value.kind() < ValueKind::kDecimal;
}

/// Value::encode of a scalar, to where there is room for it; returns the end.
char* encode_scalar(const Value& value, char* out);

/// Moves behind one encoded value without making it, and so without the host. True when there are
/// opaque values in it: decoding it takes the host's lock. Throws as Value::decode for bytes that
/// end too early or have an unknown tag.
bool skip_value(class BytesReader& in);

}  // namespace flott
