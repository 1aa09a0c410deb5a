// Value::to_string: text for messages and tests, not what `print` shows.

#include "base/error.h"
#include "types/batch.h"
#include "types/decimal.h"
#include "types/value.h"

#include <charconv>
#include <cmath>

namespace flott {

namespace {

struct CivilDate {
  std::int64_t year;
  unsigned month;
  unsigned day;
};

/// Days since 1970-01-01 to the proleptic Gregorian calendar: years counted from March, in eras of
/// 400 years.
CivilDate civil_from_days(std::int64_t days) {
  days += 719468;  // since 0000-03-01
  const std::int64_t era = (days >= 0 ? days : days - 146096) / 146097;
  const auto day_of_era = static_cast<std::uint64_t>(days - era * 146097);
  const std::uint64_t year_of_era =
      (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
  const std::uint64_t day_of_year =
      day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
  const std::uint64_t month_from_march = (5 * day_of_year + 2) / 153;
  const auto day = static_cast<unsigned>(day_of_year - (153 * month_from_march + 2) / 5 + 1);
  const auto month =
      static_cast<unsigned>(month_from_march < 10 ? month_from_march + 3 : month_from_march - 9);
  return {static_cast<std::int64_t>(year_of_era) + era * 400 + (month <= 2 ? 1 : 0), month, day};
}

std::string date_text(std::int64_t days) {
  const CivilDate d = civil_from_days(days);
  return fmt::format("{:04}-{:02}-{:02}", d.year, d.month, d.day);
}

/// `12:30:00`, `12:30:00.5`; `nanos` beyond the microseconds.
std::string time_text(std::int64_t micros_of_day, std::uint32_t nanos) {
  const std::int64_t seconds = micros_of_day / 1'000'000;
  std::string out =
      fmt::format("{:02}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60);
  const std::int64_t fraction = micros_of_day % 1'000'000 * 1000 + nanos;
  if (fraction != 0) {
    std::string digits = fmt::format("{:09}", fraction);
    digits.erase(digits.find_last_not_of('0') + 1);
    out += '.' + digits;
  }
  return out;
}

std::string timestamp_text(std::int64_t micros, std::uint32_t nanos) {
  constexpr std::int64_t kMicrosPerDay = 86'400'000'000;
  std::int64_t days = micros / kMicrosPerDay;
  std::int64_t rest = micros % kMicrosPerDay;
  if (rest < 0) {
    rest += kMicrosPerDay;
    --days;
  }
  return date_text(days) + "T" + time_text(rest, nanos);
}

std::string double_text(double v) {
  if (std::isnan(v)) {
    return "nan";
  }
  if (std::isinf(v)) {
    return v < 0 ? "-inf" : "inf";
  }
  char buffer[40];
  const auto result = std::to_chars(buffer, buffer + sizeof buffer, v);
  std::string out(buffer, result.ptr);
  if (out.find_first_of(".e") == std::string::npos) {
    out += ".0";
  }
  return out;
}

std::string quoted(std::string_view text, bool all_printable) {
  std::string out = "'";
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '\'' || c == '\\') {
      out += '\\';
      out += c;
    } else if (c == '\n') {
      out += "\\n";
    } else if (c == '\t') {
      out += "\\t";
    } else if (c == '\r') {
      out += "\\r";
    } else if (byte < 0x20 || byte == 0x7f || (all_printable && byte >= 0x80)) {
      out += fmt::format("\\x{:02x}", byte);
    } else {
      out += c;
    }
  }
  return out + "'";
}

std::string fields_text(const Value& row, bool tuple) {
  std::string out(1, tuple ? '(' : '[');
  const std::size_t count = row.field_count();
  for (std::size_t i = 0; i < count; ++i) {
    if (i > 0) {
      out += ", ";
    }
    out += row.field(i).to_string();
  }
  if (tuple && count == 1) {
    out += ',';
  }
  return out + (tuple ? ')' : ']');
}

std::string row_text(const Value& row, RowKind kind, const LogicalType* type) {
  const bool tuple = type != nullptr && type->kind() == TypeKind::kTuple;
  std::string out;
  if (!tuple || kind != RowKind::kInsert) {
    out = short_string(kind);
  }
  return out + fields_text(row, tuple);
}

}  // namespace

std::string Value::to_string() const {
  switch (kind_) {
    case ValueKind::kNull:
      return "null";
    case ValueKind::kBool:
      return as_bool() ? "true" : "false";
    case ValueKind::kInt:
      return std::to_string(as_int());
    case ValueKind::kDouble:
      return double_text(as_double());
    case ValueKind::kDate:
      return date_text(as_int());
    case ValueKind::kTime:
      return time_text(as_int(), 0);
    case ValueKind::kTimestamp:
      return timestamp_text(as_int(), aux_);
    case ValueKind::kTimestampLtz:
      return timestamp_text(as_int(), aux_) + "Z";
    case ValueKind::kIntervalMonths:
      return std::to_string(as_int()) + " months";
    case ValueKind::kIntervalMillis:
      return std::to_string(as_int()) + " ms";
    case ValueKind::kDecimal:
      return decimal_to_string(as_decimal().unscaled, as_decimal().scale);
    case ValueKind::kString:
      return quoted(as_string(), false);
    case ValueKind::kBytes:
      return "b" + quoted(as_string(), true);
    case ValueKind::kRow:
      return row_text(*this, as_row().kind, as_row().type.get());
    case ValueKind::kBatchRow:
      return row_text(*this, as_batch().kind_at(aux_), as_batch().type().get());
    case ValueKind::kArray:
      return fields_text(*this, false);
    case ValueKind::kMap: {
      std::string out = "{";
      for (const auto& [key, value] : as_map()) {
        if (out.size() > 1) {
          out += ", ";
        }
        out += key.to_string() + ": " + value.to_string();
      }
      return out + "}";
    }
    case ValueKind::kObject:
      return host() != nullptr ? host()->repr(as_object()) : "<object>";
  }
  return "?";
}

}  // namespace flott
