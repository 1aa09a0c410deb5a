#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace flott {

/// Exact arithmetic on decimals: a 128-bit integer and a scale of 0..38, of at most 38 digits.
/// Pure functions; nothing here goes through a double except where the name says so.

using int128 = __int128;
inline constexpr int kMaxDecimalDigits = 38;

/// 10^n for n in 0..38.
int128 pow10_int128(int n);
/// Digits of |v|; 1 for 0.
int decimal_digits(int128 v);
/// `unscaled` of scale `from` as an integer of scale `to`, rounded half up (away from zero);
/// nothing when it needs more than 38 digits.
std::optional<int128> rescale_decimal(int128 unscaled, int from, int to);

struct Decimal {
  int128 unscaled = 0;
  int scale = 0;
};
/// `-12.50`, `1e3`: exactly, or nothing (no number, more than 38 digits, more than 38 decimals).
std::optional<Decimal> parse_decimal(std::string_view text);
/// The decimal with the shortest text that reads back as `v` (0.1 is 0.1); nothing when it does not
/// fit or is not finite.
std::optional<Decimal> decimal_from_double(double v);
/// Plain notation: `-12.50`.
std::string decimal_to_string(int128 unscaled, int scale);
/// Nearest double.
double decimal_to_double(int128 unscaled, int scale);
/// The double with exactly this value, if there is one.
std::optional<double> decimal_as_exact_double(int128 unscaled, int scale);
/// Without trailing zeros: the smallest scale with the same value.
Decimal normalized(Decimal d);
/// <0, 0, >0.
int compare_decimals(Decimal a, Decimal b);
std::string int128_to_string(int128 v);

}  // namespace flott
