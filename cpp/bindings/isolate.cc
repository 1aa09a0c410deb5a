#include "bindings/containers.h"
#include "bindings/convert.h"
#include "bindings/python_ref.h"
#include "bindings/row.h"
#include "bindings/temporal.h"

#include <unordered_map>

namespace flott::bindings {
namespace {

/// How values of a type are copied, decided once a type.
enum class CopyRule {
  kImmutable,       ///< nobody can change it: shared
  kTuple,           ///< shared if its items are
  kFrozenInstance,  ///< frozen dataclass: shared if its fields are
  kList,
  kDict,
  kSet,
  kRow,
  kInstance,  ///< a plain object: the same class with a copied __dict__
  kDeepCopy,  ///< copy.deepcopy knows better
};

/// Deeper nesting, or a cycle, is left to copy.deepcopy, which remembers what it has seen.
constexpr int kMaxDepth = 24;

bool defines(PyTypeObject* type, const char* name) {
  const Ref unicode = Ref::steal(PyUnicode_InternFromString(name));
  PyObject* own = _PyType_Lookup(type, unicode.get());
  return own != nullptr && own != _PyType_Lookup(&PyBaseObject_Type, unicode.get());
}

bool is_subclass_of(PyTypeObject* type, const char* module, const char* name) {
  const Ref base = loaded_attribute(module, name);
  return base && PyType_Check(base.get()) != 0 &&
         PyType_IsSubtype(type, reinterpret_cast<PyTypeObject*>(base.get())) != 0;
}

bool is_frozen_dataclass(PyTypeObject* type) {
  const Ref parameters =
      attribute_or_null(reinterpret_cast<PyObject*>(type), "__dataclass_params__");
  if (!parameters) {
    return false;
  }
  const Ref frozen = attribute_or_null(parameters.get(), "frozen");
  return frozen && PyObject_IsTrue(frozen.get()) == 1;
}

CopyRule decide(PyTypeObject* type) {
  if (type == row_type()) {
    return CopyRule::kRow;
  }
  if (type == &PyList_Type) {
    return CopyRule::kList;
  }
  if (type == &PyDict_Type) {
    return CopyRule::kDict;
  }
  if (type == &PySet_Type) {
    return CopyRule::kSet;
  }
  if (type == &PyTuple_Type || type == &PyFrozenSet_Type) {
    return CopyRule::kTuple;
  }
  if (type == &PyFunction_Type || type == &PyCFunction_Type || type == &PyRange_Type ||
      type == &PyModule_Type || type == &PyComplex_Type || type == &PySlice_Type ||
      PyType_IsSubtype(type, &PyType_Type) != 0) {
    return CopyRule::kImmutable;
  }
  if (is_subclass_of(type, "enum", "Enum") ||
      type->tp_name == std::string_view("decimal.Decimal") ||
      is_subclass_of(type, "uuid", "UUID") || is_subclass_of(type, "pathlib", "PurePath") ||
      is_subclass_of(type, "fractions", "Fraction")) {
    return CopyRule::kImmutable;
  }
  for (const char* name : {"date", "datetime", "time", "timedelta", "timezone"}) {
    const Ref base = loaded_attribute("datetime", name);
    if (base && reinterpret_cast<PyObject*>(type) == base.get()) {
      return CopyRule::kImmutable;
    }
  }
  // Subclasses of the immutable built-ins without state of their own.
  if (type->tp_dictoffset == 0 &&
      (PyType_IsSubtype(type, &PyLong_Type) != 0 || PyType_IsSubtype(type, &PyFloat_Type) != 0 ||
       PyType_IsSubtype(type, &PyUnicode_Type) != 0 ||
       PyType_IsSubtype(type, &PyBytes_Type) != 0)) {
    return CopyRule::kImmutable;
  }
  if (type->tp_dictoffset == 0 && PyType_IsSubtype(type, &PyTuple_Type) != 0) {
    return CopyRule::kTuple;  // named tuples
  }
  const bool plain = (type->tp_flags & Py_TPFLAGS_HEAPTYPE) != 0 && type->tp_itemsize == 0 &&
                     type->tp_new == PyBaseObject_Type.tp_new && !defines(type, "__deepcopy__") &&
                     !defines(type, "__copy__") && !defines(type, "__reduce__") &&
                     !defines(type, "__reduce_ex__") && !defines(type, "__getstate__") &&
                     !defines(type, "__setstate__") && !defines(type, "__slots__") &&
                     !defines(type, "__getnewargs__") && !defines(type, "__getnewargs_ex__");
  if (!plain) {
    return CopyRule::kDeepCopy;
  }
  return is_frozen_dataclass(type) ? CopyRule::kFrozenInstance : CopyRule::kInstance;
}

CopyRule rule_of(PyTypeObject* type) {
  // Types are kept alive, so that an address is not reused for another type.
  static auto* rules = new std::unordered_map<PyTypeObject*, CopyRule>();
  const auto found = rules->find(type);
  if (found != rules->end()) {
    return found->second;
  }
  const CopyRule rule = decide(type);
  Py_INCREF(type);
  rules->emplace(type, rule);
  return rule;
}

Ref deep_copy(PyObject* object) {
  static constinit CachedAttribute deepcopy("copy", "deepcopy");
  PyObject* copied = PyObject_CallOneArg(deepcopy.get(), object);
  if (copied == nullptr) {
    const std::string shown = short_repr(object);
    const Ref type = Ref::borrow(reinterpret_cast<PyObject*>(Py_TYPE(object)));
    PyObject* error_type = nullptr;
    PyObject* error = nullptr;
    PyObject* traceback = nullptr;
    PyErr_Fetch(&error_type, &error, &traceback);
    PyErr_NormalizeException(&error_type, &error, &traceback);
    const std::string reason = error != nullptr ? short_repr(error) : "unknown";
    Py_XDECREF(error_type);
    Py_XDECREF(error);
    Py_XDECREF(traceback);
    throw_error(
        ErrorKind::kUserCode,
        "the value {} of type {} cannot be copied ({}); records are copied where they are kept "
        "(state, windows, other tasks): emit plain data, or call "
        "env.get_config().enable_object_reuse() to share the object",
        shown,
        type_name_of(object),
        reason);
  }
  return Ref::steal(copied);
}

Ref copy_value(PyObject* object, int depth);

/// The kinds most values are of: shared without a further look.
bool is_atom(PyObject* object) {
  PyTypeObject* type = Py_TYPE(object);
  return type == &PyLong_Type || type == &PyUnicode_Type || type == &PyFloat_Type ||
         object == Py_None || type == &PyBool_Type || type == &PyBytes_Type;
}

/// Whether the copied items are the very same objects: then the container can be shared too.
Ref copy_tuple(PyObject* object, int depth) {
  const bool is_tuple = PyTuple_Check(object) != 0;
  const Ref items = is_tuple ? Ref::borrow(object) : checked(PySequence_Tuple(object));
  const Py_ssize_t n = PyTuple_GET_SIZE(items.get());
  Ref copied;
  for (Py_ssize_t i = 0; i < n; ++i) {
    PyObject* item = PyTuple_GET_ITEM(items.get(), i);
    if (!copied && is_atom(item)) {
      continue;
    }
    Ref copy = copy_value(item, depth);
    if (!copied && copy.get() == item) {
      continue;
    }
    if (!copied) {
      copied = checked(PyTuple_New(n));
      for (Py_ssize_t k = 0; k < i; ++k) {
        PyTuple_SET_ITEM(copied.get(), k, Py_NewRef(PyTuple_GET_ITEM(items.get(), k)));
      }
    }
    PyTuple_SET_ITEM(copied.get(), i, copy.release());
  }
  if (!copied) {
    return Ref::borrow(object);
  }
  if (PyTuple_CheckExact(object)) {
    return copied;
  }
  return deep_copy(object);  // named tuples and frozen sets of mutable items
}

Ref copy_dict(PyObject* object, int depth) {
  Ref out = checked(PyDict_New());
  for_each_entry(object, "copy", [&](PyObject* key, PyObject* value) {
    const Ref key_copy = copy_value(key, depth);
    const Ref value_copy = copy_value(value, depth);
    checked(PyDict_SetItem(out.get(), key_copy.get(), value_copy.get()));
  });
  return out;
}

Ref copy_list(PyObject* object, int depth) {
  Ref out = checked(PyList_New(PyList_GET_SIZE(object)));
  for_each_item(object, "copy", [&](Py_ssize_t i, PyObject* item) {
    PyList_SET_ITEM(out.get(), i, copy_value(item, depth).release());
  });
  return out;
}

Ref copy_row(PyObject* object, int depth) {
  auto* row = reinterpret_cast<RowObject*>(object);
  const Py_ssize_t n = Py_SIZE(object);
  Ref out = checked(reinterpret_cast<PyObject*>(new_row(n, row->fields, row->kind)));
  for (Py_ssize_t i = 0; i < n; ++i) {
    // Owned: copying may run code that sets the field.
    const Ref value = checked(Py_XNewRef(row_field(row, i)));
    reinterpret_cast<RowObject*>(out.get())->values[i] = copy_value(value.get(), depth).release();
  }
  return out;
}

Ref instance_dict(PyObject* object) {
  return checked(PyObject_GenericGetDict(object, nullptr));
}

Ref copy_instance(PyObject* object, int depth, bool share_if_unchanged) {
  const Ref fields = instance_dict(object);
  Ref copied = copy_dict(fields.get(), depth);
  if (share_if_unchanged) {
    bool changed = false;
    Py_ssize_t position = 0;
    PyObject* key = nullptr;
    PyObject* value = nullptr;
    while (PyDict_Next(fields.get(), &position, &key, &value) != 0) {
      changed = changed || PyDict_GetItemWithError(copied.get(), key) != value;
    }
    if (!changed) {
      return Ref::borrow(object);
    }
  }
  PyTypeObject* type = Py_TYPE(object);
  Ref out = checked(type->tp_alloc(type, 0));
#if PY_VERSION_HEX >= 0x030D0000
  // Since 3.13 attributes lie in the object itself, and 3.13.0 goes on looking for them there after
  // its dict was replaced.
  const Ref attributes = instance_dict(out.get());
  checked(PyDict_Update(attributes.get(), copied.get()));
#else
  checked(PyObject_GenericSetDict(out.get(), copied.get(), nullptr));
#endif
  return out;
}

Ref copy_value(PyObject* object, int depth) {
  if (is_atom(object)) {
    return Ref::borrow(object);
  }
  if (depth >= kMaxDepth) {
    return deep_copy(object);
  }
  if (PyTuple_CheckExact(object)) {
    return copy_tuple(object, depth + 1);
  }
  switch (rule_of(Py_TYPE(object))) {
    case CopyRule::kImmutable:
      return Ref::borrow(object);
    case CopyRule::kTuple:
      return copy_tuple(object, depth + 1);
    case CopyRule::kFrozenInstance:
      return copy_instance(object, depth + 1, /*share_if_unchanged=*/true);
    case CopyRule::kList:
      return copy_list(object, depth + 1);
    case CopyRule::kDict:
      return copy_dict(object, depth + 1);
    case CopyRule::kSet: {
      const Ref items = checked(PySequence_Tuple(object));
      const Ref copied = copy_tuple(items.get(), depth + 1);
      return checked(PySet_New(copied.get()));
    }
    case CopyRule::kRow:
      return copy_row(object, depth + 1);
    case CopyRule::kInstance:
      return copy_instance(object, depth + 1, /*share_if_unchanged=*/false);
    case CopyRule::kDeepCopy:
      return deep_copy(object);
  }
  return deep_copy(object);
}

}  // namespace

PyObject* isolate(PyObject* object) {
  // A tuple of atoms is what most functions return.
  if (PyTuple_CheckExact(object)) {
    const Py_ssize_t n = PyTuple_GET_SIZE(object);
    Py_ssize_t i = 0;
    while (i < n && is_atom(PyTuple_GET_ITEM(object, i))) {
      ++i;
    }
    if (i == n) {
      return Py_NewRef(object);
    }
  }
  return copy_value(object, 0).release();
}

}  // namespace flott::bindings
