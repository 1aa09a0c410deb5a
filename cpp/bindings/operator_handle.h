#pragma once

#include "bindings/operator_scope.h"

#include <map>
#include <string>

namespace flott::bindings {

/// A counter of the operator's metric group, for pyflink.metrics.
class PythonCounter {
 public:
  PythonCounter(OperatorScopePtr scope, const std::string& name);
  void inc(std::int64_t by);
  std::int64_t count() const;

 private:
  OperatorScopePtr scope_;
  Counter* counter_;
  std::int64_t last_ = 0;  ///< what count() says after the operator was closed
};

/// What a RuntimeContext delegates to; valid from open() to close() of its function.
class OperatorHandle {
 public:
  explicit OperatorHandle(OperatorScopePtr scope) : scope_(std::move(scope)) {}

  OperatorContext& context() const { return scope_->require("a runtime context"); }
  std::string task_name_with_subtasks() const;
  const JobParameters& job_parameters() const;
  Ref get_state(PyObject* descriptor) const;
  PythonCounter counter(const std::string& name) const { return {scope_, name}; }
  /// `read` is called from whoever looks at the metrics.
  void gauge(const std::string& name, PyObject* read) const;

 private:
  OperatorScopePtr scope_;
};

}  // namespace flott::bindings
