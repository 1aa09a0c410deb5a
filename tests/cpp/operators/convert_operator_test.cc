#include "operators/convert_operator.h"

#include "harness/verify_operator.h"

#include <gtest/gtest.h>

namespace flott::harness {
namespace {

TEST(ConvertOperator, CoercesToTheTypeAndKeepsTheRest) {
  verify_operator([] { return make_convert_operator(LogicalType::of(TypeKind::kSmallInt)); })
      .input("+ 7 @1 | + 43878 @2 | - 1 @3 | + null | watermark 5")
      .expect("+ 7 @1 | + -21658 @2 | - 1 @3 | + null | watermark 5");
}

TEST(ConvertOperator, BatchesBecomeBatchesOfTheType) {
  ManualClock clock;
  OperatorHarness harness(make_convert_operator(LogicalType::of(TypeKind::kDouble)), {}, clock);
  BatchBuilder builder(LogicalType::of(TypeKind::kBigInt));
  builder.append(Value::integer(1), 5);
  builder.append(Value::integer(2), 6);
  harness.process_batch(builder.finish());
  EXPECT_EQ(harness.batches_out(), 1);
  EXPECT_EQ(harness.take_output().size(), 2U);
}

TEST(ConvertOperator, AValueThatDoesNotFitIsAnErrorThatShowsIt) {
  verify_operator([] { return make_convert_operator(LogicalType::of(TypeKind::kBigInt)); })
      .input("+ hello")
      .expect_error("hello");
}

}  // namespace
}  // namespace flott::harness
