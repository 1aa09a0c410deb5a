#include "connectors/print/value_text.h"

#include "types/batch.h"
#include "types/host.h"

#include <fmt/format.h>

#include <charconv>
#include <cmath>
#include <cstdlib>

namespace flott {
namespace {

void append_int(std::int64_t value, std::string& out) {
  char text[24];
  const auto [end, error] = std::to_chars(text, text + sizeof text, value);
  out.append(text, end);
}

void append_decimal(const DecimalNode& decimal, std::string& out) {
  const bool negative = decimal.unscaled < 0;
  unsigned __int128 left = negative ? -static_cast<unsigned __int128>(decimal.unscaled)
                                    : static_cast<unsigned __int128>(decimal.unscaled);
  std::string digits;
  do {
    digits.insert(digits.begin(), static_cast<char>('0' + static_cast<int>(left % 10)));
    left /= 10;
  } while (left != 0);
  const auto scale = static_cast<std::size_t>(decimal.scale > 0 ? decimal.scale : 0);
  if (digits.size() <= scale) {
    digits.insert(0, scale + 1 - digits.size(), '0');
  }
  if (scale > 0) {
    digits.insert(digits.size() - scale, 1, '.');
  }
  if (negative) {
    out.push_back('-');
  }
  out += digits;
}

struct CivilDay {
  std::int64_t year;
  unsigned month;
  unsigned day;
};

/// Gregorian date of a day number (proleptic; by counting from 0000-03-01).
CivilDay civil_day(std::int64_t days) {
  days += 719468;
  const std::int64_t era = (days >= 0 ? days : days - 146096) / 146097;
  const auto day_of_era = static_cast<unsigned>(days - era * 146097);
  const unsigned year_of_era =
      (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
  const unsigned day_of_year =
      day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
  const unsigned shifted = (5 * day_of_year + 2) / 153;
  const unsigned month = shifted < 10 ? shifted + 3 : shifted - 9;
  return {static_cast<std::int64_t>(year_of_era) + era * 400 + (month <= 2 ? 1 : 0),
          month,
          day_of_year - (153 * shifted + 2) / 5 + 1};
}

std::int64_t floor_div(std::int64_t a, std::int64_t b) {
  return a / b - (a % b < 0 ? 1 : 0);
}

void append_date(std::int64_t days, std::string& out) {
  const CivilDay day = civil_day(days);
  out += fmt::format("{:04}-{:02}-{:02}", day.year, day.month, day.day);
}

/// hh:mm:ss of a second of the day.
void append_clock(std::int64_t second, std::string& out) {
  out += fmt::format("{:02}:{:02}:{:02}", second / 3600, second / 60 % 60, second % 60);
}

/// Fraction digits without trailing zeros; at least `least` digits.
void append_fraction(std::int64_t nanos, std::size_t least, std::string& out) {
  std::string digits = fmt::format("{:09}", nanos);
  while (digits.size() > least && digits.back() == '0') {
    digits.pop_back();
  }
  if (!digits.empty()) {
    out.push_back('.');
    out += digits;
  }
}

/// java.sql.Timestamp: "2018-03-11 03:00:00.123"; an instant as Java's Instant, "…T…Z".
void append_timestamp(const Value& value, bool instant, std::string& out) {
  const std::int64_t micros = value.as_int();
  const std::int64_t seconds = floor_div(micros, 1'000'000);
  const std::int64_t nanos =
      (micros - seconds * 1'000'000) * 1000 + static_cast<std::int64_t>(value.aux());
  const std::int64_t days = floor_div(seconds, 86400);
  append_date(days, out);
  out.push_back(instant ? 'T' : ' ');
  append_clock(seconds - days * 86400, out);
  append_fraction(nanos, instant ? 0 : 1, out);
  if (instant) {
    out.push_back('Z');
  }
}

const LogicalType& any_type() {
  return *LogicalType::object();
}

const LogicalType& child_of(const LogicalType& type, std::size_t i) {
  return i < type.children().size() ? *type.children()[i] : any_type();
}

/// Python's str() of one field of a row; simple values without asking the host.
void append_host_text(const Value& value, const LogicalType& type, std::string& out) {
  switch (value.kind()) {
    case ValueKind::kNull:
      out += "None";
      return;
    case ValueKind::kBool:
      out += value.as_bool() ? "True" : "False";
      return;
    case ValueKind::kInt:
      append_int(value.as_int(), out);
      return;
    case ValueKind::kString:
      out += value.as_string();
      return;
    case ValueKind::kDecimal:
      append_decimal(value.as_decimal(), out);
      return;
    default:
      break;
  }
  Host* const present = host();
  if (present == nullptr) {
    append_java(value, type, out);
    return;
  }
  if (value.is_object()) {
    out += present->str(value.as_object());
    return;
  }
  const Value object = Value::adopt_object(present->to_object(value, type));
  out += present->str(object.as_object());
}

}  // namespace

void append_java_double(double value, bool single, std::string& out) {
  if (std::isnan(value)) {
    out += "NaN";
    return;
  }
  if (std::isinf(value)) {
    out += value < 0 ? "-Infinity" : "Infinity";
    return;
  }
  if (value == 0) {
    out += std::signbit(value) ? "-0.0" : "0.0";
    return;
  }
  char text[64];
  const double magnitude = std::fabs(value);
  const bool plain = magnitude >= 1e-3 && magnitude < 1e7;
  const auto format = plain ? std::chars_format::fixed : std::chars_format::scientific;
  const auto result =
      single ? std::to_chars(text, text + sizeof text, static_cast<float>(value), format)
             : std::to_chars(text, text + sizeof text, value, format);
  const std::string digits(text, result.ptr);
  if (plain) {
    out += digits;
    if (digits.find('.') == std::string::npos) {
      out += ".0";
    }
    return;
  }
  // 1e+10 -> 1.0E10, 1.5e-07 -> 1.5E-7.
  const std::size_t e = digits.find('e');
  std::string mantissa = digits.substr(0, e);
  if (mantissa.find('.') == std::string::npos) {
    mantissa += ".0";
  }
  out += mantissa;
  out.push_back('E');
  out += std::to_string(std::atoi(digits.c_str() + e + 1));
}

void append_java(const Value& value, const LogicalType& type, std::string& out) {
  switch (value.kind()) {
    case ValueKind::kNull:
      out += "null";
      break;
    case ValueKind::kBool:
      out += value.as_bool() ? "true" : "false";
      break;
    case ValueKind::kInt:
    case ValueKind::kIntervalMonths:
    case ValueKind::kIntervalMillis:
      append_int(value.as_int(), out);
      break;
    case ValueKind::kDouble:
      append_java_double(value.as_double(), type.kind() == TypeKind::kFloat, out);
      break;
    case ValueKind::kDate:
      append_date(value.as_int(), out);
      break;
    case ValueKind::kTime:
      append_clock(value.as_int() / 1'000'000, out);
      break;
    case ValueKind::kTimestamp:
      append_timestamp(value, false, out);
      break;
    case ValueKind::kTimestampLtz:
      append_timestamp(value, true, out);
      break;
    case ValueKind::kDecimal:
      append_decimal(value.as_decimal(), out);
      break;
    case ValueKind::kString:
      out += value.as_string();
      break;
    case ValueKind::kBytes: {
      out.push_back('[');
      const char* separator = "";
      for (const char c : value.as_string()) {
        out += separator;
        append_int(static_cast<signed char>(c), out);
        separator = ", ";
      }
      out.push_back(']');
      break;
    }
    case ValueKind::kArray: {
      const char* separator = "";
      out.push_back('[');
      for (const Value& item : value.as_array()) {
        out += separator;
        append_java(item, child_of(type, 0), out);
        separator = ", ";
      }
      out.push_back(']');
      break;
    }
    case ValueKind::kMap: {
      const char* separator = "";
      out.push_back('{');
      for (const auto& [key, item] : value.as_map()) {
        out += separator;
        append_java(key, child_of(type, 0), out);
        out.push_back('=');
        append_java(item, child_of(type, 1), out);
        separator = ", ";
      }
      out.push_back('}');
      break;
    }
    case ValueKind::kRow:
    case ValueKind::kBatchRow: {
      const bool tuple = type.kind() == TypeKind::kTuple;
      const RowKind kind = value.kind() == ValueKind::kRow ? value.as_row().kind
                                                           : value.as_batch().kind_at(value.aux());
      if (!tuple) {
        out += short_string(kind);
      }
      out.push_back(tuple ? '(' : '[');
      for (std::size_t i = 0; i < value.field_count(); ++i) {
        if (i > 0) {
          out += tuple ? "," : ", ";
        }
        append_java(value.field(i), child_of(type, i), out);
      }
      out.push_back(tuple ? ')' : ']');
      break;
    }
    case ValueKind::kObject:
      out += require_host().str(value.as_object());
      break;
  }
}

void append_printed(const Value& value, const LogicalType& type, std::string& out) {
  if (type.kind() != TypeKind::kRow || value.is_null()) {
    append_java(value, type, out);
    return;
  }
  const RowKind kind = value.kind() == ValueKind::kBatchRow ? value.as_batch().kind_at(value.aux())
                                                            : value.as_row().kind;
  out += short_string(kind);
  out.push_back('[');
  for (std::size_t i = 0; i < value.field_count(); ++i) {
    if (i > 0) {
      out.push_back(',');
    }
    append_host_text(value.field(i), child_of(type, i), out);
  }
  out.push_back(']');
}

}  // namespace flott
