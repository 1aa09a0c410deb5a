#include "bindings/io/connector_nodes.h"

#include "base/error.h"
#include "operators/convert_operator.h"

#include <utility>

namespace flott::bindings {

LogicalTypePtr input_type_of(const StreamGraph& graph, const StreamNode& node) {
  const StreamEdge& edge = node.inputs.front();
  return edge.side >= 0 ? LogicalType::object()
                        : graph.nodes()[static_cast<std::size_t>(edge.source_node)].output_type;
}

void convert_input_to(StreamGraph& graph, StreamNode& node, const LogicalTypePtr& type) {
  for (StreamEdge& edge : node.inputs) {
    const StreamNode& from = graph.nodes()[static_cast<std::size_t>(edge.source_node)];
    const LogicalTypePtr from_type = edge.side >= 0 ? LogicalType::object() : from.output_type;
    // What a Python function returns stays a host object, also in a stream of a native type.
    const bool may_carry_objects = from.uses_host && type->is_native();
    if (*from_type == *type && !may_carry_objects) {
      continue;
    }
    StreamNode conversion;
    conversion.name = "Convert";
    conversion.parallelism = node.parallelism;
    conversion.max_parallelism = node.max_parallelism;
    conversion.output_type = type;
    conversion.uses_host = from.uses_host || !from_type->is_native() || !type->is_native();
    conversion.make_operator = [type, from_type](int) {
      return make_convert_operator(type, from_type);
    };
    // The edge keeps its partitioner; what follows the conversion stays in the subtask.
    StreamEdge in = edge;
    in.input = 0;
    conversion.inputs.push_back(std::move(in));
    edge = StreamEdge{};
    edge.source_node = graph.add(std::move(conversion));
  }
}

}  // namespace flott::bindings
