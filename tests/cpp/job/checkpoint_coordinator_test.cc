#include "job/checkpoint_coordinator.h"

#include <gtest/gtest.h>

namespace flott {
namespace {

/// One source vertex of two subtasks (operator 0 and chained 1), one downstream task (operator 2).
CheckpointCoordinator two_sources_and_a_sink() {
  std::vector<CheckpointCoordinator::OperatorInfo> operators{
      {"source", "source", 128, false}, {"map", "map", 128, false}, {"sink", "sink", 128, false}};
  std::vector<CheckpointCoordinator::TaskInfo> tasks{
      {0, 0, 2, true, 0, {1}, {}}, {0, 1, 2, true, 0, {1}, {}}, {1, 0, 1, false, -1, {2}, {0, 1}}};
  return {operators, tasks, "id", "job", 5};
}

TaskSnapshot source_part(const std::string& split) {
  TaskSnapshot out;
  out.input.list_state["splits"] = {split};
  out.links.resize(1);
  return out;
}
TaskSnapshot sink_part(const std::string& text) {
  TaskSnapshot out;
  out.links.resize(1);
  out.links[0].union_state["u"] = {text};
  return out;
}

TEST(CheckpointCoordinator, CollectsEveryPartInItsPlace) {
  auto c = two_sources_and_a_sink();
  const auto trigger = c.begin(1000);
  EXPECT_EQ(trigger.barrier.id, 5);
  EXPECT_EQ(trigger.barrier.timestamp_ms, 1000);
  EXPECT_EQ(trigger.tasks, (std::vector<int>{0, 1}));
  EXPECT_TRUE(c.pending());
  EXPECT_FALSE(c.acknowledge(1, 5, source_part("b")));
  EXPECT_FALSE(c.acknowledge(2, 5, sink_part("s")));
  EXPECT_TRUE(c.acknowledge(0, 5, source_part("a")));
  const CheckpointData data = c.take();
  EXPECT_FALSE(c.pending());
  EXPECT_EQ(data.id, 5);
  ASSERT_EQ(data.operators.size(), 3u);
  EXPECT_EQ(data.operators[0].parallelism, 2);
  EXPECT_EQ(data.operators[0].subtasks[0].list_state.at("splits")[0], "a");
  EXPECT_EQ(data.operators[0].subtasks[1].list_state.at("splits")[0], "b");
  EXPECT_EQ(data.operators[1].subtasks.size(), 2u);
  EXPECT_EQ(data.operators[2].subtasks[0].union_state.at("u")[0], "s");
}

TEST(CheckpointCoordinator, PartsOfACheckpointThatWasGivenUpAreIgnored) {
  auto c = two_sources_and_a_sink();
  c.begin(0);
  c.acknowledge(0, 5, source_part("old"));
  c.abort();
  EXPECT_FALSE(c.pending());
  EXPECT_FALSE(c.acknowledge(1, 5, source_part("old")));
  EXPECT_EQ(c.begin(0).barrier.id, 6);
  EXPECT_FALSE(c.acknowledge(2, 5, sink_part("old")));
  EXPECT_FALSE(c.acknowledge(0, 6, source_part("a")));
  EXPECT_FALSE(c.acknowledge(1, 6, source_part("b")));
  EXPECT_TRUE(c.acknowledge(2, 6, sink_part("new")));
  EXPECT_EQ(c.take().operators[2].subtasks[0].union_state.at("u")[0], "new");
}

TEST(CheckpointCoordinator, AFinishedTaskIsNotAskedAndItsFinalStateServesAgain) {
  auto c = two_sources_and_a_sink();
  EXPECT_FALSE(c.task_finished(0, source_part("end")));
  for (int round = 0; round < 2; ++round) {
    const auto trigger = c.begin(0);
    EXPECT_EQ(trigger.tasks, (std::vector<int>{1}));
    EXPECT_FALSE(c.acknowledge(1, trigger.barrier.id, source_part("b")));
    EXPECT_TRUE(c.acknowledge(2, trigger.barrier.id, sink_part("s")));
    EXPECT_EQ(c.take().operators[0].subtasks[0].list_state.at("splits")[0], "end");
  }
}

TEST(CheckpointCoordinator, TheLastTaskToFinishCompletesThePendingOne) {
  auto c = two_sources_and_a_sink();
  const auto trigger = c.begin(0);
  c.acknowledge(0, trigger.barrier.id, source_part("a"));
  EXPECT_FALSE(c.task_finished(0, source_part("end")));
  EXPECT_FALSE(c.all_finished());
  EXPECT_FALSE(c.task_finished(1, source_part("end")));
  EXPECT_EQ(c.trigger_more().tasks, (std::vector<int>{2})) << "nobody sends it a barrier now";
  EXPECT_TRUE(c.trigger_more().tasks.empty()) << "once";
  EXPECT_TRUE(c.task_finished(2, sink_part("s")));
  EXPECT_TRUE(c.all_finished());
  const CheckpointData data = c.take();
  EXPECT_EQ(data.operators[0].subtasks[0].list_state.at("splits")[0], "a")
      << "what it acknowledged belongs to this checkpoint, not its end";
  EXPECT_EQ(data.operators[0].subtasks[1].list_state.at("splits")[0], "end");
}

TEST(CheckpointCoordinator, NothingIsPendingAtFirst) {
  auto c = two_sources_and_a_sink();
  EXPECT_FALSE(c.pending());
  EXPECT_FALSE(c.task_finished(0, {}));
  EXPECT_FALSE(c.acknowledge(1, 5, {}));
}

}  // namespace
}  // namespace flott
