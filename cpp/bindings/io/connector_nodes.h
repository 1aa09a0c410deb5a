#pragma once

#include "bindings/graph.h"
#include "bindings/node_params.h"
#include "graph/stream_graph.h"

#include <memory>
#include <string>

namespace flott::bindings {

/// Type of the main stream that a node takes (its first edge); opaque for a side output.
LogicalTypePtr input_type_of(const StreamGraph& graph, const StreamNode& node);

/// Puts a conversion in front of each input of `node` whose type is not `type`.
void convert_input_to(StreamGraph& graph, StreamNode& node, const LogicalTypePtr& type);

/// A node that prepares records for a connector: `json_encode`, `kafka_serializer`,
/// `elasticsearch_emitter`.
struct ConnectorNode {
  LogicalTypePtr output_type;
  Granularity granularity = Granularity::kRow;
  bool uses_host = true;
  OperatorFactory make_operator;
};
/// May put nodes in front of `draft`, by changing its inputs.
ConnectorNode make_connector_node(const std::string& kind,
                                  const NodeParams& params,
                                  const NodeRequest& request,
                                  StreamGraph& graph,
                                  StreamNode& draft);

}  // namespace flott::bindings
