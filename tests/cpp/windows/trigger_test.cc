// Every trigger, inside the window operator.

#include "windows/trigger.h"

#include "base/error.h"
#include "window_cases.h"

#include <gtest/gtest.h>

namespace flott::harness {
namespace {

WindowOperatorOptions listing(std::unique_ptr<WindowAssigner> assigner,
                              std::unique_ptr<Trigger> trigger) {
  WindowOperatorOptions options = options_of(std::move(assigner));
  options.trigger = std::move(trigger);
  options.function = list_elements();
  return options;
}

TEST(EventTimeTrigger, FiresWhenTheWatermarkPassesTheEnd) {
  windows([] { return listing(make_tumbling_windows(kEvent, 10, 0), make_event_time_trigger()); })
      .input("+ a @1 | + a @2 | watermark 8 | watermark 9")
      .expect_empty_state()
      .expect("watermark 8 | + a,0,10,[a,a] @9 | watermark 9");
}

TEST(EventTimeTrigger, WorksOnGlobalWindowsAtTheEndOfInput) {
  windows([] { return listing(make_global_windows(), make_event_time_trigger()); })
      .input("+ a @1 | + a @2 | watermark 100 | end")
      .expect(
          "watermark 100 | + a,-9223372036854775808,9223372036854775807,[a,a] @max | "
          "watermark max");
}

TEST(ProcessingTimeTrigger, FiresByTheClock) {
  windows([] {
    return listing(make_tumbling_windows(kProcessing, 10, 0), make_processing_time_trigger());
  })
      .input("clock 3 | + a | + b | watermark 50 | clock 8 | clock 9 | + a | clock 20")
      .any_order()
      .expect_empty_state()
      .expect("watermark 50 | + a,0,10,[a] @9 | + b,0,10,[b] @9 | + a,0,10,[a] @9");
}

TEST(ContinuousEventTimeTrigger, FiresOnMultiplesOfTheIntervalAndAtTheEnd) {
  windows([] {
    return listing(make_tumbling_windows(kEvent, 10, 0), make_continuous_event_time_trigger(4));
  })
      .input("+ a @1 | watermark 3 | watermark 4 | + a @5 | watermark 8 | watermark 20")
      .expect_empty_state()
      .expect(
          "watermark 3 | + a,0,10,[a] @4 | watermark 4 | + a,0,10,[a,a] @8 | watermark 8 | "
          "+ a,0,10,[a,a] @9 | watermark 20");
}

TEST(ContinuousEventTimeTrigger, FiresAtOnceForLateRecordsWithinTheLateness) {
  windows([] {
    auto options =
        listing(make_tumbling_windows(kEvent, 10, 0), make_continuous_event_time_trigger(100));
    options.allowed_lateness_ms = 5;
    return options;
  })
      .input("+ a @1 | watermark 9 | + a @2 | watermark 14")
      .expect_empty_state()
      .expect("+ a,0,10,[a] @9 | watermark 9 | + a,0,10,[a,a] @2 | watermark 14");
}

TEST(ContinuousEventTimeTrigger, MergesItsFireTimes) {
  windows([] {
    return listing(make_session_windows(kEvent, 10), make_continuous_event_time_trigger(5));
  })
      .input("+ a @1 | + a @8 | watermark 5 | watermark 10 | watermark 30")
      .expect_empty_state()
      .expect(
          "+ a,1,18,[a,a] @5 | watermark 5 | + a,1,18,[a,a] @10 | watermark 10 | "
          "+ a,1,18,[a,a] @15 | + a,1,18,[a,a] @17 | watermark 30");
}

TEST(ContinuousProcessingTimeTrigger, FiresOnMultiplesOfTheIntervalOfTheClock) {
  windows([] {
    return listing(make_tumbling_windows(kProcessing, 10, 0),
                   make_continuous_processing_time_trigger(4));
  })
      .input("clock 1 | + a | clock 3 | clock 4 | + a | clock 8 | clock 9")
      .expect_empty_state()
      .expect("+ a,0,10,[a] @9 | + a,0,10,[a,a] @9 | + a,0,10,[a,a] @9");
}

TEST(CountTrigger, FiresEveryNRecordsAndKeepsThem) {
  windows([] { return listing(make_global_windows(), make_count_trigger(2)); })
      .input("+ a,1 | + b,1 | + a,2 | + a,3 | + a,4 | end")
      .expect(
          "+ a,-9223372036854775808,9223372036854775807,[1,2] | "
          "+ a,-9223372036854775808,9223372036854775807,[1,2,3,4] | watermark max");
}

TEST(CountTrigger, PurgingStartsAgainAndTheIncompleteRestNeverFires) {
  windows(
      [] { return listing(make_global_windows(), make_purging_trigger(make_count_trigger(2))); })
      .input("+ a,1 | + b,1 | + a,2 | + a,3 | + b,2 | end")
      .expect(
          "+ a,-9223372036854775808,9223372036854775807,[1,2] | "
          "+ b,-9223372036854775808,9223372036854775807,[1,2] | watermark max");
}

TEST(CountTrigger, CountsTogetherWhatMerges) {
  // Two sessions of one record each and the one between: three.
  windows([] { return listing(make_session_windows(kEvent, 5), make_count_trigger(3)); })
      .input("+ a,1 @0 | + a,2 @10 | + a,3 @5 | watermark 100")
      .expect_empty_state()
      .expect("+ a,0,15,[1,2,3] @5 | watermark 100");
}

TEST(PurgingTrigger, DropsTheContentsWhenTheNestedOneFires) {
  windows([] {
    auto options = listing(make_tumbling_windows(kEvent, 10, 0),
                           make_purging_trigger(make_event_time_trigger()));
    options.allowed_lateness_ms = 10;
    return options;
  })
      .input("+ a,1 @1 | watermark 9 | + a,2 @2 | watermark 19")
      .expect_empty_state()
      .expect("+ a,0,10,[1] @9 | watermark 9 | + a,0,10,[2] @2 | watermark 19");
}

TEST(NeverTrigger, NeverFiresAndTheWindowIsCleanedUp) {
  windows([] { return listing(make_tumbling_windows(kEvent, 10, 0), make_never_trigger()); })
      .input("+ a @1 | watermark 5 | end")
      .expect_empty_state()
      .expect("watermark 5 | watermark max");
}

TEST(Triggers, RefuseWrongParameters) {
  EXPECT_THROW(make_count_trigger(0), Error);
  EXPECT_THROW(make_continuous_event_time_trigger(0), Error);
  EXPECT_THROW(make_continuous_processing_time_trigger(-1), Error);
  EXPECT_THROW(make_count_evictor(-1, false), Error);
  EXPECT_THROW(make_time_evictor(-1, false), Error);
}

TEST(CountEvictor, KeepsTheLastBeforeTheFunction) {
  windows([] {
    auto options = listing(make_global_windows(), make_count_trigger(2));
    options.evictor = make_count_evictor(3, false);
    return options;
  })
      .input("+ a,1 | + a,2 | + a,3 | + a,4 | + a,5 | + a,6")
      .expect(
          "+ a,-9223372036854775808,9223372036854775807,[1,2] | "
          "+ a,-9223372036854775808,9223372036854775807,[2,3,4] | "
          "+ a,-9223372036854775808,9223372036854775807,[4,5,6]");
}

TEST(CountEvictor, AfterTheFunctionItShowsAllOnce) {
  windows([] {
    auto options = listing(make_global_windows(), make_count_trigger(2));
    options.evictor = make_count_evictor(1, true);
    return options;
  })
      .input("+ a,1 | + a,2 | + a,3 | + a,4")
      .expect(
          "+ a,-9223372036854775808,9223372036854775807,[1,2] | "
          "+ a,-9223372036854775808,9223372036854775807,[2,3,4]");
}

TEST(TimeEvictor, KeepsWhatIsNewerThanTheNewestMinusTheSize) {
  windows([] {
    auto options = listing(make_tumbling_windows(kEvent, 100, 0), make_event_time_trigger());
    options.evictor = make_time_evictor(10, false);
    return options;
  })
      .input("+ a,1 @5 | + a,2 @30 | + a,3 @20 | + a,4 @21 | watermark 99")
      .expect_empty_state()
      .expect("+ a,0,100,[2,4] @99 | watermark 99");
}

TEST(CountEvictor, WithReduceTheRestIsReduced) {
  windows([] {
    auto options = options_of(make_tumbling_windows(kEvent, 10, 0));
    options.reduce = add_counts();
    options.evictor = make_count_evictor(2, false);
    return options;
  })
      .input("+ a,1 @1 | + a,2 @2 | + a,3 @3 | watermark 9")
      .expect_empty_state()
      .expect("+ a,5 @9 | watermark 9");
}

}  // namespace
}  // namespace flott::harness
