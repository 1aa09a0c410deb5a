#include "operators/reduce_operator.h"

#include "harness/lambda_functions.h"
#include "harness/verify_operator.h"

#include <gtest/gtest.h>

namespace flott::harness {
namespace {

/// Rows (key, number): the numbers are added.
std::unique_ptr<Operator> adding() {
  return make_reduce_operator(reduce_with([](const Value& a, const Value& b) {
    return Value::row({a.field(0), Value::integer(a.field(1).as_int() + b.field(1).as_int())});
  }));
}

TEST(ReduceOperator, EmitsEachIntermediateValueWithItsTimestamp) {
  verify_operator(adding)
      .keyed()
      .input("+ a,1 @1 | + b,10 @2 | + a,2 @3 | + a,3 @4 | + b,20 @5 | end")
      .expect("+ a,1 @1 | + b,10 @2 | + a,3 @3 | + a,6 @4 | + b,30 @5 | watermark max");
}

TEST(ReduceOperator, BatchModeEmitsOneFinalValuePerKeyBeforeTheLastWatermark) {
  verify_operator(adding)
      .keyed()
      .batch_mode()
      .any_order()
      .input("+ a,1 @1 | + b,10 @2 | + a,2 @3 | + c,5 @4 | + a,3 @5 | end")
      .expect("+ a,6 @max | + b,10 @max | + c,5 @max | watermark max");
}

TEST(ReduceOperator, BatchModeWithoutRecordsEmitsNothing) {
  verify_operator(adding).keyed().batch_mode().input("end").expect("watermark max");
}

TEST(ReduceOperator, GetsTheAccumulatedValueFirst) {
  verify_operator([] {
    return make_reduce_operator(reduce_with([](const Value& a, const Value& b) {
      return Value::string(a.as_string() + b.as_string());
    }));
  })
      .keyed_by([](const Value&) { return Value{}; })
      .input("+ x | + y | + z")
      .expect("+ x | + xy | + xyz");
}

}  // namespace
}  // namespace flott::harness
