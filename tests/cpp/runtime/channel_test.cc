#include "runtime/channel.h"

#include "runtime_support.h"

#include <gtest/gtest.h>

#include <thread>

namespace flott {
namespace {

TEST(Channel, GivesElementsInOrder) {
  Channels c(1);
  EXPECT_TRUE(c[0].empty());
  EXPECT_FALSE(c[0].poll());
  c[0].push(ints({1, 2}));
  c[0].push(Watermark{7});
  c[0].push(WatermarkStatus::kIdle);
  c[0].push(CheckpointBarrier{3, 0});
  c[0].push(EndOfInput{});
  EXPECT_FALSE(c[0].empty());
  EXPECT_EQ(drain(c[0]), "1 2 | watermark 7 | idle | barrier 3 | end");
  EXPECT_TRUE(c[0].empty());
  EXPECT_EQ(c[0].size_bytes(), 0u);
}

TEST(Channel, TheLimitIsSoftAndInBytes) {
  Channels c(1, 200);
  const BatchPtr batch = ints(std::vector<std::int64_t>(100, 1));
  ASSERT_GT(batch->size_bytes(), 200u);
  EXPECT_TRUE(c[0].has_room());
  c[0].push(batch);
  EXPECT_FALSE(c[0].has_room());
  c[0].push(batch);  // never refused, or a large batch would dead-lock
  EXPECT_GE(c[0].size_bytes(), 2 * batch->size_bytes());
  c[0].poll();
  EXPECT_FALSE(c[0].has_room());
  c[0].poll();
  EXPECT_TRUE(c[0].has_room());
}

TEST(Channel, ControlElementsCountToo) {
  Channels c(1, 256);
  for (int i = 0; i < 4; ++i) {
    c[0].push(Watermark{i});
  }
  EXPECT_FALSE(c[0].has_room()) << "watermarks alone must not grow without bound";
}

TEST(Channel, ClosedItDropsEverythingAndHasRoom) {
  Channels c(1, 100);
  c[0].push(ints(std::vector<std::int64_t>(100, 1)));
  EXPECT_FALSE(c[0].has_room());
  c[0].close();
  EXPECT_TRUE(c[0].has_room());
  EXPECT_TRUE(c[0].empty());
  c[0].push(ints({1}));
  EXPECT_FALSE(c[0].poll());
  EXPECT_EQ(c[0].size_bytes(), 0u);
}

TEST(Channel, HandsOverBetweenTwoThreads) {
  constexpr std::int64_t kCount = 20'000;
  TaskSignal producer;
  TaskSignal consumer;
  Channel channel(2'000, producer, consumer);
  std::thread writer([&] {
    for (std::int64_t i = 0; i < kCount; ++i) {
      while (!channel.has_room()) {
        producer.wait_for(std::chrono::seconds(10));
      }
      channel.push(ints({i}));
    }
    channel.push(EndOfInput{});
  });
  std::int64_t next = 0;
  bool ended = false;
  while (!ended) {
    std::optional<Element> element = channel.poll();
    if (!element) {
      consumer.wait_for(std::chrono::seconds(10));
      continue;
    }
    if (const auto* batch = std::get_if<BatchPtr>(&*element)) {
      ASSERT_EQ((*batch)->value_at(0).as_int(), next++);
    } else {
      ended = true;
    }
    EXPECT_LT(channel.size_bytes(), 2'500u);
  }
  writer.join();
  EXPECT_EQ(next, kCount);
}

TEST(Channel, CloseFreesAProducerThatWaits) {
  TaskSignal producer;
  TaskSignal consumer;
  Channel channel(10, producer, consumer);
  channel.push(ints({1}));
  std::thread writer([&] {
    while (!channel.has_room()) {
      producer.wait_for(std::chrono::seconds(10));
    }
  });
  channel.close();
  writer.join();
}

TEST(TaskSignal, ANotificationBeforeTheWaitIsKept) {
  TaskSignal signal;
  signal.notify();
  signal.notify();
  const auto before = std::chrono::steady_clock::now();
  signal.wait_for(std::chrono::seconds(20));
  EXPECT_LT(std::chrono::steady_clock::now() - before, std::chrono::seconds(10));
  signal.wait_for(std::chrono::nanoseconds(1));  // only one was kept
}

}  // namespace
}  // namespace flott
