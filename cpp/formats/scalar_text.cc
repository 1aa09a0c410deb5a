#include "formats/scalar_text.h"

#include <fmt/format.h>

#include <array>
#include <charconv>
#include <cmath>
#include <cstring>
#include <limits>

namespace flott {

namespace {

constexpr std::int64_t kMicrosPerSecond = 1'000'000;
constexpr std::int64_t kMicrosPerDay = 86'400 * kMicrosPerSecond;

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

/// Days since the epoch of a civil date and back (proleptic Gregorian), by shifting the year to
/// begin in March so that the leap day is its last.
std::int64_t days_from_civil(std::int64_t year, int month, int day) {
  year -= month <= 2 ? 1 : 0;
  const std::int64_t era = (year >= 0 ? year : year - 399) / 400;
  const std::int64_t year_of_era = year - era * 400;
  const std::int64_t day_of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
  const std::int64_t day_of_era =
      year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
  return era * 146097 + day_of_era - 719468;
}

struct Civil {
  std::int64_t year;
  int month;
  int day;
};

Civil civil_from_days(std::int64_t days) {
  days += 719468;
  const std::int64_t era = (days >= 0 ? days : days - 146096) / 146097;
  const std::int64_t day_of_era = days - era * 146097;
  const std::int64_t year_of_era =
      (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
  const std::int64_t day_of_year =
      day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
  const std::int64_t shifted_month = (5 * day_of_year + 2) / 153;
  const int day = static_cast<int>(day_of_year - (153 * shifted_month + 2) / 5 + 1);
  const int month = static_cast<int>(shifted_month < 10 ? shifted_month + 3 : shifted_month - 9);
  return {year_of_era + era * 400 + (month <= 2 ? 1 : 0), month, day};
}

int days_in_month(std::int64_t year, int month) {
  constexpr std::array<int, 12> kDays = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
  const bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
  return month == 2 && leap ? 29 : kDays[static_cast<std::size_t>(month - 1)];
}

/// Takes exactly `count` digits from the front of `text`.
bool take_digits(std::string_view& text, int count, int& out) {
  if (text.size() < static_cast<std::size_t>(count)) {
    return false;
  }
  out = 0;
  for (int i = 0; i < count; ++i) {
    const char c = text[static_cast<std::size_t>(i)];
    if (!is_digit(c)) {
      return false;
    }
    out = out * 10 + (c - '0');
  }
  text.remove_prefix(static_cast<std::size_t>(count));
  return true;
}

bool take_char(std::string_view& text, char c) {
  if (text.empty() || text.front() != c) {
    return false;
  }
  text.remove_prefix(1);
  return true;
}

bool take_date(std::string_view& text, std::int64_t& days) {
  int year = 0;
  int month = 0;
  int day = 0;
  if (!take_digits(text, 4, year) || !take_char(text, '-') || !take_digits(text, 2, month) ||
      !take_char(text, '-') || !take_digits(text, 2, day) || month < 1 || month > 12 || day < 1 ||
      day > days_in_month(year, month)) {
    return false;
  }
  days = days_from_civil(year, month, day);
  return true;
}

/// `HH:MM[:SS[.f{1,9}]]` as nanoseconds of day.
bool take_time(std::string_view& text, bool seconds_required, std::int64_t& nanos) {
  int hour = 0;
  int minute = 0;
  int second = 0;
  int fraction = 0;
  if (!take_digits(text, 2, hour) || !take_char(text, ':') || !take_digits(text, 2, minute)) {
    return false;
  }
  if (take_char(text, ':')) {
    if (!take_digits(text, 2, second)) {
      return false;
    }
    if (take_char(text, '.')) {
      int digits = 0;
      while (digits < 9 && !text.empty() && is_digit(text.front())) {
        fraction = fraction * 10 + (text.front() - '0');
        text.remove_prefix(1);
        ++digits;
      }
      if (digits == 0) {
        return false;
      }
      for (; digits < 9; ++digits) {
        fraction *= 10;
      }
    }
  } else if (seconds_required) {
    return false;
  }
  if (hour > 23 || minute > 59 || second > 59) {
    return false;
  }
  nanos = ((hour * 60LL + minute) * 60 + second) * 1'000'000'000LL + fraction;
  return true;
}

void append_padded(std::int64_t value, int width, std::string& out) {
  std::array<char, 20> digits{};
  int n = 0;
  do {
    digits[static_cast<std::size_t>(n++)] = static_cast<char>('0' + value % 10);
    value /= 10;
  } while (value > 0);
  for (int i = n; i < width; ++i) {
    out.push_back('0');
  }
  while (n > 0) {
    out.push_back(digits[static_cast<std::size_t>(--n)]);
  }
}

void append_time_of_day(std::int64_t nanos, int min_digits, std::string& out) {
  const std::int64_t seconds = nanos / 1'000'000'000;
  std::int64_t fraction = nanos % 1'000'000'000;
  append_padded(seconds / 3600, 2, out);
  out.push_back(':');
  append_padded(seconds / 60 % 60, 2, out);
  out.push_back(':');
  append_padded(seconds % 60, 2, out);
  int digits = 9;
  while (digits > min_digits && fraction % 10 == 0) {
    fraction /= 10;
    --digits;
  }
  if (digits > 0) {
    out.push_back('.');
    append_padded(fraction, digits, out);
  }
}

/// Java's notation for the shortest digits that read back as the same number.
template <typename Float>
void append_java_floating(Float value, std::string& out) {
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
  const double magnitude = std::fabs(static_cast<double>(value));
  std::array<char, 64> buffer{};
  char* const end = buffer.data() + buffer.size();
  if (magnitude >= 1e-3 && magnitude < 1e7) {
    const auto result = std::to_chars(buffer.data(), end, value, std::chars_format::fixed);
    const std::string_view text(buffer.data(),
                                static_cast<std::size_t>(result.ptr - buffer.data()));
    out += text;
    if (text.find('.') == std::string_view::npos) {
      out += ".0";
    }
    return;
  }
  const auto result = std::to_chars(buffer.data(), end, value, std::chars_format::scientific);
  const std::string_view text(buffer.data(), static_cast<std::size_t>(result.ptr - buffer.data()));
  const std::size_t e = text.find('e');
  const std::string_view mantissa = text.substr(0, e);
  std::string_view exponent = text.substr(e + 1);
  out += mantissa;
  if (mantissa.find('.') == std::string_view::npos) {
    out += ".0";
  }
  out.push_back('E');
  if (exponent.front() == '-') {
    out.push_back('-');
  }
  exponent.remove_prefix(1);
  while (exponent.size() > 1 && exponent.front() == '0') {
    exponent.remove_prefix(1);
  }
  out += exponent;
}

/// Digits of the magnitude, most significant first.
std::string_view decimal_digits(__int128 unscaled, std::array<char, 48>& buffer) {
  auto rest = static_cast<unsigned __int128>(unscaled);
  if (unscaled < 0) {
    rest = 0 - rest;
  }
  std::size_t begin = buffer.size();
  do {
    buffer[--begin] = static_cast<char>('0' + static_cast<int>(rest % 10));
    rest /= 10;
  } while (rest > 0);
  return {buffer.data() + begin, buffer.size() - begin};
}

bool equals_ignoring_case(std::string_view text, std::string_view lower) {
  if (text.size() != lower.size()) {
    return false;
  }
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i] >= 'A' && text[i] <= 'Z' ? static_cast<char>(text[i] + 32) : text[i];
    if (c != lower[i]) {
      return false;
    }
  }
  return true;
}

constexpr std::string_view kBase64 =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

constexpr std::array<std::int8_t, 256> make_base64_values() {
  std::array<std::int8_t, 256> values{};
  for (auto& v : values) {
    v = -1;
  }
  for (std::size_t i = 0; i < kBase64.size(); ++i) {
    values[static_cast<unsigned char>(kBase64[i])] = static_cast<std::int8_t>(i);
  }
  return values;
}
constexpr std::array<std::int8_t, 256> kBase64Values = make_base64_values();

/// Length of the valid sequence at `p`, or 0; `bad` is then how many bytes belong to the broken
/// one.
std::size_t utf8_sequence(const unsigned char* p, std::size_t n, std::size_t& bad) {
  bad = 1;
  const unsigned char lead = p[0];
  if (lead < 0x80) {
    return 1;
  }
  std::size_t length = 0;
  unsigned char low = 0x80;
  unsigned char high = 0xbf;
  if (lead >= 0xc2 && lead <= 0xdf) {
    length = 2;
  } else if (lead >= 0xe0 && lead <= 0xef) {
    length = 3;
    low = lead == 0xe0 ? 0xa0 : 0x80;
    high = lead == 0xed ? 0x9f : 0xbf;
  } else if (lead >= 0xf0 && lead <= 0xf4) {
    length = 4;
    low = lead == 0xf0 ? 0x90 : 0x80;
    high = lead == 0xf4 ? 0x8f : 0xbf;
  } else {
    return 0;
  }
  for (std::size_t i = 1; i < length; ++i) {
    if (i >= n || p[i] < (i == 1 ? low : 0x80) || p[i] > (i == 1 ? high : 0xbf)) {
      bad = i;
      return 0;
    }
  }
  return length;
}

}  // namespace

