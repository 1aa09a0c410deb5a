#include "graph/stream_graph.h"

#include "base/error.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace flott {
namespace {

StreamNode node(const std::string& name,
                int parallelism,
                std::vector<int> inputs = {},
                PartitionStrategy strategy = PartitionStrategy::kForward) {
  StreamNode out;
  out.name = name;
  out.parallelism = parallelism;
  for (const int input : inputs) {
    StreamEdge edge;
    edge.source_node = input;
    edge.partitioner.strategy = strategy;
    out.inputs.push_back(edge);
  }
  return out;
}

std::string refusal(StreamGraph& graph, StreamNode bad) {
  try {
    graph.add(std::move(bad));
  } catch (const Error& e) {
    EXPECT_EQ(e.kind(), ErrorKind::kInvalidArgument);
    return e.what();
  }
  return "accepted";
}

TEST(StreamGraph, NumbersItsNodes) {
  StreamGraph graph;
  EXPECT_EQ(graph.add(node("a", 1)), 0);
  EXPECT_EQ(graph.add(node("b", 1, {0})), 1);
  EXPECT_EQ(graph.nodes()[1].id, 1);
  EXPECT_EQ(graph.node(1).inputs[0].source_node, 0);
}

TEST(StreamGraph, RefusesWhatCannotRun) {
  StreamGraph graph;
  graph.add(node("a", 2));
  using ::testing::HasSubstr;
  EXPECT_THAT(refusal(graph, node("zero", 0)), HasSubstr("'zero' has parallelism 0"));
  EXPECT_THAT(refusal(graph, node("much", 129)), HasSubstr("max parallelism 128"));
  EXPECT_THAT(refusal(graph, node("lost", 1, {5})), HasSubstr("unknown node 5"));
  EXPECT_THAT(refusal(graph, node("self", 1, {1})), HasSubstr("unknown node 1"));
  EXPECT_THAT(refusal(graph, node("b", 3, {0})),
              HasSubstr("forward from 'a' (parallelism 2) to 'b' (parallelism 3)"));
  EXPECT_EQ(graph.nodes().size(), 1u) << "what was refused is not in the graph";
  EXPECT_EQ(refusal(graph, node("b", 3, {0}, PartitionStrategy::kRebalance)), "accepted");
  EXPECT_EQ(refusal(graph, node("c", 128)), "accepted");
}

}  // namespace
}  // namespace flott
