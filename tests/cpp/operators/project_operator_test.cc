#include "operators/project_operator.h"

#include "harness/verify_operator.h"
#include "operators/discard_operator.h"
#include "types/batch.h"

#include <gtest/gtest.h>

namespace flott::harness {
namespace {

LogicalTypePtr of(TypeKind kind) {
  return LogicalType::of(kind);
}

LogicalTypePtr reversed_pair() {
  return LogicalType::row({"c", "a"}, {of(TypeKind::kBigInt), of(TypeKind::kString)});
}

std::unique_ptr<Operator> third_and_first() {
  return make_project_operator({2, 0}, reversed_pair());
}

TEST(ProjectOperator, SelectsFieldsInTheOrderGiven) {
  verify_operator(third_and_first)
      .input("+ a,true,1 @5 | -U b,false,2 @6 | + null,true,null | watermark 9 | end")
      .expect("+ 1,a @5 | -U 2,b @6 | + null,null | watermark 9 | watermark max");
}

TEST(ProjectOperator, KeepsKeys) {
  verify_operator(third_and_first).keyed().input("+ a,true,1 | + b,true,2").expect("+ 1,a | + 2,b");
}

TEST(ProjectOperator, SharesTheColumns) {
  struct Keep final : Output {
    void emit(Record&& /*record*/) override {}
    void emit_batch(BatchPtr batch) override { got = std::move(batch); }
    void emit_side(SideOutputId /*side*/, Record&& /*record*/) override {}
    void emit_watermark(Timestamp /*watermark*/) override {}
    void emit_status(WatermarkStatus /*status*/) override {}
    BatchPtr got;
  };
  BatchBuilder builder(LogicalType::row(
      {"a", "b", "c"}, {of(TypeKind::kString), of(TypeKind::kBoolean), of(TypeKind::kBigInt)}));
  builder.append(Value::row({Value::string("x"), Value::boolean(true), Value::integer(7)}), 3);
  const BatchPtr batch = builder.finish();
  Keep out;
  third_and_first()->process_batch(batch, 0, out);
  ASSERT_NE(out.got, nullptr);
  EXPECT_EQ(out.got->columns()[0], batch->columns()[2]);
  EXPECT_EQ(out.got->columns()[1], batch->columns()[0]);
  EXPECT_EQ(out.got->timestamp_at(0), 3);
  EXPECT_EQ(*out.got->type(), *reversed_pair());
}

TEST(ProjectOperator, ShowsARecordWithoutTheField) {
  verify_operator(third_and_first).input("+ a,1").expect_error("has no field 2");
}

TEST(DiscardOperator, EmitsNothing) {
  verify_operator(make_discard_operator)
      .input("+ a | + b,1 | watermark 3 | end")
      .expect("watermark 3 | watermark max");
}

}  // namespace
}  // namespace flott::harness
