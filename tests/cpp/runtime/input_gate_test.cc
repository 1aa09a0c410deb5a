#include "runtime/input_gate.h"

#include "runtime_support.h"

#include <gtest/gtest.h>

namespace flott {
namespace {

/// A gate over `inputs.size()` channels; `inputs[i]` is the input channel i belongs to.
struct Gate {
  explicit Gate(const std::vector<int>& inputs) : channels(inputs.size()) {
    std::vector<InputGate::Connection> connections;
    int input_count = 1;
    for (std::size_t i = 0; i < inputs.size(); ++i) {
      connections.push_back({channels.all[i], inputs[i]});
      input_count = std::max(input_count, inputs[i] + 1);
    }
    gate = std::make_unique<InputGate>(std::move(connections), input_count);
  }
  /// Everything there is now, `2:` before what is of the second input.
  std::string read() {
    std::string out;
    TaskInput::Item item;
    while (gate->next(item) == TaskInput::Status::kElement) {
      out += (out.empty() ? "" : " | ") + std::string(item.input == 1 ? "2:" : "") +
             to_text(item.element);
    }
    return out;
  }
  bool at_end() {
    TaskInput::Item item;
    return gate->next(item) == TaskInput::Status::kEnd;
  }
  Channel& operator[](std::size_t i) { return channels[i]; }

  Channels channels;
  std::unique_ptr<InputGate> gate;
};

TEST(InputGate, ReadsChannelsInTurn) {
  Gate g({0, 0, 0});
  for (std::int64_t round = 0; round < 2; ++round) {
    g[0].push(ints({round * 10 + 1}));
    g[1].push(ints({round * 10 + 2}));
    g[2].push(ints({round * 10 + 3}));
  }
  EXPECT_EQ(g.read(), "1 | 2 | 3 | 11 | 12 | 13");
  EXPECT_FALSE(g.at_end());
}

TEST(InputGate, OneFullChannelDoesNotStarveTheOthers) {
  Gate g({0, 0});
  for (std::int64_t i = 0; i < 4; ++i) {
    g[0].push(ints({i}));
  }
  g[1].push(ints({100}));
  EXPECT_EQ(g.read(), "0 | 100 | 1 | 2 | 3");
}

TEST(InputGate, CombinesWatermarksOverBothInputs) {
  Gate g({0, 1});
  g[0].push(Watermark{10});
  EXPECT_EQ(g.read(), "");
  g[1].push(Watermark{4});
  EXPECT_EQ(g.read(), "watermark 4");
  g[1].push(WatermarkStatus::kIdle);
  EXPECT_EQ(g.read(), "watermark 10");
  g[0].push(WatermarkStatus::kIdle);
  EXPECT_EQ(g.read(), "idle");
  g[1].push(WatermarkStatus::kActive);
  g[1].push(Watermark{20});
  EXPECT_EQ(g.read(), "active | watermark 20");
}

TEST(InputGate, AlignmentBlocksTheChannelWhoseBarrierCame) {
  Gate g({0, 0});
  g[0].push(ints({1}));
  g[0].push(CheckpointBarrier{1, 0});
  g[0].push(ints({2}));
  g[1].push(ints({3}));
  EXPECT_EQ(g.read(), "1 | 3") << "2 belongs behind the checkpoint";
  g[1].push(ints({4}));
  EXPECT_EQ(g.read(), "4");
  g[1].push(CheckpointBarrier{1, 0});
  g[1].push(ints({5}));
  EXPECT_EQ(g.read(), "barrier 1 | 2 | 5");
}

TEST(InputGate, AlignmentHoldsOverBothInputs) {
  Gate g({0, 1});
  g[0].push(CheckpointBarrier{1, 0});
  g[0].push(ints({1}));
  g[1].push(ints({2}));
  EXPECT_EQ(g.read(), "2:2");
  g[1].push(CheckpointBarrier{1, 0});
  EXPECT_EQ(g.read(), "barrier 1 | 1");
}

TEST(InputGate, AnEndedChannelCountsAsAligned) {
  Gate g({0, 0});
  g[0].push(CheckpointBarrier{1, 0});
  g[0].push(ints({1}));
  g[1].push(ints({2}));
  g[1].push(EndOfInput{});
  EXPECT_EQ(g.read(), "2 | barrier 1 | 1");
  g[0].push(CheckpointBarrier{2, 0});
  EXPECT_EQ(g.read(), "barrier 2") << "the ended one is not waited for";
}

TEST(InputGate, ALaterCheckpointOvertakesOneThatWasGivenUp) {
  Gate g({0, 0});
  g[0].push(CheckpointBarrier{1, 0});
  g[0].push(ints({1}));
  EXPECT_EQ(g.read(), "");
  // Channel 1 never sends barrier 1; 2 comes there, and behind 1 on channel 0.
  g[1].push(CheckpointBarrier{2, 0});
  g[1].push(ints({2}));
  EXPECT_EQ(g.read(), "1");
  g[0].push(CheckpointBarrier{2, 0});
  EXPECT_EQ(g.read(), "barrier 2 | 2");
  g[0].push(CheckpointBarrier{1, 0});
  g[0].push(CheckpointBarrier{2, 0});
  g[0].push(ints({3}));
  EXPECT_EQ(g.read(), "3") << "barriers that are over do not block";
}

TEST(InputGate, EndsOncePerInputBehindTheLastChannel) {
  Gate g({0, 0, 1});
  g[0].push(Watermark{kMaxWatermark});
  g[0].push(EndOfInput{});
  EXPECT_EQ(g.read(), "");
  g[1].push(Watermark{kMaxWatermark});
  g[1].push(EndOfInput{});
  EXPECT_EQ(g.read(), "end");
  EXPECT_FALSE(g.at_end());
  g[2].push(ints({1}));
  g[2].push(Watermark{kMaxWatermark});
  g[2].push(EndOfInput{});
  EXPECT_EQ(g.read(), "2:1 | watermark max | 2:end");
  EXPECT_TRUE(g.at_end());
  EXPECT_EQ(g.gate->input_count(), 2);
}

TEST(InputGate, AChannelThatEndsLetsTheWatermarkRise) {
  Gate g({0, 0});
  g[0].push(Watermark{9});
  g[1].push(Watermark{2});
  g[1].push(EndOfInput{});
  EXPECT_EQ(g.read(), "watermark 2 | watermark 9");
}

TEST(InputGate, CloseDropsWhatWaits) {
  Gate g({0});
  g[0].push(ints({1}));
  g.gate->close();
  EXPECT_EQ(g.read(), "");
  EXPECT_TRUE(g[0].has_room());
}

TEST(InputGate, WaitsForNoBarrierOfACheckpointThatWasGivenUp) {
  Gate g({0, 0});
  g[0].push(CheckpointBarrier{7, 0});
  g[0].push(ints({1}));
  EXPECT_EQ(g.read(), "");
  g.gate->abort_checkpoint(7);
  EXPECT_EQ(g.read(), "1") << "the other source has dropped the barrier";
  g[1].push(CheckpointBarrier{7, 0});
  g[1].push(ints({2}));
  EXPECT_EQ(g.read(), "2") << "one that was under way is passed over";
  g[0].push(CheckpointBarrier{8, 0});
  g[1].push(CheckpointBarrier{8, 0});
  EXPECT_EQ(g.read(), "barrier 8");
}

}  // namespace
}  // namespace flott
