#include "bindings/operator_scope.h"

#include "base/error.h"
#include "bindings/native_types.h"

namespace flott::bindings {

OperatorContext& OperatorScope::require(const char* what) const {
  if (context == nullptr) {
    throw_error(ErrorKind::kInvalidArgument,
                "{} was used outside of open() .. close() of its function",
                what);
  }
  return *context;
}

Ref make_runtime_context(const OperatorScopePtr& scope) {
  const Ref make = import_attribute("pyflink.datastream.functions", "StreamingRuntimeContext");
  const Ref handle = make_operator_handle(scope);
  return call(make.get(), handle.get());
}

}  // namespace flott::bindings
