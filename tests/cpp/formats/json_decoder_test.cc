#include "formats/json_decoder.h"

#include "base/error.h"
#include "formats/format.h"
#include "types/batch.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>
#include <string>
#include <vector>

namespace flott {
namespace {

using testing::HasSubstr;

LogicalTypePtr of(TypeKind kind) {
  return LogicalType::of(kind);
}
LogicalTypePtr row_a(LogicalTypePtr type) {
  return LogicalType::row({"a"}, {std::move(type)});
}

/// What decoding `message` gives: the rows as text, "skipped", or "error: <reason>".
std::string decoded(const LogicalTypePtr& type,
                    std::string_view message,
                    const FormatOptions& options = {}) {
  const std::unique_ptr<Decoder> decoder = make_decoder("json", options, type);
  BatchBuilder builder(type);
  // A buffer of exactly the message's size: a read beyond it is found by the address sanitizer.
  const std::vector<char> exact(message.begin(), message.end());
  try {
    const DecodeResult result =
        decoder->decode({exact.data(), exact.size()}, kNoTimestamp, builder);
    if (result == DecodeResult::kSkipped) {
      return builder.empty() ? "skipped" : "skipped, but left rows";
    }
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kExternal);
    EXPECT_TRUE(builder.empty());
    EXPECT_EQ(builder.column(0).length(), 0);
    return std::string("error: ") + error.what();
  }
  const BatchPtr batch = builder.finish();
  std::string out;
  for (std::int64_t i = 0; i < batch->num_rows(); ++i) {
    out += (i > 0 ? " " : "") + batch->value_at(i).to_string();
  }
  return out;
}

struct Case {
  LogicalTypePtr type;
  std::string value;  ///< of the field a
  std::string expected;
};

TEST(JsonDecoder, ConvertsEachTypeAsFlink) {
  const std::vector<Case> cases = {
      {of(TypeKind::kInt), "12", "+I[12]"},
      {of(TypeKind::kInt), "-12", "+I[-12]"},
      {of(TypeKind::kInt), "0", "+I[0]"},
      {of(TypeKind::kInt), "-0", "+I[0]"},
      {of(TypeKind::kInt), R"("12")", "+I[12]"},
      {of(TypeKind::kInt), R"(" 12 ")", "+I[12]"},
      {of(TypeKind::kInt), R"("+12")", "+I[12]"},
      {of(TypeKind::kInt), "1.7", "+I[1]"},
      {of(TypeKind::kInt), "-1.7", "+I[-1]"},
      {of(TypeKind::kInt), "1e2", "+I[100]"},
      {of(TypeKind::kInt), "null", "+I[null]"},
      {of(TypeKind::kInt), "2147483647", "+I[2147483647]"},
      {of(TypeKind::kInt),
       "2147483648",
       "error: numeric value 2147483648 is out of range of INT for field 'a'"},
      {of(TypeKind::kInt),
       "99999999999999999999",
       "error: numeric value 99999999999999999999 is out of range of INT for field 'a'"},
      {of(TypeKind::kInt), R"("1.7")", R"(error: expected INT for field 'a' but found "1.7")"},
      {of(TypeKind::kInt), R"("x")", R"(error: expected INT for field 'a' but found "x")"},
      {of(TypeKind::kInt), R"("")", R"(error: expected INT for field 'a' but found "")"},
      {of(TypeKind::kInt), "true", "error: expected INT for field 'a' but found true"},
      {of(TypeKind::kInt), "{ }", "error: expected INT for field 'a' but found { }"},
      {of(TypeKind::kInt), "[1]", "error: expected INT for field 'a' but found [1]"},
      {of(TypeKind::kInt), "01", "error: malformed number 01 at byte 5"},
      {of(TypeKind::kInt), "-", "error: malformed number - at byte 5"},
      {of(TypeKind::kInt), "1x", "error: malformed number 1x at byte 5"},
      {of(TypeKind::kInt), "NaN", "error: expected a value at byte 5 but found NaN"},
      {of(TypeKind::kInt), "nul", "error: expected a value at byte 5 but found nul"},
      {of(TypeKind::kTinyInt), "127", "+I[127]"},
      {of(TypeKind::kTinyInt), "-128", "+I[-128]"},
      {of(TypeKind::kTinyInt),
       "300",
       "error: numeric value 300 is out of range of TINYINT for field 'a'"},
      {of(TypeKind::kTinyInt), "1.7", "error: expected TINYINT for field 'a' but found 1.7"},
      {of(TypeKind::kSmallInt), "300", "+I[300]"},
      {of(TypeKind::kSmallInt),
       R"("40000")",
       "error: numeric value \"40000\" is out of range of SMALLINT for field 'a'"},
      {of(TypeKind::kBigInt), "9223372036854775807", "+I[9223372036854775807]"},
      {of(TypeKind::kBigInt), "-9223372036854775808", "+I[-9223372036854775808]"},
      {of(TypeKind::kBigInt),
       "9223372036854775808",
       "error: numeric value 9223372036854775808 is out of range of BIGINT for field 'a'"},
      {of(TypeKind::kBigInt),
       "1e19",
       "error: numeric value 1e19 is out of range of BIGINT for field 'a'"},
      {of(TypeKind::kDouble), "1.5", "+I[1.5]"},
      {of(TypeKind::kDouble), "12", "+I[12.0]"},
      {of(TypeKind::kDouble), R"(" 1.7 ")", "+I[1.7]"},
      {of(TypeKind::kDouble), R"("NaN")", "+I[nan]"},
      {of(TypeKind::kDouble), "1e400", "+I[inf]"},
      {of(TypeKind::kDouble), R"("")", R"(error: expected DOUBLE for field 'a' but found "")"},
      {of(TypeKind::kDouble),
       R"("inf")",
       R"(error: expected DOUBLE for field 'a' but found "inf")"},
      {of(TypeKind::kFloat), "0.5", "+I[0.5]"},
      {LogicalType::decimal(10, 2), "1.5", "+I[1.50]"},
      {LogicalType::decimal(10, 2), R"("1.50")", "+I[1.50]"},
      {LogicalType::decimal(10, 2), "1.005", "+I[1.01]"},
      {LogicalType::decimal(10, 2), "-1.005", "+I[-1.01]"},
      {LogicalType::decimal(10, 2), "1e2", "+I[100.00]"},
      {LogicalType::decimal(10, 2), "1e-2", "+I[0.01]"},
      {LogicalType::decimal(10, 2), "1e-9", "+I[0.00]"},
      {LogicalType::decimal(38, 0),
       "12345678901234567890123456789012345678",
       "+I[12345678901234567890123456789012345678]"},
      {LogicalType::decimal(38, 18),
       "12345678901234567890.123456789012345678",
       "+I[12345678901234567890.123456789012345678]"},
      {LogicalType::decimal(4, 2),
       "100",
       "error: numeric value 100 is out of range of DECIMAL(4, 2) for field 'a'"},
      {LogicalType::decimal(4, 2),
       R"("x")",
       R"(error: expected DECIMAL(4, 2) for field 'a' but found "x")"},
      {of(TypeKind::kBoolean), "true", "+I[true]"},
      {of(TypeKind::kBoolean), "false", "+I[false]"},
      {of(TypeKind::kBoolean), R"("TRUE")", "+I[true]"},
      {of(TypeKind::kBoolean), R"("x")", "+I[false]"},
      {of(TypeKind::kBoolean), "1", "+I[false]"},
      {of(TypeKind::kBoolean), "{}", "+I[false]"},
      {of(TypeKind::kBoolean), "tru", "error: expected a value at byte 5 but found tru"},
      {of(TypeKind::kString), R"("x")", "+I['x']"},
      {of(TypeKind::kString), R"("")", "+I['']"},
      {of(TypeKind::kString), "12.50", "+I['12.50']"},
      {of(TypeKind::kString), "true", "+I['true']"},
      {of(TypeKind::kString),
       R"({ "b" : [ 1.0 , "x y\"" ] , "c" : {} })",
       R"(+I['{"b":[1.0,"x y\\""],"c":{}}'])"},
      {of(TypeKind::kString), "[ ]", "+I['[]']"},
      {of(TypeKind::kString), R"("\u00e9\u20ac\ud83d\ude00")", "+I['é€😀']"},
      {of(TypeKind::kString), R"("\"\\\/")", R"(+I['"\\/'])"},
      {of(TypeKind::kString), R"("\ud83d!")", "+I['\xef\xbf\xbd!']"},
      {of(TypeKind::kString), R"("\ude00")", "+I['\xef\xbf\xbd']"},
      {of(TypeKind::kString), R"("\x")", R"(error: bad escape sequence \x at byte 6)"},
      {of(TypeKind::kString), R"("\u12g4")", R"(error: bad escape sequence \u12g4 at byte 6)"},
      {of(TypeKind::kBytes), R"("YWJj")", "+I[b'abc']"},
      {of(TypeKind::kBytes), R"("!!")", R"(error: expected BYTES for field 'a' but found "!!")"},
      {of(TypeKind::kDate), R"("2020-02-29")", "+I[2020-02-29]"},
      {of(TypeKind::kDate),
       R"("2021-02-29")",
       R"(error: expected DATE for field 'a' but found "2021-02-29")"},
      {of(TypeKind::kDate), "12", "error: expected DATE for field 'a' but found 12"},
      {LogicalType::temporal(TypeKind::kTime, 0), R"("12:13:14Z")", "+I[12:13:14]"},
      {LogicalType::temporal(TypeKind::kTime, 0), R"("12:13:14")", "+I[12:13:14]"},
      {LogicalType::temporal(TypeKind::kTime, 0),
       R"("24:00:00")",
       R"(error: expected TIME(0) for field 'a' but found "24:00:00")"},
      {LogicalType::array(of(TypeKind::kInt)), R"([1, null, "3"])", "+I[[1, null, 3]]"},
      {LogicalType::array(of(TypeKind::kInt)), "[]", "+I[[]]"},
      {LogicalType::array(of(TypeKind::kInt)),
       R"([1, {"x":2}])",
       R"(error: expected INT for field 'a[1]' but found {"x":2})"},
      {LogicalType::array(of(TypeKind::kInt)),
       "[1,]",
       "error: expected a value at byte 8 but found ]"},
      {LogicalType::array(of(TypeKind::kInt)),
       "[1 2]",
       "error: expected ',' or ']' at byte 8 but found 2"},
      {LogicalType::map(of(TypeKind::kString), of(TypeKind::kInt)),
       R"({"k":1,"l":"2","m":null})",
       "+I[{'k': 1, 'l': 2, 'm': null}]"},
      {LogicalType::map(of(TypeKind::kString), of(TypeKind::kInt)),
       R"({"k":1,"l":2,"k":3})",
       "+I[{'l': 2, 'k': 3}]"},
      {LogicalType::map(of(TypeKind::kInt), of(TypeKind::kInt)), R"({"1":1})", "+I[{1: 1}]"},
      {LogicalType::map(of(TypeKind::kInt), of(TypeKind::kInt)),
       R"({"x":1})",
       R"(error: expected INT for field 'a' but found "x")"},
      {LogicalType::map(of(TypeKind::kString), of(TypeKind::kInt)),
       R"({"x":[]})",
       R"(error: expected INT for field 'a["x"]' but found [])"},
      {LogicalType::row({"x", "y"}, {of(TypeKind::kInt), of(TypeKind::kString)}),
       R"({"y":"q","x":1})",
       "+I[+I[1, 'q']]"},
      {LogicalType::row({"x", "y"}, {of(TypeKind::kInt), of(TypeKind::kString)}),
       "{}",
       "+I[+I[null, null]]"},
      {LogicalType::row({"x"}, {of(TypeKind::kInt)}),
       R"({"x":"q"})",
       R"(error: expected INT for field 'a.x' but found "q")"},
      {LogicalType::row({"x"}, {of(TypeKind::kInt)}),
       "5",
       "error: expected ROW<x INT> for field 'a' but found 5"},
  };
  for (const Case& c : cases) {
    std::string expected = c.expected;
    EXPECT_EQ(decoded(row_a(c.type), R"({"a":)" + c.value + "}"), expected)
        << c.type->to_string() << " from " << c.value;
  }
}

