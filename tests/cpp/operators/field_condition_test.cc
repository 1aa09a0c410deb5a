#include "operators/field_condition.h"

#include "harness/case_text.h"
#include "harness/verify_operator.h"
#include "types/batch.h"

#include <gtest/gtest.h>

#include <limits>

namespace flott::harness {
namespace {

using Comparison = FieldCondition::Comparison;
using Kind = FieldCondition::Kind;

constexpr Comparison kAllComparisons[] = {Comparison::kEqual,
                                          Comparison::kNotEqual,
                                          Comparison::kLess,
                                          Comparison::kLessEqual,
                                          Comparison::kGreater,
                                          Comparison::kGreaterEqual};

FieldCondition compare(int field, Comparison how, Value constant) {
  FieldCondition out;
  out.kind = Kind::kCompare;
  out.field = field;
  out.comparison = how;
  out.values.push_back(std::move(constant));
  return out;
}

FieldCondition compare_fields(int field, Comparison how, int other) {
  FieldCondition out;
  out.kind = Kind::kCompare;
  out.field = field;
  out.comparison = how;
  out.other_field = other;
  return out;
}

FieldCondition of(Kind kind, int field) {
  FieldCondition out;
  out.kind = kind;
  out.field = field;
  return out;
}

FieldCondition combined(Kind kind, std::vector<FieldCondition> children) {
  FieldCondition out;
  out.kind = kind;
  out.children = std::move(children);
  return out;
}

OperatorCase filtered(const FieldCondition& condition) {
  return verify_operator([=] { return make_field_filter_operator(condition); });
}

TEST(FieldFilter, PassesMatchingRecordsUnchanged) {
  filtered(compare(1, Comparison::kGreater, Value::integer(1)))
      .input("+ a,1 @1 | + b,2 @2 | -U c,3 @3 | + d,0 @4 | watermark 9 | end")
      .expect("+ b,2 @2 | -U c,3 @3 | watermark 9 | watermark max");
}

TEST(FieldFilter, KeepsKeys) {
  filtered(compare(1, Comparison::kNotEqual, Value::integer(2)))
      .keyed()
      .input("+ a,1 | + b,2 | + a,3")
      .expect("+ a,1 | + a,3");
}

TEST(FieldFilter, NullEqualsNothingAndHasNoOrder) {
  const char* const input = "+ a,1 | + b,null | + c,2";
  filtered(compare(1, Comparison::kEqual, Value::integer(1))).input(input).expect("+ a,1");
  filtered(compare(1, Comparison::kNotEqual, Value::integer(1)))
      .input(input)
      .expect("+ b,null | + c,2");
  filtered(compare(1, Comparison::kLess, Value::integer(2))).input(input).expect("+ a,1");
  filtered(compare(1, Comparison::kGreaterEqual, Value::integer(2))).input(input).expect("+ c,2");
  filtered(of(Kind::kIsNull, 1)).input(input).expect("+ b,null");
}

TEST(FieldFilter, CombinesConditions) {
  const FieldCondition more = compare(1, Comparison::kGreater, Value::integer(1));
  const FieldCondition named = compare(0, Comparison::kEqual, Value::string("a"));
  const char* const input = "+ a,1 | + a,2 | + b,3 | + null,0";
  filtered(combined(Kind::kAnd, {more, named})).input(input).expect("+ a,2");
  filtered(combined(Kind::kOr, {more, named})).input(input).expect("+ a,1 | + a,2 | + b,3");
  filtered(combined(Kind::kNot, {named})).input(input).expect("+ b,3 | + null,0");
}

TEST(FieldFilter, KnowsBooleansAndSets) {
  filtered(of(Kind::kIsTrue, 1)).input("+ a,true | + b,false | + c,null").expect("+ a,true");
  FieldCondition known = of(Kind::kIsIn, 0);
  known.values = {Value::string("a"), Value::string("c")};
  filtered(known).input("+ a,1 | + b,2 | + c,3 | + null,4").expect("+ a,1 | + c,3");
}

TEST(FieldFilter, ComparesFieldsWithEachOther) {
  filtered(compare_fields(0, Comparison::kLess, 1))
      .input("+ 1,2 | + 2,2 | + 3,null | + null,1")
      .expect("+ 1,2");
  filtered(compare_fields(0, Comparison::kEqual, 1))
      .input("+ 1,2 | + 2,2 | + null,null | + null,1")
      .expect("+ 2,2 | + null,null");
}

TEST(FieldFilter, TakesPlainValues) {
  filtered(compare(FieldCondition::kWholeRecord, Comparison::kLessEqual, Value::integer(2)))
      .input("+ 1 | + 3 | + 2")
      .expect("+ 1 | + 2");
}

TEST(FieldFilter, ShowsARecordWithoutTheField) {
  EXPECT_THROW(holds(compare(4, Comparison::kEqual, Value::integer(1)), parse_value("a,1")), Error);
}

/// Every kind of column has the result that the rows have one by one.
TEST(FieldCondition, ColumnsAgreeWithRecords) {
  const auto type_of = [](TypeKind kind) { return LogicalType::of(kind); };
  const LogicalTypePtr type =
      LogicalType::row({"tiny", "small", "int", "big", "float", "double", "text", "flag"},
                       {type_of(TypeKind::kTinyInt),
                        type_of(TypeKind::kSmallInt),
                        type_of(TypeKind::kInt),
                        type_of(TypeKind::kBigInt),
                        type_of(TypeKind::kFloat),
                        type_of(TypeKind::kDouble),
                        type_of(TypeKind::kString),
                        type_of(TypeKind::kBoolean)});
  BatchBuilder builder(type);
  const double nan = std::numeric_limits<double>::quiet_NaN();
  const auto add = [&](std::int64_t i, double d, const char* text, bool flag) {
    builder.append(Value::row({Value::integer(i),
                               Value::integer(i),
                               Value::integer(i),
                               Value::integer(i),
                               Value::real(d),
                               Value::real(d),
                               Value::string(text),
                               Value::boolean(flag)}));
  };
  add(1, 1.5, "a", true);
  add(-2, nan, "", false);
  add(7, 7, "b", true);
  add(0, -0.0, "ab", false);
  builder.append(Value::row(std::vector<Value>(8)));
  const BatchPtr batch = builder.finish();

  const auto check = [&](const FieldCondition& condition) {
    std::vector<std::uint8_t> mask;
    evaluate(condition, *batch, mask);
    ASSERT_EQ(mask.size(), static_cast<std::size_t>(batch->num_rows()));
    for (std::size_t row = 0; row < mask.size(); ++row) {
      EXPECT_EQ(mask[row] != 0, holds(condition, batch->value_at(static_cast<std::int64_t>(row))))
          << "field " << condition.field << " " << text_of(condition.comparison) << " row " << row;
    }
  };
  for (const Comparison how : kAllComparisons) {
    for (int field = 0; field < 6; ++field) {
      check(compare(field, how, Value::integer(1)));
      check(compare(field, how, Value::integer(std::int64_t{1} << 60)));
      check(compare(field, how, Value::real(1.5)));
      for (int other = 0; other < 6; ++other) {
        check(compare_fields(field, how, other));
      }
    }
    check(compare(6, how, Value::string("a")));
    check(compare_fields(6, how, 6));
    check(compare(7, how, Value::boolean(true)));
  }
  for (int field = 0; field < 8; ++field) {
    check(of(Kind::kIsNull, field));
  }
  check(of(Kind::kIsTrue, 7));
}

}  // namespace
}  // namespace flott::harness
