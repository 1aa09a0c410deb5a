#pragma once

#include "bindings/errors.h"
#include "bindings/python_ref.h"

#include <initializer_list>
#include <memory>
#include <utility>
#include <vector>

namespace flott::bindings {

/// A Python object around a shared C++ one: contexts, timer services and the like, which are made
/// once a function and reused for every call. Plain C types, because they are on the hot path.
template <typename T>
struct Boxed {
  PyObject_HEAD std::shared_ptr<T> data;

  static T& of(PyObject* object) { return *reinterpret_cast<Boxed*>(object)->data; }
  static const std::shared_ptr<T>& pointer_of(PyObject* object) {
    return reinterpret_cast<Boxed*>(object)->data;
  }

  static Ref make(PyTypeObject* type, std::shared_ptr<T> data) {
    Ref made = checked(type->tp_alloc(type, 0));
    new (&reinterpret_cast<Boxed*>(made.get())->data) std::shared_ptr<T>(std::move(data));
    return made;
  }

  static void dealloc(PyObject* self) {
    PyTypeObject* type = Py_TYPE(self);
    std::destroy_at(&reinterpret_cast<Boxed*>(self)->data);
    type->tp_free(self);
    Py_DECREF(type);
  }

  /// Makes the Python type; `methods` lives as long as the process.
  static PyTypeObject* make_type(const char* name,
                                 PyMethodDef* methods,
                                 std::initializer_list<PyType_Slot> extra = {}) {
    std::vector<PyType_Slot> slots{{Py_tp_dealloc, reinterpret_cast<void*>(&dealloc)},
                                   {Py_tp_methods, methods}};
    slots.insert(slots.end(), extra);
    slots.push_back({0, nullptr});
    PyType_Spec spec = {name,
                        sizeof(Boxed),
                        0,
                        Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION,
                        slots.data()};
    return reinterpret_cast<PyTypeObject*>(checked(PyType_FromSpec(&spec)).release());
  }
};

inline PyCFunction fast_call(PyObject* (*function)(PyObject*, PyObject* const*, Py_ssize_t)) {
  return reinterpret_cast<PyCFunction>(reinterpret_cast<void*>(function));
}

}  // namespace flott::bindings
