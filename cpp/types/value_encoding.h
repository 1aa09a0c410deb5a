#pragma once

#include "types/value.h"

#include <cstddef>

namespace flott {

/// What encode_scalar() writes at most.
inline constexpr std::size_t kMaxScalarBytes = 16;

/// Whether the value lies in the Value itself: a number, a boolean, a time, null.
inline bool is_scalar(const Value& value) {
  return value.kind() < ValueKind::kDecimal;
}

/// Value::encode of a scalar, to where there is room for it; returns the end.
char* encode_scalar(const Value& value, char* out);

}  // namespace flott
