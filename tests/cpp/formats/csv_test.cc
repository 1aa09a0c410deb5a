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
LogicalTypePtr text_and_int() {
  return LogicalType::row({"s", "i"}, {of(TypeKind::kString), of(TypeKind::kInt)});
}
LogicalTypePtr with_text(LogicalTypePtr type) {
  return LogicalType::row({"a", "z"}, {std::move(type), of(TypeKind::kString)});
}

std::string decoded(const LogicalTypePtr& type,
                    std::string_view message,
                    const FormatOptions& options = {}) {
  const std::unique_ptr<Decoder> decoder = make_decoder("csv", options, type);
  BatchBuilder builder(type);
  const std::vector<char> exact(message.begin(), message.end());
  try {
    if (decoder->decode({exact.data(), exact.size()}, kNoTimestamp, builder) ==
        DecodeResult::kSkipped) {
      return builder.empty() ? "skipped" : "skipped, but left rows";
    }
  } catch (const Error& error) {
    EXPECT_TRUE(builder.empty());
    return std::string("error: ") + error.what();
  }
  return builder.finish()->value_at(0).to_string();
}

std::string encoded(const LogicalTypePtr& type,
                    const Value& row,
                    const FormatOptions& options = {}) {
  BatchBuilder builder(type);
  builder.append(row);
  std::string out;
  make_encoder("csv", options, type)->encode(*builder.finish(), 0, out);
  return out;
}

TEST(CsvDecoder, SplitsLinesAsFlink) {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"x,1", "+I['x', 1]"},
      {"x,1\n", "+I['x', 1]"},
      {"x,1\r\n", "+I['x', 1]"},
      {"x,1\ny,2", "+I['x', 1]"},
      {R"("x,y",1)", "+I['x,y', 1]"},
      {R"("x""y",1)", R"(+I['x"y', 1])"},
      {"\"x\ny\",1", "+I['x\ny', 1]"},
      {"x, 1 ", "+I['x', 1]"},
      {"x,+1", "+I['x', 1]"},
      {",1", "+I['', 1]"},
      {R"(""," 3")", "+I['', 3]"},
      {R"( "x",1)", R"(+I[' "x"', 1])"},
      {R"("x" ,1)", "+I['x', 1]"},
      {R"(x"y,1)", R"(+I['x"y', 1])"},
      {"#c,1", "+I['#c', 1]"},
      {"", "skipped"},
      {"x,", R"(error: expected INT for field 'i' but found "")"},
      {"x,1.5", R"(error: expected INT for field 'i' but found "1.5")"},
      {"x,99999999999", "error: numeric value 99999999999 is out of range of INT for field 'i'"},
      {"x", R"(error: expected 2 fields but found 1 in "x")"},
      {"x,1,2", R"(error: expected 2 fields but found 3 in "x,1,2")"},
      {"\n", R"(error: expected 2 fields but found 1 in "\x0a")"},
      {R"("x,1)", R"(error: missing closing quote in field 1 of ""x,1")"},
      {R"("x"y,1)", R"(error: expected ',' after the closing quote of field 1 but found "y,1")"},
      {"\xff,1", "error: invalid UTF-8 at byte 0"},
  };
  for (const auto& [message, expected] : cases) {
    const std::string result = decoded(text_and_int(), message);
    // to_string escapes a line break in its own way.
    if (message.starts_with("\"x\ny")) {
      EXPECT_THAT(result, HasSubstr("y', 1]"));
    } else {
      EXPECT_EQ(result, expected) << message;
    }
  }
}

