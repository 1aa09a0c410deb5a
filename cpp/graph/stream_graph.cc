#include "graph/stream_graph.h"

#include "base/error.h"

#include <utility>

namespace flott {

int StreamGraph::add(StreamNode node) {
  const int id = static_cast<int>(nodes_.size());
  if (node.parallelism < 1 || node.parallelism > node.max_parallelism) {
    throw_error(ErrorKind::kInvalidArgument,
                "operator '{}' has parallelism {}; it must be between 1 and its max parallelism {} "
                "(set_parallelism, set_max_parallelism)",
                node.name,
                node.parallelism,
                node.max_parallelism);
  }
  for (const StreamEdge& edge : node.inputs) {
    if (edge.source_node < 0 || edge.source_node >= id) {
      throw_error(ErrorKind::kInvalidArgument,
                  "operator '{}' reads from unknown node {}",
                  node.name,
                  edge.source_node);
    }
    const StreamNode& source = nodes_[static_cast<std::size_t>(edge.source_node)];
    if (edge.partitioner.strategy == PartitionStrategy::kForward &&
        source.parallelism != node.parallelism) {
      throw_error(
          ErrorKind::kInvalidArgument,
          "forward from '{}' (parallelism {}) to '{}' (parallelism {}): forward needs equal "
          "parallelism; use rebalance() or rescale(), or set both alike",
          source.name,
          source.parallelism,
          node.name,
          node.parallelism);
    }
  }
  node.id = id;
  nodes_.push_back(std::move(node));
  return id;
}

}  // namespace flott
