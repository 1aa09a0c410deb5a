#include "formats/json_encoder.h"

#include "base/error.h"
#include "formats/format.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <random>
#include <string>

namespace flott {
namespace {

LogicalTypePtr of(TypeKind kind) {
  return LogicalType::of(kind);
}
LogicalTypePtr row_a(LogicalTypePtr type) {
  return LogicalType::row({"a"}, {std::move(type)});
}

std::string encoded(const LogicalTypePtr& type,
                    const Value& row,
                    const FormatOptions& options = {}) {
  BatchBuilder builder(type);
  builder.append(row);
  std::string out;
  EXPECT_TRUE(make_encoder("json", options, type)->encode(*builder.finish(), 0, out));
  return out;
}
std::string encoded_a(const LogicalTypePtr& type,
                      const Value& value,
                      const FormatOptions& options = {}) {
  return encoded(row_a(type), Value::row({value}), options);
}

TEST(JsonEncoder, WritesEachTypeAsFlink) {
  EXPECT_EQ(encoded_a(of(TypeKind::kInt), Value::integer(-5)), R"({"a":-5})");
  EXPECT_EQ(encoded_a(of(TypeKind::kTinyInt), Value::integer(-128)), R"({"a":-128})");
  EXPECT_EQ(encoded_a(of(TypeKind::kSmallInt), Value::integer(300)), R"({"a":300})");
  EXPECT_EQ(
      encoded_a(of(TypeKind::kBigInt), Value::integer(std::numeric_limits<std::int64_t>::min())),
      R"({"a":-9223372036854775808})");
  EXPECT_EQ(encoded_a(of(TypeKind::kInt), Value::null()), R"({"a":null})");
  EXPECT_EQ(encoded_a(of(TypeKind::kBoolean), Value::boolean(true)), R"({"a":true})");
  EXPECT_EQ(encoded_a(of(TypeKind::kBytes), Value::bytes("abc\xff")), R"({"a":"YWJj/w=="})");
  EXPECT_EQ(encoded_a(of(TypeKind::kBytes), Value::bytes("ab")), R"({"a":"YWI="})");
  EXPECT_EQ(encoded_a(of(TypeKind::kDate), Value::date(18263)), R"({"a":"2020-01-02"})");
  EXPECT_EQ(encoded_a(of(TypeKind::kDate), Value::date(-1)), R"({"a":"1969-12-31"})");
  EXPECT_EQ(encoded_a(LogicalType::temporal(TypeKind::kTime, 0), Value::time(3723000000)),
            R"({"a":"01:02:03Z"})");
  EXPECT_EQ(encoded_a(LogicalType::array(of(TypeKind::kInt)),
                      Value::array({Value::integer(1), Value::null(), Value::integer(3)})),
            R"({"a":[1,null,3]})");
  EXPECT_EQ(encoded_a(LogicalType::map(of(TypeKind::kString), of(TypeKind::kInt)),
                      Value::map({{Value::string("k"), Value::integer(1)},
                                  {Value::string("l"), Value::null()}})),
            R"({"a":{"k":1,"l":null}})");
  EXPECT_EQ(encoded_a(LogicalType::map(of(TypeKind::kInt), of(TypeKind::kInt)),
                      Value::map({{Value::integer(1), Value::integer(2)}})),
            R"({"a":{"1":2}})");
  EXPECT_EQ(encoded_a(LogicalType::row({"x", "y\""}, {of(TypeKind::kInt), of(TypeKind::kString)}),
                      Value::row({Value::integer(1), Value::null()})),
            R"({"a":{"x":1,"y\"":null}})");
}

TEST(JsonEncoder, WritesFloatingNumbersAsJava) {
  const std::vector<std::pair<double, std::string>> cases = {{1.0, "1.0"},
                                                             {1e10, "1.0E10"},
                                                             {1e-5, "1.0E-5"},
                                                             {1e21, "1.0E21"},
                                                             {0.1, "0.1"},
                                                             {123456789.123, "1.23456789123E8"},
                                                             {-0.0, "-0.0"},
                                                             {100.0, "100.0"},
                                                             {1e7, "1.0E7"},
                                                             {1e-3, "0.001"},
                                                             {12345678.9, "1.23456789E7"},
                                                             {NAN, "\"NaN\""},
                                                             {INFINITY, "\"Infinity\""},
                                                             {-INFINITY, "\"-Infinity\""},
                                                             {9999999.5, "9999999.5"},
                                                             {5e-324, "4.9E-324"}};
  for (const auto& [value, text] : cases) {
    const std::string result = encoded_a(of(TypeKind::kDouble), Value::real(value));
    if (value == 5e-324) {
      EXPECT_THAT(result, testing::HasSubstr("E-324"));  // Java 19 and we: one digit, Java 17: two
    } else {
      EXPECT_EQ(result, "{\"a\":" + text + "}");
    }
  }
  EXPECT_EQ(encoded_a(of(TypeKind::kFloat), Value::real(0.1)), R"({"a":0.1})");
  EXPECT_EQ(encoded_a(of(TypeKind::kFloat), Value::real(3.4e38)), R"({"a":3.4E38})");
}

