#include "types/key.h"

#include "base/bytes.h"
#include "base/error.h"
#include "types/batch.h"
#include "types/decimal.h"

#include <bit>
#include <charconv>
#include <cmath>
#include <limits>

namespace flott {

namespace {

void tagged_i64(char tag, std::int64_t v, std::string& out) {
  BytesWriter w(out);
  w.u8(static_cast<std::uint8_t>(tag));
  w.i64(v);
}

void tagged_string(char tag, std::string_view text, std::string& out) {
  BytesWriter w(out);
  w.u8(static_cast<std::uint8_t>(tag));
  w.string(text);
}

void encode_fields(char tag, const Value& row, std::string& out) {
  BytesWriter w(out);
  const std::size_t count = row.field_count();
  w.u8(static_cast<std::uint8_t>(tag));
  w.varint(count);
  for (std::size_t i = 0; i < count; ++i) {
    encode_key(row.field(i), out);
  }
}

bool is_tuple(const LogicalType* type) {
  return type != nullptr && type->kind() == TypeKind::kTuple;
}

/// Little-endian magnitude of a decimal digit string times 10^zeros.
std::string magnitude_of(std::string_view digits, std::int64_t zeros) {
  std::string bytes;
  const auto multiply_add = [&bytes](unsigned factor, unsigned add) {
    unsigned carry = add;
    for (char& c : bytes) {
      const unsigned v = static_cast<unsigned char>(c) * factor + carry;
      c = static_cast<char>(v & 0xff);
      carry = v >> 8;
    }
    while (carry != 0) {
      bytes.push_back(static_cast<char>(carry & 0xff));
      carry >>= 8;
    }
  };
  for (const char c : digits) {
    multiply_add(10, static_cast<unsigned>(c - '0'));
  }
  for (std::int64_t i = 0; i < zeros; ++i) {
    multiply_add(10, 0);
  }
  return bytes;
}

}  // namespace

void encode_key_int(std::int64_t value, std::string& out) {
  tagged_i64('I', value, out);
}

void encode_key_big_int(bool negative, std::string_view magnitude, std::string& out) {
  while (!magnitude.empty() && magnitude.back() == 0) {
    magnitude.remove_suffix(1);
  }
  if (magnitude.size() <= 8) {
    std::uint64_t v = 0;
    for (std::size_t i = magnitude.size(); i-- > 0;) {
      v = v << 8 | static_cast<unsigned char>(magnitude[i]);
    }
    constexpr auto kMax = static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max());
    if (v <= kMax || (negative && v == kMax + 1)) {
      encode_key_int(static_cast<std::int64_t>(negative ? 0 - v : v), out);
      return;
    }
  }
  BytesWriter w(out);
  w.u8('J');
  w.varint(magnitude.size() + 1);
  w.u8(negative ? 1 : 0);
  w.raw(magnitude.data(), magnitude.size());
}

void encode_key_double(double value, std::string& out) {
  if (std::isfinite(value) && std::trunc(value) == value) {
    if (value >= -9223372036854775808.0 && value < 9223372036854775808.0) {
      encode_key_int(static_cast<std::int64_t>(value), out);  // -0.0 becomes 0 here
      return;
    }
    // Beyond 64 bit every double is mantissa * 2^shift, an integer.
    int exponent = 0;
    const double fraction = std::frexp(std::fabs(value), &exponent);
    auto mantissa = static_cast<std::uint64_t>(std::ldexp(fraction, 53));
    const int shift = exponent - 53;
    std::string magnitude(static_cast<std::size_t>(shift / 8), '\0');
    const unsigned __int128 shifted = static_cast<unsigned __int128>(mantissa) << (shift % 8);
    for (int i = 0; i < 8; ++i) {
      magnitude.push_back(static_cast<char>(static_cast<unsigned char>(shifted >> (8 * i))));
    }
    encode_key_big_int(value < 0, magnitude, out);
    return;
  }
  BytesWriter w(out);
  w.u8('D');
  w.f64(std::isnan(value) ? std::numeric_limits<double>::quiet_NaN() : value);
}

void encode_key_decimal(bool negative,
                        std::string_view digits,
                        std::int64_t exponent,
                        std::string& out) {
  while (!digits.empty() && digits.front() == '0') {
    digits.remove_prefix(1);
  }
  while (!digits.empty() && digits.back() == '0') {
    digits.remove_suffix(1);
    ++exponent;
  }
  if (digits.empty()) {
    encode_key_int(0, out);
    return;
  }
  // Exponents beyond any float are kept as text: as an integer they would have megabytes.
  constexpr std::int64_t kMaxExponent = 4096;
  if (exponent >= 0 && exponent <= kMaxExponent) {
    encode_key_big_int(negative, magnitude_of(digits, exponent), out);
    return;
  }
  const std::string text = fmt::format("{}{}E{}", negative ? "-" : "", digits, exponent);
  // Equal to a float exactly when the float's own exact expansion has the same digits. No double
  // has more than 767 significant digits.
  if (exponent < 0 && digits.size() <= 767) {
    double nearest = 0;
    const auto result = std::from_chars(text.data(), text.data() + text.size(), nearest);
    if (result.ec == std::errc{} && nearest != 0 && std::isfinite(nearest)) {
      std::string exact = fmt::format("{:.{}e}", std::fabs(nearest), 766);
      const std::size_t e = exact.find('e');
      std::int64_t exact_exponent = std::strtoll(exact.c_str() + e + 1, nullptr, 10);
      std::string exact_digits = exact.substr(0, 1) + exact.substr(2, e - 2);
      exact_digits.erase(exact_digits.find_last_not_of('0') + 1);
      exact_exponent -= static_cast<std::int64_t>(exact_digits.size()) - 1;
      if (exact_digits == digits && exact_exponent == exponent) {
        encode_key_double(nearest, out);
        return;
      }
    }
  }
  tagged_string('M', text, out);
}

