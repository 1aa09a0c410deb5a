#pragma once

#include <cstdint>
#include <cstring>
#include <string_view>

namespace flott {

/// Murmur-style 64-bit finalizer.
inline std::uint64_t mix64(std::uint64_t h) {
  h ^= h >> 33;
  h *= 0xff51afd7ed558ccdULL;
  h ^= h >> 33;
  h *= 0xc4ceb9fe1a85ec53ULL;
  h ^= h >> 33;
  return h;
}

/// Stable hash of bytes: the same in every process, on every machine and in every version, because
/// key groups in checkpoints depend on it. 8 bytes a step, little-endian.
inline std::uint64_t hash_bytes(std::string_view bytes) {
  std::uint64_t h = 0x9e3779b97f4a7c15ULL ^ bytes.size();
  const char* p = bytes.data();
  std::size_t n = bytes.size();
  while (n >= 8) {
    std::uint64_t word;
    std::memcpy(&word, p, 8);
    h = mix64(h ^ word) + 0x9e3779b97f4a7c15ULL;
    p += 8;
    n -= 8;
  }
  if (n > 0) {
    std::uint64_t word = 0;
    std::memcpy(&word, p, n);
    h = mix64(h ^ word);
  }
  return mix64(h);
}

/// CRC-32C of bytes, for stored files.
std::uint32_t crc32c(std::string_view bytes);

}  // namespace flott
