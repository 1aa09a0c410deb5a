#include "runtime/mailbox.h"

#include <gtest/gtest.h>

#include <thread>

namespace flott {
namespace {

TEST(Mailbox, RunsLettersInOrder) {
  TaskSignal signal;
  Mailbox mailbox(signal);
  std::string read;
  EXPECT_FALSE(mailbox.has_letters());
  EXPECT_TRUE(mailbox.post([&] { read += "a"; }));
  EXPECT_TRUE(mailbox.post([&] { read += "b"; }));
  EXPECT_TRUE(mailbox.has_letters());
  EXPECT_EQ(read, "");
  mailbox.drain();
  EXPECT_EQ(read, "ab");
  EXPECT_FALSE(mailbox.has_letters());
  mailbox.drain();
  EXPECT_EQ(read, "ab");
}

TEST(Mailbox, ALetterMayPostAnother) {
  TaskSignal signal;
  Mailbox mailbox(signal);
  int read = 0;
  mailbox.post([&] { mailbox.post([&] { ++read; }); });
  mailbox.drain();
  EXPECT_EQ(read, 0);
  EXPECT_TRUE(mailbox.has_letters());
  mailbox.drain();
  EXPECT_EQ(read, 1);
}

TEST(Mailbox, ClosedItTakesNothing) {
  TaskSignal signal;
  Mailbox mailbox(signal);
  auto kept = std::make_shared<int>(0);
  mailbox.post([kept] { ++*kept; });
  mailbox.close();
  EXPECT_EQ(kept.use_count(), 1) << "what the unread letter held is free";
  EXPECT_FALSE(mailbox.post([kept] { ++*kept; }));
  mailbox.drain();
  EXPECT_EQ(*kept, 0);
}

TEST(Mailbox, LettersFromManyThreadsWakeTheReader) {
  TaskSignal signal;
  Mailbox mailbox(signal);
  int read = 0;
  std::vector<std::thread> writers;
  for (int i = 0; i < 4; ++i) {
    writers.emplace_back([&] {
      for (int n = 0; n < 1'000; ++n) {
        mailbox.post([&] { ++read; });
      }
    });
  }
  while (read < 4'000) {
    signal.wait_for(std::chrono::seconds(10));
    mailbox.drain();
  }
  for (std::thread& writer : writers) {
    writer.join();
  }
}

}  // namespace
}  // namespace flott