void encode_key(const Value& value, std::string& out) {
  switch (value.kind()) {
    case ValueKind::kNull:
      out.push_back('N');
      return;
    case ValueKind::kBool:
    case ValueKind::kInt:
      return encode_key_int(value.as_int(), out);
    case ValueKind::kDouble:
      return encode_key_double(value.as_double(), out);
    case ValueKind::kDecimal: {
      const DecimalNode& d = value.as_decimal();
      const std::string digits = int128_to_string(d.unscaled < 0 ? -d.unscaled : d.unscaled);
      return encode_key_decimal(d.unscaled < 0, digits, -d.scale, out);
    }
    case ValueKind::kString:
      return tagged_string('S', value.as_string(), out);
    case ValueKind::kBytes:
      return tagged_string('B', value.as_string(), out);
    case ValueKind::kDate:
      return tagged_i64('d', value.as_int(), out);
    case ValueKind::kTime:
      return tagged_i64('t', value.as_int(), out);
    case ValueKind::kTimestamp:
    case ValueKind::kTimestampLtz:
      tagged_i64(value.kind() == ValueKind::kTimestamp ? 'T' : 'L', value.as_int(), out);
      BytesWriter(out).u32(value.aux());
      return;
    case ValueKind::kIntervalMonths:
      return tagged_i64('m', value.as_int(), out);
    case ValueKind::kIntervalMillis:
      return tagged_i64('i', value.as_int(), out);
    case ValueKind::kRow:
      return encode_fields(is_tuple(value.as_row().type.get()) ? '(' : 'R', value, out);
    case ValueKind::kBatchRow:
      return encode_fields(is_tuple(value.as_batch().type().get()) ? '(' : 'R', value, out);
    case ValueKind::kArray:
      return encode_fields('(', value, out);
    case ValueKind::kObject:
      return require_host().encode_key(value.as_object(), out);
    case ValueKind::kMap:
      throw_error(ErrorKind::kUserCode,
                  "a map cannot be a key: {}; return a tuple of its parts from the key selector",
                  value.to_string());
  }
}

KeyGroupRange key_group_range_of(int subtask, int max_parallelism, int parallelism) {
  STREAM_CHECK(
      parallelism > 0 && parallelism <= max_parallelism && subtask >= 0 && subtask < parallelism,
      "subtask {} of {} with {} key groups",
      subtask,
      parallelism,
      max_parallelism);
  // The inverse of subtask_of: the first group g with g * parallelism / max_parallelism == subtask.
  const auto first_group = [&](std::int64_t s) {
    return static_cast<KeyGroup>((s * max_parallelism + parallelism - 1) / parallelism);
  };
  return {first_group(subtask), first_group(subtask + 1)};
}

Value key_value(const Key& key) {
  if (key.value != nullptr) {
    return *key.value;
  }
  if (key.bytes.empty()) {
    return {};
  }
  BytesReader reader(key.bytes);
  switch (static_cast<char>(reader.u8())) {
    case 'N':
      return {};
    case 'I':
      return Value::integer(reader.i64());
    case 'S':
      return Value::string(std::string(reader.string()));
    default:
      throw_error(ErrorKind::kInternal, "a key of kind '{}' without its value", key.bytes[0]);
  }
}

void KeyColumn::append(const Key& key) {
  data_.append(key.bytes);
  end_bytes(key.hash);
  if (key.value != nullptr) {
    append_value(*key.value);
  } else {
    end_without_value();
  }
}

void KeyColumn::append(std::string_view bytes, Value value) {
  data_.append(bytes);
  end_bytes();
  append_value(std::move(value));
}

void KeyColumn::append_null() {
  data_.push_back('N');
  end_bytes();
  end_without_value();
}

void KeyColumn::append_int(std::int64_t v) {
  tagged_i64('I', v, data_);
  end_bytes();
  end_without_value();
}

void KeyColumn::append_string(std::string_view text) {
  tagged_string('S', text, data_);
  end_bytes();
  end_without_value();
}

void KeyColumn::reserve(std::size_t rows, std::size_t bytes) {
  data_.reserve(bytes);
  offsets_.reserve(rows + 1);
  hashes_.reserve(rows);
}

void KeyColumn::end_bytes(std::uint64_t hash) {
  STREAM_CHECK(data_.size() <= std::numeric_limits<std::uint32_t>::max(),
               "more than 4 GiB of keys in one batch");
  offsets_.push_back(static_cast<std::uint32_t>(data_.size()));
  hashes_.push_back(hash);
}

void KeyColumn::end_bytes() {
  end_bytes(hash_bytes(std::string_view(data_).substr(offsets_.back())));
}

void KeyColumn::end_without_value() {
  if (!values_.empty()) {
    const std::size_t row = values_.size();
    values_.push_back(key_value({std::string_view(data_).substr(offsets_[row]), 0, nullptr}));
  }
}

void KeyColumn::append_value(Value value) {
  for (std::size_t row = values_.size(); row + 1 < hashes_.size(); ++row) {
    values_.push_back(
        key_value({std::string_view(data_).substr(offsets_[row], offsets_[row + 1] - offsets_[row]),
                   0,
                   nullptr}));
  }
  has_objects_ = has_objects_ || value.is_object();
  values_.push_back(std::move(value));
}

}  // namespace flott