TEST(JsonDecoder, ReadsTimestampsOfEachStandard) {
  const LogicalTypePtr plain = row_a(LogicalType::temporal(TypeKind::kTimestamp, 3));
  const LogicalTypePtr instant = row_a(LogicalType::temporal(TypeKind::kTimestampLtz, 3));
  const LogicalTypePtr nanos = row_a(LogicalType::temporal(TypeKind::kTimestamp, 9));
  const auto millis =
      [](const LogicalTypePtr& type, const std::string& text, const std::string& standard) {
        FormatOptions options;
        if (!standard.empty()) {
          options["timestamp-format.standard"] = standard;
        }
        const std::unique_ptr<Decoder> decoder = make_decoder("json", options, type);
        BatchBuilder builder(type);
        try {
          decoder->decode(R"({"a":")" + text + R"("})", kNoTimestamp, builder);
        } catch (const Error&) {
          return std::string("error");
        }
        return std::to_string(builder.finish()->column(0).data<std::int64_t>()[0]);
      };
  EXPECT_EQ(millis(plain, "2020-01-02 03:04:05.123", "SQL"), "1577934245123000");
  EXPECT_EQ(millis(plain, "2020-01-02 03:04:05", "SQL"), "1577934245000000");
  EXPECT_EQ(millis(plain, "2020-01-02T03:04:05", "SQL"), "error");
  EXPECT_EQ(millis(plain, "2020-01-02 03:04:05Z", "SQL"), "error");
  EXPECT_EQ(millis(instant, "2020-01-02 03:04:05.1Z", "SQL"), "1577934245100000");
  EXPECT_EQ(millis(instant, "2020-01-02 03:04:05", "SQL"), "error");
  EXPECT_EQ(millis(plain, "2020-01-02T03:04:05.123456", "ISO-8601"), "1577934245123456");
  EXPECT_EQ(millis(plain, "2020-01-02 03:04:05", "ISO-8601"), "error");
  EXPECT_EQ(millis(instant, "2020-01-02T03:04:05Z", "ISO-8601"), "1577934245000000");
  EXPECT_EQ(millis(plain, "2020-01-02T03:04:05.123Z", ""), "1577934245123000");
  EXPECT_EQ(millis(plain, "2020-01-02 03:04:05", ""), "1577934245000000");
  EXPECT_EQ(millis(plain, "2020-01-02T03:04", ""), "1577934240000000");
  EXPECT_EQ(millis(plain, "2020-01-02T03:04:05+02:00", ""), "error");
  EXPECT_EQ(millis(instant, "2020-01-02T03:04:05+02:00", ""), "1577927045000000");
  EXPECT_EQ(millis(instant, "1969-12-31T23:59:59.999Z", ""), "-1000");
  EXPECT_EQ(millis(nanos, "2020-01-02 03:04:05.123456789", "SQL"), "1577934245123456789");
  EXPECT_EQ(millis(nanos, "9999-01-02 03:04:05", "SQL"), "error");
  EXPECT_EQ(millis(plain, "1577934245000", ""), "error");
  EXPECT_EQ(millis(plain, "2020-13-02 03:04:05", ""), "error");
  EXPECT_EQ(millis(plain, "2020-01-02 03:04:05.", ""), "error");
}

