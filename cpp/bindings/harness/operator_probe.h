#pragma once

#include "bindings/functions/contexts.h"
#include "bindings/operator_scope.h"
#include "bindings/python_ref.h"
#include "runtime/operator.h"

#include <memory>
#include <string>
#include <vector>

namespace flott::bindings {

/// A test's view into one operator: state and timers of all its subtasks. A _native.OperatorProbe.
/// Only for jobs that run on the caller's thread (StepJob): nothing here is locked.
class OperatorProbe {
 public:
  std::size_t timers(bool event_time) const;
  /// Number of (state, key, window) that hold something.
  std::size_t state_entries() const;
  /// A list of (key, content) of every key that has the state; the content of value, reducing and
  /// aggregating state is its value, of list state a list, of map state a dict. `window` may be
  /// None. None when no subtask has declared the name.
  Ref state(const std::string& name, PyObject* window) const;
  /// A copy of the broadcast state's dict, None when there is none of that name.
  Ref broadcast_state(const std::string& name) const;

  void watch(OperatorScopePtr scope) { scopes_.push_back(std::move(scope)); }
  void watch_broadcast(std::shared_ptr<BroadcastStates> states) {
    broadcasts_.push_back(std::move(states));
  }

 private:
  std::vector<OperatorScopePtr> scopes_;  ///< without context once their operator has closed
  std::vector<std::shared_ptr<BroadcastStates>> broadcasts_;
};

std::unique_ptr<Operator> with_probe(std::unique_ptr<Operator> inner,
                                     std::shared_ptr<OperatorProbe> probe);

}  // namespace flott::bindings
