#pragma once

#include "bindings/operator_scope.h"
#include "bindings/python_ref.h"
#include "types/logical_type.h"

#include <memory>

namespace flott::bindings {

struct PythonStateDescriptor;
struct CollectState;
struct EdgeSpec;
struct Script;
struct CaptureLog;
class OperatorProbe;

/// The C++ objects inside instances of the module's pybind11 classes; module.cc, the only file that
/// includes pybind11, implements these, so that all others compile fast.

/// Null for any other object.
const PythonStateDescriptor* state_descriptor_or_null(PyObject* object);
std::shared_ptr<CollectState> collect_state_or_null(PyObject* object);
const EdgeSpec* edge_or_null(PyObject* object);
std::shared_ptr<Script> script_or_null(PyObject* object);
std::shared_ptr<CaptureLog> capture_log_or_null(PyObject* object);
std::shared_ptr<OperatorProbe> operator_probe_or_null(PyObject* object);

/// The type of a _native.LogicalType; null for None; throws kInvalidArgument naming `what`.
LogicalTypePtr logical_type_of(PyObject* object, const char* what);

/// A new _native.OperatorHandle.
Ref make_operator_handle(const OperatorScopePtr& scope);

}  // namespace flott::bindings
