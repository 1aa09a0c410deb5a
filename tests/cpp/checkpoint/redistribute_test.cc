#include "base/error.h"
#include "checkpoint/snapshot.h"

#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace flott {
namespace {

using Entries = std::vector<std::string>;

OperatorCheckpoint make_operator(int parallelism) {
  OperatorCheckpoint op;
  op.uid = "uid-1";
  op.name = "count";
  op.parallelism = parallelism;
  op.max_parallelism = 128;
  op.subtasks.resize(static_cast<std::size_t>(parallelism));
  for (KeyGroup group = 0; group < 128; ++group) {
    auto& subtask = op.subtasks[static_cast<std::size_t>(subtask_of(group, 128, parallelism))];
    subtask.keyed_state[group] = "k" + std::to_string(group);
    subtask.timers[group] = "t" + std::to_string(group);
  }
  return op;
}

TEST(Redistribute, EachKeyGroupGoesToExactlyOneSubtask) {
  for (const int before : {1, 3, 7}) {
    const OperatorCheckpoint op = make_operator(before);
    for (const int after : {1, 2, 3, 5, 128}) {
      std::map<KeyGroup, int> seen;
      for (int subtask = 0; subtask < after; ++subtask) {
        const OperatorSnapshot part = redistribute(op, subtask, after, 128);
        EXPECT_EQ(part.keyed_state.size(), part.timers.size());
        for (const auto& [group, frame] : part.keyed_state) {
          EXPECT_EQ(frame, "k" + std::to_string(group));
          EXPECT_EQ(part.timers.at(group), "t" + std::to_string(group));
          EXPECT_EQ(subtask_of(group, 128, after), subtask);
          ++seen[group];
        }
      }
      EXPECT_EQ(seen.size(), 128u);
      for (const auto& [group, times] : seen) {
        EXPECT_EQ(times, 1);
      }
    }
  }
}

TEST(Redistribute, TimersThatWereNeverWrittenArePutTogether) {
  OperatorCheckpoint op = make_operator(3);
  for (OperatorSnapshot& subtask : op.subtasks) {
    subtask.keyed_state.clear();
    subtask.deferred_timers = std::make_shared<DeferredFrames>(
        0, [frames = std::exchange(subtask.timers, {})] { return frames; });
  }
  const OperatorSnapshot part = redistribute(op, 1, 2, 128);
  EXPECT_EQ(part.timers.size(), 64u);
  EXPECT_EQ(part.timers.at(64), "t64");
  EXPECT_EQ(part.deferred_timers, nullptr);
  EXPECT_THROW(redistribute(op, 0, 1, 64), Error) << "they are of key groups";
}

TEST(Redistribute, ListStateIsSplitEvenlyInOrder) {
  OperatorCheckpoint op = make_operator(2);
  op.subtasks[0].list_state["splits"] = {"a", "b", "c"};
  op.subtasks[1].list_state["splits"] = {"d", "e"};
  const auto share = [&](int subtask, int parallelism) {
    const auto part = redistribute(op, subtask, parallelism, 128);
    const auto it = part.list_state.find("splits");
    return it == part.list_state.end() ? Entries{} : it->second;
  };
  EXPECT_EQ(share(0, 1), (Entries{"a", "b", "c", "d", "e"}));
  EXPECT_EQ(share(0, 2), (Entries{"a", "b", "c"})) << "unchanged parallelism: each its own";
  EXPECT_EQ(share(1, 2), (Entries{"d", "e"}));
  EXPECT_EQ(share(0, 3), (Entries{"a", "b"}));
  EXPECT_EQ(share(1, 3), (Entries{"c", "d"}));
  EXPECT_EQ(share(2, 3), (Entries{"e"}));
  EXPECT_EQ(share(4, 7), (Entries{"e"}));
  EXPECT_EQ(share(5, 7), Entries{});
}

TEST(Redistribute, OddEntriesOfSeveralNamesDoNotPileUpOnOneSubtask) {
  OperatorCheckpoint op = make_operator(1);
  for (const char* name : {"a", "b", "c", "d"}) {
    op.subtasks[0].list_state[name] = {std::string(name) + "1"};
  }
  for (int subtask = 0; subtask < 4; ++subtask) {
    const auto part = redistribute(op, subtask, 4, 128);
    ASSERT_EQ(part.list_state.size(), 1u);
    EXPECT_EQ(part.list_state.begin()->second.size(), 1u);
  }
}

TEST(Redistribute, UnionAndBroadcastStateGoToAll) {
  OperatorCheckpoint op = make_operator(2);
  op.subtasks[0].union_state["u"] = {"a"};
  op.subtasks[1].union_state["u"] = {"b", "c"};
  op.subtasks[0].broadcast_state["rules"] = "r";
  op.subtasks[1].broadcast_state["rules"] = "r";
  for (const int parallelism : {1, 2, 3}) {
    for (int subtask = 0; subtask < parallelism; ++subtask) {
      const auto part = redistribute(op, subtask, parallelism, 128);
      EXPECT_EQ(part.union_state.at("u"), (Entries{"a", "b", "c"}));
      EXPECT_EQ(part.broadcast_state.at("rules"), "r");
    }
  }
}

TEST(Redistribute, AnotherMaximumParallelismIsRefusedWithBothNumbers) {
  const OperatorCheckpoint op = make_operator(2);
  try {
    redistribute(op, 0, 2, 256);
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kInvalidArgument);
    const std::string message = error.what();
    for (const char* part : {"'count'", "uid-1", "128", "256"}) {
      EXPECT_NE(message.find(part), std::string::npos) << message;
    }
  }
}