std::string_view trim(std::string_view text) {
  while (!text.empty() && static_cast<unsigned char>(text.front()) <= ' ') {
    text.remove_prefix(1);
  }
  while (!text.empty() && static_cast<unsigned char>(text.back()) <= ' ') {
    text.remove_suffix(1);
  }
  return text;
}

std::string excerpt(std::string_view text) {
  constexpr std::size_t kLimit = 80;
  std::size_t end = text.size();
  if (end > kLimit) {
    end = kLimit;
    while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xc0) == 0x80) {
      --end;
    }
  }
  std::string repaired;
  append_repaired_utf8(text.substr(0, end), repaired);
  std::string out;
  for (const char c : repaired) {
    // Control characters would tear a log line or, as NUL, end it.
    if (static_cast<unsigned char>(c) < 0x20) {
      out += fmt::format("\\x{:02x}", static_cast<int>(c));
    } else {
      out.push_back(c);
    }
  }
  if (end < text.size()) {
    out += "...";
  }
  return out;
}

IntegerRange integer_range(TypeKind kind) {
  switch (kind) {
    case TypeKind::kTinyInt:
      return {std::numeric_limits<std::int8_t>::min(), std::numeric_limits<std::int8_t>::max()};
    case TypeKind::kSmallInt:
      return {std::numeric_limits<std::int16_t>::min(), std::numeric_limits<std::int16_t>::max()};
    case TypeKind::kInt:
      return {std::numeric_limits<std::int32_t>::min(), std::numeric_limits<std::int32_t>::max()};
    default:
      return {std::numeric_limits<std::int64_t>::min(), std::numeric_limits<std::int64_t>::max()};
  }
}

