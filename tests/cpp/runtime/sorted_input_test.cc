#include "runtime/sorted_input.h"

#include "base/error.h"
#include "runtime/input_gate.h"
#include "runtime_support.h"

#include <gtest/gtest.h>

namespace flott {
namespace {

using Order = SortedInput::Order;

/// One channel an input, sorted as `orders` say.
struct Sorted {
  explicit Sorted(std::vector<Order> orders, RowSorter::Options options = {})
      : channels(orders.size()) {
    std::vector<InputGate::Connection> connections;
    for (std::size_t i = 0; i < orders.size(); ++i) {
      connections.push_back({channels.all[i], static_cast<int>(i)});
    }
    input = std::make_unique<SortedInput>(
        std::make_unique<InputGate>(std::move(connections), static_cast<int>(orders.size())),
        std::move(orders),
        std::move(options));
  }
  std::string read() {
    std::string out;
    TaskInput::Item item;
    TaskInput::Status status = TaskInput::Status::kProgress;
    while (status == TaskInput::Status::kProgress || status == TaskInput::Status::kElement) {
      status = input->next(item);
      if (status == TaskInput::Status::kElement) {
        out += (out.empty() ? "" : " | ") + std::string(item.input == 1 ? "2:" : "") +
               to_text(item.element);
      }
    }
    return status == TaskInput::Status::kEnd ? out + " | END" : out;
  }
  void end(std::size_t channel) {
    channels[channel].push(Watermark{kMaxWatermark});
    channels[channel].push(EndOfInput{});
  }

  Channels channels;
  std::unique_ptr<SortedInput> input;
};

BatchPtr row(const char* key, std::int64_t value, Timestamp timestamp) {
  const OwnedKey owned(Value::string(key));
  BatchBuilder builder(LogicalType::of(TypeKind::kBigInt));
  builder.append(Value::integer(value), timestamp, RowKind::kInsert, &owned.key);
  return builder.finish();
}

TEST(SortedInput, GivesNothingBeforeTheEndAndThenEverythingInOrder) {
  Sorted s({Order::kSorted});
  s.channels[0].push(row("b", 1, 5));
  s.channels[0].push(WatermarkStatus::kIdle);
  s.channels[0].push(Watermark{3});
  s.channels[0].push(row("a", 2, 9));
  s.channels[0].push(row("b", 3, 4));
  EXPECT_EQ(s.read(), "");
  s.end(0);
  EXPECT_EQ(s.read(), "2 3 1 | watermark max | end | END");
}

TEST(SortedInput, MergesTwoInputsAndEndsBothBehindTheWatermark) {
  Sorted s({Order::kSorted, Order::kSorted});
  s.channels[0].push(row("a", 1, 5));
  s.channels[1].push(row("a", 2, 4));
  s.end(1);
  EXPECT_EQ(s.read(), "");
  s.channels[0].push(row("b", 3, 1));
  s.end(0);
  EXPECT_EQ(s.read(), "2:2 | 1 3 | watermark max | 2:end | end | END");
}

TEST(SortedInput, ABroadcastInputComesFirst) {
  for (const Order order : {Order::kSorted, Order::kHeld}) {
    Sorted s({order, Order::kFirst});
    s.channels[0].push(row("b", 1, 5));
    s.channels[1].push(ints({10}));
    s.channels[0].push(row("a", 2, 5));
    EXPECT_EQ(s.read(), "2:10");
    s.channels[1].push(ints({11}));
    s.end(1);
    s.channels[0].push(row("a", 3, 6));
    const bool held = order == Order::kHeld;
    EXPECT_EQ(s.read(), held ? "2:11 | 2:end | 1 | 2 | 3" : "2:11 | 2:end");
    s.end(0);
    EXPECT_EQ(s.read(), held ? "watermark max | end | END" : "2 3 1 | watermark max | end | END");
  }
}

TEST(SortedInput, WhatWaitsForABroadcastInputGoesToAFile) {
  // The first batch fits; the others do not.
  for (const std::size_t memory : {std::size_t{1}, row("a", 1, 5)->size_bytes() + 1}) {
    Sorted s({Order::kHeld, Order::kFirst}, {.memory_bytes = memory});
    for (int i = 0; i < 5; ++i) {
      s.channels[0].push(i % 2 == 0 ? row("b", i, 5) : ints({i, 10 * i}));
    }
    s.channels[1].push(ints({7}));
    EXPECT_EQ(s.read(), "2:7");
    s.end(1);
    s.channels[0].push(row("a", 9, 6));
    EXPECT_EQ(s.read(), "2:end | 0 | 1 10 | 2 | 3 30 | 4 | 9");
    s.end(0);
    EXPECT_EQ(s.read(), "watermark max | end | END");
  }
}

TEST(HeldBatches, ComeBackAsTheyWere) {
  HeldBatches held(row("a", 1, 5)->size_bytes() + 1, "");
  EXPECT_TRUE(held.empty());
  held.push({row("a", 1, 5), 0});
  held.push({row("b", 2, 6), 1});
  held.push({ints({3}), 0});
  EXPECT_EQ(held.in_file(), 2);
  EXPECT_EQ(held.pop().batch->to_string(), row("a", 1, 5)->to_string());
  const InputBatch keyed = held.pop();
  EXPECT_EQ(keyed.input, 1);
  EXPECT_EQ(keyed.batch->timestamp_at(0), 6);
  EXPECT_EQ(key_value(keyed.batch->keys()->at(0)).to_string(), "'b'");
  const InputBatch plain = held.pop();
  EXPECT_EQ(plain.batch->to_string(), ints({3})->to_string());
  EXPECT_EQ(plain.batch->keys(), nullptr);
  EXPECT_TRUE(held.empty());
}

TEST(SortedInput, TakesNoCheckpoints) {
  Sorted s({Order::kSorted});
  s.channels[0].push(CheckpointBarrier{1, 0});
  TaskInput::Item item;
  EXPECT_THROW(s.input->next(item), Error);
}

}  // namespace
}  // namespace flott