TEST(JsonDecoder, HandlesWholeMessagesAsFlink) {
  const LogicalTypePtr type = row_a(of(TypeKind::kInt));
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"", "skipped"},
      {" \n", "skipped"},
      {"null", "skipped"},
      {"{}", "+I[null]"},
      {R"({"b":1})", "+I[null]"},
      {R"({"b":{"a":[1,{"a":2}]},"a":3})", "+I[3]"},
      {"  {\"a\" :\t1 }\r\n", "+I[1]"},
      {R"({"a":1} x)", "+I[1]"},
      {R"({"a":1}{"a":2})", "+I[1]"},
      {std::string("{\"a\":1}\0", 8), "+I[1]"},
      {R"({"a":1,"a":2})", "+I[2]"},
      {R"({"a":1,"\u0061":2})", "+I[2]"},
      {"[]", "skipped"},
      {"[null]", "skipped"},
      {R"([{"a":1},{"a":2}])", "+I[1] +I[2]"},
      {R"([{"a":1},{"a":"x"}])", R"(error: expected INT for field '[1].a' but found "x")"},
      {R"([{"a":1},{"a":2])", "error: expected ',' or '}' at byte 15 but found ]"},
      {R"([{"a":1},2])", "error: expected ROW<a INT> for field '[1]' but found 2"},
      {R"([{"a":1} {"a":2}])", "error: expected ',' or ']' at byte 9 but found {"},
      {"1", "error: expected a JSON object but found 1"},
      {R"("x")", R"(error: expected a JSON object but found "x")"},
      {R"({"a":1)", "error: unexpected end of JSON at byte 6: expected ',' or '}'"},
      {R"({"a":})", "error: expected a value at byte 5 but found }"},
      {R"({"a")", "error: unexpected end of JSON at byte 4: expected ':'"},
      {R"({"a":1,})", "error: expected a field name in double quotes at byte 7 but found }"},
      {"{'a':1}", "error: expected a field name in double quotes at byte 1 but found 'a'"},
      {R"({"b":tru,"a":1})", "error: expected a value at byte 5 but found tru"},
      {R"({"b":1.,"a":1})", "error: expected a value at byte 5 but found 1."},
      {R"({"b":"\q","a":1})", R"(error: bad escape sequence \q at byte 6)"},
      {R"({"b":[1,{"c" 2}],"a":1})", "error: expected ':' at byte 13 but found 2"},
      {R"({"a":"1)", "error: unexpected end of JSON at byte 7: a string is not closed"},
      {"{\"b\":\"\xff\xfe\",\"a\":1}", "error: invalid UTF-8 at byte 6"},
      {"{\"b\":\"\x01\"}", "error: a control character inside a string is not escaped"},
      {std::string("{\"a\":1\0}", 8), "error: malformed number 1\\x00 at byte 5"},
  };
  for (const auto& [message, expected] : cases) {
    EXPECT_EQ(decoded(type, message), expected) << message;
  }
}

