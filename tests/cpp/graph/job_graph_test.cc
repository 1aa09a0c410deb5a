#include "graph/job_graph.h"

#include <gtest/gtest.h>

#include <sstream>

namespace flott {
namespace {

class NoSource final : public Source {
 public:
  explicit NoSource(bool uses_host) : uses_host_(uses_host) {}
  bool uses_host() const override { return uses_host_; }
  Boundedness boundedness() const override { return Boundedness::kBounded; }
  LogicalTypePtr produced_type() const override { return LogicalType::object(); }
  std::vector<SourceSplit> discover_splits(const std::function<bool()>&) override { return {}; }
  std::unique_ptr<SourceReader> create_reader(const SourceReaderContext&) override {
    return nullptr;
  }

 private:
  bool uses_host_;
};

/// A graph in one line, nodes between commas, in order:
///   node  = name { "<" input } { flag }        name "src..." is a source
///   input = name [ ":" strategy ]               forward, or hash, rebalance, rescale, broadcast
///   flag  = "host" | "hostwatermarks" | "batch" | "head" | "never" | "p" parallelism | "group"
///   name
/// Without inputs a node reads the one before it (sources do not).
StreamGraph parse(const std::string& text) {
  static const std::map<std::string, PartitionStrategy> kStrategies{
      {"forward", PartitionStrategy::kForward},
      {"hash", PartitionStrategy::kHash},
      {"rebalance", PartitionStrategy::kRebalance},
      {"rescale", PartitionStrategy::kRescale},
      {"broadcast", PartitionStrategy::kBroadcast},
      {"global", PartitionStrategy::kGlobal}};
  StreamGraph graph;
  std::map<std::string, int> ids;
  std::stringstream parts(text);
  std::string part;
  while (std::getline(parts, part, ',')) {
    std::stringstream words(part);
    StreamNode node;
    std::string word;
    words >> node.name;
    if (node.name.starts_with("src")) {
      node.source = std::make_shared<NoSource>(false);
    }
    while (words >> word) {
      if (word[0] == '<') {
        const std::size_t colon = word.find(':');
        StreamEdge edge;
        edge.source_node = ids.at(word.substr(1, colon == std::string::npos ? colon : colon - 1));
        if (colon != std::string::npos) {
          edge.partitioner.strategy = kStrategies.at(word.substr(colon + 1));
        }
        edge.input = static_cast<int>(node.inputs.size());
        node.inputs.push_back(edge);
      } else if (word == "host") {
        node.uses_host = true;
        if (node.source) {
          node.source = std::make_shared<NoSource>(true);
        }
      } else if (word == "hostwatermarks") {
        node.uses_host = true;
      } else if (word == "batch") {
        node.granularity = Granularity::kBatch;
      } else if (word == "head") {
        node.chaining = ChainingStrategy::kHead;
      } else if (word == "never") {
        node.chaining = ChainingStrategy::kNever;
      } else if (word.starts_with("group")) {
        node.slot_sharing_group = word;
      } else {
        node.parallelism = std::stoi(word.substr(1));
      }
    }
    if (node.inputs.empty() && !node.source) {
      node.inputs.push_back({static_cast<int>(ids.size()) - 1, {}, 0, -1});
    }
    const std::string name = node.name;
    ids[name] = graph.add(std::move(node));
  }
  return graph;
}

struct Case {
  const char* name;
  const char* graph;
  const char* vertices;  ///< names, between bars
  ChainingOptions options = {};
};

class Chaining : public ::testing::TestWithParam<Case> {};

INSTANTIATE_TEST_SUITE_P(
    JobGraph,
    Chaining,
    ::testing::Values(
        Case{"NativeSourceWithHostWatermarks", "src hostwatermarks, map host", "src | map"},
        Case{"HostSource", "src host, map host", "src -> map"},
        // Flink's rules.
        Case{"ForwardIsChained", "src, map, sink", "src -> map -> sink"},
        Case{"Disabled", "src, map, sink", "src | map | sink", {false, false}},
        Case{"Rebalance", "src, map <src:rebalance, sink", "src | map -> sink"},
        Case{"RescaleAtEqualParallelism", "src, map <src:rescale", "src | map"},
        Case{"BroadcastAtOne", "src, map <src:broadcast", "src | map"},
        Case{"OtherParallelism", "src p2, map <src:rebalance p3, sink p3", "src | map -> sink"},
        Case{"NeverStandsAlone", "src, map never, sink", "src | map | sink"},
        Case{"HeadBeginsAChain", "src, map head, sink", "src | map -> sink"},
        Case{"OtherSlotSharingGroup", "src, map groupx, sink groupx", "src | map -> sink"},
        Case{"TwoInputsBeginAChain",
             "src1, src2, join <src1 <src2, sink",
             "src1 | src2 | join -> sink"},
        Case{"FanOutIsOneTask", "src, a <src, b <src", "src -> a -> b"},
        Case{"FanOutBehindAnOperator",
             "src, a, b <a, c <a:rebalance, d <b",
             "src -> a -> b -> d | c"},
        // The host's lock.
        Case{"HostFunctionsShareATask", "src host, map host, sink host", "src -> map -> sink"},
        Case{"NativeSourceBesideHost", "src, map host", "src | map"},
        Case{"NativeSourceBesideHostBehindNative", "src, native, map host", "src -> native | map"},
        Case{"HostSourceWithHost", "src host, map host", "src -> map"},
        Case{"NativeBatchBesideHost", "src host, encode batch, sink batch", "src | encode -> sink"},
        Case{"NativeBatchBehindANativeRow",
             "src host, native, encode batch",
             "src -> native | encode"},
        Case{"NativeRowsStayWithHost", "src host, key_by, map host", "src -> key_by -> map"},
        Case{"NativeOnly", "src, decode batch, sink batch", "src -> decode -> sink"},
        Case{"HostBatchOperatorIsNotNative", "src host, op batch host", "src -> op"},
        Case{"HostBranchBesideNativeBranch",
             "src, native <src, map <src host",
             "src -> native | map"},
        // Hash edges.
        Case{"HashOfHostAtOne",
             "src host, key_by host, reduce <key_by:hash host",
             "src -> key_by -> reduce"},
        Case{"HashOfHostAtTwo", "src host p2, reduce <src:hash host p2", "src | reduce"},
        Case{"HashOfNativeAtOne", "src, key_by, reduce <key_by:hash", "src -> key_by | reduce"},
        Case{"HashInBatchMode", "src host, reduce <src:hash host", "src | reduce", {true, true}},
        Case{"HashChainingDisabled",
             "src host, reduce <src:hash host",
             "src | reduce",
             {false, false}},
        Case{"HashOneToTwo", "src host, reduce <src:hash host p2", "src | reduce"},
        Case{"GlobalAtOne", "src host, map <src:global host", "src | map"}),
    [](const auto& test) { return test.param.name; });

TEST_P(Chaining, Table) {
  const StreamGraph graph = parse(GetParam().graph);
  const JobGraph job = make_job_graph(graph, GetParam().options);
  std::string vertices;
  std::size_t nodes = 0;
  for (const JobVertex& vertex : job.vertices) {
    vertices += (vertices.empty() ? "" : " | ") + vertex.name;
    nodes += vertex.nodes.size();
    EXPECT_EQ(vertex.nodes[0].parent, -1);
    for (std::size_t i = 0; i < vertex.nodes.size(); ++i) {
      const StreamNode& node = graph.nodes()[static_cast<std::size_t>(vertex.nodes[i].node)];
      EXPECT_EQ(node.parallelism, vertex.parallelism);
      EXPECT_TRUE(vertex.uses_host || !node.uses_host);
      if (i > 0) {
        const int parent = vertex.nodes[i].parent;
        ASSERT_GE(parent, 0);
        ASSERT_LT(parent, static_cast<int>(i));
        EXPECT_EQ(vertex.nodes[static_cast<std::size_t>(parent)].node, node.inputs[0].source_node);
      }
    }
  }
  EXPECT_EQ(vertices, GetParam().vertices);
  EXPECT_EQ(nodes, graph.nodes().size());
  // Every input is either inside a vertex or an edge between two.
  std::size_t inputs = 0;
  for (const StreamNode& node : graph.nodes()) {
    inputs += node.inputs.size();
  }
  EXPECT_EQ(job.edges.size() + nodes - job.vertices.size(), inputs);
  for (const JobEdge& edge : job.edges) {
    EXPECT_LT(edge.source_vertex, edge.target_vertex);
    EXPECT_EQ(edge.source_node, edge.edge.source_node);
  }
}

TEST(JobGraph, SideOutputsKeepTheirNumberInAChain) {
  StreamGraph graph = parse("src host, map host");
  StreamNode late;
  late.name = "late";
  late.uses_host = true;
  late.inputs.push_back({1, {}, 0, 4});
  graph.add(std::move(late));
  const JobGraph job = make_job_graph(graph, {});
  ASSERT_EQ(job.vertices.size(), 1u);
  EXPECT_EQ(job.vertices[0].nodes[2].parent, 1);
  EXPECT_EQ(job.vertices[0].nodes[2].side, 4);
}

}  // namespace
}  // namespace flott
