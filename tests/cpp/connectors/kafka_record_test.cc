#include "connectors/kafka_record.h"

#include "tests/cpp/connectors/reading.h"

#include <gtest/gtest.h>

namespace flott {
namespace {

class Collected final : public Output {
 public:
  void emit(Record&&) override {}
  void emit_batch(BatchPtr batch) override { batches.push_back(std::move(batch)); }
  void emit_side(SideOutputId, Record&&) override {}
  void emit_watermark(Timestamp) override {}
  void emit_status(WatermarkStatus) override {}
  std::vector<BatchPtr> batches;
};

LogicalTypePtr flight() {
  return LogicalType::row({"email", "minutes", "confirmation"},
                          {LogicalType::of(TypeKind::kString),
                           LogicalType::of(TypeKind::kInt),
                           LogicalType::of(TypeKind::kString)});
}
LogicalTypePtr confirmation() {
  return LogicalType::row({"confirmation"}, {LogicalType::of(TypeKind::kString)});
}

BatchPtr serialize(const Options& options,
                   const LogicalTypePtr& type,
                   const LogicalTypePtr& key,
                   const LogicalTypePtr& value,
                   const std::vector<Value>& rows) {
  const auto serializer = make_kafka_serializer(options, type, key, value)(0);
  BatchBuilder builder(type);
  for (const Value& row : rows) {
    builder.append(row, 42);
  }
  Collected out;
  serializer->process_batch(builder.finish(), 0, out);
  return out.batches.at(0);
}

Value ann() {
  return Value::row({Value::string("ann"), Value::integer(90), Value::string("XY")});
}

TEST(KafkaSerializer, SerializesByPositionAsFlinkDoes) {
  const BatchPtr out = serialize(
      test::options_of({{"topic", "t"}, {"key.format", "json"}, {"value.format", "json"}}),
      flight(),
      confirmation(),
      flight(),
      {ann()});
  EXPECT_EQ(out->column(0).string_at(0), "t");
  EXPECT_TRUE(out->column(1).is_null(0));
  // Flink takes field 0 of the record for field 0 of the key's type, whatever their names.
  EXPECT_EQ(out->column(2).string_at(0), R"({"confirmation":"ann"})");
  EXPECT_EQ(out->column(3).string_at(0), R"({"email":"ann","minutes":90,"confirmation":"XY"})");
  EXPECT_EQ(out->column(4).data<std::int64_t>()[0], 42);
}

TEST(KafkaSerializer, SerializesByNameOnRequest) {
  const BatchPtr out = serialize(
      test::options_of({{"key.format", "json"}, {"key.match", "name"}, {"value.format", "json"}}),
      flight(),
      confirmation(),
      nullptr,
      {ann()});
  EXPECT_TRUE(out->column(0).is_null(0));
  EXPECT_EQ(out->column(2).string_at(0), R"({"confirmation":"XY"})");
}

TEST(KafkaSerializer, PlainStringsAndTombstones) {
  const BatchPtr out = serialize(test::options_of({{"topic", "t"}, {"value.format", "string"}}),
                                 LogicalType::of(TypeKind::kString),
                                 nullptr,
                                 nullptr,
                                 {Value::string("a"), Value::string("")});
  EXPECT_EQ(out->column(3).string_at(0), "a");
  EXPECT_EQ(out->column(3).string_at(1), "");
  EXPECT_TRUE(out->column(2).is_null(0));
}

TEST(KafkaSerializer, ATopicSelectorsPairNamesTheTopic) {
  const LogicalTypePtr pair =
      LogicalType::row({"f0", "f1"}, {LogicalType::of(TypeKind::kString), flight()});
  const BatchPtr out = serialize(
      test::options_of({{"topic.field", "0"}, {"value.field", "1"}, {"value.format", "json"}}),
      pair,
      nullptr,
      nullptr,
      {Value::row({Value::string("north"), ann()})});
  EXPECT_EQ(out->column(0).string_at(0), "north");
  EXPECT_EQ(out->column(3).string_at(0), R"({"email":"ann","minutes":90,"confirmation":"XY"})");
}

TEST(KafkaSerializer, MismatchesFailWhenTheGraphIsBuilt) {
  EXPECT_NE(test::error_of([] {
              make_kafka_serializer(
                  test::options_of({{"value.format", "json"}}), confirmation(), nullptr, flight());
            }).find("'minutes'"),
            std::string::npos);
  EXPECT_NE(test::error_of([] {
              make_kafka_serializer(Options(), flight(), nullptr, nullptr);
            }).find("'value.format'"),
            std::string::npos);
}

}  // namespace
}  // namespace flott
