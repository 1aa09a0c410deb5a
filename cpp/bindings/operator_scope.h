#pragma once

#include "bindings/python_ref.h"
#include "runtime/operator.h"
#include "state/state.h"

#include <map>
#include <memory>
#include <string>

namespace flott::bindings {

/// pipeline.global-job-parameters; filled when the job starts, read by its functions.
using JobParameters = std::map<std::string, std::string>;

/// What the Python objects given to one function (runtime context, state, metrics) share: they may
/// outlive the operator, so each looks here first. Task's thread with the GIL held.
struct OperatorScope {
  OperatorContext* context = nullptr;  ///< null before open() and after close()
  std::shared_ptr<const JobParameters> job_parameters;

  /// Throws kInvalidArgument outside open() .. close().
  OperatorContext& require(const char* what) const;
};
using OperatorScopePtr = std::shared_ptr<OperatorScope>;

/// `pyflink.datastream.functions.StreamingRuntimeContext(OperatorHandle)`.
Ref make_runtime_context(const OperatorScopePtr& scope);

}  // namespace flott::bindings
