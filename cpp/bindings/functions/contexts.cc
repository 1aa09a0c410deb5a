#include "bindings/functions/contexts.h"

#include "base/error.h"
#include "bindings/boxed.h"
#include "bindings/containers.h"
#include "bindings/convert.h"
#include "bindings/state_objects.h"

#include <utility>

namespace flott::bindings {
namespace {

PyTypeObject* g_process_context = nullptr;
PyTypeObject* g_timer_service = nullptr;
PyTypeObject* g_window_context = nullptr;
PyTypeObject* g_keyed_state_store = nullptr;
PyTypeObject* g_trigger_context = nullptr;
PyTypeObject* g_assigner_context = nullptr;
PyTypeObject* g_sink_context = nullptr;

PyObject* null_object() {
  return nullptr;
}

[[noreturn]] void used_outside() {
  throw_error(ErrorKind::kInvalidArgument,
              "a context was used outside of the call it was given to; ask it for what you need "
              "inside the function (a generator included) and keep only that");
}

/// The engine's context behind `slot`, valid during a call.
template <typename Slot>
auto& current(Slot& slot) {
  if (slot.context == nullptr) [[unlikely]] {
    used_outside();
  }
  return *slot.context;
}

/// A missing timestamp is Long.MIN_VALUE, as in upstream's process mode.
PyObject* timestamp_object(Timestamp timestamp) {
  return python_int(timestamp);
}

Timestamp time_argument(PyObject* time) {
  return int_of(time, "the time of a timer (milliseconds since 1970)");
}

template <typename Slot>
PyObject* current_watermark(PyObject* self, PyObject* /*unused*/) {
  return guarded(null_object(),
                 [&] { return python_int(current(Boxed<Slot>::of(self)).current_watermark()); });
}

template <typename Slot>
PyObject* current_processing_time(PyObject* self, PyObject* /*unused*/) {
  return guarded(null_object(), [&] {
    return python_int(current(Boxed<Slot>::of(self)).current_processing_time());
  });
}

template <typename Slot, TimeDomain kDomain>
PyObject* register_timer(PyObject* self, PyObject* time) {
  return guarded(null_object(), [&]() -> PyObject* {
    current(Boxed<Slot>::of(self)).register_timer(kDomain, time_argument(time));
    Py_RETURN_NONE;
  });
}

template <typename Slot, TimeDomain kDomain>
PyObject* delete_timer(PyObject* self, PyObject* time) {
  return guarded(null_object(), [&]() -> PyObject* {
    current(Boxed<Slot>::of(self)).delete_timer(kDomain, time_argument(time));
    Py_RETURN_NONE;
  });
}

// --- process functions

PyObject* process_timestamp(PyObject* self, PyObject* /*unused*/) {
  return guarded(null_object(), [&] {
    return timestamp_object(current(Boxed<ProcessSlot>::of(self)).timestamp());
  });
}

PyObject* process_timer_service(PyObject* self, PyObject* /*unused*/) {
  return guarded(null_object(), [&] {
    return Boxed<ProcessSlot>::make(g_timer_service, Boxed<ProcessSlot>::pointer_of(self))
        .release();
  });
}

PyObject* process_current_key(PyObject* self, PyObject* /*unused*/) {
  return guarded(null_object(), [&]() -> PyObject* {
    const Value& key = current(Boxed<ProcessSlot>::of(self)).current_key();
    if (key.is_null()) {
      Py_RETURN_NONE;
    }
    return to_python(key);
  });
}

PyObject* process_time_domain(PyObject* self, PyObject* /*unused*/) {
  return guarded(null_object(), [&] {
    const TimeDomain domain = current(Boxed<ProcessSlot>::of(self)).time_domain();
    const Ref domains = import_attribute("pyflink.datastream.time_domain", "TimeDomain");
    return attribute(domains.get(),
                     domain == TimeDomain::kEventTime ? "EVENT_TIME" : "PROCESSING_TIME")
        .release();
  });
}

PyObject* process_broadcast_state(PyObject* self, PyObject* descriptor);

PyMethodDef g_process_methods[] = {
    {"timestamp", process_timestamp, METH_NOARGS, nullptr},
    {"timer_service", process_timer_service, METH_NOARGS, nullptr},
    {"get_current_key", process_current_key, METH_NOARGS, nullptr},
    {"time_domain", process_time_domain, METH_NOARGS, nullptr},
    {"current_watermark", current_watermark<ProcessSlot>, METH_NOARGS, nullptr},
    {"current_processing_time", current_processing_time<ProcessSlot>, METH_NOARGS, nullptr},
    {"get_broadcast_state", process_broadcast_state, METH_O, nullptr},
    {nullptr, nullptr, 0, nullptr}};

PyMethodDef g_timer_methods[] = {
    {"current_watermark", current_watermark<ProcessSlot>, METH_NOARGS, nullptr},
    {"current_processing_time", current_processing_time<ProcessSlot>, METH_NOARGS, nullptr},
    {"register_event_time_timer",
     register_timer<ProcessSlot, TimeDomain::kEventTime>,
     METH_O,
     nullptr},
    {"register_processing_time_timer",
     register_timer<ProcessSlot, TimeDomain::kProcessingTime>,
     METH_O,
     nullptr},
    {"delete_event_time_timer", delete_timer<ProcessSlot, TimeDomain::kEventTime>, METH_O, nullptr},
    {"delete_processing_time_timer",
     delete_timer<ProcessSlot, TimeDomain::kProcessingTime>,
     METH_O,
     nullptr},
    {nullptr, nullptr, 0, nullptr}};

// --- broadcast state

/// What a BroadcastState object shares with the function it belongs to.
struct BroadcastView {
  std::shared_ptr<BroadcastStates> states;
  std::string name;
  bool writable = false;

