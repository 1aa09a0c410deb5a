#pragma once

#include "bindings/functions/contexts.h"
#include "bindings/functions/emit_results.h"
#include "bindings/functions/function_object.h"
#include "operators/functions.h"
#include "runtime/operator.h"

#include <memory>

namespace flott::bindings {

/// Which methods a process function has.
enum class ProcessKind {
  kOneInput,   ///< process_element
  kTwoInputs,  ///< process_element1, process_element2
  kBroadcast,  ///< process_element, process_broadcast_element (input 1)
};

/// A Python ProcessFunction of any kind as the engine's; `broadcast` for kBroadcast only.
std::unique_ptr<ProcessFunction> make_process_function(const FunctionSpec& spec,
                                                       ProcessKind kind,
                                                       std::shared_ptr<const SideOutputs> sides,
                                                       std::shared_ptr<BroadcastStates> broadcast);

/// Puts the operator's broadcast state into snapshots and restores it when it opens.
std::unique_ptr<Operator> with_broadcast_state(std::unique_ptr<Operator> inner,
                                               std::shared_ptr<BroadcastStates> states);

}  // namespace flott::bindings
