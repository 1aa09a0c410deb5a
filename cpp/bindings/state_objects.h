#pragma once

#include "bindings/operator_scope.h"
#include "bindings/python_ref.h"
#include "state/keyed_state_backend.h"
#include "types/window.h"

namespace flott::bindings {

/// What a Python state descriptor says; the argument of every get_state() of a runtime context,
/// window context or trigger context. Python sees it as _native.StateDescriptor.
struct PythonStateDescriptor {
  StateDescriptor native;
};

/// The engine's descriptor of a _native.StateDescriptor, or of a Python descriptor with
/// `_native()`.
StateDescriptor descriptor_of(PyObject* descriptor);

/// Makes the ValueState / ListState / MapState / AppendingState object of `descriptor`. With a
/// `window`, every access means the state of that window; else the void namespace, which is set at
/// each access only if `shared` says that windows use the same backend.
enum class StateSharing { kAlone, kWithWindows };
Ref make_state_object(KeyedStateBackend& backend,
                      const OperatorScopePtr& scope,
                      const StateDescriptor& descriptor,
                      const Window& window,
                      StateSharing sharing);

/// Adds the state types to the module.
void add_state_types(PyObject* module);

}  // namespace flott::bindings
