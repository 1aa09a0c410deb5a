#include "bindings/state_objects.h"

#include "base/error.h"
#include "bindings/containers.h"
#include "bindings/convert.h"
#include "bindings/errors.h"
#include "bindings/native_types.h"

#include <utility>
#include <vector>

namespace flott::bindings {
namespace {

/// One layout for the four state types; `state` is the engine's object of that kind, owned by the
/// backend, alive while the scope is open.
struct StateObject {
  PyObject_HEAD OperatorScopePtr scope;
  State* state;
  LogicalTypePtr value_type;  ///< null: objects are kept as they are
  LogicalTypePtr key_type;    ///< maps only; null likewise
  Window window;
  bool sets_namespace;
};

PyTypeObject* g_value_state = nullptr;
PyTypeObject* g_list_state = nullptr;
PyTypeObject* g_map_state = nullptr;
PyTypeObject* g_appending_state = nullptr;

StateObject* cast(PyObject* object) {
  return reinterpret_cast<StateObject*>(object);
}

template <typename Kind>
Kind& use(PyObject* object) {
  StateObject* self = cast(object);
  if (self->scope->context == nullptr) [[unlikely]] {
    throw_error(ErrorKind::kInvalidArgument,
                "state was used after its function was closed; state belongs to one function of "
                "one running job");
  }
  Kind& state = static_cast<Kind&>(*self->state);
  if (self->sets_namespace) {
    state.set_namespace(self->window);
  }
  return state;
}

/// A value on its way into state: coerced to the declared type, else the object itself.
Value incoming(PyObject* object, const LogicalTypePtr& type) {
  if (type == nullptr) {
    return from_python(object);
  }
  if (object == Py_None) {
    return Value::null();
  }
  return to_native(object, *type);
}

PyObject* outgoing(Value&& value, const LogicalTypePtr& type) {
  if (value.is_null()) {
    Py_RETURN_NONE;
  }
  // A row is stored without names: the declared type gives them back. Scalars say themselves what
  // they are.
  if (type != nullptr && !type->children().empty()) {
    return coerce_python(checked(to_python(value)).release(), *type);
  }
  return to_python(std::move(value));
}

std::vector<Value> incoming_all(PyObject* values, const LogicalTypePtr& type, const char* what) {
  const Ref items = checked(PySequence_Fast(values, what));
  std::vector<Value> out;
  out.reserve(static_cast<std::size_t>(PySequence_Fast_GET_SIZE(items.get())));
  for_each_item(items.get(), "conversion", [&](Py_ssize_t /*index*/, PyObject* item) {
    out.push_back(incoming(item, type));
  });
  return out;
}

PyObject* list_of(std::vector<Value>&& values, const LogicalTypePtr& type) {
  Ref list = checked(PyList_New(static_cast<Py_ssize_t>(values.size())));
  for (std::size_t i = 0; i < values.size(); ++i) {
    PyList_SET_ITEM(list.get(),
                    static_cast<Py_ssize_t>(i),
                    checked(outgoing(std::move(values[i]), type)).release());
  }
  return list.release();
}

PyObject* iterator_of(PyObject* owned_list) {
  const Ref list = Ref::steal(owned_list);
  return PyObject_GetIter(list.get());
}

PyObject* null_object() {
  return nullptr;
}

PyObject* state_clear(PyObject* self, PyObject* /*unused*/) {
  return guarded(null_object(), [&]() -> PyObject* {
    use<State>(self).clear();
    Py_RETURN_NONE;
  });
}

// --- ValueState

PyObject* value_state_value(PyObject* self, PyObject* /*unused*/) {
  return guarded(null_object(),
                 [&] { return outgoing(use<ValueState>(self).value(), cast(self)->value_type); });
}

PyObject* value_state_update(PyObject* self, PyObject* value) {
  return guarded(null_object(), [&]() -> PyObject* {
    // Updating with None clears, as in Flink.
    ValueState& state = use<ValueState>(self);
    if (value == Py_None) {
      state.clear();
    } else {
      state.update(incoming(value, cast(self)->value_type));
    }
    Py_RETURN_NONE;
  });
}

// --- ListState

PyObject* list_state_get(PyObject* self, PyObject* /*unused*/) {
  return guarded(null_object(), [&] {
    return iterator_of(list_of(use<ListState>(self).get(), cast(self)->value_type));
  });
}

PyObject* list_state_iter(PyObject* self) {
  return list_state_get(self, nullptr);
}

PyObject* list_state_add(PyObject* self, PyObject* value) {
  return guarded(null_object(), [&]() -> PyObject* {
    if (value == Py_None) {
      throw_error(ErrorKind::kInvalidArgument, "ListState.add() does not take None");
    }
    use<ListState>(self).add(incoming(value, cast(self)->value_type));
    Py_RETURN_NONE;
  });
}

PyObject* list_state_add_all(PyObject* self, PyObject* values) {
  return guarded(null_object(), [&]() -> PyObject* {
    std::vector<Value> all =
        incoming_all(values, cast(self)->value_type, "ListState.add_all() takes a list of values");
    use<ListState>(self).add_all(std::move(all));
    Py_RETURN_NONE;
  });
}

PyObject* list_state_update(PyObject* self, PyObject* values) {
  return guarded(null_object(), [&]() -> PyObject* {
    std::vector<Value> all =
        incoming_all(values, cast(self)->value_type, "ListState.update() takes a list of values");
    use<ListState>(self).update(std::move(all));
    Py_RETURN_NONE;
  });
}

// --- MapState

PyObject* map_state_get(PyObject* self, PyObject* key) {
  return guarded(null_object(), [&] {
    return outgoing(use<MapState>(self).get(incoming(key, cast(self)->key_type)),
                    cast(self)->value_type);
  });
}

void map_put(PyObject* self, PyObject* key, PyObject* value) {
  Value native_key = incoming(key, cast(self)->key_type);
  Value native_value = incoming(value, cast(self)->value_type);
  use<MapState>(self).put(native_key, std::move(native_value));
}

PyObject* map_state_put(PyObject* self, PyObject* const* args, Py_ssize_t count) {
  return guarded(null_object(), [&]() -> PyObject* {
    if (count != 2) {
      PyErr_Format(PyExc_TypeError, "MapState.put() takes a key and a value, %zd given", count);
      return nullptr;
    }
    map_put(self, args[0], args[1]);
    Py_RETURN_NONE;
  });
}

PyObject* map_state_put_all(PyObject* self, PyObject* values) {
  return guarded(null_object(), [&]() -> PyObject* {
    for_each_pair(values, "MapState.put_all()", [&](PyObject* key, PyObject* value) {
      map_put(self, key, value);
    });
    Py_RETURN_NONE;
  });
}

PyObject* map_state_remove(PyObject* self, PyObject* key) {
  return guarded(null_object(), [&]() -> PyObject* {
    use<MapState>(self).remove(incoming(key, cast(self)->key_type));
    Py_RETURN_NONE;
  });
}

int map_state_contains_slot(PyObject* self, PyObject* key) {
  return guarded(-1, [&] {
    return use<MapState>(self).contains(incoming(key, cast(self)->key_type)) ? 1 : 0;
  });
}

PyObject* map_state_contains(PyObject* self, PyObject* key) {
  const int found = map_state_contains_slot(self, key);
  return found < 0 ? nullptr : PyBool_FromLong(found);
}

/// `state[key]`: a missing key is a KeyError as in a dict would be surprising after get(); upstream
/// gives None, and so do we.
PyObject* map_state_getitem(PyObject* self, PyObject* key) {
  return map_state_get(self, key);
}

int map_state_setitem(PyObject* self, PyObject* key, PyObject* value) {
  return guarded(-1, [&] {
    if (value == nullptr) {
      use<MapState>(self).remove(incoming(key, cast(self)->key_type));
    } else {
      map_put(self, key, value);
    }
    return 0;
  });
}

enum class Part { kKeys, kValues, kItems };

PyObject* map_part(PyObject* self, Part part) {
  return guarded(null_object(), [&]() -> PyObject* {
    std::vector<std::pair<Value, Value>> entries = use<MapState>(self).entries();
    Ref list = checked(PyList_New(static_cast<Py_ssize_t>(entries.size())));
    for (std::size_t i = 0; i < entries.size(); ++i) {
      auto& [key, value] = entries[i];
      Ref item;
      if (part == Part::kKeys) {
        item = checked(outgoing(std::move(key), cast(self)->key_type));
      } else if (part == Part::kValues) {
        item = checked(outgoing(std::move(value), cast(self)->value_type));
      } else {
        const Ref first = checked(outgoing(std::move(key), cast(self)->key_type));
        const Ref second = checked(outgoing(std::move(value), cast(self)->value_type));
        item = checked(PyTuple_Pack(2, first.get(), second.get()));
      }
      PyList_SET_ITEM(list.get(), static_cast<Py_ssize_t>(i), item.release());
    }
    return iterator_of(list.release());
  });
}

PyObject* map_state_keys(PyObject* self, PyObject* /*unused*/) {
  return map_part(self, Part::kKeys);
}
PyObject* map_state_values(PyObject* self, PyObject* /*unused*/) {
  return map_part(self, Part::kValues);
}
PyObject* map_state_items(PyObject* self, PyObject* /*unused*/) {
  return map_part(self, Part::kItems);
}
PyObject* map_state_iter(PyObject* self) {
  return map_part(self, Part::kKeys);
}

PyObject* map_state_is_empty(PyObject* self, PyObject* /*unused*/) {
  return guarded(null_object(),
                 [&] { return PyBool_FromLong(use<MapState>(self).is_empty() ? 1 : 0); });
}

// --- AppendingState

PyObject* appending_state_get(PyObject* self, PyObject* /*unused*/) {
  return guarded(null_object(),
                 [&] { return outgoing(use<AppendingState>(self).get(), cast(self)->value_type); });
}

PyObject* appending_state_add(PyObject* self, PyObject* value) {
  return guarded(null_object(), [&]() -> PyObject* {
    use<AppendingState>(self).add(incoming(value, cast(self)->value_type));
    Py_RETURN_NONE;
  });
}

// --- types

void state_dealloc(PyObject* self) {
  PyTypeObject* type = Py_TYPE(self);
  StateObject* object = cast(self);
  object->scope.~OperatorScopePtr();
  object->value_type.~LogicalTypePtr();
  object->key_type.~LogicalTypePtr();
  object->window.~Window();
  type->tp_free(self);
  Py_DECREF(type);
}

template <typename Function>
void* slot(Function* function) {
  return reinterpret_cast<void*>(function);
}

PyMethodDef g_value_methods[] = {{"value", value_state_value, METH_NOARGS, nullptr},
                                 {"update", value_state_update, METH_O, nullptr},
                                 {"clear", state_clear, METH_NOARGS, nullptr},
                                 {nullptr, nullptr, 0, nullptr}};
PyMethodDef g_list_methods[] = {{"get", list_state_get, METH_NOARGS, nullptr},
                                {"add", list_state_add, METH_O, nullptr},
                                {"add_all", list_state_add_all, METH_O, nullptr},
                                {"update", list_state_update, METH_O, nullptr},
                                {"clear", state_clear, METH_NOARGS, nullptr},
                                {nullptr, nullptr, 0, nullptr}};
PyMethodDef g_map_methods[] = {
    {"get", map_state_get, METH_O, nullptr},
    {"put",
     reinterpret_cast<PyCFunction>(reinterpret_cast<void*>(map_state_put)),
     METH_FASTCALL,
     nullptr},
    {"put_all", map_state_put_all, METH_O, nullptr},
    {"remove", map_state_remove, METH_O, nullptr},
    {"contains", map_state_contains, METH_O, nullptr},
    {"items", map_state_items, METH_NOARGS, nullptr},
    {"keys", map_state_keys, METH_NOARGS, nullptr},
    {"values", map_state_values, METH_NOARGS, nullptr},
    {"is_empty", map_state_is_empty, METH_NOARGS, nullptr},
    {"clear", state_clear, METH_NOARGS, nullptr},
    {nullptr, nullptr, 0, nullptr}};
PyMethodDef g_appending_methods[] = {{"get", appending_state_get, METH_NOARGS, nullptr},
                                     {"add", appending_state_add, METH_O, nullptr},
                                     {"clear", state_clear, METH_NOARGS, nullptr},
                                     {nullptr, nullptr, 0, nullptr}};

PyType_Slot g_value_slots[] = {
    {Py_tp_dealloc, slot(state_dealloc)}, {Py_tp_methods, g_value_methods}, {0, nullptr}};
PyType_Slot g_list_slots[] = {{Py_tp_dealloc, slot(state_dealloc)},
                              {Py_tp_methods, g_list_methods},
                              {Py_tp_iter, slot(list_state_iter)},
                              {0, nullptr}};
PyType_Slot g_map_slots[] = {{Py_tp_dealloc, slot(state_dealloc)},
                             {Py_tp_methods, g_map_methods},
                             {Py_tp_iter, slot(map_state_iter)},
                             {Py_sq_contains, slot(map_state_contains_slot)},
                             {Py_mp_subscript, slot(map_state_getitem)},
                             {Py_mp_ass_subscript, slot(map_state_setitem)},
                             {0, nullptr}};
PyType_Slot g_appending_slots[] = {
    {Py_tp_dealloc, slot(state_dealloc)}, {Py_tp_methods, g_appending_methods}, {0, nullptr}};

constexpr unsigned kStateFlags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION;
PyType_Spec g_value_spec = {
    "pyflink._native.ValueState", sizeof(StateObject), 0, kStateFlags, g_value_slots};
PyType_Spec g_list_spec = {
    "pyflink._native.ListState", sizeof(StateObject), 0, kStateFlags, g_list_slots};
PyType_Spec g_map_spec = {
    "pyflink._native.MapState", sizeof(StateObject), 0, kStateFlags, g_map_slots};
PyType_Spec g_appending_spec = {
    "pyflink._native.AppendingState", sizeof(StateObject), 0, kStateFlags, g_appending_slots};

PyTypeObject* state_type(StateKind kind) {
  switch (kind) {
    case StateKind::kValue:
      return g_value_state;
    case StateKind::kList:
      return g_list_state;
    case StateKind::kMap:
      return g_map_state;
    case StateKind::kReducing:
    case StateKind::kAggregating:
      return g_appending_state;
  }
  return nullptr;
}

State& declare(KeyedStateBackend& backend, const StateDescriptor& descriptor) {
  switch (descriptor.kind) {
    case StateKind::kValue:
      return backend.value_state(descriptor);
    case StateKind::kList:
      return backend.list_state(descriptor);
    case StateKind::kMap:
      return backend.map_state(descriptor);
    case StateKind::kReducing:
    case StateKind::kAggregating:
      break;
  }
  return backend.appending_state(descriptor);
}

LogicalTypePtr native_or_null(const LogicalTypePtr& type) {
  return type != nullptr && type->is_native() ? type : nullptr;
}

}  // namespace

StateDescriptor descriptor_of(PyObject* descriptor) {
  if (const PythonStateDescriptor* own = state_descriptor_or_null(descriptor); own != nullptr) {
    return own->native;
  }
  const Ref convert = attribute_or_null(descriptor, "_native");
  if (!convert) {
    throw_error(ErrorKind::kInvalidArgument,
                "a state descriptor was expected, got {} ({})",
                short_repr(descriptor),
                type_name_of(descriptor));
  }
  const Ref native = call(convert.get());
  const PythonStateDescriptor* own = state_descriptor_or_null(native.get());
  if (own == nullptr) {
    throw_error(ErrorKind::kInvalidArgument,
                "{}._native() gave no state descriptor but {}",
                type_name_of(descriptor),
                short_repr(native.get()));
  }
  return own->native;
}

Ref make_state_object(KeyedStateBackend& backend,
                      const OperatorScopePtr& scope,
                      const StateDescriptor& descriptor,
                      const Window& window,
                      StateSharing sharing) {
  State& state = declare(backend, descriptor);
  PyTypeObject* type = state_type(descriptor.kind);
  Ref made = checked(type->tp_alloc(type, 0));
  StateObject* object = cast(made.get());
  new (&object->scope) OperatorScopePtr(scope);
  object->state = &state;
  // Values added to an aggregating state are the function's input, not the declared accumulator.
  new (&object->value_type) LogicalTypePtr(
      descriptor.kind == StateKind::kAggregating ? nullptr : native_or_null(descriptor.value_type));
  new (&object->key_type) LogicalTypePtr(native_or_null(descriptor.key_type));
  new (&object->window) Window(window);
  object->sets_namespace = sharing == StateSharing::kWithWindows;
  return made;
}

void add_state_types(PyObject* module) {
  const std::pair<PyType_Spec*, PyTypeObject**> types[] = {{&g_value_spec, &g_value_state},
                                                           {&g_list_spec, &g_list_state},
                                                           {&g_map_spec, &g_map_state},
                                                           {&g_appending_spec, &g_appending_state}};
  for (const auto& [spec, type] : types) {
    *type = reinterpret_cast<PyTypeObject*>(checked(PyType_FromSpec(spec)).release());
    checked(PyModule_AddType(module, *type));
  }
}

}  // namespace flott::bindings