TEST(CsvDecoder, ConvertsEachType) {
  const auto cell = [](const LogicalTypePtr& type, const std::string& text) {
    return decoded(with_text(type), text + ",z");
  };
  EXPECT_EQ(cell(of(TypeKind::kBoolean), "TRUE"), "+I[true, 'z']");
  EXPECT_EQ(cell(of(TypeKind::kBoolean), ""), "+I[false, 'z']");
  EXPECT_EQ(cell(of(TypeKind::kDouble), " 2 "), "+I[2.0, 'z']");
  EXPECT_EQ(cell(LogicalType::decimal(10, 2), "1.50"), "+I[1.50, 'z']");
  EXPECT_EQ(cell(of(TypeKind::kTinyInt), "300"),
            "error: numeric value 300 is out of range of TINYINT for field 'a'");
  EXPECT_EQ(cell(of(TypeKind::kDate), "2020-01-02"), "+I[2020-01-02, 'z']");
  EXPECT_EQ(cell(of(TypeKind::kBytes), "YWJj"), "+I[b'abc', 'z']");
  EXPECT_EQ(cell(LogicalType::array(of(TypeKind::kInt)), "1;2;3"), "+I[[1, 2, 3], 'z']");
  EXPECT_EQ(cell(LogicalType::array(of(TypeKind::kInt)), ""), "+I[[], 'z']");
  EXPECT_EQ(cell(LogicalType::array(of(TypeKind::kInt)), "1;;3"),
            R"(error: expected INT for field 'a' but found "")");
  const LogicalTypePtr nested =
      LogicalType::row({"x", "y"}, {of(TypeKind::kInt), of(TypeKind::kString)});
  EXPECT_EQ(cell(nested, "1;q"), "+I[+I[1, 'q'], 'z']");
  EXPECT_EQ(cell(nested, ""), "+I[null, 'z']");
  EXPECT_THAT(cell(nested, "1"), HasSubstr("expected 2 fields in the nested row 'a' but found 1"));
  EXPECT_THAT(cell(nested, "1;q;z"), HasSubstr("but found 3"));
}

TEST(CsvDecoder, TakesOptions) {
  const FormatOptions options = {{"field-delimiter", "|"},
                                 {"quote-character", "'"},
                                 {"escape-character", "\\"},
                                 {"null-literal", "n/a"},
                                 {"allow-comments", "true"}};
  EXPECT_EQ(decoded(text_and_int(), "x|1", options), "+I['x', 1]");
  EXPECT_EQ(decoded(text_and_int(), "#c|1", options), "skipped");
  EXPECT_EQ(decoded(text_and_int(), "#c\nx|1", options), "+I['x', 1]");
  EXPECT_EQ(decoded(text_and_int(), "'x|y'|2", options), "+I['x|y', 2]");
  EXPECT_EQ(decoded(text_and_int(), "a\\|b|3", options), "+I['a|b', 3]");
  EXPECT_EQ(decoded(text_and_int(), "'a\\'b'|3", options), R"(+I['a\'b', 3])");
  EXPECT_EQ(decoded(text_and_int(), "n/a|n/a", options), "+I[null, null]");
  EXPECT_EQ(decoded(text_and_int(), "\"x\",1", {{"disable-quote-character", "true"}}),
            R"(+I['"x"', 1])");
  EXPECT_THROW(decoded(text_and_int(), "", {{"field-delimiter", "ab"}}), Error);
  EXPECT_THROW(
      make_decoder("csv", {}, with_text(LogicalType::map(of(TypeKind::kInt), of(TypeKind::kInt)))),
      Error);
  EXPECT_THROW(make_decoder("csv", {}, of(TypeKind::kInt)), Error);
}

TEST(CsvDecoder, IgnoringParseErrorsNullsTheFieldOrSkipsTheLine) {
  const FormatOptions ignore = {{"ignore-parse-errors", "true"}};
  EXPECT_EQ(decoded(text_and_int(), "x,y", ignore), "+I['x', null]");
  EXPECT_EQ(decoded(text_and_int(), "x", ignore), "+I['x', null]");
  EXPECT_EQ(decoded(text_and_int(), "x,1,2", ignore), "skipped");
  EXPECT_EQ(decoded(text_and_int(), "\"x,1", ignore), "skipped");
  EXPECT_EQ(decoded(with_text(LogicalType::array(of(TypeKind::kInt))), "1;x,z", ignore),
            "+I[null, 'z']");
}