TEST(JsonDecoder, IgnoringParseErrorsNullsTheFieldOrSkipsTheMessage) {
  const FormatOptions ignore = {{"ignore-parse-errors", "true"}};
  const LogicalTypePtr type =
      LogicalType::row({"a", "b", "c"},
                       {of(TypeKind::kInt),
                        LogicalType::array(of(TypeKind::kInt)),
                        LogicalType::row({"x", "y"}, {of(TypeKind::kInt), of(TypeKind::kInt)})});
  EXPECT_EQ(decoded(type, R"({"a":"x","b":[1,"q",3],"c":{"x":[{}],"y":2}})", ignore),
            "+I[null, [1, null, 3], +I[null, 2]]");
  EXPECT_EQ(decoded(type, R"({"a":300000000000,"b":5,"c":[1]})", ignore), "+I[null, null, null]");
  EXPECT_EQ(decoded(type, R"({"a":1,"b":[1,2})", ignore), "skipped");
  EXPECT_EQ(decoded(type, "5", ignore), "skipped");
  EXPECT_EQ(decoded(type, "x", ignore), "skipped");
  EXPECT_EQ(decoded(type, "\xff", ignore), "skipped");

  JsonDecoderOptions options;
  options.ignore_parse_errors = true;
  JsonDecoder decoder(type, options);
  BatchBuilder builder(type);
  decoder.decode("x", kNoTimestamp, builder);
  decoder.decode("", kNoTimestamp, builder);
  decoder.decode(R"({"a":"x"})", kNoTimestamp, builder);
  EXPECT_EQ(decoder.ignored(), 1);
  EXPECT_EQ(builder.num_rows(), 1);
}