std::optional<std::int64_t> parse_integer(std::string_view text) {
  if (text.size() > 1 && text.front() == '+' && is_digit(text[1])) {
    text.remove_prefix(1);
  }
  std::int64_t value = 0;
  const char* const end = text.data() + text.size();
  const auto [ptr, error] = std::from_chars(text.data(), end, value);
  if (error != std::errc() || ptr != end) {
    return std::nullopt;
  }
  return value;
}

std::optional<double> parse_double(std::string_view text) {
  if (text.empty()) {
    return std::nullopt;
  }
  if (text == "NaN") {
    return std::numeric_limits<double>::quiet_NaN();
  }
  std::string_view magnitude = text;
  const bool negative = magnitude.front() == '-';
  if (negative || magnitude.front() == '+') {
    magnitude.remove_prefix(1);
  }
  if (magnitude == "Infinity") {
    const double infinity = std::numeric_limits<double>::infinity();
    return negative ? -infinity : infinity;
  }
  // from_chars also reads "inf", "nan(x)" and such, which Java does not.
  if (magnitude.empty() || !(is_digit(magnitude.front()) || magnitude.front() == '.')) {
    return std::nullopt;
  }
  double value = 0;
  const char* const end = magnitude.data() + magnitude.size();
  const auto [ptr, error] = std::from_chars(magnitude.data(), end, value);
  if (ptr != end) {
    return std::nullopt;
  }
  if (error == std::errc::result_out_of_range) {
    // Too large or too small for a double: as Java, infinity or zero.
    const std::size_t e = magnitude.find_first_of("eE");
    const bool tiny = e != std::string_view::npos
                          ? e + 1 < magnitude.size() && magnitude[e + 1] == '-'
                          : magnitude.front() == '0' || magnitude.front() == '.';
    value = tiny ? 0.0 : std::numeric_limits<double>::infinity();
  } else if (error != std::errc()) {
    return std::nullopt;
  }
  return negative ? -value : value;
}

