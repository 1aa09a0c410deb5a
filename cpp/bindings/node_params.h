#pragma once

#include "bindings/functions/emit_results.h"
#include "bindings/graph.h"
#include "connectors/options.h"

#include <map>
#include <memory>
#include <string>

namespace flott::bindings {

/// Typed access to the `params` of StreamGraph.add(); every error names node and parameter.
class NodeParams {
 public:
  NodeParams(PyObject* params, std::string node_name)
      : params_(params), node_name_(std::move(node_name)) {}

  /// Borrowed; null when absent or None.
  PyObject* find(const char* name) const;
  PyObject* get(const char* name) const;
  std::string text(const char* name) const;
  std::string text(const char* name, const std::string& default_value) const;
  std::int64_t integer(const char* name, std::int64_t default_value) const;
  bool boolean(const char* name, bool default_value) const;
  /// Null when absent or None.
  LogicalTypePtr type(const char* name) const;
  /// dict[str, str]; numbers and booleans are written as Flink does (`true`).
  Options options(const char* name) const;
  /// `tags`: tag id -> side number, or -> (side number, LogicalType | None).
  std::shared_ptr<const SideOutputs> tags() const;
  const std::string& node_name() const { return node_name_; }

 private:
  PyObject* params_;
  std::string node_name_;
};

}  // namespace flott::bindings