  PyObject* entries() const { return states->entries(name); }
  const StateDescriptor& descriptor() const { return states->descriptor(name); }
};
PyTypeObject* g_broadcast_state = nullptr;

BroadcastView& view_of(PyObject* self) {
  return Boxed<BroadcastView>::of(self);
}

BroadcastView& writable_view(PyObject* self) {
  BroadcastView& view = view_of(self);
  if (!view.writable) {
    throw_error(ErrorKind::kInvalidArgument,
                "broadcast state '{}' is read-only in process_element(); change it in "
                "process_broadcast_element(), which runs in every subtask",
                view.name);
  }
  return view;
}

Ref declared(PyObject* object, const LogicalTypePtr& type) {
  if (object == Py_None || type == nullptr || type->kind() == TypeKind::kObject) {
    return checked(isolate(object));
  }
  const Ref own = checked(isolate(object));
  return checked(coerce_python(Ref::borrow(own.get()).release(), *type));
}

void broadcast_put(BroadcastView& view, PyObject* key, PyObject* value) {
  const Ref own_key = declared(key, view.descriptor().key_type);
  const Ref own_value = declared(value, view.descriptor().value_type);
  checked(PyDict_SetItem(view.entries(), own_key.get(), own_value.get()));
}

PyObject* broadcast_get(PyObject* self, PyObject* key) {
  return guarded(null_object(), [&]() -> PyObject* {
    PyObject* found = PyDict_GetItemWithError(view_of(self).entries(), key);
    if (found == nullptr) {
      if (PyErr_Occurred() != nullptr) {
        return nullptr;
      }
      Py_RETURN_NONE;
    }
    Py_INCREF(found);
    return found;
  });
}

PyObject* broadcast_put_method(PyObject* self, PyObject* const* args, Py_ssize_t count) {
  return guarded(null_object(), [&]() -> PyObject* {
    if (count != 2) {
      PyErr_Format(
          PyExc_TypeError, "BroadcastState.put() takes a key and a value, %zd given", count);
      return nullptr;
    }
    broadcast_put(writable_view(self), args[0], args[1]);
    Py_RETURN_NONE;
  });
}

PyObject* broadcast_put_all(PyObject* self, PyObject* values) {
  return guarded(null_object(), [&]() -> PyObject* {
    BroadcastView& view = writable_view(self);
    for_each_pair(values, "BroadcastState.put_all()", [&](PyObject* key, PyObject* value) {
      broadcast_put(view, key, value);
    });
    Py_RETURN_NONE;
  });
}

PyObject* broadcast_remove(PyObject* self, PyObject* key) {
  return guarded(null_object(), [&]() -> PyObject* {
    if (PyDict_DelItem(writable_view(self).entries(), key) < 0) {
      if (!PyErr_ExceptionMatches(PyExc_KeyError)) {
        return nullptr;
      }
      PyErr_Clear();
    }
    Py_RETURN_NONE;
  });
}

int broadcast_contains_slot(PyObject* self, PyObject* key) {
  return guarded(-1, [&] { return PyDict_Contains(view_of(self).entries(), key); });
}

PyObject* broadcast_contains(PyObject* self, PyObject* key) {
  const int found = broadcast_contains_slot(self, key);
  return found < 0 ? nullptr : PyBool_FromLong(found);
}

/// Iterators run over a copy, so that the state may be changed meanwhile.
template <PyObject* (*kList)(PyObject*)>
PyObject* broadcast_iterate(PyObject* self, PyObject* /*unused*/) {
  return guarded(null_object(), [&] {
    const Ref list = checked(kList(view_of(self).entries()));
    return PyObject_GetIter(list.get());
  });
}

PyObject* broadcast_iter(PyObject* self) {
  return broadcast_iterate<PyDict_Keys>(self, nullptr);
}

int broadcast_assign(PyObject* self, PyObject* key, PyObject* value) {
  if (value == nullptr) {
    const Ref done = Ref::steal(broadcast_remove(self, key));
    return done ? 0 : -1;
  }
  return guarded(-1, [&] {
    broadcast_put(writable_view(self), key, value);
    return 0;
  });
}

PyObject* broadcast_is_empty(PyObject* self, PyObject* /*unused*/) {
  return guarded(null_object(),
                 [&] { return PyBool_FromLong(PyDict_Size(view_of(self).entries()) == 0); });
}

PyObject* broadcast_clear(PyObject* self, PyObject* /*unused*/) {
  return guarded(null_object(), [&]() -> PyObject* {
    PyDict_Clear(writable_view(self).entries());
    Py_RETURN_NONE;
  });
}

PyMethodDef g_broadcast_methods[] = {
    {"get", broadcast_get, METH_O, nullptr},
    {"put", fast_call(broadcast_put_method), METH_FASTCALL, nullptr},
    {"put_all", broadcast_put_all, METH_O, nullptr},
    {"remove", broadcast_remove, METH_O, nullptr},
    {"contains", broadcast_contains, METH_O, nullptr},
    {"items", broadcast_iterate<PyDict_Items>, METH_NOARGS, nullptr},
    {"immutable_entries", broadcast_iterate<PyDict_Items>, METH_NOARGS, nullptr},
    {"entries", broadcast_iterate<PyDict_Items>, METH_NOARGS, nullptr},
    {"keys", broadcast_iterate<PyDict_Keys>, METH_NOARGS, nullptr},
    {"values", broadcast_iterate<PyDict_Values>, METH_NOARGS, nullptr},
    {"is_empty", broadcast_is_empty, METH_NOARGS, nullptr},
    {"clear", broadcast_clear, METH_NOARGS, nullptr},
    {nullptr, nullptr, 0, nullptr}};

PyObject* process_broadcast_state(PyObject* self, PyObject* descriptor) {
  return guarded(null_object(), [&]() -> PyObject* {
    ProcessSlot& slot = Boxed<ProcessSlot>::of(self);
    current(slot);
    if (slot.broadcast == nullptr) {
      throw_error(ErrorKind::kInvalidArgument,
                  "get_broadcast_state() needs a broadcast process function: connect the stream "
                  "with other.broadcast(descriptor) and call process() on the result");
    }
    auto view = std::make_shared<BroadcastView>();
    view->states = slot.broadcast;
    view->name = descriptor_of(descriptor).name;
    view->writable = slot.broadcast_writable;
    slot.broadcast->descriptor(view->name);
    return Boxed<BroadcastView>::make(g_broadcast_state, std::move(view)).release();
  });
}

// --- window functions

/// window_state() and global_state(): a KeyedStateStore over one namespace.
struct StateStore {
  KeyedStateBackend* backend = nullptr;
  OperatorScopePtr scope;
  Window window;
};

PyObject* store_get_state(PyObject* self, PyObject* descriptor) {
  return guarded(null_object(), [&]() -> PyObject* {
    StateStore& store = Boxed<StateStore>::of(self);
    store.scope->require("a state store of a window");
    return make_state_object(*store.backend,
                             store.scope,
                             descriptor_of(descriptor),
                             store.window,
                             StateSharing::kWithWindows)
        .release();
  });
}

PyMethodDef g_store_methods[] = {{"get_state", store_get_state, METH_O, nullptr},
                                 {"get_list_state", store_get_state, METH_O, nullptr},
                                 {"get_map_state", store_get_state, METH_O, nullptr},
                                 {"get_reducing_state", store_get_state, METH_O, nullptr},
                                 {"get_aggregating_state", store_get_state, METH_O, nullptr},
                                 {nullptr, nullptr, 0, nullptr}};

PyObject* make_store(WindowSlot& slot, const Window& window) {
  auto store = std::make_shared<StateStore>();
  store->backend = &current(slot).state_backend();
  store->scope = slot.scope;
  store->window = window;
  return Boxed<StateStore>::make(g_keyed_state_store, std::move(store)).release();
}

PyObject* window_window(PyObject* self, PyObject* /*unused*/) {
  return guarded(null_object(), [&] {
    WindowSlot& slot = Boxed<WindowSlot>::of(self);
    return slot.windows.to_python(current(slot).window()).release();
  });
}

PyObject* window_window_state(PyObject* self, PyObject* /*unused*/) {
  return guarded(null_object(), [&] {
    WindowSlot& slot = Boxed<WindowSlot>::of(self);
    if (slot.merging) {
      throw_error(ErrorKind::kInvalidArgument,
                  "window_state() is not allowed with merging windows (sessions); use "
                  "global_state()");
    }
    return make_store(slot, current(slot).window());
  });
}

PyObject* window_global_state(PyObject* self, PyObject* /*unused*/) {
  return guarded(null_object(), [&] { return make_store(Boxed<WindowSlot>::of(self), Window{}); });
}

PyObject* window_current_key(PyObject* self, PyObject* /*unused*/) {
  return guarded(null_object(), [&]() -> PyObject* {
    const Value& key = current(Boxed<WindowSlot>::of(self)).current_key();
    if (key.is_null()) {
      Py_RETURN_NONE;
    }
    return to_python(key);
  });
}

PyMethodDef g_window_methods[] = {
    {"window", window_window, METH_NOARGS, nullptr},
    {"current_watermark", current_watermark<WindowSlot>, METH_NOARGS, nullptr},
    {"current_processing_time", current_processing_time<WindowSlot>, METH_NOARGS, nullptr},
    {"window_state", window_window_state, METH_NOARGS, nullptr},
    {"global_state", window_global_state, METH_NOARGS, nullptr},
    {"get_current_key", window_current_key, METH_NOARGS, nullptr},
    {nullptr, nullptr, 0, nullptr}};

// --- triggers

PyObject* trigger_metric_group(PyObject* self, PyObject* /*unused*/) {
  return guarded(null_object(), [&] {
    const Ref runtime_context = make_runtime_context(Boxed<TriggerSlot>::of(self).scope);
    const Ref get = attribute(runtime_context.get(), "get_metrics_group");
    return call(get.get()).release();
  });
}

PyObject* trigger_partitioned_state(PyObject* self, PyObject* descriptor) {
  return guarded(null_object(), [&] {
    TriggerSlot& slot = Boxed<TriggerSlot>::of(self);
    TriggerContext& context = current(slot);
    return make_state_object(context.state_backend(),
                             slot.scope,
                             descriptor_of(descriptor),
                             context.window(),
                             StateSharing::kWithWindows)
        .release();
  });
}

/// Moves the state of the windows that are gone into the merged one.
PyObject* trigger_merge_partitioned_state(PyObject* self, PyObject* descriptor) {
  return guarded(null_object(), [&]() -> PyObject* {
    TriggerSlot& slot = Boxed<TriggerSlot>::of(self);
    TriggerContext& context = current(slot);
    if (slot.merged == nullptr) {
      throw_error(ErrorKind::kInvalidArgument,
                  "merge_partitioned_state() is for Trigger.on_merge() only");
    }
    const StateDescriptor native = descriptor_of(descriptor);
    if (native.kind == StateKind::kReducing || native.kind == StateKind::kAggregating) {
      context.state_backend().appending_state(native).merge_namespaces(context.window(),
                                                                       *slot.merged);
    } else if (native.kind == StateKind::kList) {
      ListState& state = context.state_backend().list_state(native);
      for (const Window& gone : *slot.merged) {
        state.set_namespace(gone);
        std::vector<Value> values = state.get();
        state.clear();
        state.set_namespace(context.window());
        state.add_all(std::move(values));
      }
    } else {
      throw_error(ErrorKind::kInvalidArgument,
                  "state '{}' cannot be merged: only list, reducing and aggregating state can",
                  native.name);
    }
    Py_RETURN_NONE;
  });
}

PyMethodDef g_trigger_methods[] = {
    {"get_current_processing_time", current_processing_time<TriggerSlot>, METH_NOARGS, nullptr},
    {"get_current_watermark", current_watermark<TriggerSlot>, METH_NOARGS, nullptr},
    {"get_metric_group", trigger_metric_group, METH_NOARGS, nullptr},
    {"register_event_time_timer",
     register_timer<TriggerSlot, TimeDomain::kEventTime>,
     METH_O,
     nullptr},
    {"register_processing_time_timer",
     register_timer<TriggerSlot, TimeDomain::kProcessingTime>,
     METH_O,
     nullptr},
    {"delete_event_time_timer", delete_timer<TriggerSlot, TimeDomain::kEventTime>, METH_O, nullptr},
    {"delete_processing_time_timer",
     delete_timer<TriggerSlot, TimeDomain::kProcessingTime>,
     METH_O,
     nullptr},
    {"get_partitioned_state", trigger_partitioned_state, METH_O, nullptr},
    {"merge_partitioned_state", trigger_merge_partitioned_state, METH_O, nullptr},
    {nullptr, nullptr, 0, nullptr}};

// --- assigners

PyObject* assigner_processing_time(PyObject* self, PyObject* /*unused*/) {
  return python_int(Boxed<AssignerSlot>::of(self).current_processing_time);
}

PyObject* assigner_runtime_context(PyObject* self, PyObject* /*unused*/) {
  return guarded(null_object(), [&] {
    return make_runtime_context(Boxed<AssignerSlot>::of(self).scope).release();
  });
}

PyMethodDef g_assigner_methods[] = {
    {"get_current_processing_time", assigner_processing_time, METH_NOARGS, nullptr},
    {"get_runtime_context", assigner_runtime_context, METH_NOARGS, nullptr},
    {nullptr, nullptr, 0, nullptr}};

// --- sinks

PyObject* sink_timestamp(PyObject* self, PyObject* /*unused*/) {
  return timestamp_object(Boxed<SinkSlot>::of(self).timestamp);
}

PyObject* sink_processing_time(PyObject* self, PyObject* /*unused*/) {
  return guarded(null_object(),
                 [&] { return python_int(current(Boxed<SinkSlot>::of(self)).clock().now_ms()); });
}

PyObject* sink_watermark(PyObject* self, PyObject* /*unused*/) {
  return python_int(Boxed<SinkSlot>::of(self).watermark);
}

PyMethodDef g_sink_methods[] = {
    {"timestamp", sink_timestamp, METH_NOARGS, nullptr},
    {"current_processing_time", sink_processing_time, METH_NOARGS, nullptr},
    {"current_watermark", sink_watermark, METH_NOARGS, nullptr},
    {nullptr, nullptr, 0, nullptr}};

}  // namespace

const StateDescriptor& BroadcastStates::descriptor(const std::string& name) const {
  const auto found = descriptors_.find(name);
  if (found == descriptors_.end()) {
    std::string known;
    for (const auto& [declared_name, unused] : descriptors_) {
      known += known.empty() ? "" : ", ";
      known += declared_name;
    }
    throw_error(ErrorKind::kInvalidArgument,
                "there is no broadcast state '{}'; the descriptors given to broadcast() are: {}",
                name,
                known);
  }
  return found->second;
}

PyObject* BroadcastStates::entries(const std::string& name) {
  Handle& entries = entries_[name];
  if (!entries) {
    entries = Handle(checked(PyDict_New()));
  }
  return entries.get();
}

void BroadcastStates::snapshot(OperatorSnapshot& snapshot) {
  for (const auto& [name, entries] : entries_) {
    std::string& bytes = snapshot.broadcast_state[name];
    bytes.clear();
    require_host().serialize(entries.get(), bytes);
  }
}

void BroadcastStates::restore(const OperatorSnapshot& snapshot) {
  for (const auto& [name, bytes] : snapshot.broadcast_state) {
    entries_[name] = Handle(checked(static_cast<PyObject*>(require_host().deserialize(bytes))));
  }
}

Ref make_process_context(std::shared_ptr<ProcessSlot> slot) {
  return Boxed<ProcessSlot>::make(g_process_context, std::move(slot));
}
Ref make_window_context(std::shared_ptr<WindowSlot> slot) {
  return Boxed<WindowSlot>::make(g_window_context, std::move(slot));
}
Ref make_trigger_context(std::shared_ptr<TriggerSlot> slot) {
  return Boxed<TriggerSlot>::make(g_trigger_context, std::move(slot));
}
Ref make_assigner_context(std::shared_ptr<AssignerSlot> slot) {
  return Boxed<AssignerSlot>::make(g_assigner_context, std::move(slot));
}
Ref make_sink_context(std::shared_ptr<SinkSlot> slot) {
  return Boxed<SinkSlot>::make(g_sink_context, std::move(slot));
}

void add_context_types(PyObject* module) {
  g_process_context =
      Boxed<ProcessSlot>::make_type("pyflink._native.ProcessContext", g_process_methods);
  g_timer_service = Boxed<ProcessSlot>::make_type("pyflink._native.TimerService", g_timer_methods);
  g_broadcast_state = Boxed<BroadcastView>::make_type(
      "pyflink._native.BroadcastState",
      g_broadcast_methods,
      {{Py_sq_contains, reinterpret_cast<void*>(&broadcast_contains_slot)},
       {Py_tp_iter, reinterpret_cast<void*>(&broadcast_iter)},
       {Py_mp_subscript, reinterpret_cast<void*>(&broadcast_get)},
       {Py_mp_ass_subscript, reinterpret_cast<void*>(&broadcast_assign)}});
  g_window_context =
      Boxed<WindowSlot>::make_type("pyflink._native.WindowContext", g_window_methods);
  g_keyed_state_store =
      Boxed<StateStore>::make_type("pyflink._native.KeyedStateStore", g_store_methods);
  g_trigger_context =
      Boxed<TriggerSlot>::make_type("pyflink._native.TriggerContext", g_trigger_methods);
  g_assigner_context =
      Boxed<AssignerSlot>::make_type("pyflink._native.AssignerContext", g_assigner_methods);
  g_sink_context = Boxed<SinkSlot>::make_type("pyflink._native.SinkContext", g_sink_methods);
  for (PyTypeObject* type : {g_process_context,
                             g_timer_service,
                             g_broadcast_state,
                             g_window_context,
                             g_keyed_state_store,
                             g_trigger_context,
                             g_assigner_context,
                             g_sink_context}) {
    checked(PyModule_AddType(module, type));
  }
}

}  // namespace flott::bindings