TEST(JsonDecoder, FailsOnMissingFieldsWhenAsked) {
  const FormatOptions fail = {{"fail-on-missing-field", "true"}};
  const LogicalTypePtr type =
      LogicalType::row({"a", "b"}, {of(TypeKind::kInt), row_a(of(TypeKind::kInt))});
  EXPECT_EQ(decoded(type, R"({"b":{"a":1}})", fail), "error: field 'a' is missing");
  EXPECT_EQ(decoded(type, R"({"a":1,"b":{}})", fail), "error: field 'b.a' is missing");
  EXPECT_EQ(decoded(type, R"({"a":null,"b":null})", fail), "+I[null, null]");
}

TEST(JsonDecoder, KeepsNullsOutOfTypesWithoutThem) {
  const LogicalTypePtr type =
      LogicalType::row({"a", "b"}, {LogicalType::of(TypeKind::kInt, false), of(TypeKind::kInt)});
  EXPECT_EQ(decoded(type, R"({"a":1})"), "+I[1, null]");
  EXPECT_EQ(decoded(type, R"({"a":null})"),
            "error: expected INT NOT NULL for field 'a' but found null");
  EXPECT_EQ(decoded(type, R"({"b":1})"), "error: field 'a' is missing");
  EXPECT_EQ(decoded(type, R"({"a":"x"})", {{"ignore-parse-errors", "true"}}), "skipped");
}

