#pragma once

#include "base/time.h"

namespace flott {

/// Sums of times that stop at the ends of the range: "never" plus an hour is still "never".
inline Timestamp saturating_add(Timestamp time, std::int64_t by) {
  Timestamp result = 0;
  if (__builtin_add_overflow(time, by, &result)) {
    return by > 0 ? kMaxTimestamp : kMinTimestamp;
  }
  return result;
}
inline Timestamp saturating_subtract(Timestamp time, std::int64_t by) {
  Timestamp result = 0;
  if (__builtin_sub_overflow(time, by, &result)) {
    return by > 0 ? kMinTimestamp : kMaxTimestamp;
  }
  return result;
}

}  // namespace flott
