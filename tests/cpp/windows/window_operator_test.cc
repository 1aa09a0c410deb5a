#include "windows/window_operator.h"

#include "base/error.h"
#include "window_cases.h"

#include <gtest/gtest.h>

namespace flott::harness {
namespace {

WindowOperatorOptions listing(std::unique_ptr<WindowAssigner> assigner) {
  WindowOperatorOptions options = options_of(std::move(assigner));
  options.function = list_elements();
  return options;
}

WindowOperatorOptions adding(std::unique_ptr<WindowAssigner> assigner) {
  WindowOperatorOptions options = options_of(std::move(assigner));
  options.reduce = add_counts();
  return options;
}

/// Average of the second field; the accumulator is (sum, count). Says when accumulators merge.
std::shared_ptr<AggregateFunction> average(int* merges = nullptr) {
  return aggregate_with(
      [] { return Value::row({Value::integer(0), Value::integer(0)}); },
      [](const Value& value, const Value& acc) {
        return Value::row({Value::integer(acc.field(0).as_int() + value.field(1).as_int()),
                           Value::integer(acc.field(1).as_int() + 1)});
      },
      [](const Value& acc) {
        return Value::real(static_cast<double>(acc.field(0).as_int()) /
                           static_cast<double>(acc.field(1).as_int()));
      },
      [merges](const Value& a, const Value& b) {
        if (merges != nullptr) {
          ++*merges;
        }
        return Value::row({Value::integer(a.field(0).as_int() + b.field(0).as_int()),
                           Value::integer(a.field(1).as_int() + b.field(1).as_int())});
      });
}

TEST(TumblingWindowOperator, ReducesPerKeyAndWindow) {
  windows([] { return adding(make_tumbling_windows(kEvent, 5000, 0)); })
      .any_order()
      .input("+ a,1 @1s | + b,10 @2s | + a,2 @4999 | + a,4 @5s | watermark 5s | watermark 10s")
      .expect_empty_state()
      .expect("+ a,3 @4999 | + b,10 @4999 | watermark 5s | + a,4 @9999 | watermark 10s");
}

TEST(TumblingWindowOperator, EndOfInputFiresAllWindowsInTimeOrder) {
  windows([] { return adding(make_tumbling_windows(kEvent, 5, 0)); })
      .input("+ a,1 @12 | + a,2 @1 | + a,3 @7 | end")
      .expect_empty_state()
      .expect("+ a,2 @4 | + a,3 @9 | + a,1 @14 | watermark max");
}

TEST(TumblingWindowOperator, OffsetShiftsTheWindows) {
  windows([] { return listing(make_tumbling_windows(kEvent, 10, 3)); })
      .input("+ a @2 | + a @3 | end")
      .expect("+ a,-7,3,[a] @2 | + a,3,13,[a] @12 | watermark max");
}

TEST(TumblingWindowOperator, LateRecordsAreDroppedAndCounted) {
  windows([] { return adding(make_tumbling_windows(kEvent, 5, 0)); })
      .input("+ a,1 @1 | watermark 4 | + a,2 @2 | + a,3 @4 | + a,9 @5 | end")
      .expect_empty_state()
      .expect_metric("numLateRecordsDropped", 2)
      .expect("+ a,1 @4 | watermark 4 | + a,9 @9 | watermark max");
}

TEST(TumblingWindowOperator, LateRecordsGoToTheSideOutput) {
  windows([] {
    auto options = adding(make_tumbling_windows(kEvent, 5, 0));
    options.late_output = 3;
    return options;
  })
      .input("+ a,1 @1 | watermark 4 | + a,2 @2 | watermark 5")
      .expect_metric("numLateRecordsDropped", 0)
      .expect("+ a,1 @4 | watermark 4 | side3 + a,2 @2 | watermark 5");
}

TEST(TumblingWindowOperator, WithinTheLatenessALateRecordFiresAgainThenIsDropped) {
  windows([] {
    auto options = adding(make_tumbling_windows(kEvent, 5000, 0));
    options.allowed_lateness_ms = 10'000;
    return options;
  })
      .input(
          "+ a,1 @1s | + a,1 @2s | watermark 5s | + a,1 @3s | watermark 14998 | + a,1 @1s | "
          "watermark 14999 | + a,1 @1s | watermark 20s")
      .expect_empty_state()
      .expect_metric("numLateRecordsDropped", 1)
      .expect(
          "+ a,2 @4999 | watermark 5s | + a,3 @3000 | watermark 14998 | + a,4 @1000 | "
          "watermark 14999 | watermark 20s");
}

TEST(TumblingWindowOperator, ALateRecordMayOpenAWindowWithinTheLateness) {
  windows([] {
    auto options = adding(make_tumbling_windows(kEvent, 5, 0));
    options.allowed_lateness_ms = 10;
    return options;
  })
      .input("watermark 6 | + a,1 @1 | watermark 14")
      .expect_empty_state()
      .expect("watermark 6 | + a,1 @1 | watermark 14");
}

TEST(TumblingWindowOperator, ManyKeysFireTogether) {
  std::string input;
  std::string expected;
  for (int i = 0; i < 100; ++i) {
    const std::string key = "k" + std::to_string(i);
    input += "+ " + key + ",1 @1 | + " + key + "," + std::to_string(i) + " @2 | ";
    expected += "+ " + key + "," + std::to_string(i + 1) + " @9 | ";
  }
  windows([] { return adding(make_tumbling_windows(kEvent, 10, 0)); })
      .any_order()
      .input(input + "watermark 9")
      .expect_empty_state()
      .expect(expected + "watermark 9");
}

TEST(TumblingWindowOperator, ProcessingTimeHasNoLateRecords) {
  windows([] { return listing(make_tumbling_windows(kProcessing, 10, 0)); })
      .input("watermark 100 | clock 5 | + a @1 | clock 9 | clock 15 | + a @1 | clock 19")
      .expect_empty_state()
      .expect_metric("numLateRecordsDropped", 0)
      .expect("watermark 100 | + a,0,10,[a] @9 | + a,10,20,[a] @19");
}

TEST(TumblingWindowOperator, AggregateEmitsTheResult) {
  windows([] {
    auto options = options_of(make_tumbling_windows(kEvent, 10, 0));
    options.aggregate = average();
    return options;
  })
      .input("+ a,1 @1 | + a,2 @2 | watermark 9")
      .expect_empty_state()
      .expect("+ 1.5 @9 | watermark 9");
}

TEST(TumblingWindowOperator, ReduceAndAggregateHandTheirResultToTheWindowFunction) {
  windows([] {
    auto options = adding(make_tumbling_windows(kEvent, 10, 0));
    options.function = list_elements();
    return options;
  })
      .input("+ a,1 @1 | + a,2 @2 | watermark 9")
      .expect_empty_state()
      .expect("+ a,0,10,[3] @9 | watermark 9");
  windows([] {
    auto options = options_of(make_tumbling_windows(kEvent, 10, 0));
    options.aggregate = average();
    options.function = list_elements();
    return options;
  })
      .input("+ a,1 @1 | + a,2 @2 | watermark 9")
      .expect_empty_state()
      .expect("+ a,0,10,[1.5] @9 | watermark 9");
}

TEST(SlidingWindowOperator, EachRecordIsInEachOfItsWindows) {
  windows([] { return listing(make_sliding_windows(kEvent, 5, 2, 0)); })
      .input("+ a,1 @1 | + a,2 @2 | + a,3 @3 | + a,4 @4 | end")
      .expect_empty_state()
      .expect(
          "+ a,-2,3,[1,2] @2 | + a,0,5,[1,2,3,4] @4 | + a,2,7,[2,3,4] @6 | + a,4,9,[4] @8 | "
          "watermark max");
}

TEST(SlidingWindowOperator, ARecordIsLateOnlyWhenAllItsWindowsAre) {
  windows([] { return listing(make_sliding_windows(kEvent, 4, 2, 0)); })
      .input("+ a,1 @3 | watermark 3 | + a,2 @3 | watermark 9 | + a,3 @3")
      .expect_empty_state()
      .expect_metric("numLateRecordsDropped", 1)
      .expect("+ a,0,4,[1] @3 | watermark 3 | + a,2,6,[1,2] @5 | watermark 9");
}

TEST(SessionWindowOperator, RecordsWithinTheGapShareASession) {
  windows([] { return listing(make_session_windows(kEvent, 10)); })
      .any_order()
      .input("+ a,1 @1 | + a,2 @5 | + b,1 @6 | + a,3 @30 | watermark 14 | watermark 15 | end")
      .expect_empty_state()
      .expect(
          "+ a,1,15,[1,2] @14 | watermark 14 | + b,6,16,[1] @15 | watermark 15 | "
          "+ a,30,40,[3] @39 | watermark max");
}

TEST(SessionWindowOperator, TouchingSessionsMerge) {
  windows([] { return listing(make_session_windows(kEvent, 10)); })
      .input("+ a,1 @0 | + a,2 @10 | + a,3 @21 | end")
      .expect_empty_state()
      .expect("+ a,0,20,[1,2] @19 | + a,21,31,[3] @30 | watermark max");
}

TEST(SessionWindowOperator, ARecordBetweenJoinsTwoSessions) {
  windows([] { return listing(make_session_windows(kEvent, 5)); })
      .input("+ a,1 @0 | + a,2 @8 | + a,3 @4 | end")
      .expect_empty_state()
      .expect("+ a,0,13,[1,2,3] @12 | watermark max");
}

TEST(SessionWindowOperator, ReduceMergesAccumulators) {
  windows([] { return adding(make_session_windows(kEvent, 5)); })
      .input("+ a,1 @0 | + a,2 @8 | + a,4 @4 | end")
      .expect_empty_state()
      .expect("+ a,7 @12 | watermark max");
}

TEST(SessionWindowOperator, AggregateMergeIsReallyCalled) {
  int merges = 0;
  ManualClock clock;
  auto options = options_of(make_session_windows(kEvent, 5));
  options.aggregate = average(&merges);
  OperatorHarness harness(
      make_window_operator(std::move(options)), {.key_of = first_field_key}, clock);
  harness.process(parse_value("a,1"), 0);
  harness.process(parse_value("a,3"), 8);
  EXPECT_EQ(merges, 0);
  harness.process(parse_value("a,8"), 4);
  EXPECT_EQ(merges, 1);
  harness.process_watermark(100);
  EXPECT_EQ(harness.output_text(), "+ 4.0 @12 | watermark 100");
  EXPECT_EQ(harness.key_count(), 0U);
  EXPECT_EQ(harness.timer_count(), 0U);
}

TEST(SessionWindowOperator, AGrownSessionDoesNotFireAtItsOldEnd) {
  windows([] { return listing(make_session_windows(kEvent, 10)); })
      .input("+ a,1 @0 | + a,2 @5 | watermark 9 | + a,3 @14 | watermark 14 | watermark 24")
      .expect_empty_state()
      .expect("watermark 9 | watermark 14 | + a,0,24,[1,2,3] @23 | watermark 24");
}

TEST(SessionWindowOperator, LateRecordsAreDroppedUnlessTheyReachAnOpenSession) {
  windows([] { return listing(make_session_windows(kEvent, 10)); })
      .input("+ a,1 @20 | watermark 15 | + a,2 @1 | + a,3 @12 | watermark 40")
      .expect_empty_state()
      .expect_metric("numLateRecordsDropped", 1)
      .expect("watermark 15 | + a,12,30,[1,3] @29 | watermark 40");
}

TEST(SessionWindowOperator, WithinTheLatenessAFiredSessionMayGrowAndFireAgain) {
  windows([] {
    auto options = listing(make_session_windows(kEvent, 5));
    options.allowed_lateness_ms = 20;
    return options;
  })
      .input("+ a,1 @0 | watermark 10 | + a,2 @3 | + a,3 @9 | watermark 50")
      .expect_empty_state()
      .expect(
          "+ a,0,5,[1] @4 | watermark 10 | + a,0,8,[1,2] @3 | + a,9,14,[3] @13 | "
          "watermark 50");
}

TEST(SessionWindowOperator, DynamicGapOfEachRecord) {
  windows([] {
    return listing(make_dynamic_session_windows(
        kEvent, gap_with([](const Value& v) { return v.field(1).as_int(); })));
  })
      .input("+ a,10 @0 | + a,2 @9 | + a,3 @12 | + b,100 @0 | + b,1 @90 | end")
      .any_order()
      .expect_empty_state()
      .expect("+ a,0,11,[10,2] @10 | + a,12,15,[3] @14 | + b,0,100,[100,1] @99 | watermark max");
}

TEST(SessionWindowOperator, ProcessingTimeSessionsCloseAfterSilence) {
  windows([] { return listing(make_session_windows(kProcessing, 10)); })
      .input("clock 1 | + a,1 | clock 8 | + a,2 | clock 11 | clock 17 | clock 30 | + a,3")
      .expect("+ a,1,18,[1,2] @17");
}

TEST(SessionWindowOperator, AnEndedTaskKeepsItsSessions) {
  const auto make = [] {
    return make_window_operator(listing(make_session_windows(kProcessing, 10)));
  };
  const auto record = [](std::int64_t n) {
    return Value::row({Value::string("a"), Value::integer(n)});
  };
  ManualClock clock;
  clock.set(1);
  OperatorSnapshot kept;
  {
    OperatorHarness ended(make(), {.key_of = first_field_key}, clock);
    ended.process(record(1));
    ended.finish();
    kept = ended.final_snapshot();
  }
  OperatorHarness again(make(), {.key_of = first_field_key}, clock, &kept);
  clock.set(5);
  again.process(record(2));
  clock.set(20);
  again.fire_processing_time();
  EXPECT_EQ(again.output_text(), "+ a,1,15,[1,2] @14");
}

TEST(CountWindowOperator, TumblesEverySizeRecordsAndTheRestNeverFires) {
  windows([] {
    WindowOperatorOptions options;
    options.assigner = make_count_tumbling_windows(2);
    options.trigger = make_count_window_trigger(2);
    options.function = list_elements();
    return options;
  })
      .input("+ a,1 | + a,2 | + b,1 | + a,3 | + a,4 | + b,2 | + b,3 | end")
      .expect(
          "+ a,0,9223372036854775807,[1,2] | + a,1,9223372036854775807,[3,4] | "
          "+ b,0,9223372036854775807,[1,2] | watermark max");
}

TEST(CountWindowOperator, SlidesAndFiresFullWindowsOnly) {
  windows([] {
    WindowOperatorOptions options;
    options.assigner = make_count_sliding_windows(3, 2);
    options.trigger = make_count_window_trigger(3);
    options.function = list_elements();
    return options;
  })
      .input("+ a,1 | + a,2 | + a,3 | + a,4 | + a,5 | + a,6 | + a,7 | end")
      .expect(
          "+ a,0,9223372036854775807,[1,2,3] | + a,1,9223372036854775807,[3,4,5] | "
          "+ a,2,9223372036854775807,[5,6,7] | watermark max");
}

TEST(WindowOperator, WindowAllHasOneNullKey) {
  verify_operator(
      [] { return make_window_operator(listing(make_tumbling_windows(kEvent, 10, 0))); })
      .keyed_by([](const Value&) { return Value{}; })
      .input("+ a @1 | + b @2 | end")
      .expect_empty_state()
      .expect("+ null,0,10,[a,b] @9 | watermark max");
}

TEST(WindowOperator, FunctionsKeepStatePerWindowAndClearIt) {
  struct Firings final : WindowFunction {
    void process(WindowFunctionContext& context,
                 std::vector<Value> elements,
                 Collector& out) override {
      const Value seen = state(context).value();
      const std::int64_t firing = seen.is_null() ? 1 : seen.as_int() + 1;
      state(context).update(Value::integer(firing));
      out.collect(Value::row(
          {Value::integer(firing), Value::integer(static_cast<std::int64_t>(elements.size()))}));
    }
    void clear(WindowFunctionContext& context) override { state(context).clear(); }
    static ValueState& state(WindowFunctionContext& context) {
      StateDescriptor descriptor;
      descriptor.name = "firings";
      ValueState& state = context.state_backend().value_state(descriptor);
      state.set_namespace(context.window());
      return state;
    }
  };
  windows([] {
    auto options = options_of(make_tumbling_windows(kEvent, 10, 0));
    options.function = std::make_unique<Firings>();
    options.allowed_lateness_ms = 10;
    return options;
  })
      .input("+ a @1 | watermark 9 | + a @2 | + a @11 | watermark 19 | watermark 40")
      .expect_empty_state()
      .expect("+ 1,1 @9 | watermark 9 | + 2,2 @2 | + 1,1 @19 | watermark 19 | watermark 40");
}

TEST(WindowOperator, RefusesWhatCannotWork) {
  const auto refused = [](auto change, const char* part) {
    auto options = listing(make_session_windows(kEvent, 5));
    change(options);
    try {
      make_window_operator(std::move(options));
      ADD_FAILURE() << "accepted: " << part;
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::kInvalidArgument);
      EXPECT_NE(std::string(error.what()).find(part), std::string::npos) << error.what();
    }
  };
  struct NoMerge final : Trigger {
    TriggerResult on_element(const Value&, Timestamp, const Window&, TriggerContext&) override {
      return TriggerResult::kContinue;
    }
    TriggerResult on_processing_time(Timestamp, const Window&, TriggerContext&) override {
      return TriggerResult::kContinue;
    }
    TriggerResult on_event_time(Timestamp, const Window&, TriggerContext&) override {
      return TriggerResult::kContinue;
    }
    void clear(const Window&, TriggerContext&) override {}
  };
  refused([](auto& o) { o.trigger = std::make_unique<NoMerge>(); }, "does not support merging");
  refused([](auto& o) { o.allowed_lateness_ms = -1; }, "lateness cannot be negative");
  refused([](auto& o) { o.function = nullptr; }, "needs a function");
  refused(
      [](auto& o) {
        o.reduce = add_counts();
        o.aggregate = average();
      },
      "not both");
}

}  // namespace
}  // namespace flott::harness
