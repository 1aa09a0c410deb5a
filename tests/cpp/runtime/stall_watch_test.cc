// Why nothing fires: each cause is told apart, told once, and told what to do about.
#include "runtime/stall_watch.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <string>
#include <thread>
#include <vector>

namespace flott {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

constexpr Timestamp kNow = 1'769'860'800'000;  // 2026-01-31T12:00:00Z

EventTimeWait windows(std::int64_t held) {
  EventTimeWait wait;
  wait.held = held;
  wait.held_what = "window";
  wait.first_due = kNow + 59'999;
  wait.largest_timestamp = kNow;
  return wait;
}

WatermarkOrigin origin(Timestamp watermark, Timestamp quiet_since = kNoTimestamp) {
  WatermarkOrigin out;
  out.name = "orders";
  out.watermark = watermark;
  out.records = 10;
  out.quiet_since = quiet_since;
  return out;
}

WatermarkOrigin::Split split(const std::string& id,
                             Timestamp watermark,
                             bool has_records,
                             Timestamp quiet_since) {
  return {id, watermark, false, has_records, quiet_since};
}

/// A watch that is asked every five seconds.
class StallWatchTest : public testing::Test {
 protected:
  std::vector<std::string> look(const EventTimeWait& wait,
                                Timestamp watermark,
                                const std::vector<WatermarkOrigin>& origins,
                                std::int64_t records = 100) {
    now_ += StallWatch::kIntervalMs;
    std::vector<std::string> out;
    for (const StallWatch::Line& line : watch_.look(now_, wait, watermark, records, origins)) {
      out.push_back(line.text);
    }
    return out;
  }
  /// What it says after the patience; before that nothing.
  std::vector<std::string> stalled(const EventTimeWait& wait,
                                   Timestamp watermark,
                                   const std::vector<WatermarkOrigin>& origins) {
    EXPECT_THAT(look(wait, watermark, origins), IsEmpty());
    EXPECT_THAT(look(wait, watermark, origins), IsEmpty());
    return look(wait, watermark, origins);
  }

