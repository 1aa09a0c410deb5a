#pragma once

#include <cstddef>
#include <cstdint>

namespace flott {

/// Bytes of a number as BytesWriter::varint writes it.
inline std::size_t varint_size(std::uint64_t v) {
  std::size_t size = 1;
  for (; v >= 0x80; v >>= 7) {
    ++size;
  }
  return size;
}

/// As BytesWriter::varint, to where there is room for it; returns the end.
inline char* put_varint(std::uint64_t v, char* out) {
  for (; v >= 0x80; v >>= 7) {
    *out++ = static_cast<char>(v | 0x80);
  }
  *out++ = static_cast<char>(v);
  return out;
}

}  // namespace flott