std::optional<__int128> parse_decimal(std::string_view text, int precision, int scale) {
  bool negative = false;
  if (!text.empty() && (text.front() == '-' || text.front() == '+')) {
    negative = text.front() == '-';
    text.remove_prefix(1);
  }
  const std::size_t e = text.find_first_of("eE");
  std::int64_t exponent = 0;
  if (e != std::string_view::npos) {
    const std::optional<std::int64_t> parsed = parse_integer(text.substr(e + 1));
    if (!parsed || *parsed > 100'000 || *parsed < -100'000) {
      return std::nullopt;
    }
    exponent = *parsed;
    text = text.substr(0, e);
  }
  // Position of the decimal point, counted in digits; leading zeros do not count as digits kept.
  std::int64_t integer_digits = 0;
  std::size_t digits = 0;
  bool point = false;
  for (const char c : text) {
    if (c == '.' && !point) {
      point = true;
    } else if (is_digit(c)) {
      ++digits;
      integer_digits += point ? 0 : 1;
    } else {
      return std::nullopt;
    }
  }
  if (digits == 0) {
    return std::nullopt;
  }
  // Digits to keep: those left of position integer_digits + exponent + scale; the next one rounds.
  const std::int64_t keep = integer_digits + exponent + scale;
  unsigned __int128 value = 0;
  std::int64_t seen = 0;
  int significant = 0;
  bool round_up = false;
  const auto push = [&](int digit) {
    if (significant > 0 || digit != 0) {
      ++significant;
      if (significant > 39) {
        return false;
      }
    }
    value = value * 10 + static_cast<unsigned>(digit);
    return true;
  };
  for (const char c : text) {
    if (c == '.') {
      continue;
    }
    if (seen < keep) {
      if (!push(c - '0')) {
        return std::nullopt;
      }
    } else if (seen == keep) {
      round_up = c >= '5';
    }
    ++seen;
  }
  for (; seen < keep && value != 0; ++seen) {
    if (!push(0)) {
      return std::nullopt;
    }
  }
  if (round_up) {
    ++value;
  }
  unsigned __int128 limit = 1;
  for (int i = 0; i < precision; ++i) {
    limit *= 10;
  }
  if (value >= limit) {
    return std::nullopt;
  }
  return negative ? -static_cast<__int128>(value) : static_cast<__int128>(value);
}

std::optional<std::int32_t> parse_date(std::string_view text) {
  std::int64_t days = 0;
  if (!take_date(text, days) || !text.empty()) {
    return std::nullopt;
  }
  return static_cast<std::int32_t>(days);
}

std::optional<std::int64_t> parse_time(std::string_view text) {
  std::int64_t nanos = 0;
  if (!take_time(text, /*seconds_required=*/false, nanos)) {
    return std::nullopt;
  }
  take_char(text, 'Z');
  if (!text.empty()) {
    return std::nullopt;
  }
  return nanos / 1000;
}

