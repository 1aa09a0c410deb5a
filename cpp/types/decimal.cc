#include "types/decimal.h"

#include "base/error.h"

#include <array>
#include <charconv>
#include <cmath>
#include <cstdint>

namespace flott {

namespace {

using uint128 = unsigned __int128;

uint128 magnitude(int128 v) {
  return v < 0 ? uint128{0} - static_cast<uint128>(v) : static_cast<uint128>(v);
}

constexpr std::array<int128, kMaxDecimalDigits + 1> make_powers() {
  std::array<int128, kMaxDecimalDigits + 1> out{};
  int128 p = 1;
  for (int i = 0; i <= kMaxDecimalDigits; ++i) {
    out[static_cast<std::size_t>(i)] = p;
    if (i < kMaxDecimalDigits) {
      p *= 10;
    }
  }
  return out;
}
constexpr auto kPowers = make_powers();

}  // namespace

int128 pow10_int128(int n) {
  STREAM_CHECK(n >= 0 && n <= kMaxDecimalDigits, "power of ten out of range: {}", n);
  return kPowers[static_cast<std::size_t>(n)];
}

int decimal_digits(int128 v) {
  const uint128 m = magnitude(v);
  int digits = 1;
  while (digits <= kMaxDecimalDigits &&
         m >= static_cast<uint128>(kPowers[static_cast<std::size_t>(digits)])) {
    ++digits;
  }
  return digits;
}

std::optional<int128> rescale_decimal(int128 unscaled, int from, int to) {
  if (unscaled == 0) {
    return 0;
  }
  if (to >= from) {
    const int up = to - from;
    if (up > kMaxDecimalDigits || decimal_digits(unscaled) + up > kMaxDecimalDigits) {
      return std::nullopt;
    }
    return unscaled * pow10_int128(up);
  }
  const int down = from - to;
  if (down > kMaxDecimalDigits) {
    return 0;
  }
  const int128 divisor = pow10_int128(down);
  int128 quotient = unscaled / divisor;
  const uint128 rest = magnitude(unscaled % divisor);
  if (rest >= static_cast<uint128>(divisor) - rest) {
    quotient += unscaled < 0 ? -1 : 1;
  }
  if (decimal_digits(quotient) > kMaxDecimalDigits) {
    return std::nullopt;
  }
  return quotient;
}

std::optional<Decimal> parse_decimal(std::string_view text) {
  std::size_t i = 0;
  bool negative = false;
  if (i < text.size() && (text[i] == '-' || text[i] == '+')) {
    negative = text[i] == '-';
    ++i;
  }
  int128 unscaled = 0;
  int significant = 0;
  std::int64_t scale = 0;
  std::int64_t zeros = 0;  // zeros seen after the last other digit, not yet multiplied in
  bool any = false;
  bool point = false;
  for (; i < text.size(); ++i) {
    const char c = text[i];
    if (c == '.' && !point) {
      point = true;
      continue;
    }
    if (c < '0' || c > '9') {
      break;
    }
    any = true;
    if (point) {
      ++scale;
    }
    if (c == '0') {
      if (unscaled != 0) {
        ++zeros;
      }
      continue;
    }
    if (significant + zeros + 1 > kMaxDecimalDigits) {
      return std::nullopt;
    }
    unscaled = unscaled * pow10_int128(static_cast<int>(zeros) + 1) + (c - '0');
    significant += static_cast<int>(zeros) + 1;
    zeros = 0;
  }
  if (!any) {
    return std::nullopt;
  }
  if (i < text.size()) {
    if (text[i] != 'e' && text[i] != 'E') {
      return std::nullopt;
    }
    ++i;
    if (i < text.size() && text[i] == '+') {
      ++i;
    }
    std::int64_t exponent = 0;
    const auto [end, code] = std::from_chars(text.data() + i, text.data() + text.size(), exponent);
    if (code != std::errc{} || end != text.data() + text.size() || exponent > 1'000'000 ||
        exponent < -1'000'000) {
      return std::nullopt;
    }
    scale -= exponent;
  }
  // The value is unscaled * 10^(zeros - scale). Written zeros stay part of the scale where they
  // fit.
  if (unscaled == 0) {
    return Decimal{0,
                   scale < 0                   ? 0
                   : scale > kMaxDecimalDigits ? kMaxDecimalDigits
                                               : static_cast<int>(scale)};
  }
  std::int64_t keep = zeros;
  if (scale < 0) {
    keep += -scale;
    scale = 0;
  }
  while ((scale > kMaxDecimalDigits || significant + keep > kMaxDecimalDigits) && keep > 0 &&
         scale > 0) {
    --keep;
    --scale;
  }
  if (scale > kMaxDecimalDigits || significant + keep > kMaxDecimalDigits) {
    return std::nullopt;
  }
  unscaled *= pow10_int128(static_cast<int>(keep));
  return Decimal{negative ? -unscaled : unscaled, static_cast<int>(scale)};
}

std::optional<Decimal> decimal_from_double(double v) {
  if (!std::isfinite(v)) {
    return std::nullopt;
  }
  char buffer[40];
  const auto result =
      std::to_chars(buffer, buffer + sizeof buffer, v, std::chars_format::scientific);
  return parse_decimal({buffer, static_cast<std::size_t>(result.ptr - buffer)});
}

std::string int128_to_string(int128 v) {
  uint128 m = magnitude(v);
  char buffer[48];
  char* const end = buffer + sizeof buffer;
  char* p = end;
  do {
    *--p = static_cast<char>('0' + static_cast<int>(m % 10));
    m /= 10;
  } while (m != 0);
  if (v < 0) {
    *--p = '-';
  }
  return {p, static_cast<std::size_t>(end - p)};
}

std::string decimal_to_string(int128 unscaled, int scale) {
  std::string digits = int128_to_string(unscaled);
  if (scale <= 0) {
    return digits;
  }
  const bool negative = digits[0] == '-';
  if (negative) {
    digits.erase(0, 1);
  }
  const auto decimals = static_cast<std::size_t>(scale);
  if (digits.size() <= decimals) {
    digits.insert(0, decimals + 1 - digits.size(), '0');
  }
  digits.insert(digits.size() - decimals, 1, '.');
  return negative ? "-" + digits : digits;
}

double decimal_to_double(int128 unscaled, int scale) {
  // Both are exact in a double: one division rounds once.
  constexpr std::int64_t kExact = std::int64_t{1} << 53;
  if (scale <= 22 && unscaled <= kExact && unscaled >= -kExact) {
    return static_cast<double>(static_cast<std::int64_t>(unscaled)) /
           static_cast<double>(pow10_int128(scale));
  }
  const std::string text = int128_to_string(unscaled) + "e-" + std::to_string(scale);
  double out = 0;
  std::from_chars(text.data(), text.data() + text.size(), out);
  return out;
}

std::optional<double> decimal_as_exact_double(int128 unscaled, int scale) {
  // unscaled / 10^scale = (unscaled / 5^scale) / 2^scale must have an integral, short numerator.
  uint128 m = magnitude(unscaled);
  int fives = scale;
  while (fives > 0) {
    if (m % 5 != 0) {
      return std::nullopt;
    }
    m /= 5;
    --fives;
  }
  int twos = 0;
  while (m != 0 && m % 2 == 0) {
    m /= 2;
    ++twos;
  }
  if (m >> 53 != 0) {
    return std::nullopt;
  }
  const double v = std::ldexp(static_cast<double>(static_cast<std::uint64_t>(m)), twos - scale);
  return unscaled < 0 ? -v : v;
}

Decimal normalized(Decimal d) {
  if (d.unscaled == 0) {
    return {0, 0};
  }
  while (d.scale > 0 && d.unscaled % 10 == 0) {
    d.unscaled /= 10;
    --d.scale;
  }
  return d;
}

int compare_decimals(Decimal a, Decimal b) {
  // Whole parts first; what remains of both fits 38 decimals.
  const int128 pa = pow10_int128(a.scale);
  const int128 pb = pow10_int128(b.scale);
  const int128 whole_a = a.unscaled / pa;
  const int128 whole_b = b.unscaled / pb;
  if (whole_a != whole_b) {
    return whole_a < whole_b ? -1 : 1;
  }
  const int128 rest_a = a.unscaled % pa * pow10_int128(kMaxDecimalDigits - a.scale);
  const int128 rest_b = b.unscaled % pb * pow10_int128(kMaxDecimalDigits - b.scale);
  return rest_a < rest_b ? -1 : rest_a > rest_b ? 1 : 0;
}

}  // namespace flott
