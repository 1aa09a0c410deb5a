#pragma once

#include "connectors/source.h"
#include "connectors/source_input.h"
#include "operators/functions.h"
#include "runtime/operator.h"
#include "runtime/partitioner.h"
#include "types/logical_type.h"

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace flott {

struct StreamEdge {
  int source_node = 0;
  PartitionerSpec partitioner;
  int input = 0;  ///< which input of the target: 0, or 1 for the second stream of a connect
  SideOutputId side = -1;  ///< -1: main output
};

enum class ChainingStrategy { kAlways, kHead, kNever };

/// One operator before chaining. Exactly one of `source` and `make_operator` is set.
struct StreamNode {
  int id = 0;
  std::string name;
  std::string uid;  ///< the user's, or empty
  int parallelism = 1;
  int max_parallelism = kDefaultMaxParallelism;
  /// What its functions are told; 0: the same.
  int shown_max_parallelism = 0;
  ChainingStrategy chaining = ChainingStrategy::kAlways;
  std::string slot_sharing_group = "default";
  LogicalTypePtr output_type = LogicalType::object();
  /// Runs on a keyed stream: gets keyed state and timers.
  bool keyed = false;
  bool uses_host = false;  ///< any host-language function inside
  Granularity granularity = Granularity::kRow;
  /// BATCH: this input is read to its end before the others (a broadcast stream with state); -1:
  /// none.
  int first_input = -1;
  std::shared_ptr<Source> source;
  WatermarkStrategy watermarks;  ///< sources only
  OperatorFactory make_operator;
  std::vector<StreamEdge> inputs;
};

/// The graph as the API built it. Not thread-safe; immutable once a job was made of it.
class StreamGraph {
 public:
  /// Returns the node's id. Throws kInvalidArgument: an unknown input, forward with unequal
  /// parallelism, parallelism < 1 or > max parallelism.
  int add(StreamNode node);
  const std::vector<StreamNode>& nodes() const { return nodes_; }
  StreamNode& node(int id) { return nodes_[static_cast<std::size_t>(id)]; }

 private:
  std::vector<StreamNode> nodes_;
};

}  // namespace flott
