#pragma once

#include "bindings/functions/window_objects.h"
#include "bindings/operator_scope.h"
#include "bindings/python_ref.h"
#include "checkpoint/snapshot.h"
#include "operators/functions.h"
#include "windows/trigger.h"

#include <map>
#include <memory>
#include <string>

namespace flott::bindings {

/// The objects user code gets as `ctx`. Each is made once a function, shares a slot with it, and
/// means the call that is running; outside of a call its methods raise ValueError.

/// Broadcast state of one subtask: a dict a descriptor name, the same in every subtask.
class BroadcastStates {
 public:
  /// `descriptors`: the names that exist with their types.
  explicit BroadcastStates(std::map<std::string, StateDescriptor> descriptors)
      : descriptors_(std::move(descriptors)) {}
  /// Throws kInvalidArgument for a name that was not declared by broadcast().
  const StateDescriptor& descriptor(const std::string& name) const;
  bool has(const std::string& name) const { return descriptors_.count(name) != 0; }
  /// Borrowed dict of `name`.
  PyObject* entries(const std::string& name);
  void snapshot(OperatorSnapshot& snapshot);
  void restore(const OperatorSnapshot& snapshot);

 private:
  std::map<std::string, StateDescriptor> descriptors_;
  std::map<std::string, Handle> entries_;
};

/// Process functions of all kinds.
struct ProcessSlot {
  ProcessContext* context = nullptr;  ///< null outside of a call
  OperatorScopePtr scope;
  std::shared_ptr<BroadcastStates> broadcast;  ///< null: not a broadcast function
  bool broadcast_writable = false;
};
Ref make_process_context(std::shared_ptr<ProcessSlot> slot);

/// Window functions.
struct WindowSlot {
  WindowFunctionContext* context = nullptr;
  OperatorScopePtr scope;
  WindowObjects windows;
  bool merging = false;  ///< window_state() is refused, as upstream does
};
Ref make_window_context(std::shared_ptr<WindowSlot> slot);

/// Triggers, in on_merge too.
struct TriggerSlot {
  TriggerContext* context = nullptr;
  const std::vector<Window>* merged = nullptr;
  OperatorScopePtr scope;
};
Ref make_trigger_context(std::shared_ptr<TriggerSlot> slot);

/// Window assigners.
struct AssignerSlot {
  Timestamp current_processing_time = 0;
  OperatorScopePtr scope;
};
Ref make_assigner_context(std::shared_ptr<AssignerSlot> slot);

/// Python sinks: timestamp(), current_processing_time(), current_watermark().
struct SinkSlot {
  OperatorContext* context = nullptr;
  Timestamp timestamp = kNoTimestamp;
  Timestamp watermark = kMinWatermark;
};
Ref make_sink_context(std::shared_ptr<SinkSlot> slot);

void add_context_types(PyObject* module);

}  // namespace flott::bindings