TEST(JsonEncoder, WritesDecimalsExactly) {
  const FormatOptions plain = {{"encode.decimal-as-plain-number", "true"}};
  const auto both = [&](__int128 unscaled, int scale) {
    const LogicalTypePtr type = LogicalType::decimal(38, scale);
    return encoded_a(type, Value::decimal(unscaled, scale)) + " " +
           encoded_a(type, Value::decimal(unscaled, scale), plain);
  };
  EXPECT_EQ(both(150, 2), R"({"a":1.5} {"a":1.5})");
  EXPECT_EQ(both(-5, 2), R"({"a":-0.05} {"a":-0.05})");
  EXPECT_EQ(both(10000, 2), R"({"a":1E+2} {"a":100})");
  EXPECT_EQ(both(1, 10), R"({"a":1E-10} {"a":0.0000000001})");
  EXPECT_EQ(both(0, 2), R"({"a":0} {"a":0})");
  EXPECT_EQ(both(12345, 0), R"({"a":12345} {"a":12345})");
}

TEST(JsonEncoder, EscapesStrings) {
  const auto text = [](const std::string& value) {
    std::string out;
    append_json_string(value, out);
    return out;
  };
  EXPECT_EQ(text(""), R"("")");
  EXPECT_EQ(text("plain text of more than eight bytes"),
            R"("plain text of more than eight bytes")");
  EXPECT_EQ(text("a\"b\\c/d\n\t\r\b\f"), R"("a\"b\\c/d\n\t\r\b\f")");
  EXPECT_EQ(text(std::string("\x01\x7f\0", 3)), "\"\\u0001\x7f\\u0000\"");
  EXPECT_EQ(text("é😀!"), "\"é\\uD83D\\uDE00!\"");
  EXPECT_EQ(text("\xe2\x80\xa8"), "\"\xe2\x80\xa8\"");
  // Each special character at each place of a word.
  for (int at = 0; at < 20; ++at) {
    std::string plain(20, 'x');
    plain[static_cast<std::size_t>(at)] = '"';
    std::string expected(20, 'x');
    expected.replace(static_cast<std::size_t>(at), 1, "\\\"");
    EXPECT_EQ(text(plain), "\"" + expected + "\"");
  }
}

TEST(JsonEncoder, WritesTimestampsOfEachStandard) {
  const LogicalTypePtr plain = LogicalType::temporal(TypeKind::kTimestamp, 6);
  const LogicalTypePtr instant = LogicalType::temporal(TypeKind::kTimestampLtz, 3);
  const Value at = Value::timestamp(1577934245120000);
  const Value instant_at = Value::timestamp_ltz(1577934245000000);
  const FormatOptions sql = {{"timestamp-format.standard", "SQL"}};
  const FormatOptions iso = {{"timestamp-format.standard", "ISO-8601"}};
  EXPECT_EQ(encoded_a(plain, at), R"({"a":"2020-01-02T03:04:05.12Z"})");
  EXPECT_EQ(encoded_a(plain, at, sql), R"({"a":"2020-01-02 03:04:05.12"})");
  EXPECT_EQ(encoded_a(plain, at, iso), R"({"a":"2020-01-02T03:04:05.12"})");
  EXPECT_EQ(encoded_a(instant, instant_at), R"({"a":"2020-01-02T03:04:05Z"})");
  EXPECT_EQ(encoded_a(instant, instant_at, sql), R"({"a":"2020-01-02 03:04:05Z"})");
  EXPECT_EQ(encoded_a(instant, instant_at, iso), R"({"a":"2020-01-02T03:04:05Z"})");
  EXPECT_EQ(encoded_a(plain, Value::timestamp(-1), iso), R"({"a":"1969-12-31T23:59:59.999999"})");
  EXPECT_EQ(encoded_a(LogicalType::temporal(TypeKind::kTime, 3), Value::time(3723500000), iso),
            R"({"a":"01:02:03.5"})");
}

