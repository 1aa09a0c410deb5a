#include "operators/field_aggregates.h"

#include "base/error.h"
#include "types/batch.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace flott {
namespace {

using How = FieldAggregate::How;

LogicalTypePtr row_of(std::vector<LogicalTypePtr> types) {
  return LogicalType::tuple(std::move(types));
}

/// The result of `how` of one field of `type`, added as rows of a batch; checked to be the same as
/// value by value, and as merged out of two halves.
Value aggregate(How how, const LogicalTypePtr& type, const std::vector<Value>& values) {
  const LogicalTypePtr input = row_of({type});
  const auto function =
      make_field_aggregates(input, {{how, 0}}, row_of({LogicalType::of(TypeKind::kNull)}));
  BatchBuilder builder(input);
  for (const Value& value : values) {
    builder.append(Value::row({value}));
  }
  const BatchPtr batch = builder.finish();
  Value by_row = function->create_accumulator();
  Value by_value = function->create_accumulator();
  Value halves[2] = {function->create_accumulator(), function->create_accumulator()};
  for (std::int64_t i = 0; i < batch->num_rows(); ++i) {
    function->add_row(*batch, i, by_row);
    function->add_in_place(batch->value_at(i), by_value);
    function->add_row(*batch, i, halves[i >= batch->num_rows() / 2 ? 1 : 0]);
  }
  const Value result = function->get_result(by_row).field(0);
  EXPECT_EQ(result.to_string(), function->get_result(by_value).field(0).to_string());
  const Value first = halves[0];
  EXPECT_EQ(result.to_string(),
            function->get_result(function->merge(halves[0], halves[1])).field(0).to_string());
  EXPECT_EQ(first.to_string(), halves[0].to_string()) << "merging changed its argument";
  return result;
}

Value integer(std::int64_t v) {
  return Value::integer(v);
}

TEST(FieldAggregates, EveryIntegerWidthSumsTo64Bits) {
  for (const TypeKind kind :
       {TypeKind::kTinyInt, TypeKind::kSmallInt, TypeKind::kInt, TypeKind::kBigInt}) {
    const auto type = LogicalType::of(kind);
    const std::vector<Value> values = {integer(100), Value(), integer(-3), integer(120)};
    EXPECT_EQ(aggregate(How::kSum, type, values).as_int(), 217);
    EXPECT_EQ(aggregate(How::kMin, type, values).as_int(), -3);
    EXPECT_EQ(aggregate(How::kMax, type, values).as_int(), 120);
    EXPECT_EQ(aggregate(How::kCount, type, values).as_int(), 3);
    EXPECT_EQ(aggregate(How::kAvg, type, values).as_double(), 217.0 / 3);
  }
  const std::int64_t max = std::numeric_limits<std::int64_t>::max();
  EXPECT_EQ(
      aggregate(How::kSum, LogicalType::of(TypeKind::kBigInt), {integer(max), integer(1)}).as_int(),
      std::numeric_limits<std::int64_t>::min());
}

TEST(FieldAggregates, FloatsAddUpAsDoubles) {
  const std::vector<Value> values = {Value::real(1.5), Value::real(-2.25), Value(), Value::real(8)};
  for (const TypeKind kind : {TypeKind::kFloat, TypeKind::kDouble}) {
    const auto type = LogicalType::of(kind);
    EXPECT_EQ(aggregate(How::kSum, type, values).as_double(), 7.25);
    EXPECT_EQ(aggregate(How::kMin, type, values).as_double(), -2.25);
    EXPECT_EQ(aggregate(How::kMax, type, values).as_double(), 8);
    EXPECT_EQ(aggregate(How::kAvg, type, values).as_double(), 7.25 / 3);
  }
}

TEST(FieldAggregates, NanIsNeitherSmallerNorLarger) {
  const auto type = LogicalType::of(TypeKind::kDouble);
  const Value nan = Value::real(std::nan(""));
  EXPECT_EQ(aggregate(How::kMin, type, {Value::real(1), nan}).as_double(), 1);
  EXPECT_EQ(aggregate(How::kMax, type, {Value::real(1), nan}).as_double(), 1);
  EXPECT_TRUE(std::isnan(aggregate(How::kMax, type, {nan, Value::real(1)}).as_double()));
}

TEST(FieldAggregates, StringsDatesDecimalsAndBooleansHaveAnOrder) {
  const auto text = LogicalType::of(TypeKind::kString);
  const std::vector<Value> names = {
      Value::string("b"), Value::string("\xc3\xa4"), Value::string("a long name, not inline")};
  EXPECT_EQ(aggregate(How::kMin, text, names).as_string(), "a long name, not inline");
  EXPECT_EQ(aggregate(How::kMax, text, names).as_string(), "\xc3\xa4");
  EXPECT_EQ(aggregate(How::kCount, text, names).as_int(), 3);
  EXPECT_EQ(aggregate(How::kFirst, text, names).as_string(), "b");
  const auto date = LogicalType::of(TypeKind::kDate);
  EXPECT_EQ(aggregate(How::kMax, date, {Value::date(3), Value::date(7), Value()}).as_int(), 7);
  const auto decimal = LogicalType::decimal(20, 2);
  const std::vector<Value> prices = {Value::decimal(150, 2), Value::decimal(-25, 2)};
  EXPECT_EQ(aggregate(How::kSum, decimal, prices).to_string(), "1.25");
  EXPECT_EQ(aggregate(How::kMin, decimal, prices).to_string(), "-0.25");
  const auto boolean = LogicalType::of(TypeKind::kBoolean);
  EXPECT_TRUE(
      aggregate(How::kMax, boolean, {Value::boolean(false), Value::boolean(true)}).as_bool());
}

TEST(FieldAggregates, NothingButNullsIsNull) {
  const auto type = LogicalType::of(TypeKind::kBigInt);
  for (const How how : {How::kFirst, How::kSum, How::kMin, How::kMax, How::kAvg}) {
    EXPECT_TRUE(aggregate(how, type, {Value(), Value()}).is_null());
  }
  EXPECT_TRUE(aggregate(How::kFirst, type, {Value(), integer(1)}).is_null());
  EXPECT_EQ(aggregate(How::kCount, type, {Value(), Value()}).as_int(), 0);
}

TEST(FieldAggregates, RefuseWhatTheyCannotCompute) {
  const LogicalTypePtr input = row_of({LogicalType::of(TypeKind::kString)});
  const auto make = [&](FieldAggregate aggregate) {
    return make_field_aggregates(input, {aggregate}, input);
  };
  EXPECT_THROW(make({How::kSum, 0}), Error);
  EXPECT_THROW(make({How::kAvg, 0}), Error);
  EXPECT_THROW(make({How::kMin, 1}), Error);
  EXPECT_THROW(make({How::kSum, FieldAggregate::kEveryRecord}), Error);
  const auto function = make({How::kMin, 0});
  Value accumulator = function->create_accumulator();
  EXPECT_THROW(function->add_in_place(Value::integer(1), accumulator), Error);
}

}  // namespace
}  // namespace flott