TEST(CsvEncoder, WritesAsFlink) {
  const auto cell = [](const LogicalTypePtr& type, const Value& value) {
    return encoded(with_text(type), Value::row({value, Value::string("z")}));
  };
  EXPECT_EQ(cell(of(TypeKind::kInt), Value::integer(-5)), "-5,z\n");
  EXPECT_EQ(cell(of(TypeKind::kInt), Value::null()), ",z\n");
  EXPECT_EQ(cell(of(TypeKind::kDouble), Value::real(1e10)), "1.0E10,z\n");
  EXPECT_EQ(cell(of(TypeKind::kBoolean), Value::boolean(true)), "true,z\n");
  EXPECT_EQ(cell(of(TypeKind::kString), Value::string("é😀")), "é😀,z\n");
  EXPECT_EQ(cell(of(TypeKind::kString), Value::string("a\"b")), "\"a\"\"b\",z\n");
  EXPECT_EQ(cell(of(TypeKind::kString), Value::string("a,b")), "\"a,b\",z\n");
  EXPECT_EQ(cell(of(TypeKind::kString), Value::string(" a ")), "\" a \",z\n");
  EXPECT_EQ(cell(of(TypeKind::kString), Value::string("a;b")), "a;b,z\n");
  EXPECT_EQ(cell(of(TypeKind::kString), Value::string(std::string(25, 'x'))),
            "\"" + std::string(25, 'x') + "\",z\n");
  EXPECT_EQ(cell(LogicalType::decimal(10, 2), Value::decimal(150, 2)), "1.5,z\n");
  EXPECT_EQ(cell(LogicalType::decimal(20, 2), Value::decimal(1000000000000, 2)), "\"1E+10\",z\n");
  EXPECT_EQ(cell(of(TypeKind::kDate), Value::date(18263)), "2020-01-02,z\n");
  EXPECT_EQ(cell(LogicalType::temporal(TypeKind::kTime, 0), Value::time(3723000000)),
            "01:02:03,z\n");
  EXPECT_EQ(
      cell(LogicalType::temporal(TypeKind::kTimestamp, 3), Value::timestamp(1577934245000000)),
      "\"2020-01-02 03:04:05.0\",z\n");
  EXPECT_EQ(cell(LogicalType::temporal(TypeKind::kTimestampLtz, 3),
                 Value::timestamp_ltz(1577934245123000)),
            "\"2020-01-02 03:04:05.123Z\",z\n");
  EXPECT_EQ(cell(LogicalType::row({"x", "y"}, {of(TypeKind::kInt), of(TypeKind::kString)}),
                 Value::row({Value::integer(1), Value::null()})),
            "1;,z\n");
  EXPECT_EQ(cell(LogicalType::array(of(TypeKind::kInt)),
                 Value::array({Value::integer(1), Value::integer(2)})),
            "1;2,z\n");
  const Value row = Value::row({Value::string("a|b'c"), Value::null()});
  EXPECT_EQ(encoded(text_and_int(),
                    row,
                    {{"field-delimiter", "|"},
                     {"quote-character", "'"},
                     {"null-literal", "n/a"},
                     {"line-delimiter", ""}}),
            "'a|b''c'|n/a");
  EXPECT_EQ(encoded(text_and_int(), row, {{"escape-character", "\\"}, {"quote-character", "'"}}),
            "'a|b\\'c',\n");
}

TEST(Csv, RoundTripsAndSurvivesDamage) {
  const LogicalTypePtr type = LogicalType::row({"s", "i", "d", "l"},
                                               {of(TypeKind::kString),
                                                of(TypeKind::kInt),
                                                of(TypeKind::kDouble),
                                                LogicalType::array(of(TypeKind::kInt))});
  std::mt19937 random(3);
  const std::vector<std::string> parts = {"a", "\"", ",", "\n", "é", ";", " ", "\\", "word"};
  const std::unique_ptr<Encoder> encoder = make_encoder("csv", {}, type);
  const std::unique_ptr<Decoder> decoder = make_decoder("csv", {}, type);
  for (int round = 0; round < 5000; ++round) {
    std::string text;
    for (unsigned i = random() % 8; i > 0; --i) {
      text += parts[random() % parts.size()];
    }
    BatchBuilder in(type);
    in.append(Value::row({Value::string(text),
                          Value::integer(static_cast<std::int32_t>(random())),
                          Value::real(random() / 7.0),
                          Value::array({Value::integer(1), Value::integer(round)})}));
    const BatchPtr before = in.finish();
    std::string line;
    encoder->encode(*before, 0, line);
    BatchBuilder out(type);
    ASSERT_EQ(decoder->decode(line, kNoTimestamp, out), DecodeResult::kRow) << line;
    ASSERT_EQ(out.finish()->to_string(), before->to_string()) << line;

    std::string damaged = line;
    for (unsigned i = 1 + random() % 3; i > 0 && !damaged.empty(); --i) {
      const std::size_t at = random() % damaged.size();
      damaged[at] = "\",;\n x\xff#"[random() % 8];
    }
    const std::vector<char> exact(damaged.begin(), damaged.end());
    try {
      decoder->decode({exact.data(), exact.size()}, kNoTimestamp, out);
    } catch (const Error& error) {
      ASSERT_EQ(error.kind(), ErrorKind::kExternal);
    }
    for (std::size_t c = 0; c < out.column_count(); ++c) {
      ASSERT_EQ(out.column(c).length(), out.num_rows()) << damaged;
    }
  }
}

}  // namespace
}  // namespace flott
