#pragma once

#include "base/bytes.h"
#include "types/window.h"

#include <cstdint>
#include <string>
#include <string_view>

namespace flott {

/// Bytes of a namespace in snapshots of state and timers:
///   namespace := 0 (void) | 1 start:i64 end:i64 (time, count or global window) | 2 start:i64
///   end:i64 custom:string
inline void encode_namespace(std::int64_t start,
                             std::int64_t end,
                             std::string_view custom,
                             BytesWriter& out) {
  const bool is_void = start == 0 && end == 0 && custom.empty();  // Window::is_void
  const std::uint8_t tag = is_void ? 0 : custom.empty() ? 1 : 2;
  out.u8(tag);
  if (tag != 0) {
    out.i64(start);
    out.i64(end);
  }
  if (tag == 2) {
    out.string(custom);
  }
}
inline void encode_namespace(const Window& window, BytesWriter& out) {
  encode_namespace(window.start, window.end, window.custom, out);
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
