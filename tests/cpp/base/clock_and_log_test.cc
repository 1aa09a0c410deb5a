#include "base/clock.h"
#include "base/log.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace flott {
namespace {

TEST(ManualClock, MovesOnlyWhenTold) {
  ManualClock clock(1000);
  EXPECT_EQ(clock.now_ms(), 1000);
  clock.advance(500);
  EXPECT_EQ(clock.now_ms(), 1500);
  clock.set(7);
  EXPECT_EQ(clock.now_ms(), 7);
}

TEST(SystemClock, CountsMillisecondsSince1970) {
  const Timestamp now_ms = SystemClock().now_ms();
  EXPECT_GT(now_ms, 1'700'000'000'000);  // 2023
  EXPECT_LT(now_ms, 4'100'000'000'000);  // 2099
}

TEST(MonotonicTime, NeverGoesBack) {
  std::int64_t last = monotonic_ns();
  for (int i = 0; i < 1000; ++i) {
    const std::int64_t now = monotonic_ns();
    EXPECT_GE(now, last);
    last = now;
  }
}

class LogTest : public testing::Test {
 protected:
  void SetUp() override {
    set_log_sink([this](LogLevel, std::string_view logger, std::string_view message) {
      lines_.push_back(fmt::format("{}: {}", logger, message));
    });
  }
  void TearDown() override {
    set_log_sink(nullptr);
    set_log_level(LogLevel::kWarn);
  }
  std::vector<std::string> lines_;
};

TEST_F(LogTest, PassesOnWhatReachesTheLevel) {
  set_log_level(LogLevel::kInfo);
  log(LogLevel::kDebug, "task", "hidden");
  log(LogLevel::kInfo, "task", "started {}", 1);
  log(LogLevel::kError, "kafka", "broker gone");
  EXPECT_EQ(lines_, (std::vector<std::string>{"task: started 1", "kafka: broker gone"}));
}

TEST_F(LogTest, ASinkMayReplaceItself) {
  set_log_sink([this](LogLevel, std::string_view, std::string_view) {
    lines_.emplace_back("once");
    set_log_sink([](LogLevel, std::string_view, std::string_view) {});
  });
  log(LogLevel::kError, "task", "first");
  log(LogLevel::kError, "task", "second");
  EXPECT_EQ(lines_, std::vector<std::string>{"once"});
}

}  // namespace
}  // namespace flott
