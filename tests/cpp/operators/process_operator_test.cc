#include "operators/process_operator.h"

#include "harness/lambda_functions.h"
#include "harness/verify_operator.h"

#include <gtest/gtest.h>

namespace flott::harness {
namespace {

/// Registers an event-time timer at value.1 for key value.0; a timer emits key and time.
std::unique_ptr<Operator> alarm(TimeDomain domain) {
  return make_process_operator(process_with(
      [domain](Value v, int, ProcessContext& context, Collector&) {
        context.register_timer(domain, v.field(1).as_int());
      },
      [](Timestamp time, ProcessContext& context, Collector& out) {
        const bool event = context.time_domain() == TimeDomain::kEventTime;
        out.collect(Value::row({context.current_key(),
                                Value::integer(time),
                                Value::string(event ? "event" : "processing")}));
      }));
}
std::unique_ptr<Operator> event_alarm() {
  return alarm(TimeDomain::kEventTime);
}
std::unique_ptr<Operator> processing_alarm() {
  return alarm(TimeDomain::kProcessingTime);
}

TEST(ProcessOperator, EventTimersFireInTimeOrderWithKeyAndTimestamp) {
  verify_operator(event_alarm)
      .keyed()
      .input("+ a,3000 | + b,1000 | + c,2000 | watermark 999 | watermark 2s | watermark 9s")
      .expect(
          "watermark 999 | + b,1000,event @1s | + c,2000,event @2s | watermark 2s | "
          "+ a,3000,event @3s | watermark 9s");
}

TEST(ProcessOperator, ATimerRegisteredTwiceFiresOnce) {
  verify_operator(event_alarm)
      .keyed()
      .input("+ a,10 | + a,10 | + b,10 | watermark 10")
      .any_order()
      .expect("+ a,10,event @10 | + b,10,event @10 | watermark 10");
}

TEST(ProcessOperator, EndOfInputFiresAllEventTimers) {
  verify_operator(event_alarm)
      .keyed()
      .input("+ a,5000 | + b,7000 | end")
      .expect_empty_state()
      .expect("+ a,5000,event @5s | + b,7000,event @7s | watermark max");
}

TEST(ProcessOperator, ProcessingTimersFireByTheClockWithoutTimestamp) {
  verify_operator(processing_alarm)
      .keyed()
      .input("+ a,1000 @1 | + b,500 @2 | clock 999 | clock 1s | clock 2s")
      .expect("+ b,500,processing | + a,1000,processing");
}

TEST(ProcessOperator, ProcessingTimersAreDroppedAtEndOfInput) {
  verify_operator(processing_alarm)
      .keyed()
      .input("+ a,1000 | end")
      .expect_empty_state()
      .expect("watermark max");
}

TEST(ProcessOperator, DeletedTimersDoNotFire) {
  verify_operator([] {
    return make_process_operator(process_with(
        [](Value v, int, ProcessContext& context, Collector&) {
          if (v.field(1).as_int() > 0) {
            context.register_timer(TimeDomain::kEventTime, v.field(1).as_int());
          } else {
            context.delete_timer(TimeDomain::kEventTime, -v.field(1).as_int());
          }
        },
        [](Timestamp, ProcessContext& context, Collector& out) {
          out.collect(context.current_key());
        }));
  })
      .keyed()
      .input("+ a,10 | + b,10 | + a,-10 | watermark 20")
      .expect("+ b @10 | watermark 20");
}

TEST(ProcessOperator, ATimerMayRegisterAnother) {
  verify_operator([] {
    return make_process_operator(process_with(
        [](Value, int, ProcessContext& context, Collector&) {
          context.register_timer(TimeDomain::kEventTime, 1);
        },
        [](Timestamp time, ProcessContext& context, Collector& out) {
          out.collect(Value::integer(time));
          if (time < 4) {
            context.register_timer(TimeDomain::kEventTime, time + 1);
          }
        }));
  })
      .keyed()
      .input("+ a | watermark 3 | watermark 9")
      .expect("+ 1 @1 | + 2 @2 | + 3 @3 | watermark 3 | + 4 @4 | watermark 9");
}

TEST(ProcessOperator, ManyKeysEachHaveTheirTimers) {
  std::string input;
  std::string expected;
  for (int i = 0; i < 200; ++i) {
    input += "+ k" + std::to_string(i) + "," + std::to_string(1000 + i) + " | ";
    expected += "+ k" + std::to_string(i) + "," + std::to_string(1000 + i) + ",event @" +
                std::to_string(1000 + i) + " | ";
  }
  verify_operator(event_alarm)
      .keyed()
      .input(input + "end")
      .expect_empty_state()
      .expect(expected + "watermark max");
}

TEST(ProcessOperator, ShowsTimestampWatermarkAndProcessingTime) {
  const auto show = [] {
    return make_process_operator(
        process_with([](Value, int input, ProcessContext& context, Collector& out) {
          out.collect(Value::row({Value::integer(input),
                                  Value::integer(context.timestamp()),
                                  Value::integer(context.current_watermark()),
                                  Value::integer(context.current_processing_time())}));
        }));
  };
  const char* input = "watermark 5 | clock 7 | + a @9 | 2+ b @10";
  const char* expected = "watermark 5 | + 0,9,5,7 @9 | + 1,10,5,7 @10";
  verify_operator(show).keyed().input(input).expect(expected);
  verify_operator(show).without_restore().input(input).expect(expected);
}

TEST(ProcessOperator, SideOutputsCarryTheTimestamp) {
  verify_operator([] {
    return make_process_operator(process_with([](Value v, int, ProcessContext&, Collector& out) {
      out.collect_side(0, v);
      out.collect_side(1, v);
      out.collect(std::move(v));
    }));
  })
      .input("+ x @3")
      .expect("side0 + x @3 | side1 + x @3 | + x @3");
}

TEST(ProcessOperator, TimersNeedAKeyedStream) {
  verify_operator(event_alarm).input("+ a,1").expect_error("call key_by() before process()");
}

}  // namespace
}  // namespace flott::harness