TEST(JsonDecoder, FindsFieldsInAnyOrderAmongManyOthers) {
  std::vector<std::string> names;
  std::vector<LogicalTypePtr> types;
  for (int i = 0; i < 300; ++i) {
    names.push_back("field_" + std::to_string(i));
    types.push_back(of(TypeKind::kInt));
  }
  const LogicalTypePtr type = LogicalType::row(names, types);
  JsonDecoder decoder(type, {});
  BatchBuilder builder(type);
  std::string message = "{";
  for (int i = 299; i >= 0; --i) {
    message += fmt::format("\"field_{}\":{},\"other_{}\":\"x\"{}", i, i * 2, i, i > 0 ? "," : "}");
  }
  decoder.decode(message, 7, builder);
  const BatchPtr batch = builder.finish();
  ASSERT_EQ(batch->num_rows(), 1);
  EXPECT_EQ(batch->timestamp_at(0), 7);
  for (std::size_t i = 0; i < 300; ++i) {
    EXPECT_EQ(batch->column(i).data<std::int32_t>()[0], static_cast<std::int32_t>(i) * 2);
  }
}

TEST(JsonDecoder, LimitsNesting) {
  const LogicalTypePtr type = row_a(of(TypeKind::kInt));
  const auto nested = [](int depth) {
    return R"({"b":)" + std::string(static_cast<std::size_t>(depth), '[') +
           std::string(static_cast<std::size_t>(depth), ']') + R"(,"a":1})";
  };
  EXPECT_EQ(decoded(type, nested(999)), "+I[1]");
  EXPECT_EQ(decoded(type, nested(1000)), "error: nested deeper than 1000 levels at byte 1004");
  EXPECT_THAT(decoded(type, nested(100000)), HasSubstr("nested deeper than 1000 levels"));
}

TEST(JsonDecoder, CutsLongTextsInErrors) {
  const LogicalTypePtr type = row_a(of(TypeKind::kInt));
  const std::string result = decoded(type, R"({"a":")" + std::string(500, 'x') + R"("})");
  EXPECT_THAT(result, HasSubstr("xxx..."));
  EXPECT_LT(result.size(), 160U);
}

TEST(JsonDecoder, RefusesTypesAndOptionsItDoesNotHave) {
  const auto message = [](const FormatOptions& options, const LogicalTypePtr& type) {
    try {
      make_decoder("json", options, type);
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::kInvalidArgument);
      return std::string(error.what());
    }
    return std::string("accepted");
  };
  EXPECT_THAT(message({}, row_a(LogicalType::object())), HasSubstr("field 'a'"));
  EXPECT_THAT(message({{"fail-on-mising", "true"}}, row_a(of(TypeKind::kInt))),
              HasSubstr("no option 'fail-on-mising'"));
  EXPECT_THAT(message({{"ignore-parse-errors", "yes"}}, row_a(of(TypeKind::kInt))),
              HasSubstr("must be true or false, not 'yes'"));
  EXPECT_THAT(message({{"timestamp-format.standard", "UNIX"}}, row_a(of(TypeKind::kInt))),
              HasSubstr("UNIX"));
  EXPECT_THAT(message({{"ignore-parse-errors", "true"}, {"fail-on-missing-field", "true"}},
                      row_a(of(TypeKind::kInt))),
              HasSubstr("exclude each other"));
  EXPECT_THROW(make_decoder("avro", {}, row_a(of(TypeKind::kInt))), Error);
}

