#include "operators/aggregation_operator.h"

#include "base/error.h"
#include "harness/verify_operator.h"
#include "types/batch.h"

#include <gtest/gtest.h>

namespace flott::harness {
namespace {

OperatorCase aggregate(Aggregation aggregation, FieldSelector field) {
  return verify_operator([=] { return make_aggregation_operator(aggregation, field); });
}

TEST(AggregationOperator, SumReplacesOnlyTheField) {
  aggregate(Aggregation::kSum, FieldSelector::at(1))
      .keyed()
      .input("+ a,1,x | + a,2,y | + b,5,z | + a,3,w")
      .expect("+ a,1,x | + a,3,x | + b,5,z | + a,6,x");
}

TEST(AggregationOperator, MinAndMaxReplaceOnlyTheField) {
  aggregate(Aggregation::kMin, FieldSelector::at(1))
      .keyed()
      .input("+ a,3,x | + a,5,y | + a,1,z")
      .expect("+ a,3,x | + a,3,x | + a,1,x");
  aggregate(Aggregation::kMax, FieldSelector::at(1))
      .keyed()
      .input("+ a,3,x | + a,5,y | + a,1,z")
      .expect("+ a,3,x | + a,5,x | + a,5,x");
}

TEST(AggregationOperator, MinByAndMaxByReturnTheWholeRecordTheEarlierOnTies) {
  aggregate(Aggregation::kMinBy, FieldSelector::at(1))
      .keyed()
      .input("+ a,3,x | + a,3,y | + a,1,z | + a,1,w")
      .expect("+ a,3,x | + a,3,x | + a,1,z | + a,1,z");
  aggregate(Aggregation::kMaxBy, FieldSelector::at(1))
      .keyed()
      .input("+ a,3,x | + a,3,y | + a,4,z | + a,2,w")
      .expect("+ a,3,x | + a,3,x | + a,4,z | + a,4,z");
}

TEST(AggregationOperator, WorksOnArraysAndPlainValues) {
  aggregate(Aggregation::kSum, FieldSelector::at(1))
      .keyed()
      .input("+ [a,1] | + [a,2]")
      .expect("+ [a,1] | + [a,3]");
  const KeyOf one_key = [](const Value&) { return Value{}; };
  aggregate(Aggregation::kSum, FieldSelector::at(0))
      .keyed_by(one_key)
      .input("+ 1 | + 2 | + 3")
      .expect("+ 1 | + 3 | + 6");
  aggregate(Aggregation::kMax, FieldSelector::at(0))
      .keyed_by(one_key)
      .input("+ b | + a | + c")
      .expect("+ b | + b | + c");
}

TEST(AggregationOperator, BatchModeEmitsFinalValuesOnly) {
  aggregate(Aggregation::kSum, FieldSelector::at(1))
      .keyed()
      .batch_mode()
      .any_order()
      .input("+ a,1 | + b,7 | + a,2 | end")
      .expect("+ a,3 @max | + b,7 @max | watermark max");
}

TEST(AggregationOperator, AMissingFieldIsAnErrorThatShowsTheRecord) {
  aggregate(Aggregation::kSum, FieldSelector::at(7))
      .keyed()
      .input("+ a,1 | + a,2")
      .expect_error("sum() of field 7");
  aggregate(Aggregation::kMin, FieldSelector::named("price"))
      .keyed()
      .input("+ a,1 | + a,2")
      .expect_error("min() of field 'price'");
}

TEST(FieldAggregation, FindsNamedFieldsOfRows) {
  const auto type = LogicalType::row(
      {"name", "n"}, {LogicalType::of(TypeKind::kString), LogicalType::of(TypeKind::kBigInt)});
  const auto row = [&](std::int64_t n) {
    return Value::row({Value::string("a"), Value::integer(n)}, type);
  };
  const auto sum = make_field_aggregation(Aggregation::kSum, FieldSelector::named("n"));
  EXPECT_EQ(sum->reduce(row(1), row(2)).field(1).as_int(), 3);
}

TEST(FieldAggregation, AddsDecimalsExactlyAndMixedNumbersAsDoubles) {
  const Value decimal = add_values(Value::decimal(105, 2), Value::decimal(3, 1));
  EXPECT_TRUE(decimal.as_decimal().unscaled == 135);
  EXPECT_EQ(decimal.as_decimal().scale, 2);
  EXPECT_EQ(add_values(Value::integer(1), Value::real(0.5)).as_double(), 1.5);
  EXPECT_EQ(add_values(Value::string("a"), Value::string("b")).as_string(), "ab");
  EXPECT_EQ(add_values(Value::integer(kMaxTimestamp), Value::integer(1)).as_int(), kMinTimestamp);
  EXPECT_THROW(add_values(Value::string("a"), Value::integer(1)), Error);
}

}  // namespace
}  // namespace flott::harness