TEST(Redistribute, AnotherMaximumParallelismIsFineWhereNothingIsStoredByKeyGroup) {
  OperatorCheckpoint op = make_operator(2);
  for (OperatorSnapshot& subtask : op.subtasks) {
    subtask.keyed_state.clear();
    subtask.timers.clear();
    subtask.list_state["splits"] = {"a", "b"};
  }
  EXPECT_EQ(redistribute(op, 0, 1, 64).list_state.at("splits").size(), 4u);
  op.subtasks[1].timers[3] = "t";
  EXPECT_THROW(redistribute(op, 0, 1, 64), Error);
}

TEST(Redistribute, AShareIsMovedOutOfTheCheckpointWithItsFrames) {
  const OperatorCheckpoint op = make_operator(2);
  for (const int parallelism : {1, 3}) {
    OperatorCheckpoint from = op;
    for (int subtask = 0; subtask < parallelism; ++subtask) {
      const OperatorSnapshot wanted = redistribute(op, subtask, parallelism, 128);
      const OperatorSnapshot taken = take_share(from, subtask, parallelism, 128);
      EXPECT_FALSE(taken.keyed_state.empty());
      EXPECT_EQ(taken.keyed_state, wanted.keyed_state);
      EXPECT_EQ(taken.timers, wanted.timers);
      EXPECT_EQ(taken.list_state, wanted.list_state);
      EXPECT_EQ(taken.union_state, wanted.union_state);
    }
    for (const OperatorSnapshot& left : from.subtasks) {
      EXPECT_TRUE(left.keyed_state.empty());
      EXPECT_TRUE(left.timers.empty());
    }
  }
  OperatorCheckpoint twice = op;
  twice.subtasks[1].keyed_state[0] = "again";
  EXPECT_THROW(take_share(twice, 0, 1, 128), Error);
}

TEST(Redistribute, MissingSubtasksAndDoubleKeyGroupsAreRefused) {
  OperatorCheckpoint missing = make_operator(2);
  missing.subtasks.pop_back();
  EXPECT_THROW(redistribute(missing, 0, 1, 128), Error);
  OperatorCheckpoint twice = make_operator(2);
  twice.subtasks[1].keyed_state[0] = "again";
  EXPECT_THROW(redistribute(twice, 0, 1, 128), Error);
}

}  // namespace
}  // namespace flott
