#pragma once

#include "types/batch.h"
#include "types/logical_type.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace flott {

/// Scalars as text: what JSON strings, JSON map keys and CSV cells have in common. Pure functions;
/// parsers return nothing for text that is not of the type, and never look beyond the view. Texts
/// follow Java's: what Flink writes is read here and the other way round.

/// How timestamps are spelt.
enum class TimestampStandard {
  /// `2020-01-02T03:04:05.123Z`, what Flink's row formats write. Reading is lenient: `T` or a
  /// blank, seconds and
  /// `Z` optional, an offset (`+02:00`) for instants.
  kRfc3339,
  /// `2020-01-02 03:04:05.123`, instants with `Z` at the end; nothing else is read.
  kSql,
  /// `2020-01-02T03:04:05.123`, instants with `Z` at the end; nothing else is read.
  kIso8601,
};

/// Without the characters <= ' ' at both ends (Java's trim).
std::string_view trim(std::string_view text);
/// `text` for an error message: cut after 80 bytes, never inside a UTF-8 sequence; control
/// characters as \x00.
std::string excerpt(std::string_view text);

/// Smallest and largest value of an integer kind (and of the kinds stored as BIGINT).
struct IntegerRange {
  std::int64_t min;
  std::int64_t max;
};
IntegerRange integer_range(TypeKind kind);

/// Optional sign and digits that fit 64 bits.
std::optional<std::int64_t> parse_integer(std::string_view text);
/// Decimal notation with optional exponent, `NaN`, `Infinity`, `-Infinity`.
std::optional<double> parse_double(std::string_view text);
/// The unscaled value at `scale` (half up), exact: digits never pass through a double. Nothing when
/// it needs more than `precision` digits.
std::optional<__int128> parse_decimal(std::string_view text, int precision, int scale);
/// Days since 1970-01-01 of `YYYY-MM-DD`.
std::optional<std::int32_t> parse_date(std::string_view text);
/// Microseconds of day of `HH:MM:SS[.f]`, with or without `Z`.
std::optional<std::int64_t> parse_time(std::string_view text);
/// In the unit of `type` (kTimestamp or kTimestampLtz: microseconds, nanoseconds above precision
/// 6).
std::optional<std::int64_t> parse_timestamp(std::string_view text,
                                            const LogicalType& type,
                                            TimestampStandard standard);
/// Standard alphabet, padding optional. False when `text` is none; `out` is replaced.
bool decode_base64(std::string_view text, std::string& out);

void append_integer(std::int64_t value, std::string& out);
/// As Java's Double.toString / Float.toString: `1.0`, `1.0E10`, `NaN`, `Infinity`, shortest digits.
void append_double(double value, std::string& out);
void append_float(float value, std::string& out);
/// Plain notation without exponent, all digits of the scale (`1.50`).
void append_decimal(__int128 unscaled, int scale, std::string& out);
/// As BigDecimal.toString without trailing zeros: `1.5`, `1E+10`.
void append_decimal_scientific(__int128 unscaled, int scale, std::string& out);
void append_date(std::int64_t days, std::string& out);
/// `HH:MM:SS` and as many digits of the fraction as there are.
void append_time(std::int64_t micros, std::string& out);
/// `HH:MM:SS` and digits; `separator` between date and time. `value` in the unit of `type`;
/// `min_digits` of the fraction are always written.
void append_timestamp(
    std::int64_t value, const LogicalType& type, char separator, int min_digits, std::string& out);
void append_base64(std::string_view bytes, std::string& out);

enum class TextResult { kOk, kMalformed, kOutOfRange };

/// Appends `text` to a column of the scalar type `type`: numbers are trimmed, BOOLEAN is true only
/// for "true" in any case, BYTES are base64, STRING is taken as it is. kMalformed for types that
/// are not scalar; nothing is appended unless kOk. `scratch` is reused between calls.
TextResult append_text(std::string_view text,
                       const LogicalType& type,
                       TimestampStandard standard,
                       std::string& scratch,
                       ColumnBuilder& out);

/// Length of the longest valid UTF-8 prefix (surrogates and overlong forms are invalid).
std::size_t valid_utf8_prefix(std::string_view bytes);
/// Appends `bytes` with each invalid sequence replaced by U+FFFD, as Java's decoder does.
void append_repaired_utf8(std::string_view bytes, std::string& out);
/// Appends one code point as UTF-8.
void append_code_point(std::uint32_t code_point, std::string& out);

}  // namespace flott
