#include "graph/job_graph.h"

#include <algorithm>

namespace flott {
namespace {

bool strategies_allow(const StreamNode& up, const StreamNode& down) {
  return down.chaining == ChainingStrategy::kAlways && up.chaining != ChainingStrategy::kNever &&
         down.inputs.size() == 1 && up.parallelism == down.parallelism &&
         up.slot_sharing_group == down.slot_sharing_group;
}

/// Work that is worth a core of its own and needs no host lock.
bool heavy_native(const StreamNode& node) {
  // A native source decodes without the lock even where its timestamps come from a host function.
  return node.source != nullptr ? !node.source->uses_host()
                                : !node.uses_host && node.granularity == Granularity::kBatch;
}

/// What a vertex already contains.
struct VertexKind {
  bool uses_host = false;
  bool heavy_native = false;
};

bool can_chain(const StreamNode& up,
               const StreamNode& down,
               VertexKind vertex,
               const ChainingOptions& options) {
  if (!options.enabled || !strategies_allow(up, down)) {
    return false;
  }
  if ((vertex.heavy_native && down.uses_host) || (heavy_native(down) && vertex.uses_host)) {
    return false;
  }
  switch (down.inputs[0].partitioner.strategy) {
    case PartitionStrategy::kForward:
      return true;
    case PartitionStrategy::kHash:
      return up.parallelism == 1 && vertex.uses_host && !options.batch_mode;
    default:
      return false;
  }
}

}  // namespace

JobGraph make_job_graph(const StreamGraph& graph, const ChainingOptions& options) {
  JobGraph out;
  struct Place {
    int vertex;
    int index;
  };
  std::vector<Place> places;
  std::vector<VertexKind> kinds;  // by vertex
  for (const StreamNode& node : graph.nodes()) {
    Place place{-1, 0};
    if (!node.inputs.empty()) {
      const StreamEdge& edge = node.inputs[0];
      const StreamNode& up = graph.nodes()[static_cast<std::size_t>(edge.source_node)];
      const Place up_place = places[static_cast<std::size_t>(edge.source_node)];
      JobVertex& vertex = out.vertices[static_cast<std::size_t>(up_place.vertex)];
      VertexKind& kind = kinds[static_cast<std::size_t>(up_place.vertex)];
      if (can_chain(up, node, kind, options)) {
        place = {up_place.vertex, static_cast<int>(vertex.nodes.size())};
        vertex.nodes.push_back({node.id, up_place.index, edge.side});
        vertex.name += " -> " + node.name;
        vertex.uses_host = vertex.uses_host || node.uses_host;
        kind.uses_host = vertex.uses_host;
        kind.heavy_native = kind.heavy_native || heavy_native(node);
      }
    }
    if (place.vertex < 0) {
      place = {static_cast<int>(out.vertices.size()), 0};
      JobVertex vertex;
      vertex.id = place.vertex;
      vertex.name = node.name;
      vertex.parallelism = node.parallelism;
      vertex.uses_host = node.uses_host;
      vertex.nodes.push_back({node.id, -1, -1});
      out.vertices.push_back(std::move(vertex));
      kinds.push_back({node.uses_host, heavy_native(node)});
      for (const StreamEdge& edge : node.inputs) {
        out.edges.push_back({places[static_cast<std::size_t>(edge.source_node)].vertex,
                             edge.source_node,
                             place.vertex,
                             edge});
      }
    }
    places.push_back(place);
  }
  return out;
}

}  // namespace flott
