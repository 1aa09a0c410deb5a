#pragma once

#include "base/error.h"

#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

namespace flott {

/// Appends fixed-width little-endian numbers, varints and length-prefixed strings to a string.
class BytesWriter {
 public:
  explicit BytesWriter(std::string& out) : out_(out) {}

  void u8(std::uint8_t v) { out_.push_back(static_cast<char>(v)); }
  void u32(std::uint32_t v) { raw(&v, sizeof v); }
  void u64(std::uint64_t v) { raw(&v, sizeof v); }
  void i64(std::int64_t v) { raw(&v, sizeof v); }
  void f64(double v) { raw(&v, sizeof v); }
  void varint(std::uint64_t v) {
    while (v >= 0x80) {
      u8(static_cast<std::uint8_t>(v | 0x80));
      v >>= 7;
    }
    u8(static_cast<std::uint8_t>(v));
  }
  /// Length as varint, then the bytes.
  void string(std::string_view v) {
    varint(v.size());
    out_.append(v);
  }
  void raw(const void* data, std::size_t size) {
    out_.append(static_cast<const char*>(data), size);
  }
  std::string& out() { return out_; }

 private:
  std::string& out_;
};

/// Reads what BytesWriter wrote; throws ErrorKind::kExternal on truncated input, so that damaged
/// checkpoint bytes are an error and never undefined behaviour.
class BytesReader {
 public:
  explicit BytesReader(std::string_view in) : in_(in) {}

  std::uint8_t u8() { return static_cast<std::uint8_t>(take(1)[0]); }
  std::uint32_t u32() { return fixed<std::uint32_t>(); }
  std::uint64_t u64() { return fixed<std::uint64_t>(); }
  std::int64_t i64() { return fixed<std::int64_t>(); }
  double f64() { return fixed<double>(); }
  std::uint64_t varint() {
    std::uint64_t v = 0;
    for (int shift = 0; shift < 64; shift += 7) {
      const std::uint8_t b = u8();
      v |= static_cast<std::uint64_t>(b & 0x7f) << shift;
      if ((b & 0x80) == 0) {
        return v;
      }
    }
    throw Error(ErrorKind::kExternal, "stored bytes are damaged: a varint does not end");
  }
  std::string_view string() { return take(varint()); }
  std::string_view take(std::size_t size) {
    if (size > in_.size()) {
      throw_error(ErrorKind::kExternal,
                  "stored bytes are damaged: {} bytes wanted, {} left",
                  size,
                  in_.size());
    }
    const std::string_view out = in_.substr(0, size);
    in_.remove_prefix(size);
    return out;
  }
  bool empty() const { return in_.empty(); }
  std::size_t remaining() const { return in_.size(); }
  /// A count of things that take at least one byte each: never more than what is left, so that
  /// damaged bytes cannot ask for a huge allocation.
  std::uint64_t count() {
    const std::uint64_t n = varint();
    if (n > in_.size()) {
      throw_error(ErrorKind::kExternal,
                  "stored bytes are damaged: {} items announced, {} bytes left",
                  n,
                  in_.size());
    }
    return n;
  }

 private:
  template <typename T>
  T fixed() {
    T v;
    std::memcpy(&v, take(sizeof v).data(), sizeof v);
    return v;
  }
  std::string_view in_;
};

}  // namespace flott
