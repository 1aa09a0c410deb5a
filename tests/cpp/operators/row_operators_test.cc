// map, filter, flat_map and their connected forms.

#include "harness/lambda_functions.h"
#include "harness/verify_operator.h"
#include "operators/co_flat_map_operator.h"
#include "operators/filter_operator.h"
#include "operators/flat_map_operator.h"
#include "operators/map_operator.h"

#include <gtest/gtest.h>

namespace flott::harness {
namespace {

std::unique_ptr<Operator> doubling() {
  return make_map_operator(map_with([](Value v) { return Value::integer(v.as_int() * 2); }));
}

TEST(MapOperator, MapsEachValueAndKeepsTimestampAndRowKind) {
  verify_operator(doubling)
      .input("+ 1 @1s | + 2 | - 3 @5 | watermark 5s | end")
      .expect("+ 2 @1s | + 4 | - 6 @5 | watermark 5s | watermark max");
}

TEST(MapOperator, PassesIdlenessOn) {
  verify_operator(doubling).input("idle | + 1 | active").expect("idle | + 2 | active");
}

TEST(MapOperator, MayUseKeyedState) {
  struct Counting final : MapFunction {
    void open(OperatorContext& context) override {
      StateDescriptor descriptor;
      descriptor.name = "count";
      count = &context.keyed_state().value_state(descriptor);
    }
    Value map(Value&& value) override {
      const Value seen = count->value();
      const std::int64_t now = seen.is_null() ? 1 : seen.as_int() + 1;
      count->update(Value::integer(now));
      return Value::row({std::move(value), Value::integer(now)});
    }
    ValueState* count = nullptr;
  };
  verify_operator([] { return make_map_operator(std::make_unique<Counting>()); })
      .keyed()
      .input("+ a | + b | + a | + c | + a | + b")
      .expect("+ a,1 | + b,1 | + a,2 | + c,1 | + a,3 | + b,2");
}

TEST(FilterOperator, PassesMatchingRecordsUnchanged) {
  verify_operator([] {
    return make_filter_operator(filter_with([](const Value& v) { return v.as_int() > 1; }));
  })
      .input("+ 1 @1 | + 2 @2 | -U 3 @3 | + 0 @4 | end")
      .expect("+ 2 @2 | -U 3 @3 | watermark max");
}

TEST(FlatMapOperator, EmitsAnyNumberWithTheTimestampOfTheInput) {
  verify_operator([] {
    return make_flat_map_operator(flat_map_with([](Value v, Collector& out) {
      for (std::int64_t i = 0; i < v.as_int(); ++i) {
        out.collect(Value::integer(i));
      }
      if (v.as_int() == 0) {
        out.collect_side(2, Value::string("none"));
      }
    }));
  })
      .input("+ 2 @7 | + 0 @8 | + 1 @9")
      .expect("+ 0 @7 | + 1 @7 | side2 + none @8 | + 0 @9");
}

TEST(CoFlatMapOperator, TellsTheInputsApart) {
  verify_operator([] {
    return make_co_flat_map_operator(co_flat_map_with([](Value v, int input, Collector& out) {
      out.collect(Value::row({Value::integer(input), std::move(v)}));
    }));
  })
      .input("+ a @1 | 2+ x @2 | + b @3 | end | end 2")
      .expect("+ 0,a @1 | + 1,x @2 | + 0,b @3 | watermark max");
}

TEST(MapOperator, OpensAndClosesItsFunction) {
  struct Life final : MapFunction {
    explicit Life(std::string& l) : log(l) {}
    void open(OperatorContext&) override { log += "open "; }
    Value map(Value&& value) override {
      log += "map ";
      return std::move(value);
    }
    void close() override { log += "close"; }
    std::string& log;
  };
  std::string log;
  {
    ManualClock clock;
    OperatorHarness harness(make_map_operator(std::make_unique<Life>(log)), {}, clock);
    harness.process(Value::integer(1));
  }
  EXPECT_EQ(log, "open map close");
}

}  // namespace
}  // namespace flott::harness
