/// FieldAggregates in the window operator: every case runs row by row and in typed batches, whose
/// columns are read directly, with snapshots and restores, and rescaled
/// (harness/verify_operator.h).
#include "base/error.h"
#include "operators/field_aggregates.h"
#include "window_cases.h"

#include <gtest/gtest.h>

namespace flott::harness {
namespace {

using How = FieldAggregate::How;

LogicalTypePtr records() {
  return LogicalType::tuple({LogicalType::of(TypeKind::kString),
                             LogicalType::of(TypeKind::kBigInt),
                             LogicalType::of(TypeKind::kDouble)});
}

/// Key, count of records, count of field 1, sum and minimum of field 1, maximum and average of
/// field 2.
std::vector<FieldAggregate> everything() {
  return {{How::kFirst, 0},
          {How::kCount, FieldAggregate::kEveryRecord},
          {How::kCount, 1},
          {How::kSum, 1},
          {How::kMin, 1},
          {How::kMax, 2},
          {How::kAvg, 2}};
}

LogicalTypePtr results() {
  const auto text = LogicalType::of(TypeKind::kString);
  const auto big = LogicalType::of(TypeKind::kBigInt);
  const auto real = LogicalType::of(TypeKind::kDouble);
  return LogicalType::row({"key", "n", "n1", "sum", "min", "max", "avg"},
                          {text, big, big, big, big, real, real});
}

WindowOperatorOptions aggregating(std::unique_ptr<WindowAssigner> assigner) {
  WindowOperatorOptions options = options_of(std::move(assigner));
  options.aggregate = make_field_aggregates(records(), everything(), results());
  options.element_type = records();
  options.accumulator_type = field_accumulator_type(*records(), everything());
  options.takes_batches = true;
  return options;
}

TEST(FieldAggregatesWindow, AggregatesPerKeyAndWindow) {
  windows([] { return aggregating(make_tumbling_windows(kEvent, 10, 0)); })
      .any_order()
      .input(
          "+ a,5,1.5 @1 | + b,7,2.5 @2 | + a,3,0.5 @9 | + a,1,4.0 @10 | watermark 9 | "
          "watermark 19")
      .expect_empty_state()
      .expect(
          "+ a,2,2,8,3,1.5,1.0 @9 | + b,1,1,7,7,2.5,2.5 @9 | watermark 9 | "
          "+ a,1,1,1,1,4.0,4.0 @19 | watermark 19");
}

TEST(FieldAggregatesWindow, NullsAreLeftOut) {
  windows([] { return aggregating(make_tumbling_windows(kEvent, 10, 0)); })
      .input(
          "+ a,null,null @1 | + a,2,null @2 | + a,null,3.0 @3 | watermark 9 | "
          "+ a,null,null @11 | watermark 19")
      .expect_empty_state()
      .expect(
          "+ a,3,1,2,2,3.0,3.0 @9 | watermark 9 | + a,1,0,null,null,null,null @19 | "
          "watermark 19");
}

TEST(FieldAggregatesWindow, OverlappingWindows) {
  windows([] { return aggregating(make_sliding_windows(kEvent, 10, 5, 0)); })
      .input("+ a,1,1.0 @1 | + a,2,2.0 @6 | watermark 20")
      .expect_empty_state()
      .expect(
          "+ a,1,1,1,1,1.0,1.0 @4 | + a,2,2,3,1,2.0,1.5 @9 | + a,1,1,2,2,2.0,2.0 @14 | "
          "watermark 20");
}

TEST(FieldAggregatesWindow, SessionsMergeTheirAccumulators) {
  windows([] { return aggregating(make_session_windows(kEvent, 10)); })
      .input("+ a,1,1.0 @1 | + a,4,3.0 @20 | + a,2,5.0 @11 | + a,9,9.0 @50 | watermark 100")
      .expect_empty_state()
      .expect("+ a,3,3,7,1,5.0,3.0 @29 | + a,1,1,9,9,9.0,9.0 @59 | watermark 100");
}

TEST(FieldAggregatesWindow, LateRecordsFireAgainWithinTheLatenessAndAreCountedBeyondIt) {
  windows([] {
    WindowOperatorOptions options = aggregating(make_tumbling_windows(kEvent, 10, 0));
    options.allowed_lateness_ms = 5;
    return options;
  })
      .input(
          "+ a,1,1.0 @1 | watermark 12 | + a,2,2.0 @2 | + a,3,3.0 @3 | watermark 14 | "
          "+ a,4,4.0 @4")
      .expect_metric("numLateRecordsDropped", 1)
      .expect(
          "+ a,1,1,1,1,1.0,1.0 @9 | watermark 12 | + a,2,2,3,1,2.0,1.5 @2 | "
          "+ a,3,3,6,1,3.0,2.0 @3 | watermark 14");
}

TEST(FieldAggregatesWindow, LateRecordsGoToTheSideOutput) {
  windows([] {
    WindowOperatorOptions options = aggregating(make_tumbling_windows(kEvent, 10, 0));
    options.late_output = 0;
    return options;
  })
      .input("watermark 9 | + a,1,1.0 @1 | + a,2,2.0 @12 | watermark 19")
      .expect("watermark 9 | side0 + a,1,1.0 @1 | + a,1,1,2,2,2.0,2.0 @19 | watermark 19");
}

TEST(FieldAggregatesWindow, ProcessingTime) {
  windows([] { return aggregating(make_tumbling_windows(kProcessing, 10, 0)); })
      .input("clock 3 | + a,1,1.0 | + a,2,2.0 | clock 12 | + a,5,5.0 | clock 19")
      .expect_empty_state()
      .expect("+ a,2,2,3,1,2.0,1.5 @9 | + a,1,1,5,5,5.0,5.0 @19");
}

TEST(FieldAggregatesWindow, TriggersOfOtherKindsSeeEveryRecord) {
  windows([] {
    WindowOperatorOptions options = aggregating(make_global_windows());
    options.trigger = make_purging_trigger(make_count_trigger(2));
    return options;
  })
      .input("+ a,1,1.0 | + b,1,1.0 | + a,2,2.0 | + a,7,7.0 | + a,8,8.0")
      .expect("+ a,2,2,3,1,2.0,1.5 | + a,2,2,15,7,8.0,7.5");
}

TEST(FieldAggregatesWindow, EvictedElementsAreAggregatedWhenTheWindowFires) {
  windows([] {
    WindowOperatorOptions options = aggregating(make_tumbling_windows(kEvent, 10, 0));
    options.evictor = make_count_evictor(2, false);
    return options;
  })
      .input("+ a,1,1.0 @1 | + a,2,2.0 @2 | + a,3,3.0 @3 | watermark 9")
      .expect_empty_state()
      .expect("+ a,2,2,5,2,3.0,2.5 @9 | watermark 9");
}

TEST(FieldAggregatesWindow, OtherAggregatesDoNotTakeOverTheState) {
  const std::vector<FieldAggregate> other = {{How::kSum, 1}};
  EXPECT_NE(*field_accumulator_type(*records(), everything()),
            *field_accumulator_type(*records(), other));
}

}  // namespace
}  // namespace flott::harness
