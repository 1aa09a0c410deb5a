#pragma once

#include "bindings/functions/function_object.h"
#include "bindings/io/collect_sink.h"
#include "bindings/python_ref.h"
#include "graph/stream_graph.h"
#include "job/job.h"

#include <map>
#include <memory>
#include <string>
#include <vector>

namespace flott::bindings {

/// The number of a node's main output among its side outputs.
inline constexpr SideOutputId kMainOutput = -1;

/// A _native.Edge: where a node's input comes from.
struct EdgeSpec {
  int node = 0;
  PartitionStrategy strategy = PartitionStrategy::kForward;
  int input = 0;
  SideOutputId side = kMainOutput;
  Handle partitioner;   ///< kCustom
  Handle key_selector;  ///< kCustom; may be null
};
using EdgeSpecPtr = std::shared_ptr<const EdgeSpec>;

/// Throws kInvalidArgument for an unknown partitioner, or "custom" without one.
EdgeSpecPtr make_edge(int node,
                      const std::string& partitioner,
                      int input,
                      int side,
                      PyObject* custom,
                      PyObject* key_selector);

/// What StreamGraph.add() was given, but for `kind`.
struct NodeRequest {
  std::string name;
  std::vector<EdgeSpecPtr> inputs;
  int parallelism = 1;
  int max_parallelism = kDefaultMaxParallelism;
  int shown_max_parallelism = 0;  ///< 0: the same
  std::string uid;
  std::string chaining = "always";
  bool keyed = false;
  LogicalTypePtr output_type;  ///< null: opaque
  Handle params;               ///< a dict
};

/// A _native.StreamGraph. Main program's thread, GIL held. Throws kInvalidArgument / TypeError for
/// what cannot run, so that the error appears at the user's line.
class GraphBuilder {
 public:
  int add(const std::string& kind, NodeRequest request);
  const StreamGraph& graph() const { return graph_; }
  /// The queues of its collect sinks.
  const std::vector<std::shared_ptr<CollectState>>& collected() const { return collected_; }
  /// The job's parameters, which its functions read; set by start().
  const std::shared_ptr<JobParameters>& job_parameters() const { return job_parameters_; }

 private:
  StreamGraph graph_;
  /// By node and side output (kMainOutput): whether its results leave Python's functions.
  std::map<std::pair<int, SideOutputId>, std::shared_ptr<bool>> leaves_python_;
  std::vector<std::shared_ptr<CollectState>> collected_;
  std::shared_ptr<JobParameters> job_parameters_ = std::make_shared<JobParameters>();
};

}  // namespace flott::bindings
