#include "base/error.h"
#include "tests/cpp/types/samples.h"
#include "tests/harness/fake_host.h"
#include "types/batch.h"

#include <gtest/gtest.h>

#include <numeric>

namespace flott {
namespace {

ColumnPtr column_of(const LogicalTypePtr& type, const std::vector<Value>& values) {
  ColumnBuilder builder(type);
  for (const Value& v : values) {
    builder.append(v);
  }
  return builder.finish();
}

std::vector<Value> random_values(const LogicalType& type, std::size_t count, std::uint64_t seed) {
  std::mt19937_64 random(seed);
  std::vector<Value> out;
  for (std::size_t i = 0; i < count; ++i) {
    out.push_back(random_value(type, random));
  }
  return out;
}

void expect_values(const Column& column, const std::vector<Value>& values) {
  ASSERT_EQ(column.length, static_cast<std::int64_t>(values.size()));
  std::int64_t nulls = 0;
  for (std::size_t i = 0; i < values.size(); ++i) {
    const auto row = static_cast<std::int64_t>(i);
    EXPECT_EQ(column.value_at(row), values[i]) << column.type->to_string() << " row " << i;
    EXPECT_EQ(column.is_null(row), values[i].is_null());
    nulls += values[i].is_null() ? 1 : 0;
  }
  EXPECT_EQ(column.null_count, nulls);
}

TEST(Column, EveryTypeRoundTrips) {
  for (const LogicalTypePtr& type : sample_types()) {
    for (const std::size_t count : {0U, 1U, 7U, 8U, 9U, 100U}) {
      const auto values = random_values(*type, count, 11);
      expect_values(*column_of(type, values), values);
    }
  }
}

TEST(Column, SlicesAndTakesEqualTheirRows) {
  for (const LogicalTypePtr& type : sample_types()) {
    const auto values = random_values(*type, 50, 5);
    const ColumnPtr column = column_of(type, values);
    for (const auto& [begin, end] :
         {std::pair{0, 50}, {0, 0}, {8, 24}, {3, 29}, {49, 50}, {50, 50}}) {
      const ColumnPtr slice = slice_column(column, begin, end);
      const std::vector<Value> part(values.begin() + begin, values.begin() + end);
      expect_values(*slice, part);
      EXPECT_GT(slice->size_bytes(), 0U);
      if (end - begin > 4) {  // a slice of a slice, and rows taken from a slice
        expect_values(*slice_column(slice, 1, end - begin - 1), {part.begin() + 1, part.end() - 1});
        const std::vector<std::uint32_t> rows = {3, 0, 3, 1};
        expect_values(*take_column(*slice, rows), {part[3], part[0], part[3], part[1]});
      }
      ColumnBuilder copy(type);
      for (std::int64_t i = 0; i < slice->length; ++i) {
        copy.append_from(*slice, i);
      }
      expect_values(*copy.finish(), part);
    }
  }
}

TEST(Column, SlicesShareBuffers) {
  const auto column =
      column_of(LogicalType::of(TypeKind::kBigInt), {Value::integer(1), Value::integer(2)});
  EXPECT_EQ(slice_column(column, 1, 2)->values.data(), column->values.data() + 8);
}

TEST(ColumnBuilder, TruncateUndoes) {
  for (const LogicalTypePtr& type : sample_types()) {
    const auto values = random_values(*type, 40, 9);
    for (const std::int64_t keep : {0, 1, 8, 13, 40}) {
      ColumnBuilder builder(type);
      for (const Value& v : values) {
        builder.append(v);
      }
      builder.truncate(keep);
      EXPECT_EQ(builder.length(), keep);
      std::vector<Value> expected(values.begin(), values.begin() + keep);
      for (int i = 0; i < 10; ++i) {
        builder.append(values[static_cast<std::size_t>(i)]);
        expected.push_back(values[static_cast<std::size_t>(i)]);
      }
      expect_values(*builder.finish(), expected);
      builder.append(values[0]);  // usable again after finish
      expect_values(*builder.finish(), {values[0]});
    }
  }
}

TEST(ColumnBuilder, FailedValueLeavesNothing) {
  using T = LogicalType;
  const auto inner = T::row(
      {"m", "n"}, {T::map(T::of(TypeKind::kString), T::of(TypeKind::kInt)), T::of(TypeKind::kInt)});
  const auto type = T::array(inner);
  ColumnBuilder builder(type);
  const auto map = Value::map({{Value::string("k"), Value::integer(1)}});
  const Value good = Value::array({Value::row({map, Value::integer(1)})});
  const Value bad =
      Value::array({Value::row({map, Value::integer(1)}), Value::row({map, Value::string("x")})});
  const Value bad_map = Value::array(
      {Value::row({Value::map({{Value::string("k"), Value::string("v")}}), Value::null()})});
  builder.append(good);
  EXPECT_THROW(builder.append(bad), Error);
  EXPECT_THROW(builder.append(bad_map), Error);
  builder.append(good);
  expect_values(*builder.finish(), {good, good});
}

TEST(ColumnBuilder, DecodersAppendDirectly) {
  using T = LogicalType;
  ColumnBuilder list(T::array(T::of(TypeKind::kString)));
  list.child(0).append_string("a");
  list.child(0).append_null();
  list.close_entry();
  list.append_null();
  list.close_entry();
  const ColumnPtr column = list.finish();
  EXPECT_EQ(column->value_at(0).to_string(), "['a', null]");
  EXPECT_TRUE(column->is_null(1));
  EXPECT_EQ(column->value_at(2).to_string(), "[]");
  ColumnBuilder row(T::row({"a", "b"}, {T::of(TypeKind::kTinyInt), T::of(TypeKind::kDecimal)}));
  row.child(0).append_int(300);
  EXPECT_THROW(row.close_entry(), Error);
  row.child(1).append_decimal(5);
  row.close_entry();
  EXPECT_EQ(row.finish()->value_at(0).to_string(), "+I[44, 5]");
}

TEST(ColumnBuilder, NullabilityIsKept) {
  using T = LogicalType;
  ColumnBuilder strict(T::of(TypeKind::kInt, false));
  EXPECT_THROW(strict.append_null(), Error);
  // Below a null row the fields are null whatever their type says.
  ColumnBuilder row(T::row({"a"}, {T::of(TypeKind::kInt, false)}));
  row.append(Value::null());
  EXPECT_THROW(row.append(Value::row({Value::null()})), Error);
  row.append(Value::row({Value::integer(1)}));
  const ColumnPtr column = row.finish();
  EXPECT_TRUE(column->is_null(0));
  EXPECT_EQ(column->value_at(1).to_string(), "+I[1]");
}

TEST(ColumnBuilder, ObjectColumnsHoldAnything) {
  FakeHost host;
  {
    ColumnBuilder builder(LogicalType::object());
    const Value shared = host.list({1});
    builder.append(shared);
    builder.append_object(host.text("given"));
    builder.append(Value::integer(5));
    builder.append(Value::null());
    EXPECT_EQ(host.retains(), 1);  // only the shared one
    EXPECT_GT(builder.size_bytes(), 0U);
    const ColumnPtr column = builder.finish();
    expect_values(*column, {shared, host.text("given"), Value::integer(5), Value::null()});
    EXPECT_GT(column->object_bytes, 0U);
    const std::vector<std::uint32_t> rows = {0, 0, 3};
    expect_values(*take_column(*column, rows), {shared, shared, Value::null()});
  }
  EXPECT_EQ(host.live(), 0);
}

TEST(ColumnBuilder, OpaqueValuesBecomeTyped) {
  FakeHost host;
  {
    ColumnBuilder builder(LogicalType::of(TypeKind::kSmallInt));
    builder.append(host.number(43878));
    EXPECT_THROW(builder.append(host.text("x")), Error);
    EXPECT_EQ(builder.finish()->value_at(0).as_int(), -21658);
  }
  EXPECT_EQ(host.live(), 0);
}

}  // namespace
}  // namespace flott
