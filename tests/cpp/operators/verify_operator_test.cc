// The harness itself: it must fail where an operator is wrong.

#include "harness/verify_operator.h"

#include "harness/lambda_functions.h"
#include "operators/map_operator.h"

#include <fmt/format.h>
#include <gtest/gtest-spi.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <string>
#include <utility>
#include <vector>

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

/// Passes records on one by one, and all but the last one of a batch.
struct ShortBatches final : Operator {
  void open(OperatorContext& /*context*/) override {}
  void process(Record&& record, int /*input*/, Output& out) override {
    out.emit(std::move(record));
  }
  void process_batch(const BatchPtr& batch, int input, Output& out) override {
    Operator::process_batch(
        batch->slice(0, std::max<std::int64_t>(batch->num_rows() - 1, 1)), input, out);
  }
};

TEST(VerifyOperator, FailsOnABatchThatIsNotTheSameAsItsRecords) {
  EXPECT_NONFATAL_FAILURE(verify_operator([] { return std::make_unique<ShortBatches>(); })
                              .input("+ 1 | + 2 | + 3")
                              .expect("+ 1 | + 2 | + 3"),
                          "in batches");
}

/// Counts by key, but keeps the counts in state that rescaling splits without regard to keys.
struct CountsInTheWrongPlace final : Operator {
  void open(OperatorContext& context) override {
    const auto found = context.restored().list_state.find("counts");
    if (found != context.restored().list_state.end()) {
      for (const std::string& entry : found->second) {
        const auto colon = entry.find(':');
        counts[std::stoll(entry)] += std::stoll(entry.substr(colon + 1));
      }
    }
  }
  void process(Record&& record, int /*input*/, Output& out) override {
    record.value = Value::integer(++counts[record.value.as_int()]);
    out.emit(std::move(record));
  }
  void snapshot(CheckpointId /*id*/, OperatorSnapshot& snapshot) override {
    std::vector<std::string>& entries = snapshot.list_state["counts"];
    for (const auto& [key, count] : counts) {
      entries.push_back(std::to_string(key) + ":" + std::to_string(count));
    }
  }
  std::map<std::int64_t, std::int64_t> counts;
};

TEST(VerifyOperator, FailsOnStateThatDoesNotFollowItsKeys) {
  // Of three subtasks the first gets the only entry, and another one the records of this key.
  std::int64_t key = 0;
  while (OperatorHarness::subtask_of_value(
             Value::integer(key), first_field_key, kDefaultMaxParallelism, 3) == 0) {
    ++key;
  }
  const std::string input = fmt::format("+ {0} | + {0}", key);
  EXPECT_NONFATAL_FAILURE(verify_operator([] { return std::make_unique<CountsInTheWrongPlace>(); })
                              .keyed()
                              .input(input)
                              .expect("+ 1 | + 2"),
                          "rescaled after every step");
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
