#include "runtime/sorted_input.h"

#include "runtime/input_gate.h"
#include "runtime_support.h"

#include <gtest/gtest.h>

namespace flott {
namespace {

/// Two channels, one an input, behind a gate that sorts.
struct Sorting {
  explicit Sorting(std::vector<bool> is_keyed)
      : channels(2),
        input(
            std::make_unique<InputGate>(
                std::vector<InputGate::Connection>{{channels.all[0], 0}, {channels.all[1], 1}}, 2),
            std::move(is_keyed)) {}
  std::string read() {
    std::string out;
    TaskInput::Item item;
    while (input.next(item) == TaskInput::Status::kElement) {
      out += (out.empty() ? "" : " | ") + std::string(item.input == 1 ? "2:" : "") +
             to_text(item.element);
    }
    return out;
  }
  void end() {
    channels[0].push(EndOfInput{});
    channels[1].push(EndOfInput{});
  }

  Channels channels;
  SortedInput input;
};

TEST(SortedInput, GivesRecordsByTimestampWhenTheInputHasEnded) {
  Sorting s({true, true});
  s.channels[0].push(ints({1, 2, 3}, {30, 10, 20}));
  s.channels[0].push(Watermark{5});
  s.channels[0].push(ints({4}, {5}));
  EXPECT_EQ(s.read(), "");
  s.end();
  EXPECT_EQ(s.read(), "4 | 2 3 1 | watermark 5 | 2:end | end");
}

TEST(SortedInput, MergesTheInputsAndKeepsEqualTimestampsAsTheyCame) {
  Sorting s({true, true});
  s.channels[0].push(ints({1, 2}, {10, 30}));
  s.channels[1].push(ints({7, 8}, {10, 20}));
  s.end();
  EXPECT_EQ(s.read(), "1 | 2:7 8 | 2 | end | 2:end");
}

TEST(SortedInput, LetsRecordsWithoutTimestampsPass) {
  Sorting s({true, true});
  s.channels[0].push(ints({2, 1}));
  EXPECT_EQ(s.read(), "2 1");
  s.channels[1].push(ints({4, 3}, {9, 8}));
  EXPECT_EQ(s.read(), "");
  s.end();
  EXPECT_EQ(s.read(), "2:3 4 | end | 2:end");
}

TEST(SortedInput, GivesTheBroadcastSideFirst) {
  Sorting s({true, false});
  s.channels[0].push(ints({1}));
  s.channels[1].push(ints({5, 4}, {9, 8}));
  EXPECT_EQ(s.read(), "");
  s.end();
  EXPECT_EQ(s.read(), "2:5 4 | 1 | end | 2:end");
}

}  // namespace
}  // namespace flott
