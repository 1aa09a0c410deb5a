#include "job/checkpoint_schedule.h"

#include <gtest/gtest.h>

namespace flott {
namespace {

constexpr std::int64_t kMs = 1'000'000;

TEST(CheckpointSchedule, BeginsAnIntervalAfterTheStartOfTheOneBefore) {
  CheckpointSchedule schedule(100, 0);
  EXPECT_TRUE(schedule.periodic());
  schedule.start(1000 * kMs);
  EXPECT_EQ(schedule.next_ns(), 1100 * kMs);
  schedule.begun(1105 * kMs);
  schedule.completed(1150 * kMs);
  EXPECT_EQ(schedule.next_ns(), 1205 * kMs);
}

TEST(CheckpointSchedule, OneThatTookLongIsFollowedAtOnce) {
  CheckpointSchedule schedule(100, 0);
  schedule.begun(0);
  schedule.completed(350 * kMs);
  EXPECT_EQ(schedule.next_ns(), 350 * kMs);
}

TEST(CheckpointSchedule, ThePauseCountsFromTheEnd) {
  CheckpointSchedule schedule(100, 60);
  schedule.begun(0);
  schedule.completed(10 * kMs);
  EXPECT_EQ(schedule.next_ns(), 100 * kMs) << "the interval is longer";
  schedule.begun(100 * kMs);
  schedule.completed(190 * kMs);
  EXPECT_EQ(schedule.next_ns(), 250 * kMs);
}

TEST(CheckpointSchedule, AFailureIsFollowedAfterTheLongerOfBoth) {
  CheckpointSchedule schedule(100, 0);
  schedule.begun(0);
  schedule.failed(350 * kMs);
  EXPECT_EQ(schedule.next_ns(), 450 * kMs);
  CheckpointSchedule pausing(100, 500);
  pausing.begun(0);
  pausing.failed(350 * kMs);
  EXPECT_EQ(pausing.next_ns(), 850 * kMs);
}

TEST(CheckpointSchedule, WithoutAnIntervalNothingIsPeriodic) {
  EXPECT_FALSE(CheckpointSchedule(0, 60).periodic());
}

}  // namespace
}  // namespace flott