TEST(JsonEncoder, LeavesNullFieldsAwayWhenAsked) {
  const LogicalTypePtr type = LogicalType::row(
      {"a", "b", "c"}, {of(TypeKind::kInt), row_a(of(TypeKind::kInt)), of(TypeKind::kInt)});
  const Value row = Value::row({Value::null(), Value::row({Value::null()}), Value::integer(1)});
  EXPECT_EQ(encoded(type, row, {{"encode.ignore-null-fields", "true"}}), R"({"b":{},"c":1})");
  EXPECT_EQ(encoded(type, row), R"({"a":null,"b":{"a":null},"c":1})");
}

TEST(JsonEncoder, TreatsNullKeysAsAsked) {
  const LogicalTypePtr type = LogicalType::map(of(TypeKind::kString), of(TypeKind::kInt));
  const Value map =
      Value::map({{Value::null(), Value::integer(1)}, {Value::string("k"), Value::integer(2)}});
  EXPECT_THROW(encoded_a(type, map), Error);
  EXPECT_EQ(encoded_a(type, map, {{"map-null-key.mode", "DROP"}}), R"({"a":{"k":2}})");
  EXPECT_EQ(encoded_a(type, map, {{"map-null-key.mode", "LITERAL"}, {"map-null-key.literal", "n"}}),
            R"({"a":{"n":1,"k":2}})");
}

/// What is written is read back as the same row.
TEST(JsonEncoder, RoundTripsRandomRows) {
  const LogicalTypePtr type =
      LogicalType::row({"i", "d", "s", "n", "b", "t", "l", "r", "m"},
                       {of(TypeKind::kBigInt),
                        of(TypeKind::kDouble),
                        of(TypeKind::kString),
                        LogicalType::decimal(38, 10),
                        of(TypeKind::kBytes),
                        LogicalType::temporal(TypeKind::kTimestamp, 6),
                        LogicalType::array(of(TypeKind::kString)),
                        LogicalType::row({"x", "y"}, {of(TypeKind::kBoolean), of(TypeKind::kDate)}),
                        LogicalType::map(of(TypeKind::kString), of(TypeKind::kInt))});
  std::mt19937_64 random(7);
  const auto text = [&] {
    const std::vector<std::string> parts = {
        "a", "\"", "\\", "\n", "é", "😀", "\x01", "plain text", "/", "\xe2\x80\xa8"};
    std::string out;
    for (std::uint64_t i = random() % 8; i > 0; --i) {
      out += parts[random() % parts.size()];
    }
    return Value::string(out);
  };
  for (const char* const standard : {"SQL", "ISO-8601", "RFC-3339"}) {
    const FormatOptions options = {{"timestamp-format.standard", standard}};
    const std::unique_ptr<Encoder> encoder = make_encoder("json", options, type);
    const std::unique_ptr<Decoder> decoder = make_decoder("json", options, type);
    for (int round = 0; round < 2000; ++round) {
      const auto maybe = [&](Value value) {
        return random() % 8 == 0 ? Value::null() : std::move(value);
      };
      double real = 0;
      const std::uint64_t bits = random();
      std::memcpy(&real, &bits, sizeof real);
      const Value row = Value::row(
          {maybe(Value::integer(static_cast<std::int64_t>(random()))),
           maybe(Value::real(std::isfinite(real) ? real : 0.5)),
           maybe(text()),
           maybe(Value::decimal(static_cast<__int128>(static_cast<std::int64_t>(random())) * 1000,
                                10)),
           maybe(Value::bytes(std::string(random() % 5, static_cast<char>(random())))),
           maybe(Value::timestamp(static_cast<std::int64_t>(random() % 100000000000000000))),
           maybe(Value::array({text(), Value::null(), text()})),
           maybe(Value::row({maybe(Value::boolean(random() % 2 == 0)),
                             maybe(Value::date(static_cast<std::int32_t>(random() % 100000)))})),
           maybe(Value::map({{Value::string("k"), Value::integer(1)}, {text(), Value::null()}}))});
      BatchBuilder in(type);
      in.append(row);
      const BatchPtr before = in.finish();
      std::string message;
      encoder->encode(*before, 0, message);
      BatchBuilder out(type);
      ASSERT_EQ(decoder->decode(message, kNoTimestamp, out), DecodeResult::kRow) << message;
      ASSERT_EQ(out.finish()->to_string(), before->to_string()) << message;
    }
  }
}

}  // namespace
}  // namespace flott
