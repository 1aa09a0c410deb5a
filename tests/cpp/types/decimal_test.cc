#include "types/decimal.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace flott {
namespace {

std::string parsed(std::string_view text) {
  const auto d = parse_decimal(text);
  return d ? decimal_to_string(d->unscaled, d->scale) : "nothing";
}

TEST(Decimal, ParsesExactly) {
  EXPECT_EQ(parsed("12.50"), "12.50");
  EXPECT_EQ(parsed("-0.001"), "-0.001");
  EXPECT_EQ(parsed("+7"), "7");
  EXPECT_EQ(parsed("1e3"), "1000");
  EXPECT_EQ(parsed("1.5E-3"), "0.0015");
  EXPECT_EQ(parsed(".5"), "0.5");
  EXPECT_EQ(parsed("5."), "5");
  EXPECT_EQ(parsed("0.00"), "0.00");
  EXPECT_EQ(parsed("99999999999999999999999999999999999999"),
            "99999999999999999999999999999999999999");
  EXPECT_EQ(parsed("0.12345678901234567890123456789012345678"),
            "0.12345678901234567890123456789012345678");
  EXPECT_EQ(parsed("1.000000000000000000000000000000000000000000000"),
            "1.0000000000000000000000000000000000000");
  for (const char* text : {"",
                           "-",
                           ".",
                           "1x",
                           "1e",
                           "1e999999999999",
                           "1e39",
                           "1e-39",
                           "nan",
                           "1.2.3",
                           " 1",
                           "100000000000000000000000000000000000000"}) {
    EXPECT_EQ(parsed(text), "nothing") << text;
  }
}

TEST(Decimal, RescalesHalfUp) {
  EXPECT_EQ(rescale_decimal(1005, 3, 2), int128{101});
  EXPECT_EQ(rescale_decimal(-1005, 3, 2), int128{-101});
  EXPECT_EQ(rescale_decimal(1004, 3, 2), int128{100});
  EXPECT_EQ(rescale_decimal(5, 1, 0), int128{1});
  EXPECT_EQ(rescale_decimal(4, 1, 0), int128{0});
  EXPECT_EQ(rescale_decimal(7, 0, 3), int128{7000});
  EXPECT_EQ(rescale_decimal(pow10_int128(37), 0, 2), std::nullopt);
  EXPECT_EQ(rescale_decimal(pow10_int128(38) - 1, 38, 0), int128{1});
}

TEST(Decimal, DoublesAreExactOnlyWhenTheyAre) {
  EXPECT_EQ(decimal_as_exact_double(5, 1), 0.5);
  EXPECT_EQ(decimal_as_exact_double(-125, 3), -0.125);
  EXPECT_EQ(decimal_as_exact_double(1, 1), std::nullopt);
  EXPECT_EQ(decimal_as_exact_double((int128{1} << 53) + 1, 0), std::nullopt);
  EXPECT_EQ(decimal_as_exact_double(int128{1} << 100, 0), std::ldexp(1.0, 100));
  EXPECT_EQ(decimal_to_double(1, 1), 0.1);
  EXPECT_EQ(decimal_to_double(int128{123456789} * pow10_int128(20), 25), 1234.56789);
  const auto tenth = decimal_from_double(0.1);
  ASSERT_TRUE(tenth);
  EXPECT_EQ(decimal_to_string(tenth->unscaled, tenth->scale), "0.1");
  EXPECT_FALSE(decimal_from_double(std::numeric_limits<double>::infinity()));
  EXPECT_FALSE(decimal_from_double(1e300));
}

TEST(Decimal, ComparesAcrossScales) {
  EXPECT_EQ(compare_decimals({10, 1}, {1, 0}), 0);
  EXPECT_LT(compare_decimals({-1, 0}, {-99, 2}), 0);
  EXPECT_GT(compare_decimals({pow10_int128(38) - 1, 0}, {pow10_int128(38) - 1, 38}), 0);
  EXPECT_LT(compare_decimals({-1, 38}, {1, 38}), 0);
}

}  // namespace
}  // namespace flott
