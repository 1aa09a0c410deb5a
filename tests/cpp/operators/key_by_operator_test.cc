#include "operators/key_by_operator.h"

#include "harness/case_text.h"
#include "harness/lambda_functions.h"
#include "harness/operator_harness.h"
#include "types/key.h"

#include <gtest/gtest.h>

namespace flott::harness {
namespace {

/// Keeps what the operator emits: the key of each record.
class KeyOutput final : public Output {
 public:
  void emit(Record&& record) override { add(*record.key); }
  void emit_batch(BatchPtr batch) override {
    ASSERT_NE(batch->keys(), nullptr);
    ASSERT_EQ(batch->keys()->size(), static_cast<std::size_t>(batch->num_rows()));
    for (std::size_t row = 0; row < batch->keys()->size(); ++row) {
      add(batch->keys()->at(row));
    }
  }
  void emit_side(SideOutputId, Record&&) override {}
  void emit_watermark(Timestamp) override {}
  void emit_status(WatermarkStatus) override {}

  std::vector<std::string> keys;

 private:
  void add(const Key& key) {
    EXPECT_EQ(key.hash, hash_bytes(key.bytes));
    std::string bytes;
    encode_key(key_value(key), bytes);
    EXPECT_EQ(bytes, key.bytes);
    keys.push_back(to_text(key_value(key)));
  }
};

std::unique_ptr<Operator> by_name() {
  return make_key_by_operator(key_with([](const Value& v) { return v.field(0); }));
}

BatchPtr batch_of(const std::vector<std::string>& rows) {
  LogicalTypePtr type;
  for (const std::string& row : rows) {
    type = common_type(parse_value(row), type);
  }
  BatchBuilder builder(type);
  for (const std::string& row : rows) {
    builder.append(parse_value(row));
  }
  return builder.finish();
}

TEST(KeyByOperator, GivesEachRecordItsKey) {
  KeyOutput out;
  const auto op = by_name();
  op->process(Record{parse_value("a,1")}, 0, out);
  op->process(Record{parse_value("b,2")}, 0, out);
  EXPECT_EQ(out.keys, (std::vector<std::string>{"a", "b"}));
}

TEST(KeyByOperator, GivesABatchItsKeyColumn) {
  KeyOutput out;
  by_name()->process_batch(batch_of({"a,1", "b,2", "a,3"}), 0, out);
  EXPECT_EQ(out.keys, (std::vector<std::string>{"a", "b", "a"}));
}

TEST(KeyByOperator, FieldKeysComeFromTheColumnAndEqualThoseOfRecords) {
  const std::vector<std::string> rows{
      "a,1,1.5,true", "b,-7,2.0,false", "null,null,null,null", "a,9000000000,1e300,true"};
  for (int field = 0; field < 4; ++field) {
    KeyOutput from_column;
    make_key_by_operator(make_field_key_selector(field))
        ->process_batch(batch_of(rows), 0, from_column);
    KeyOutput from_records;
    const auto op = make_key_by_operator(make_field_key_selector(field));
    for (const std::string& row : rows) {
      op->process(Record{parse_value(row)}, 0, from_records);
    }
    EXPECT_EQ(from_column.keys, from_records.keys) << "field " << field;
  }
}

TEST(KeyByOperator, TheConstantKeyIsNull) {
  KeyOutput out;
  make_key_by_operator(make_constant_key_selector())->process(Record{parse_value("7")}, 0, out);
  EXPECT_EQ(out.keys, (std::vector<std::string>{"null"}));
}

TEST(KeyByOperator, KeepsTimestampsOfBatches) {
  ManualClock clock;
  OperatorHarness harness(by_name(), {}, clock);
  BatchBuilder builder(common_type(parse_value("a,1"), nullptr));
  builder.append(parse_value("a,1"), 5);
  builder.append(parse_value("b,2"), 6);
  harness.process_batch(builder.finish());
  EXPECT_EQ(harness.output_text(), "+ a,1 @5 | + b,2 @6");
}

}  // namespace
}  // namespace flott::harness
