#include "operators/timestamps_and_watermarks_operator.h"

#include "base/error.h"
#include "harness/lambda_functions.h"
#include "harness/verify_operator.h"
#include "operators/watermark_generators.h"

#include <gtest/gtest.h>

namespace flott::harness {
namespace {

/// Values are their own timestamps.
std::unique_ptr<TimestampAssigner> own_time() {
  return timestamps_with([](const Value& v, Timestamp) { return v.as_int(); });
}

OperatorCase bounded(std::int64_t delay_ms, std::int64_t idle_timeout_ms = 0) {
  return verify_operator([=] {
           TimestampsAndWatermarksOptions options;
           options.assigner = own_time();
           options.generator = make_bounded_out_of_orderness_watermarks(delay_ms);
           options.idle_timeout_ms = idle_timeout_ms;
           return make_timestamps_and_watermarks_operator(std::move(options));
         })
      .without_restore();
}

/// A watermark of value - 1 after each value that is a multiple of 10.
OperatorCase punctuated() {
  return verify_operator([] {
           TimestampsAndWatermarksOptions options;
           options.assigner = own_time();
           options.generator = punctuated_with([](const Value& v, Timestamp timestamp) {
             return v.as_int() % 10 == 0 ? timestamp - 1 : kMinWatermark;
           });
           return make_timestamps_and_watermarks_operator(std::move(options));
         })
      .without_restore();
}

TEST(TimestampsAndWatermarks, PeriodicWatermarkIsLargestTimestampMinusDelayMinusOne) {
  bounded(100)
      .input("+ 1000 | + 900 | clock 199 | clock 200 | + 1500 | clock 400 | clock 600")
      .expect("+ 1000 @1000 | + 900 @900 | watermark 899 | + 1500 @1500 | watermark 1399");
}

TEST(TimestampsAndWatermarks, NothingBeforeTheFirstRecordAndNeverBackwards) {
  bounded(0)
      .input("clock 200 | + 50 | clock 400 | + 20 | clock 600")
      .expect("+ 50 @50 | watermark 49 | + 20 @20");
}

TEST(TimestampsAndWatermarks, EndOfInputEmitsTheMaximumWatermarkOnce) {
  bounded(100).input("+ 1000 | end").expect("+ 1000 @1000 | watermark max");
}

TEST(TimestampsAndWatermarks, UpstreamWatermarksAndStatusEndHere) {
  bounded(0)
      .input("+ 10 | watermark 5s | idle | active | clock 200")
      .expect("+ 10 @10 | watermark 9");
}

TEST(TimestampsAndWatermarks, AWatermarkOfOnEventFollowsItsRecordAtOnce) {
  punctuated()
      .input("+ 5 | + 10 | + 7 | + 20 | + 10 | + 25")
      .expect(
          "+ 5 @5 | + 10 @10 | watermark 9 | + 7 @7 | + 20 @20 | watermark 19 | + 10 @10 | "
          "+ 25 @25");
}

TEST(TimestampsAndWatermarks, OnEventDoesNotWaitForTheInterval) {
  punctuated().auto_watermark_interval(0).input("+ 10").expect("+ 10 @10 | watermark 9");
}

TEST(TimestampsAndWatermarks, IntervalZeroMeansNoPeriodicWatermarks) {
  bounded(0).auto_watermark_interval(0).input("+ 10 | clock 10s").expect("+ 10 @10");
}

TEST(TimestampsAndWatermarks, SilenceBeyondTheTimeoutIsIdleUntilTheNextWatermark) {
  // The check at 400 ms finds no activity since the one at 200 ms and starts the clock.
  bounded(0, 300)
      .input(
          "+ 10 | clock 200 | clock 400 | clock 600 | clock 700 | clock 800 | clock 1000 | "
          "+ 20 | clock 1200")
      .expect("+ 10 @10 | watermark 9 | idle | + 20 @20 | active | watermark 19");
}

TEST(TimestampsAndWatermarks, AStreamThatNeverHadRecordsBecomesIdle) {
  bounded(0, 300).input("clock 200 | clock 400 | clock 600").expect("idle");
}

TEST(TimestampsAndWatermarks, AGeneratorSaysItselfThatItIsIdle) {
  verify_operator([] {
    TimestampsAndWatermarksOptions options;
    options.assigner = own_time();
    options.generator = self_declared_idleness();
    return make_timestamps_and_watermarks_operator(std::move(options));
  })
      .without_restore()
      .input("+ 10 | + 17 | + 21 | + 28 | + 37 | + 40")
      .expect(
          "+ 10 @10 | watermark 10 | + 17 @17 | idle | + 21 @21 | + 28 @28 | active | "
          "+ 37 @37 | idle | + 40 @40 | active | watermark 40");
}

TEST(TimestampsAndWatermarks, BatchModeOnlyAssignsTimestamps) {
  bounded(0)
      .batch_mode()
      .input("+ 10 | clock 1s | + 20 | end")
      .expect("+ 10 @10 | + 20 @20 | watermark max");
}

TEST(TimestampsAndWatermarks, WithoutAssignerRecordsKeepTheirTimestamps) {
  verify_operator([] {
    TimestampsAndWatermarksOptions options;
    options.generator = make_monotonous_watermarks();
    return make_timestamps_and_watermarks_operator(std::move(options));
  })
      .without_restore()
      .input("+ a @7 | clock 200")
      .expect("+ a @7 | watermark 6");
}

TEST(TimestampsAndWatermarks, AssignerSeesTheTimestampTheRecordHad) {
  verify_operator([] {
    TimestampsAndWatermarksOptions options;
    options.assigner = timestamps_with(
        [](const Value&, Timestamp had) { return had == kNoTimestamp ? 1 : had + 1; });
    return make_timestamps_and_watermarks_operator(std::move(options));
  })
      .without_restore()
      .input("+ a @7 | + b | clock 200 | end")
      .expect("+ a @8 | + b @1 | watermark max");
}

TEST(TimestampsAndWatermarks, BatchesStayBatches) {
  TimestampsAndWatermarksOptions options;
  options.assigner = own_time();
  options.generator = make_monotonous_watermarks();
  ManualClock clock;
  OperatorHarness harness(make_timestamps_and_watermarks_operator(std::move(options)), {}, clock);
  BatchBuilder builder(LogicalType::of(TypeKind::kBigInt));
  builder.append(Value::integer(3));
  builder.append(Value::integer(8));
  harness.process_batch(builder.finish());
  EXPECT_EQ(harness.batches_out(), 1);
  EXPECT_EQ(harness.output_text(), "+ 3 @3 | + 8 @8");
}

TEST(WatermarkGenerators, ValuesAreFlinks) {
  struct Case {
    std::int64_t delay;
    std::vector<Timestamp> timestamps;
    Timestamp watermark;
  };
  for (const Case& c : {Case{0, {}, kMinWatermark},
                        Case{5, {}, kMinWatermark},
                        Case{0, {10}, 9},
                        Case{5, {10, 3}, 4},
                        Case{5, {-10}, -16},
                        Case{0, {kMaxTimestamp}, kMaxTimestamp - 1}}) {
    const auto generator = make_bounded_out_of_orderness_watermarks(c.delay);
    for (const Timestamp timestamp : c.timestamps) {
      EXPECT_EQ(generator->on_event(Value{}, timestamp), kMinWatermark);
    }
    EXPECT_EQ(generator->on_periodic(), c.watermark);
  }
  EXPECT_EQ(make_no_watermarks()->on_periodic(), kMinWatermark);
  EXPECT_THROW(make_bounded_out_of_orderness_watermarks(-1), Error);
}

TEST(IdlenessTimer, CountsFromTheFirstCheckWithoutActivity) {
  IdlenessTimer timer(100);
  timer.activity();
  EXPECT_FALSE(timer.check_idle(0));
  EXPECT_FALSE(timer.check_idle(1000));  // starts here
  EXPECT_FALSE(timer.check_idle(1100));  // not longer than the timeout
  EXPECT_TRUE(timer.check_idle(1101));
  timer.activity();
  EXPECT_FALSE(timer.check_idle(2000));
  EXPECT_FALSE(IdlenessTimer(0).check_idle(kMaxTimestamp));
}

}  // namespace
}  // namespace flott::harness
