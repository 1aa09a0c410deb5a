#include "connectors/print/print_sink.h"

#include "connectors/print/value_text.h"
#include "tests/cpp/connectors/reading.h"

#include <gtest/gtest.h>

namespace flott {
namespace {

class PrintSinkTest : public testing::Test {
 protected:
  void SetUp() override {
    set_print_function([this](std::string_view lines, bool) { text_ += lines; });
  }
  void TearDown() override { set_print_function({}); }

  std::string print(const LogicalTypePtr& type,
                    const std::vector<Value>& values,
                    const std::string& identifier = "",
                    int subtask = 0,
                    int parallelism = 1) {
    PrintSink sink(type, identifier);
    test::WriterDriver driver(sink, subtask, parallelism);
    BatchBuilder builder(type);
    for (const Value& value : values) {
      builder.append(value);
    }
    text_.clear();
    driver.writer().write(builder.finish());
    return text_;
  }

  std::string text_;
};

TEST_F(PrintSinkTest, PrefixFollowsParallelismAndName) {
  const LogicalTypePtr type = LogicalType::of(TypeKind::kInt);
  EXPECT_EQ(print(type, {Value::integer(5)}), "5\n");
  EXPECT_EQ(print(type, {Value::integer(5)}, "name"), "name> 5\n");
  EXPECT_EQ(print(type, {Value::integer(5)}, "", 1, 4), "2> 5\n");
  EXPECT_EQ(print(type, {Value::integer(5)}, "name", 1, 4), "name:2> 5\n");
}

TEST_F(PrintSinkTest, RowsPrintHostFormsAndTuplesJavaForms) {
  const std::vector<LogicalTypePtr> types = {LogicalType::of(TypeKind::kInt),
                                             LogicalType::of(TypeKind::kString),
                                             LogicalType::of(TypeKind::kBoolean),
                                             LogicalType::of(TypeKind::kDouble)};
  const std::vector<Value> fields = {
      Value::integer(1), Value::null(), Value::boolean(true), Value::real(1.5)};
  const Value row = Value::row(fields);
  EXPECT_EQ(print(LogicalType::row({"a", "b", "c", "d"}, types), {row}), "+I[1,None,True,1.5]\n");
  EXPECT_EQ(print(LogicalType::tuple(types), {row}), "(1,null,true,1.5)\n");
}

TEST(JavaText, DoublesAsJavaPrintsThem) {
  const auto text = [](double value, bool single = false) {
    std::string out;
    append_java_double(value, single, out);
    return out;
  };
  EXPECT_EQ(text(1.0), "1.0");
  EXPECT_EQ(text(1e10), "1.0E10");
  EXPECT_EQ(text(1.5e-7), "1.5E-7");
  EXPECT_EQ(text(0.001), "0.001");
  EXPECT_EQ(text(9999999.0), "9999999.0");
  EXPECT_EQ(text(1e7), "1.0E7");
  EXPECT_EQ(text(-0.0), "-0.0");
  EXPECT_EQ(text(1.23F, true), "1.23");
}

TEST(JavaText, NestedValuesAndBytes) {
  std::string out;
  const auto array = LogicalType::array(LogicalType::of(TypeKind::kString));
  append_java(Value::array({Value::string("a"), Value::string("b")}), *array, out);
  EXPECT_EQ(out, "[a, b]");
  out.clear();
  append_java(Value::bytes("fl"), *LogicalType::of(TypeKind::kBytes), out);
  EXPECT_EQ(out, "[102, 108]");
  out.clear();
  append_java(Value::timestamp(1'520'737'200'123'000), *LogicalType::of(TypeKind::kTimestamp), out);
  EXPECT_EQ(out, "2018-03-11 03:00:00.123");
  out.clear();
  append_java(Value::decimal(-5, 2), *LogicalType::decimal(5, 2), out);
  EXPECT_EQ(out, "-0.05");
}

}  // namespace
}  // namespace flott
