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

/// Both halves of a 128-bit product, folded: every bit of the factors reaches every bit of the
/// result.
inline std::uint64_t fold_multiply(std::uint64_t a, std::uint64_t b) {
  const auto product = static_cast<unsigned __int128>(a) * b;
  return static_cast<std::uint64_t>(product) ^ static_cast<std::uint64_t>(product >> 64);
}

/// Stable hash of bytes: the same in every process, on every machine and in every version, because
/// key groups in checkpoints depend on it. 16 bytes a step, little-endian; the last step takes the
/// last 16 bytes, which may overlap those before.
inline std::uint64_t hash_bytes(std::string_view bytes) {
  constexpr std::uint64_t kFirst = 0x9e3779b97f4a7c15ULL;
  constexpr std::uint64_t kSecond = 0xc2b2ae3d27d4eb4fULL;
  const auto word_at = [](const char* p) {
    std::uint64_t word;
    std::memcpy(&word, p, sizeof(word));
    return word;
  };
  const char* p = bytes.data();
  std::size_t n = bytes.size();
  std::uint64_t h = kFirst ^ n;
  for (; n > 16; n -= 16, p += 16) {
    h = fold_multiply(word_at(p) ^ kSecond, word_at(p + 8) ^ h);
  }
  std::uint64_t low = 0;
  std::uint64_t high = 0;
  if (n >= 8) {
    low = word_at(p);
    high = word_at(p + n - 8);
  } else if (n > 0) {
    std::memcpy(&low, p, n);
  }
  h = fold_multiply(low ^ kSecond, high ^ h);
  return fold_multiply(h ^ kFirst, kSecond);
}

/// CRC-32C of bytes, for stored files.
std::uint32_t crc32c(std::string_view bytes);

}  // namespace flott
