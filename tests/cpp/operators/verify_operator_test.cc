// The harness itself: it must fail where an operator is wrong.

#include "harness/verify_operator.h"

#include "harness/lambda_functions.h"
#include "operators/map_operator.h"

#include <gtest/gtest-spi.h>
#include <gtest/gtest.h>

namespace flott::harness {
namespace {

/// Counts in a member instead of state: lost on restore.
struct Forgetful final : MapFunction {
  Value map(Value&& /*value*/) override { return Value::integer(++count); }
  std::int64_t count = 0;
};

TEST(VerifyOperator, FailsOnWrongOutput) {
  EXPECT_NONFATAL_FAILURE(
      verify_operator([] { return make_map_operator(map_with([](Value v) { return v; })); })
          .without_restore()
          .input("+ 1")
          .expect("+ 2"),
      "element by element");
}

TEST(VerifyOperator, FailsOnStateThatNoSnapshotHolds) {
  EXPECT_NONFATAL_FAILURE(
      verify_operator([] { return make_map_operator(std::make_unique<Forgetful>()); })
          .input("+ 7 | + 7")
          .expect("+ 1 | + 2"),
      "restored after every step");
}

TEST(CaseText, ReadsAndWritesTheSameText) {
  for (const char* line : {"+ a,2 @1000",
                           "+ [a,1] @5",
                           "- 1",
                           "-U x @-3",
                           "+U 1.5,true,null",
                           "+ a,(b,1)",
                           "side0 + x @1",
                           "watermark max",
                           "+ [] @max"}) {
    EXPECT_EQ(canonical_lines(line), std::vector<std::string>{line});
  }
  EXPECT_EQ(canonical_lines("+ a @1s | watermark 2m"),
            (std::vector<std::string>{"+ a @1000", "watermark 120000"}));
  EXPECT_THROW(parse_case("hello"), std::invalid_argument);
  EXPECT_THROW(parse_case("watermark soon"), std::invalid_argument);
}

}  // namespace
}  // namespace flott::harness
