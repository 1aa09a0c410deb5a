#pragma once

#include "base/hash.h"
#include "types/value.h"

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace flott {

/// One of `max_parallelism` shares of the key space: what moves between subtasks on rescaling.
using KeyGroup = std::uint32_t;
inline constexpr int kDefaultMaxParallelism = 128;

/// A key of a keyed stream.
///
/// Bytes grammar (canonical: keys equal in Python have equal bytes; tag, then content):
///   null 'N' | bool, int, integral float, integral Decimal: 'I' int64-LE (beyond 64 bit 'J'
///   varint-len: a sign byte 0 / 1, then the magnitude, little-endian without leading zeros) |
///   other float, and Decimal that equals one: 'D' f64-LE | other Decimal 'M' varint-len text
///   `<digits without trailing zeros>E<exponent>` | str 'S' varint-len utf8 | bytes 'B' varint-len
///   | date 'd' i64 | time 't' i64 | timestamp 'T' i64 u32 | instant 'L' i64 u32 | interval of
///   months 'm' i64, of milliseconds 'i' i64 | tuple (and native array) '(' varint-count items |
///   Row 'R' varint-count items | enum 'E' class name, member name | frozen dataclass 'C' class
///   name varint-count items | instance of a class with a registered encoder 'X' class name, then
///   what the encoder returned
struct Key {
  std::string_view bytes;  ///< canonical encoding; lives as long as the record / current key
  std::uint64_t hash = 0;  ///< hash_bytes(bytes)
  /// The key as the user's selector returned it. nullptr: a null, an int64 or a string, which
  /// `bytes` alone say; see key_value().
  const Value* value = nullptr;

  static Key of(std::string_view bytes, const Value& value) {
    return {bytes, hash_bytes(bytes), &value};
  }
};

/// The key as the user's selector returned it.
Value key_value(const Key& key);

/// Appends the canonical encoding of a native or opaque value.
void encode_key(const Value& value, std::string& out);

/// The parts of the encoding, for Host::encode_key.
void encode_key_int(std::int64_t value, std::string& out);
/// An integer of any size: `magnitude` little-endian, without limits on leading zeros.
void encode_key_big_int(bool negative, std::string_view magnitude, std::string& out);
/// Unifies integral floats with integers, -0.0 with 0, all NaN.
void encode_key_double(double value, std::string& out);
/// A decimal number (-1)^negative * digits * 10^exponent, digits ASCII; unifies it with equal
/// integers and floats.
void encode_key_decimal(bool negative,
                        std::string_view digits,
                        std::int64_t exponent,
                        std::string& out);

inline KeyGroup key_group_of(std::uint64_t hash, int max_parallelism) {
  return static_cast<KeyGroup>((hash >> 32) % static_cast<std::uint64_t>(max_parallelism));
}
/// The subtask that owns a key group: contiguous ranges, as in Flink's KeyGroupRangeAssignment.
inline int subtask_of(KeyGroup group, int max_parallelism, int parallelism) {
  return static_cast<int>(group) * parallelism / max_parallelism;
}

/// Inclusive-exclusive range of key groups of one subtask.
struct KeyGroupRange {
  KeyGroup begin = 0;
  KeyGroup end = 0;
  bool contains(KeyGroup g) const { return g >= begin && g < end; }
};
KeyGroupRange key_group_range_of(int subtask, int max_parallelism, int parallelism);

/// The keys of a batch's rows, computed once by `key_by` and carried to the keyed operator.
class KeyColumn {
 public:
  void append(const Key& key);
  void append(std::string_view bytes, Value value);
  /// Keys of these kinds need no Value beside their bytes.
  void append_null();
  void append_int(std::int64_t v);
  void append_string(std::string_view text);
  void reserve(std::size_t rows, std::size_t bytes);
  std::size_t size() const { return hashes_.size(); }
  Key at(std::size_t row) const {
    return {std::string_view(data_).substr(offsets_[row], offsets_[row + 1] - offsets_[row]),
            hashes_[row],
            values_.empty() ? nullptr : &values_[row]};
  }
  std::uint64_t hash_at(std::size_t row) const { return hashes_[row]; }
  /// Some key's value is an opaque one: copying it needs the host's lock.
  bool has_objects() const { return has_objects_; }
  std::size_t size_bytes() const { return data_.size() + values_.size() * 32; }

 private:
  /// Ends the key whose bytes were appended to `data_`.
  void end_bytes(std::uint64_t hash);
  void end_bytes();
  void end_without_value();
  void append_value(Value value);

  std::string data_;
  std::vector<std::uint32_t> offsets_{0};
  std::vector<std::uint64_t> hashes_;
  std::vector<Value> values_;  ///< empty as long as no key needs one, otherwise one per key
  bool has_objects_ = false;
};

}  // namespace flott
