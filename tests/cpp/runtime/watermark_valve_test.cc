#include "runtime/watermark_valve.h"

#include "runtime_support.h"

#include <gtest/gtest.h>

#include <sstream>

namespace flott {
namespace {

/// Steps `<channel> <number | idle | active | end>`; after each, what changed: `-`, `5`, `idle`,
/// `active 7`.
struct Case {
  const char* name;
  std::size_t channels;
  const char* steps;
  const char* changes;
};

class Valve : public ::testing::TestWithParam<Case> {};

INSTANTIATE_TEST_SUITE_P(
    WatermarkValve,
    Valve,
    ::testing::Values(
        Case{"OneChannel", 1, "0 5, 0 3, 0 5, 0 9", "5, -, -, 9"},
        Case{"MinimumOverChannels", 2, "0 5, 1 3, 0 9, 1 7, 1 20", "-, 3, -, 7, 9"},
        Case{"AnUnheardChannelHoldsBack", 3, "0 5, 1 5", "-, -"},
        Case{"IdleIsLeftOut", 2, "0 5, 1 idle, 0 8", "-, 5, 8"},
        Case{"IdleRightAway", 2, "1 idle, 0 5", "-, 5"},
        Case{"NeverFallsAfterIdle",
             2,
             "0 5, 1 2, 1 idle, 1 active, 1 4, 1 9, 0 10",
             "-, 2, 5, -, -, -, 9"},
        Case{"AllIdle", 2, "0 5, 1 3, 0 idle, 1 idle", "-, 3, -, 5 idle"},
        Case{"ActiveAgain",
             2,
             "0 4, 1 4, 0 idle, 1 idle, 1 active, 1 6",
             "-, 4, -, idle, active, 6"},
        Case{"WatermarksOfIdleChannelsWait",
             2,
             "0 3, 1 3, 1 idle, 1 8, 0 7, 1 active, 0 9",
             "-, 3, -, -, 7, -, 8"},
        Case{"StatusTwiceIsNothing", 1, "0 idle, 0 idle, 0 active, 0 active", "idle, -, active, -"},
        Case{"AnEndedChannelHoldsNobodyBack", 2, "0 5, 1 end, 0 6", "-, 5, 6"},
        Case{"MaximumThenEnd", 2, "0 max, 0 end, 1 4, 1 max, 1 end", "-, -, 4, max, -"},
        Case{"AllEndedWithoutMaximum", 2, "0 5, 1 3, 0 end, 1 end", "-, 3, -, 5"},
        Case{"EndedWhileTheOtherIsIdle", 2, "0 5, 1 7, 1 idle, 0 end", "-, 5, -, 7 idle"},
        Case{"AllIdleThenEnded", 1, "0 idle, 0 end", "idle, active"}),
    [](const auto& test) { return test.param.name; });

TEST_P(Valve, Table) {
  WatermarkValve valve(GetParam().channels);
  std::stringstream steps(GetParam().steps);
  std::string step;
  std::string changes;
  while (std::getline(steps, step, ',')) {
    std::stringstream words(step);
    std::size_t channel = 0;
    std::string word;
    words >> channel >> word;
    WatermarkValve::Change change;
    if (word == "end") {
      change = valve.channel_ended(channel);
    } else if (word == "idle" || word == "active") {
      change = valve.input_status(
          channel, word == "idle" ? WatermarkStatus::kIdle : WatermarkStatus::kActive);
    } else {
      change = valve.input_watermark(channel, harness::parse_time(word));
    }
    std::string text;
    if (change.watermark) {
      text = harness::to_text(*change.watermark);
      EXPECT_EQ(valve.current(), *change.watermark);
    }
    if (change.status) {
      text += std::string(text.empty() ? "" : " ") +
              (*change.status == WatermarkStatus::kIdle ? "idle" : "active");
    }
    changes += (changes.empty() ? "" : ", ") + (text.empty() ? "-" : text);
  }
  EXPECT_EQ(changes, GetParam().changes);
}

}  // namespace
}  // namespace flott