  StallWatch watch_{"operator 'Window', subtask 1/2"};
  Timestamp now_ = kNow;
};

TEST_F(StallWatchTest, ASourceWithoutAWatermarkStrategy) {
  WatermarkOrigin source = origin(kMinWatermark);
  source.has_strategy = false;
  EXPECT_THAT(stalled(windows(3), kMinWatermark, {source}),
              ElementsAre(AllOf(
                  HasSubstr("operator 'Window', subtask 1/2 holds 3 windows and nothing fires: no "
                            "watermark has come yet, the first needs one of 2026-01-31T12:00:59"),
                  HasSubstr("because 'orders' has no watermark strategy"),
                  HasSubstr("assign_timestamps_and_watermarks("),
                  HasSubstr("processing-time windows"))));
}

TEST_F(StallWatchTest, OneOfTwoStreamsWithoutAWatermarkStrategy) {
  WatermarkOrigin rules = origin(kMinWatermark);
  rules.name = "rules";
  rules.has_strategy = false;
  EXPECT_THAT(stalled(windows(3), kMinWatermark, {origin(kNow), rules}),
              ElementsAre(AllOf(HasSubstr("because 'rules' has no watermark strategy"),
                                Not(HasSubstr("'orders'")))));
}

TEST_F(StallWatchTest, AGeneratorThatEmitsNoWatermark) {
  EXPECT_THAT(stalled(windows(3), kMinWatermark, {origin(kMinWatermark)}),
              ElementsAre(AllOf(HasSubstr("'orders' takes records, but makes no watermark of them"),
                                HasSubstr("output.emit_watermark("))));
}

TEST_F(StallWatchTest, ASplitWithoutRecordsHoldsBackTheOthers) {
  WatermarkOrigin source = origin(kMinWatermark);
  source.splits = {split("orders-0", kNow - 5'000, true, kNoTimestamp),
                   split("orders-3", kMinWatermark, false, kNow)};
  EXPECT_THAT(stalled(windows(3), kMinWatermark, {source}),
              ElementsAre(AllOf(
                  HasSubstr("split 'orders-3' has had no records yet ('orders') and holds back the "
                            "others, which are at 2026-01-31T11:59:55"),
                  HasSubstr("with_idleness("))));
}

TEST_F(StallWatchTest, ASplitThatStoppedHoldsBackTheOthers) {
  WatermarkOrigin source = origin(kNow);
  source.splits = {split("orders-0", kNow + 5'000, true, kNoTimestamp),
                   split("orders-3", kNow, true, kNow - 25'000)};
  EXPECT_THAT(stalled(windows(3), kNow, {source}),
              ElementsAre(AllOf(HasSubstr("the watermark has stood at 2026-01-31T12:00:00"),
                                HasSubstr("(1769860800000) for 10 s"),
                                HasSubstr("split 'orders-3' has had no records for 40 s"))));
}

TEST_F(StallWatchTest, ASplitThatIsBehindButReadIsNotBlamed) {
  WatermarkOrigin source = origin(kNow);
  source.splits = {split("orders-0", kNow + 5'000, true, kNow),
                   split("orders-3", kNow, true, kNoTimestamp)};
  EXPECT_THAT(stalled(windows(3), kNow, {source}),
              ElementsAre(HasSubstr("their timestamps do not rise")));
}

TEST_F(StallWatchTest, ASubtaskThatStoppedHoldsBackTheOthers) {
  WatermarkOrigin quiet = origin(kNow, kNow - 5'000);
  quiet.subtask = 1;
  quiet.parallelism = 2;
  EXPECT_THAT(stalled(windows(3), kNow, {origin(kNow + 7'000), quiet}),
              ElementsAre(AllOf(
                  HasSubstr("subtask 2/2 of 'orders' has had no records for 20 s and holds back"),
                  HasSubstr("with_idleness("))));
}

TEST_F(StallWatchTest, NoRecordsAtAll) {
  EXPECT_THAT(stalled(windows(1), kNow, {origin(kNow, kNow)}),
              ElementsAre(AllOf(HasSubstr("no records come"),
                                HasSubstr("Event time goes on with later records only"),
                                Not(HasSubstr("with_idleness")))));
}

TEST_F(StallWatchTest, EveryInputIdle) {
  WatermarkOrigin idle = origin(kNow, kNow);
  idle.idle = true;
  EXPECT_THAT(stalled(windows(1), kNow, {idle}), ElementsAre(HasSubstr("every input is idle")));
}

TEST_F(StallWatchTest, TimestampsThatDoNotRise) {
  EXPECT_THAT(
      stalled(windows(1), kNow, {origin(kNow)}),
      ElementsAre(AllOf(HasSubstr("'orders' takes records, but their timestamps do not rise"),
                        HasSubstr("the largest that came here is 2026-01-31T12:00:00"),
                        HasSubstr("extract_timestamp()"))));
}

TEST_F(StallWatchTest, TimestampsInSecondsAreToldAtOnceAndAlone) {
  EventTimeWait wait = windows(1);
  wait.largest_timestamp = kNow / 1'000;
  EXPECT_THAT(look(wait, kNow / 1'000 - 1, {origin(kNow / 1'000)}),
              ElementsAre(AllOf(HasSubstr("look like seconds"),
                                HasSubstr("1970-01-21T"),
                                HasSubstr("2026-01-31T12:00:00"),
                                HasSubstr("multiply by 1000"))));
  for (int i = 0; i < 10; ++i) {
    EXPECT_THAT(look(wait, kNow / 1'000 - 1, {origin(kNow / 1'000)}), IsEmpty());
  }
}

TEST_F(StallWatchTest, SmallTimestampsOfATestAreNoSeconds) {
  EXPECT_FALSE(looks_like_seconds(5'000, kNow));
  EXPECT_FALSE(looks_like_seconds(kNow, kNow));
  EXPECT_FALSE(looks_like_seconds(kNoTimestamp, kNow));
  EXPECT_FALSE(looks_like_seconds(1'000, 50'000));  // a clock that begins at 0
  EXPECT_TRUE(looks_like_seconds(kNow / 1'000 - 86'400, kNow));
}

TEST_F(StallWatchTest, ManyLateRecords) {
  EventTimeWait wait = windows(1);
  wait.late = 12;
  EXPECT_THAT(look(wait, kNow, {origin(kNow)}, 100),
              ElementsAre(AllOf(HasSubstr("12 % of the records (12 of 100)"),
                                HasSubstr("for_bounded_out_of_orderness("),
                                HasSubstr("allowed_lateness("),
                                HasSubstr("side_output_late_data("))));
  wait.late = 50;
  EXPECT_THAT(look(wait, kNow + 1, {origin(kNow)}, 200), IsEmpty());
}

TEST_F(StallWatchTest, AFewLateRecordsAreLeftForTheEnd) {
  EventTimeWait wait = windows(1);
  wait.late = 12;
  EXPECT_THAT(look(wait, kNow, {origin(kNow)}, 1'000), IsEmpty());
  wait.late = 5;
  EXPECT_THAT(look(wait, kNow + 1, {origin(kNow)}, 10), IsEmpty());
}

TEST_F(StallWatchTest, ARecordFromTheFutureMakesAllOthersLate) {
  EventTimeWait wait = windows(1);
  wait.late = 99;
  EXPECT_THAT(look(wait, kNow + 10 * 86'400'000LL, {origin(kNow)}, 100),
              ElementsAre(AllOf(HasSubstr("99 % of the records"),
                                HasSubstr("a record from the future moved the watermark to "
                                          "2026-02-10T12:00:00"),
                                HasSubstr("9 days ahead of the clock"))));
}

TEST_F(StallWatchTest, WhatNeverFiresIsToldOnceEvenAfterTheEnd) {
  EventTimeWait wait;
  wait.never = "its windows never fire";
  EXPECT_THAT(look(wait, kMinWatermark, {}),
              ElementsAre("operator 'Window', subtask 1/2: its windows never fire"));
  EXPECT_THAT(look(wait, kMinWatermark, {}), IsEmpty());
  EXPECT_THAT(watch_.look_at_end(now_, wait), IsEmpty());
}

TEST_F(StallWatchTest, TheEndTellsTheUnit) {
  EventTimeWait wait;
  wait.largest_timestamp = kNow / 1'000;
  const std::vector<StallWatch::Line> lines = watch_.look_at_end(kNow, wait);
  ASSERT_EQ(lines.size(), 1U);
  EXPECT_THAT(lines[0].text, HasSubstr("look like seconds"));
}

TEST_F(StallWatchTest, SilentWhileTheWatermarkRises) {
  for (int i = 0; i < 20; ++i) {
    EXPECT_THAT(look(windows(1), kNow + i, {origin(kNow + i)}), IsEmpty());
  }
}

TEST_F(StallWatchTest, SilentWhileSomethingFires) {
  EventTimeWait wait = windows(1);
  for (int i = 0; i < 20; ++i) {
    ++wait.fired;
    EXPECT_THAT(look(wait, kMinWatermark, {origin(kMinWatermark)}), IsEmpty());
  }
}

TEST_F(StallWatchTest, SilentWhenNothingWaits) {
  for (int i = 0; i < 20; ++i) {
    EXPECT_THAT(look(windows(0), kMinWatermark, {origin(kMinWatermark)}), IsEmpty());
  }
}

TEST_F(StallWatchTest, SilentWhileTheWatermarkIsOnItsWay) {
  for (int i = 0; i < 20; ++i) {
    EXPECT_THAT(look(windows(1), kNow, {origin(kNow + 1'000)}), IsEmpty());
  }
}

TEST_F(StallWatchTest, TheTimeBeforeTheFirstRecordDoesNotCount) {
  for (int i = 0; i < 5; ++i) {
    EXPECT_THAT(look(windows(0), kMinWatermark, {origin(kMinWatermark)}), IsEmpty());
  }
  EXPECT_THAT(stalled(windows(1), kMinWatermark, {origin(kMinWatermark)}),
              ElementsAre(HasSubstr("nothing fires")));
}

TEST_F(StallWatchTest, AStallIsToldOnceAndAgainAfterTheWatermarkRoseWithTwiceThePatience) {
  EXPECT_EQ(stalled(windows(1), kNow, {origin(kNow)}).size(), 1U);
  for (int i = 0; i < 20; ++i) {
    EXPECT_THAT(look(windows(1), kNow, {origin(kNow)}), IsEmpty());
  }
  for (int i = 0; i < 4; ++i) {
    EXPECT_THAT(look(windows(1), kNow + 1, {origin(kNow + 1)}), IsEmpty());
  }
  EXPECT_EQ(look(windows(1), kNow + 1, {origin(kNow + 1)}).size(), 1U);
}

TEST(EventTimeBoard, FindsTheNearestOriginsThroughTasksThatPassOn) {
  EventTimeBoard board({{}, {0}, {1, 3}, {}});  // 0 -> 1 -> 2 <- 3
  WatermarkOrigin far;
  far.name = "far";
  WatermarkOrigin near;
  near.name = "near";
  board.publish(0, {far});
  board.publish(3, {near});
  const auto names = [&](int task) {
    std::vector<std::string> out;
    for (const WatermarkOrigin& found : board.upstream_of(task)) {
      out.push_back(found.name);
    }
    return out;
  };
  EXPECT_THAT(names(2), testing::UnorderedElementsAre("far", "near"));
  board.end(3);
  EXPECT_THAT(names(2), ElementsAre("far"));
  near.name = "assigned again";
  board.publish(1, {near});
  EXPECT_THAT(names(2), ElementsAre("assigned again"));
  EXPECT_THAT(names(0), IsEmpty());
  EXPECT_TRUE(board.claim("x"));
  EXPECT_FALSE(board.claim("x"));
}

TEST(EventTimeBoard, IsWrittenAndReadByManyThreads) {
  EventTimeBoard board({{}, {0}, {0}});
  constexpr int kRounds = 200;
  std::atomic<int> first{0};
  std::vector<std::thread> threads;
  for (int task = 0; task < 3; ++task) {
    threads.emplace_back([&, task] {
      for (int i = 0; i < kRounds; ++i) {
        if (task == 0) {
          WatermarkOrigin said;
          said.name = "source";
          said.watermark = i;
          board.publish(0, {said});
        }
        for (const WatermarkOrigin& found : board.upstream_of(task)) {
          EXPECT_EQ(found.name, "source");
        }
        first += board.claim(std::to_string(i)) ? 1 : 0;
      }
      board.end(task);
    });
  }
  for (std::thread& thread : threads) {
    thread.join();
  }
  EXPECT_EQ(first, kRounds);
}

TEST(QuietTimer, TellsSinceWhenNothingWasCounted) {
  QuietTimer timer;
  EXPECT_EQ(timer.quiet_since(0, 100), kNoTimestamp);
  EXPECT_EQ(timer.quiet_since(0, 200), 100);
  EXPECT_EQ(timer.quiet_since(1, 300), kNoTimestamp);
  EXPECT_EQ(timer.quiet_since(1, 400), 300);
  EXPECT_EQ(timer.quiet_since(1, 500), 300);
}

}  // namespace
}  // namespace flott