std::optional<std::int64_t> parse_timestamp(std::string_view text,
                                            const LogicalType& type,
                                            TimestampStandard standard) {
  const bool instant = type.kind() == TypeKind::kTimestampLtz;
  const bool lenient = standard == TimestampStandard::kRfc3339;
  std::int64_t days = 0;
  std::int64_t nanos = 0;
  if (!take_date(text, days)) {
    return std::nullopt;
  }
  const bool separated = (standard != TimestampStandard::kSql && take_char(text, 'T')) ||
                         (standard != TimestampStandard::kIso8601 && take_char(text, ' '));
  if (!separated || !take_time(text, standard == TimestampStandard::kSql, nanos)) {
    return std::nullopt;
  }
  std::int64_t offset_minutes = 0;
  if (take_char(text, 'Z')) {
    if (!instant && !lenient) {
      return std::nullopt;
    }
  } else if (!text.empty()) {
    int hours = 0;
    int minutes = 0;
    const bool negative = text.front() == '-';
    if (!lenient || !instant || !(take_char(text, '+') || take_char(text, '-')) ||
        !take_digits(text, 2, hours) || !(take_char(text, ':') || true) ||
        !take_digits(text, 2, minutes) || hours > 18 || minutes > 59) {
      return std::nullopt;
    }
    offset_minutes = (hours * 60 + minutes) * (negative ? -1 : 1);
  } else if (instant && !lenient) {
    return std::nullopt;
  }
  if (!text.empty()) {
    return std::nullopt;
  }
  const std::int64_t seconds = days * 86'400 - offset_minutes * 60;
  if (type.precision() <= 6) {
    return seconds * kMicrosPerSecond + nanos / 1000;
  }
  std::int64_t value = 0;
  if (__builtin_mul_overflow(seconds, 1'000'000'000LL, &value) ||
      __builtin_add_overflow(value, nanos, &value)) {
    return std::nullopt;
  }
  return value;
}

bool decode_base64(std::string_view text, std::string& out) {
  out.clear();
  int padding = 0;
  while (padding < 2 && !text.empty() && text.back() == '=') {
    text.remove_suffix(1);
    ++padding;
  }
  if (text.size() % 4 == 1 ||
      (padding > 0 && (text.size() + static_cast<std::size_t>(padding)) % 4 != 0)) {
    return false;
  }
  std::uint32_t bits = 0;
  int count = 0;
  for (const char c : text) {
    const std::int8_t value = kBase64Values[static_cast<unsigned char>(c)];
    if (value < 0) {
      return false;
    }
    bits = bits << 6 | static_cast<std::uint32_t>(value);
    count += 6;
    if (count >= 8) {
      count -= 8;
      out.push_back(static_cast<char>(bits >> count));
    }
  }
  return true;
}

void append_integer(std::int64_t value, std::string& out) {
  std::array<char, 24> buffer;
  const auto result = std::to_chars(buffer.data(), buffer.data() + buffer.size(), value);
  out.append(buffer.data(), static_cast<std::size_t>(result.ptr - buffer.data()));
}

void append_double(double value, std::string& out) {
  append_java_floating(value, out);
}

void append_float(float value, std::string& out) {
  append_java_floating(value, out);
}

void append_decimal(__int128 unscaled, int scale, std::string& out) {
  std::array<char, 48> buffer;
  const std::string_view digits = decimal_digits(unscaled, buffer);
  if (unscaled < 0) {
    out.push_back('-');
  }
  const auto fraction = static_cast<std::size_t>(scale);
  if (digits.size() <= fraction) {
    out.push_back('0');
  } else {
    out += digits.substr(0, digits.size() - fraction);
  }
  if (fraction > 0) {
    out.push_back('.');
    if (digits.size() < fraction) {
      out.append(fraction - digits.size(), '0');
      out += digits;
    } else {
      out += digits.substr(digits.size() - fraction);
    }
  }
}

void append_decimal_scientific(__int128 unscaled, int scale, std::string& out) {
  std::array<char, 48> buffer;
  std::string_view digits = decimal_digits(unscaled, buffer);
  if (digits == "0") {
    out.push_back('0');
    return;
  }
  std::int64_t stripped_scale = scale;
  while (digits.back() == '0') {
    digits.remove_suffix(1);
    --stripped_scale;
  }
  const std::int64_t adjusted = static_cast<std::int64_t>(digits.size()) - 1 - stripped_scale;
  if (stripped_scale >= 0 && adjusted >= -6) {
    __int128 value = unscaled;
    for (std::int64_t i = stripped_scale; i < scale; ++i) {
      value /= 10;
    }
    append_decimal(value, static_cast<int>(stripped_scale), out);
    return;
  }
  if (unscaled < 0) {
    out.push_back('-');
  }
  out.push_back(digits.front());
  if (digits.size() > 1) {
    out.push_back('.');
    out += digits.substr(1);
  }
  out += adjusted < 0 ? "E" : "E+";
  append_integer(adjusted, out);
}

void append_date(std::int64_t days, std::string& out) {
  const Civil civil = civil_from_days(days);
  std::int64_t year = civil.year;
  if (year < 0) {
    out.push_back('-');
    year = -year;
  } else if (year > 9999) {
    out.push_back('+');
  }
  append_padded(year, 4, out);
  out.push_back('-');
  append_padded(civil.month, 2, out);
  out.push_back('-');
  append_padded(civil.day, 2, out);
}

void append_time(std::int64_t micros, std::string& out) {
  append_time_of_day(micros * 1000, /*min_digits=*/0, out);
}

void append_timestamp(
    std::int64_t value, const LogicalType& type, char separator, int min_digits, std::string& out) {
  const std::int64_t per_day = type.precision() > 6 ? kMicrosPerDay * 1000 : kMicrosPerDay;
  std::int64_t days = value / per_day;
  std::int64_t rest = value % per_day;
  if (rest < 0) {
    rest += per_day;
    --days;
  }
  append_date(days, out);
  out.push_back(separator);
  append_time_of_day(type.precision() > 6 ? rest : rest * 1000, min_digits, out);
}

void append_base64(std::string_view bytes, std::string& out) {
  std::size_t i = 0;
  const auto byte = [&](std::size_t at) {
    return static_cast<std::uint32_t>(static_cast<unsigned char>(bytes[at]));
  };
  for (; i + 3 <= bytes.size(); i += 3) {
    const std::uint32_t bits = byte(i) << 16 | byte(i + 1) << 8 | byte(i + 2);
    out.push_back(kBase64[bits >> 18]);
    out.push_back(kBase64[bits >> 12 & 63]);
    out.push_back(kBase64[bits >> 6 & 63]);
    out.push_back(kBase64[bits & 63]);
  }
  if (i + 1 == bytes.size()) {
    out.push_back(kBase64[byte(i) >> 2]);
    out.push_back(kBase64[byte(i) << 4 & 63]);
    out += "==";
  } else if (i + 2 == bytes.size()) {
    const std::uint32_t bits = byte(i) << 8 | byte(i + 1);
    out.push_back(kBase64[bits >> 10]);
    out.push_back(kBase64[bits >> 4 & 63]);
    out.push_back(kBase64[bits << 2 & 63]);
    out.push_back('=');
  }
}

TextResult append_text(std::string_view text,
                       const LogicalType& type,
                       TimestampStandard standard,
                       std::string& scratch,
                       ColumnBuilder& out) {
  switch (type.kind()) {
    case TypeKind::kString:
      out.append_string(text);
      return TextResult::kOk;
    case TypeKind::kBoolean:
      out.append_bool(equals_ignoring_case(trim(text), "true"));
      return TextResult::kOk;
    case TypeKind::kTinyInt:
    case TypeKind::kSmallInt:
    case TypeKind::kInt:
    case TypeKind::kBigInt:
    case TypeKind::kIntervalMonths:
    case TypeKind::kIntervalMillis: {
      const std::string_view digits = trim(text);
      const std::optional<std::int64_t> value = parse_integer(digits);
      if (!value) {
        const bool number = !digits.empty() &&
                            digits.find_first_not_of("0123456789", 1) == std::string_view::npos &&
                            is_digit(digits.back());
        return number ? TextResult::kOutOfRange : TextResult::kMalformed;
      }
      const IntegerRange range = integer_range(type.kind());
      if (*value < range.min || *value > range.max) {
        return TextResult::kOutOfRange;
      }
      out.append_int(*value);
      return TextResult::kOk;
    }
    case TypeKind::kFloat:
    case TypeKind::kDouble: {
      const std::optional<double> value = parse_double(trim(text));
      if (!value) {
        return TextResult::kMalformed;
      }
      out.append_double(*value);
      return TextResult::kOk;
    }
    case TypeKind::kDecimal: {
      const std::string_view digits = trim(text);
      const std::optional<__int128> value = parse_decimal(digits, type.precision(), type.scale());
      if (!value) {
        return parse_double(digits) && is_digit(digits.back()) ? TextResult::kOutOfRange
                                                               : TextResult::kMalformed;
      }
      out.append_decimal(*value);
      return TextResult::kOk;
    }
    case TypeKind::kBytes:
      if (!decode_base64(text, scratch)) {
        return TextResult::kMalformed;
      }
      out.append_string(scratch);
      return TextResult::kOk;
    case TypeKind::kDate: {
      const std::optional<std::int32_t> value = parse_date(text);
      if (!value) {
        return TextResult::kMalformed;
      }
      out.append_int(*value);
      return TextResult::kOk;
    }
    case TypeKind::kTime: {
      const std::optional<std::int64_t> value = parse_time(text);
      if (!value) {
        return TextResult::kMalformed;
      }
      out.append_int(*value);
      return TextResult::kOk;
    }
    case TypeKind::kTimestamp:
    case TypeKind::kTimestampLtz: {
      const std::optional<std::int64_t> value = parse_timestamp(text, type, standard);
      if (!value) {
        return TextResult::kMalformed;
      }
      out.append_int(*value);
      return TextResult::kOk;
    }
    default:
      return TextResult::kMalformed;
  }
}

std::size_t valid_utf8_prefix(std::string_view bytes) {
  const auto* const p = reinterpret_cast<const unsigned char*>(bytes.data());
  std::size_t i = 0;
  std::size_t bad = 0;
  while (i < bytes.size()) {
    // Eight ASCII bytes at once: most text is.
    std::uint64_t word = 0;
    if (i + 8 <= bytes.size()) {
      std::memcpy(&word, p + i, 8);
      if ((word & 0x8080808080808080ULL) == 0) {
        i += 8;
        continue;
      }
    }
    const std::size_t length = utf8_sequence(p + i, bytes.size() - i, bad);
    if (length == 0) {
      return i;
    }
    i += length;
  }
  return i;
}

void append_repaired_utf8(std::string_view bytes, std::string& out) {
  while (!bytes.empty()) {
    const std::size_t valid = valid_utf8_prefix(bytes);
    out += bytes.substr(0, valid);
    bytes.remove_prefix(valid);
    if (bytes.empty()) {
      return;
    }
    std::size_t bad = 0;
    utf8_sequence(reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size(), bad);
    out += "\xef\xbf\xbd";
    bytes.remove_prefix(bad);
  }
}

void append_code_point(std::uint32_t code_point, std::string& out) {
  const auto push = [&](std::uint32_t byte) { out.push_back(static_cast<char>(byte)); };
  if (code_point < 0x80) {
    push(code_point);
  } else if (code_point < 0x800) {
    push(0xc0 | code_point >> 6);
    push(0x80 | (code_point & 0x3f));
  } else if (code_point < 0x10000) {
    push(0xe0 | code_point >> 12);
    push(0x80 | (code_point >> 6 & 0x3f));
    push(0x80 | (code_point & 0x3f));
  } else {
    push(0xf0 | code_point >> 18);
    push(0x80 | (code_point >> 12 & 0x3f));
    push(0x80 | (code_point >> 6 & 0x3f));
    push(0x80 | (code_point & 0x3f));
  }
}

}  // namespace flott
