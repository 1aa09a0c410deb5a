#pragma once

#include "base/bytes.h"
#include "types/window.h"

#include <string>

namespace flott {

/// Bytes of a namespace in snapshots of state and timers:
///   namespace := 0 (void) | 1 start:i64 end:i64 (time, count or global window) | 2 start:i64
///   end:i64 custom:string
inline void encode_namespace(const Window& window, BytesWriter& out) {
  const std::uint8_t tag = window.is_void() ? 0 : window.custom.empty() ? 1 : 2;
  out.u8(tag);
  if (tag != 0) {
    out.i64(window.start);
    out.i64(window.end);
  }
  if (tag == 2) {
    out.string(window.custom);
  }
}

inline Window decode_namespace(BytesReader& in) {
  const std::uint8_t tag = in.u8();
  Window window;
  if (tag > 2) {
    throw_error(ErrorKind::kExternal, "stored bytes are damaged: namespace tag {}", tag);
  }
  if (tag != 0) {
    window.start = in.i64();
    window.end = in.i64();
  }
  if (tag == 2) {
    window.custom = std::string(in.string());
  }
  return window;
}

}  // namespace flott
