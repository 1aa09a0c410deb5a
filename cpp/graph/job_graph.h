#pragma once

#include "graph/stream_graph.h"

#include <string>
#include <vector>

namespace flott {

/// Operators that run in one task, in topological order; node 0 of a source vertex is the source.
struct JobVertex {
  int id = 0;
  std::string name;
  int parallelism = 1;
  bool uses_host = false;
  struct ChainedNode {
    int node = 0;     ///< in the stream graph
    int parent = -1;  ///< index in `nodes`; -1: fed by the vertex's input
    SideOutputId side = -1;
  };
  std::vector<ChainedNode> nodes;
};

/// A connection between two vertices.
struct JobEdge {
  int source_vertex = 0;
  int source_node = 0;  ///< stream node that emits
  int target_vertex = 0;
  StreamEdge edge;
};

/// The stream graph after chaining: what is deployed.
struct JobGraph {
  std::vector<JobVertex> vertices;  ///< in topological order
  std::vector<JobEdge> edges;
};

struct ChainingOptions {
  bool enabled = true;
  bool batch_mode = false;
};

/// Chains with Flink's rules (forward edge, equal parallelism, one input, strategies and slot
/// sharing groups allow it), and two of our own, both about the host's lock:
/// - a native source or a native batch operator does not share a task with host functions, so that
/// decoding and
///   encoding run beside them on another core;
/// - a hash edge between two subtasks of parallelism 1 is chained when the upstream task runs host
/// functions anyway:
///   there is nothing to redistribute and nothing to win by a second thread.
JobGraph make_job_graph(const StreamGraph& graph, const ChainingOptions& options);

}  // namespace flott
