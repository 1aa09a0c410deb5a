#include "job/restart_strategy.h"

#include "base/error.h"
#include "checkpoint/checkpoint_storage.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace flott {
namespace {

using ::testing::HasSubstr;

RestartOptions options(RestartOptions::Kind kind) {
  RestartOptions out;
  out.kind = kind;
  return out;
}

TEST(RestartStrategy, NoneNeverRestarts) {
  const auto strategy = make_restart_strategy({});
  EXPECT_FALSE(strategy->on_failure(0));
  EXPECT_TRUE(strategy->why_not().empty());
}

TEST(RestartStrategy, FixedDelayCountsRestartsOverTheWholeJob) {
  RestartOptions fixed = options(RestartOptions::Kind::kFixedDelay);
  fixed.attempts = 3;
  fixed.delay_ms = 250;
  const auto strategy = make_restart_strategy(fixed);
  for (int i = 0; i < 3; ++i) {
    const auto restart = strategy->on_failure(i * 100'000'000LL);
    ASSERT_TRUE(restart);
    EXPECT_EQ(restart->delay_ms, 250);
    EXPECT_EQ(restart->of, " of 4");
  }
  EXPECT_FALSE(strategy->on_failure(1'000'000'000LL));
  EXPECT_THAT(strategy->why_not(), HasSubstr("3 restarts were allowed"));
}

TEST(RestartStrategy, FixedDelayWithoutALimitShowsNone) {
  RestartOptions fixed = options(RestartOptions::Kind::kFixedDelay);
  const auto strategy = make_restart_strategy(fixed);
  EXPECT_EQ(strategy->on_failure(0)->of, "");
  EXPECT_EQ(strategy->on_failure(0)->delay_ms, 1000);
}

TEST(RestartStrategy, ExponentialDelayGrowsToItsMaximum) {
  RestartOptions growing = options(RestartOptions::Kind::kExponentialDelay);
  growing.multiplier = 2;
  growing.max_delay_ms = 5000;
  const auto strategy = make_restart_strategy(growing, [] { return 0.5; });  // no jitter
  std::vector<std::int64_t> delays;
  std::int64_t now_ms = 0;
  for (int i = 0; i < 5; ++i) {
    delays.push_back(strategy->on_failure(now_ms)->delay_ms);
    now_ms += delays.back() + 1;
  }
  EXPECT_EQ(delays, (std::vector<std::int64_t>{1000, 2000, 4000, 5000, 5000}));
}

TEST(RestartStrategy, ExponentialDelayStartsAnewAfterAnHourWithoutAFailure) {
  const auto strategy =
      make_restart_strategy(options(RestartOptions::Kind::kExponentialDelay), [] { return 0.5; });
  EXPECT_EQ(strategy->on_failure(0)->delay_ms, 1000);
  EXPECT_EQ(strategy->on_failure(2000)->delay_ms, 1500);
  EXPECT_EQ(strategy->on_failure(3500 + 3'599'999)->delay_ms, 2250);
  EXPECT_EQ(strategy->on_failure(3500 + 3'599'999 + 2250 + 3'600'000)->delay_ms, 1000);
}

TEST(RestartStrategy, JitterStaysWithinItsShareAndTheBounds) {
  RestartOptions growing = options(RestartOptions::Kind::kExponentialDelay);
  double chance = 0;
  const auto strategy = make_restart_strategy(growing, [&] { return chance; });
  EXPECT_EQ(strategy->on_failure(0)->delay_ms, 1000) << "never below the first delay";
  EXPECT_EQ(strategy->on_failure(1001)->delay_ms, 1350) << "1500 less a tenth";
  chance = 1;
  EXPECT_EQ(strategy->on_failure(3000)->delay_ms, 2475) << "2250 and a tenth";
}

TEST(RestartStrategy, ExponentialDelayCanBeLimited) {
  RestartOptions growing = options(RestartOptions::Kind::kExponentialDelay);
  growing.attempts = 2;
  const auto strategy = make_restart_strategy(growing, [] { return 0.5; });
  EXPECT_EQ(strategy->on_failure(0)->of, " of 3");
  EXPECT_TRUE(strategy->on_failure(2000));
  EXPECT_FALSE(strategy->on_failure(5000));
  EXPECT_THAT(strategy->why_not(), HasSubstr("attempts-before-reset-backoff"));
}

TEST(RestartStrategy, FailureRateLooksBackOneInterval) {
  RestartOptions rate = options(RestartOptions::Kind::kFailureRate);
  rate.max_failures_per_interval = 3;
  rate.failure_interval_ms = 1000;
  rate.delay_ms = 7;
  const auto strategy = make_restart_strategy(rate);
  EXPECT_EQ(strategy->on_failure(0)->delay_ms, 7);
  EXPECT_TRUE(strategy->on_failure(600));
  EXPECT_TRUE(strategy->on_failure(1200)) << "the first is more than an interval ago";
  EXPECT_FALSE(strategy->on_failure(1500)) << "the third within 900 ms";
  EXPECT_THAT(strategy->why_not(), HasSubstr("fewer than 3 failures"));
}

TEST(RestartStrategy, NumbersWithoutSenseAreRefused) {
  RestartOptions bad = options(RestartOptions::Kind::kExponentialDelay);
  bad.multiplier = 1;
  EXPECT_THROW(make_restart_strategy(bad), Error);
  bad = options(RestartOptions::Kind::kFixedDelay);
  bad.attempts = -1;
  EXPECT_THROW(make_restart_strategy(bad), Error);
  bad = options(RestartOptions::Kind::kFailureRate);
  bad.max_failures_per_interval = 0;
  EXPECT_THROW(make_restart_strategy(bad), Error);
  bad = options(RestartOptions::Kind::kFailureRate);
  bad.delay_ms = -1;
  EXPECT_THROW(make_restart_strategy(bad), Error);
}

TEST(RestartStrategy, OnlyAWrongProgramIsCertainToFailAgain) {
  const auto error = [](ErrorKind kind, Retryable retryable = Retryable::kNo) {
    return std::make_exception_ptr(Error(kind, "x", retryable));
  };
  EXPECT_TRUE(certain_to_repeat(error(ErrorKind::kInvalidArgument)));
  EXPECT_FALSE(certain_to_repeat(error(ErrorKind::kInvalidArgument, Retryable::kYes)));
  EXPECT_FALSE(certain_to_repeat(error(ErrorKind::kUserCode)));
  EXPECT_FALSE(certain_to_repeat(error(ErrorKind::kExternal)));
  EXPECT_FALSE(certain_to_repeat(error(ErrorKind::kInternal)));
  EXPECT_FALSE(certain_to_repeat(std::make_exception_ptr(std::bad_alloc())));
  EXPECT_TRUE(certain_to_repeat(std::make_exception_ptr(DamagedCheckpoint("chk-1", "rot"))));
}

}  // namespace
}  // namespace flott