/// Whatever the bytes, decoding gives a row, a skip or an Error, and the rows around it stay whole.
TEST(JsonDecoder, SurvivesRandomDamage) {
  const LogicalTypePtr type = LogicalType::row(
      {"id", "name", "price", "tags", "attributes", "at", "inner", "blob"},
      {of(TypeKind::kBigInt),
       of(TypeKind::kString),
       LogicalType::decimal(20, 4),
       LogicalType::array(of(TypeKind::kString)),
       LogicalType::map(of(TypeKind::kString), of(TypeKind::kDouble)),
       LogicalType::temporal(TypeKind::kTimestamp, 3),
       LogicalType::row({"x", "y"},
                        {of(TypeKind::kBoolean), LogicalType::array(of(TypeKind::kInt))}),
       of(TypeKind::kBytes)});
  const std::string good =
      R"({"id":12345,"name":"caf\u00e9 \"x\"","price":12.3456,"tags":["a","b",null],"attributes":{"k":1.5,"l":2},)"
      R"("at":"2020-01-02T03:04:05.123Z","inner":{"x":true,"y":[1,2,3]},"blob":"YWJj","more":[{"z":[]}]})";
  std::mt19937 random(20250520);
  const std::string alphabet = "{}[]\",:\\ntfu0123456789.-+eE \xff\xc3\xa9\x01";
  for (const bool ignore : {false, true}) {
    JsonDecoderOptions options;
    options.ignore_parse_errors = ignore;
    JsonDecoder decoder(type, options);
    BatchBuilder builder(type);
    std::int64_t rows = 0;
    for (int round = 0; round < 30000; ++round) {
      std::string message = good;
      const int changes = 1 + static_cast<int>(random() % 4);
      for (int i = 0; i < changes && !message.empty(); ++i) {
        const std::size_t at = random() % message.size();
        switch (random() % 5) {
          case 0:
            message.erase(at, 1 + random() % 5);
            break;
          case 1:
            message.insert(at, 1, alphabet[random() % alphabet.size()]);
            break;
          case 2:
            message.resize(at);
            break;
          case 3:
            message[at] = alphabet[random() % alphabet.size()];
            break;
          default:
            message.insert(at, message.substr(random() % message.size(), random() % 20));
            break;
        }
      }
      const std::vector<char> exact(message.begin(), message.end());
      const std::int64_t before = builder.num_rows();
      try {
        if (decoder.decode({exact.data(), exact.size()}, round, builder) ==
            DecodeResult::kSkipped) {
          ASSERT_EQ(builder.num_rows(), before) << message;
        }
      } catch (const Error& error) {
        ASSERT_EQ(error.kind(), ErrorKind::kExternal) << message;
        ASSERT_FALSE(ignore) << message;
        ASSERT_STRNE(error.what(), "") << message;
        ASSERT_EQ(builder.num_rows(), before) << message;
      }
      for (std::size_t c = 0; c < builder.column_count(); ++c) {
        ASSERT_EQ(builder.column(c).length(), builder.num_rows()) << message;
      }
      // A good message after a bad one is read as ever.
      if (round % 16 == 0) {
        ASSERT_EQ(decoder.decode(good, round, builder), DecodeResult::kRow);
      }
      if (builder.num_rows() > 500) {
        const BatchPtr batch = builder.finish();
        rows += batch->num_rows();
        for (std::int64_t i = 0; i < batch->num_rows(); ++i) {
          batch->value_at(i).to_string();
        }
      }
    }
    EXPECT_GT(rows + builder.num_rows(), 2000);
  }
}

}  // namespace
}  // namespace flott
