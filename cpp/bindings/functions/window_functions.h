#pragma once

#include "bindings/functions/emit_results.h"
#include "bindings/functions/function_object.h"
#include "operators/functions.h"
#include "windows/assigner.h"
#include "windows/trigger.h"

#include <memory>

namespace flott::bindings {

/// Which method of a Python window function is called with what.
struct WindowCall {
  bool apply = false;    ///< apply([key,] window, inputs), else process([key,] context, elements)
  bool all = false;      ///< window_all: no key
  bool merging = false;  ///< the assigner merges windows: no per-window state
};
std::unique_ptr<WindowFunction> make_window_function(const FunctionSpec& spec,
                                                     WindowCall how,
                                                     std::shared_ptr<const SideOutputs> sides);

/// Custom assigner, trigger and evictor over Python objects. `scope` is set by the operator they
/// belong to (with_operator_scope), for runtime context and metrics.
std::unique_ptr<WindowAssigner> make_python_window_assigner(PyObject* assigner,
                                                            OperatorScopePtr scope);
std::unique_ptr<Trigger> make_python_trigger(PyObject* trigger, OperatorScopePtr scope);
std::unique_ptr<Evictor> make_python_evictor(PyObject* evictor);

/// Opens and closes `scope` with the operator.
std::unique_ptr<Operator> with_operator_scope(std::unique_ptr<Operator> inner,
                                              OperatorScopePtr scope);

}  // namespace flott::bindings
