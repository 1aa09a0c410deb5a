#include "bindings/row.h"

#include "bindings/containers.h"
#include "bindings/convert.h"
#include "bindings/python_ref.h"

#include <structmember.h>

#include <string>
#include <unordered_map>

namespace flott::bindings {
namespace {

PyTypeObject* g_row_type = nullptr;  // NOLINT: made once by the module's init
PyObject* g_new_row = nullptr;       // NOLINT: what pickled rows call

RowObject* as_row(PyObject* object) {
  return reinterpret_cast<RowObject*>(object);
}
PyObject* as_object(RowObject* row) {
  return reinterpret_cast<PyObject*>(row);
}

void drop_batch(RowObject* row) {
  if (row->batch != nullptr) {
    intrusive_ptr_release(row->batch);
    row->batch = nullptr;
  }
}

/// pyflink.common.RowKind member (new reference).
PyObject* python_row_kind(RowKind kind) {
  static PyObject* members[4] = {};
  PyObject*& member = members[static_cast<int>(kind)];
  if (member == nullptr) {
    const Ref row_kind = import_attribute("pyflink.common.types", "RowKind");
    member = PyObject_CallFunction(row_kind.get(), "i", static_cast<int>(kind));
    if (member == nullptr) {
      throw_python_error();
    }
  }
  Py_INCREF(member);
  return member;
}

bool row_kind_of(PyObject* object, RowKind& out) {
  const Ref value = Ref::steal(PyObject_GetAttrString(object, "value"));
  if (!value) {
    PyErr_Clear();
  }
  const long number = value ? PyLong_AsLong(value.get()) : -1;
  if (number < 0 || number > 3) {
    PyErr_Clear();
    PyErr_Format(
        PyExc_TypeError, "a row kind is a member of pyflink.common.RowKind, not %R", object);
    return false;
  }
  out = static_cast<RowKind>(number);
  return true;
}

void dealloc(PyObject* self) {
  PyObject_GC_UnTrack(self);
  RowObject* row = as_row(self);
  for (Py_ssize_t i = 0; i < Py_SIZE(self); ++i) {
    Py_XDECREF(row->values[i]);
  }
  Py_XDECREF(row->fields);
  drop_batch(row);
  PyTypeObject* type = Py_TYPE(self);
  type->tp_free(self);
  Py_DECREF(type);
}

int traverse(PyObject* self, visitproc visit, void* arg) {
  RowObject* row = as_row(self);
  for (Py_ssize_t i = 0; i < Py_SIZE(self); ++i) {
    Py_VISIT(row->values[i]);
  }
  Py_VISIT(row->fields);
  Py_VISIT(Py_TYPE(self));
  return 0;
}

int clear(PyObject* self) {
  RowObject* row = as_row(self);
  for (Py_ssize_t i = 0; i < Py_SIZE(self); ++i) {
    Py_INCREF(Py_None);
    Py_XSETREF(row->values[i], Py_None);
  }
  return 0;
}

/// Row(*values) or Row(**named_values): what `Row(...)` calls, without a tuple in between.
PyObject* vectorcall(PyObject* /*type*/,
                     PyObject* const* args,
                     std::size_t flags,
                     PyObject* names) {
  const Py_ssize_t positional = PyVectorcall_NARGS(flags);
  const Py_ssize_t named = names == nullptr ? 0 : PyTuple_GET_SIZE(names);
  if (positional > 0 && named > 0) {
    PyErr_SetString(
        PyExc_ValueError,
        "a Row takes positional values or named ones, not both: Row(1, 2) or Row(a=1, b=2)");
    return nullptr;
  }
  RowObject* row = new_row(positional + named, named == 0 ? nullptr : names, RowKind::kInsert);
  for (Py_ssize_t i = 0; row != nullptr && i < positional + named; ++i) {
    row->values[i] = Py_NewRef(args[i]);
  }
  return as_object(row);
}

/// As vectorcall(), for `Row.__new__(Row, ...)`.
PyObject* tp_new(PyTypeObject* type, PyObject* args, PyObject* kwargs) {
  return PyVectorcall_Call(reinterpret_cast<PyObject*>(type), args, kwargs);
}

/// Index of a name, -1 when there is none, -2 with an error set.
Py_ssize_t index_of(RowObject* row, PyObject* name) {
  if (row->fields == nullptr) {
    return -1;
  }
  if (PyTuple_CheckExact(row->fields)) {
    const Py_ssize_t n = PyTuple_GET_SIZE(row->fields);
    for (Py_ssize_t i = 0; i < n; ++i) {
      if (PyTuple_GET_ITEM(row->fields, i) == name) {
        return i < Py_SIZE(row) ? i : -1;
      }
    }
  }
  const Ref found = Ref::steal(PyObject_CallMethod(row->fields, "index", "O", name));
  if (!found) {
    if (PyErr_ExceptionMatches(PyExc_ValueError) == 0) {
      return -2;
    }
    PyErr_Clear();
    return -1;
  }
  const Py_ssize_t index = PyLong_AsSsize_t(found.get());
  return index < Py_SIZE(row) ? index : -1;
}

/// Names the fields there are; not for `__deepcopy__` and its like, which are only looked for.
void refuse_field(RowObject* row, PyObject* name) {
  const Ref underscores = Ref::steal(PyUnicode_FromString("__"));
  if (!underscores || PyUnicode_Tailmatch(name, underscores.get(), 0, 2, -1) != 0) {
    PyErr_SetObject(PyExc_AttributeError, name);
  } else if (row->fields == nullptr) {
    PyErr_Format(
        PyExc_AttributeError, "%U: the fields of this Row have no names; use row[i]", name);
  } else {
    PyErr_Format(
        PyExc_AttributeError, "'%U' is not a field of this Row; it has %R", name, row->fields);
  }
}

/// For row[key]. Upstream's types of errors: ValueError for an unknown name, `unnamed` where there
/// are no names.
void refuse_key(RowObject* row, PyObject* key, PyObject* unnamed) {
  if (row->fields == nullptr) {
    PyErr_Format(unnamed, "%R: the fields of this Row have no names; use row[i]", key);
  } else {
    PyErr_Format(PyExc_ValueError, "%R is not a field of this Row; it has %R", key, row->fields);
  }
}

PyObject* getattro(PyObject* self, PyObject* name) {
  // Methods win over fields, as upstream, whose fields are found by __getattr__.
  if (_PyType_Lookup(Py_TYPE(self), name) == nullptr) {
    const Py_ssize_t index = index_of(as_row(self), name);
    if (index >= 0) {
      PyObject* value = row_field(as_row(self), index);
      Py_XINCREF(value);
      return value;
    }
    if (index == -2) {
      return nullptr;
    }
    refuse_field(as_row(self), name);
    return nullptr;
  }
  return PyObject_GenericGetAttr(self, name);
}

int setattro(PyObject* self, PyObject* name, PyObject* value) {
  RowObject* row = as_row(self);
  if (value != nullptr && PyUnicode_CompareWithASCIIString(name, "_fields") == 0) {
    Py_INCREF(value);
    Py_XSETREF(row->fields, value);
    return 0;
  }
  if (value != nullptr && PyUnicode_CompareWithASCIIString(name, "_row_kind") == 0) {
    return row_kind_of(value, row->kind) ? 0 : -1;
  }
  PyErr_SetObject(PyExc_AttributeError, name);
  return -1;
}

Ref values_list(RowObject* row) {
  Ref list = checked(PyList_New(Py_SIZE(row)));
  for (Py_ssize_t i = 0; i < Py_SIZE(row); ++i) {
    PyObject* value = row_field(row, i);
    if (value == nullptr) {
      throw_python_error();
    }
    PyList_SET_ITEM(list.get(), i, Py_NewRef(value));
  }
  return list;
}

Ref values_tuple(RowObject* row) {
  Ref tuple = checked(PyTuple_New(Py_SIZE(row)));
  for (Py_ssize_t i = 0; i < Py_SIZE(row); ++i) {
    PyObject* value = row_field(row, i);
    if (value == nullptr) {
      throw_python_error();
    }
    PyTuple_SET_ITEM(tuple.get(), i, Py_NewRef(value));
  }
  return tuple;
}

/// Runs `body`, turning C++ exceptions into the Python error they came from.
template <typename Body>
PyObject* safely(Body&& body) {
  try {
    return body();
  } catch (const PythonError& error) {
    PyErr_SetObject(reinterpret_cast<PyObject*>(Py_TYPE(error.exception())), error.exception());
  } catch (const std::exception& error) {
    PyErr_SetString(PyExc_RuntimeError, error.what());
  }
  return nullptr;
}

Py_ssize_t length(PyObject* self) {
  return Py_SIZE(self);
}

PyObject* item(PyObject* self, Py_ssize_t index) {
  if (index < 0 || index >= Py_SIZE(self)) {
    PyErr_Format(PyExc_IndexError, "row index out of range: the row has %zd fields", Py_SIZE(self));
    return nullptr;
  }
  PyObject* value = row_field(as_row(self), index);
  Py_XINCREF(value);
  return value;
}

PyObject* subscript(PyObject* self, PyObject* key) {
  if (PyIndex_Check(key) != 0) {
    Py_ssize_t index = PyNumber_AsSsize_t(key, PyExc_IndexError);
    if (index == -1 && PyErr_Occurred() != nullptr) {
      return nullptr;
    }
    if (index < 0) {
      index += Py_SIZE(self);
    }
    return item(self, index);
  }
  if (PySlice_Check(key) != 0) {
    return safely([&] { return PyObject_GetItem(values_list(as_row(self)).get(), key); });
  }
  const Py_ssize_t index = index_of(as_row(self), key);
  if (index < 0) {
    if (index == -1) {
      refuse_key(as_row(self), key, PyExc_AttributeError);
    }
    return nullptr;
  }
  return item(self, index);
}

int set_subscript(PyObject* self, PyObject* key, PyObject* value) {
  if (value == nullptr) {
    PyErr_SetString(PyExc_TypeError, "a field of a Row cannot be deleted; set it to None");
    return -1;
  }
  RowObject* row = as_row(self);
  Py_ssize_t index = -1;
  if (PyIndex_Check(key) != 0) {
    index = PyNumber_AsSsize_t(key, PyExc_IndexError);
    if (index == -1 && PyErr_Occurred() != nullptr) {
      return -1;
    }
    index += index < 0 ? Py_SIZE(self) : 0;
    if (index < 0 || index >= Py_SIZE(self)) {
      PyErr_Format(
          PyExc_IndexError, "row index out of range: the row has %zd fields", Py_SIZE(self));
      return -1;
    }
  } else {
    index = index_of(row, key);
    if (index < 0) {
      if (index == -1) {
        refuse_key(row, key, PyExc_KeyError);
      }
      return -1;
    }
  }
  Py_INCREF(value);
  Py_XSETREF(row->values[index], value);
  return 0;
}

int contains(PyObject* self, PyObject* item_wanted) {
  RowObject* row = as_row(self);
  if (row->fields != nullptr && row->fields != Py_None) {
    return PySequence_Contains(row->fields, item_wanted);
  }
  for (Py_ssize_t i = 0; i < Py_SIZE(self); ++i) {
    PyObject* value = row_field(row, i);
    if (value == nullptr) {
      return -1;
    }
    const int equal = PyObject_RichCompareBool(value, item_wanted, Py_EQ);
    if (equal != 0) {
      return equal;
    }
  }
  return 0;
}

PyObject* iterate(PyObject* self) {
  return safely([&] { return PyObject_GetIter(values_list(as_row(self)).get()); });
}

PyObject* repr(PyObject* self) {
  return safely([&]() -> PyObject* {
    RowObject* row = as_row(self);
    const bool named = row->fields != nullptr;
    Ref parts = checked(PyList_New(0));
    const Ref names = named ? checked(PySequence_List(row->fields)) : Ref();
    Py_ssize_t n = Py_SIZE(self);
    if (named && PyList_GET_SIZE(names.get()) < n) {
      n = PyList_GET_SIZE(names.get());
    }
    const int entered = Py_ReprEnter(self);
    if (entered != 0) {
      return entered > 0 ? PyUnicode_FromString("Row(...)") : nullptr;
    }
    PyObject* out = nullptr;
    try {
      for (Py_ssize_t i = 0; i < n; ++i) {
        PyObject* value = row_field(row, i);
        if (value == nullptr) {
          throw_python_error();
        }
        const Ref part =
            checked(named ? PyUnicode_FromFormat("%S=%R", PyList_GET_ITEM(names.get(), i), value)
                          : PyObject_Repr(value));
        checked(PyList_Append(parts.get(), part.get()));
      }
      const Ref separator = checked(PyUnicode_FromString(", "));
      const Ref joined = checked(PyUnicode_Join(separator.get(), parts.get()));
      out = PyUnicode_FromFormat(named ? "Row(%U)" : "<Row(%U)>", joined.get());
    } catch (...) {
      Py_ReprLeave(self);
      throw;
    }
    Py_ReprLeave(self);
    return out;
  });
}

Py_hash_t hash(PyObject* self) {
  PyObject* tuple = safely([&] { return values_tuple(as_row(self)).release(); });
  if (tuple == nullptr) {
    return -1;
  }
  const Py_hash_t out = PyObject_Hash(tuple);
  Py_DECREF(tuple);
  return out;
}

/// 1 equal, 0 not, -1 error.
int equal(RowObject* a, RowObject* b) {
  if (a->kind != b->kind || Py_SIZE(a) != Py_SIZE(b) ||
      (a->fields == nullptr) != (b->fields == nullptr)) {
    return 0;
  }
  for (Py_ssize_t i = 0; i < Py_SIZE(a); ++i) {
    Py_ssize_t other = i;
    if (a->fields != nullptr && a->fields != b->fields) {
      // Named rows are equal whatever the order of their fields.
      const Ref name = Ref::steal(PySequence_GetItem(a->fields, i));
      if (!name) {
        return -1;
      }
      other = index_of(b, name.get());
      if (other < 0) {
        return other == -1 ? 0 : -1;
      }
    }
    PyObject* left = row_field(a, i);
    PyObject* right = row_field(b, other);
    if (left == nullptr || right == nullptr) {
      return -1;
    }
    const int same = PyObject_RichCompareBool(left, right, Py_EQ);
    if (same != 1) {
      return same;
    }
  }
  return 1;
}

PyObject* compare(PyObject* self, PyObject* other, int op) {
  if (op != Py_EQ && op != Py_NE) {
    Py_RETURN_NOTIMPLEMENTED;
  }
  const int same = is_row(other) ? equal(as_row(self), as_row(other)) : 0;
  if (same < 0) {
    return nullptr;
  }
  return PyBool_FromLong((same == 1) == (op == Py_EQ) ? 1 : 0);
}

PyObject* call_row(PyObject* self, PyObject* args, PyObject* kwargs) {
  if (kwargs != nullptr && PyDict_Size(kwargs) > 0) {
    PyErr_SetString(PyExc_TypeError, "a Row used as a factory takes positional values only");
    return nullptr;
  }
  RowObject* names = as_row(self);
  const Py_ssize_t given = PyTuple_GET_SIZE(args);
  if (given > Py_SIZE(self)) {
    PyErr_Format(PyExc_ValueError,
                 "Can not create Row with fields %R, expected %zd values but got %R",
                 self,
                 Py_SIZE(self),
                 args);
    return nullptr;
  }
  return safely([&]() -> PyObject* {
    const Ref fields = values_tuple(names);
    RowObject* row = new_row(given, fields.get(), names->kind);
    for (Py_ssize_t i = 0; row != nullptr && i < given; ++i) {
      row->values[i] = Py_NewRef(PyTuple_GET_ITEM(args, i));
    }
    return as_object(row);
  });
}

PyObject* convert_recursively(PyObject* object);

PyObject* to_dict(RowObject* row, bool recursive) {
  Ref out = checked(PyDict_New());
  const Ref names = checked(PySequence_List(row->fields));
  for (Py_ssize_t i = 0; i < Py_SIZE(row) && i < PyList_GET_SIZE(names.get()); ++i) {
    PyObject* value = row_field(row, i);
    if (value == nullptr) {
      throw_python_error();
    }
    const Ref converted = checked(recursive ? convert_recursively(value) : Py_NewRef(value));
    checked(PyDict_SetItem(out.get(), PyList_GET_ITEM(names.get(), i), converted.get()));
  }
  return out.release();
}

PyObject* convert_recursively(PyObject* object) {
  if (is_row(object)) {
    RowObject* row = as_row(object);
    if (row->fields == nullptr) {
      PyErr_SetString(PyExc_TypeError, "Cannot convert a Row class into dict");
      throw_python_error();
    }
    return to_dict(row, true);
  }
  if (PyList_Check(object) != 0) {
    Ref out = checked(PyList_New(PyList_GET_SIZE(object)));
    for_each_item(object, "conversion", [&](Py_ssize_t i, PyObject* element) {
      PyList_SET_ITEM(out.get(), i, convert_recursively(element));
    });
    return out.release();
  }
  if (PyDict_Check(object) != 0) {
    Ref out = checked(PyDict_New());
    for_each_entry(object, "conversion", [&](PyObject* key, PyObject* value) {
      const Ref converted = checked(convert_recursively(value));
      checked(PyDict_SetItem(out.get(), key, converted.get()));
    });
    return out.release();
  }
  return Py_NewRef(object);
}

PyObject* as_dict(PyObject* self, PyObject* args, PyObject* kwargs) {
  static const char* keywords[] = {"recursive", nullptr};
  int recursive = 0;
  if (PyArg_ParseTupleAndKeywords(args, kwargs, "|p", const_cast<char**>(keywords), &recursive) ==
      0) {
    return nullptr;
  }
  if (as_row(self)->fields == nullptr) {
    PyErr_SetString(PyExc_TypeError, "Cannot convert a Row class into dict");
    return nullptr;
  }
  return safely([&] { return to_dict(as_row(self), recursive != 0); });
}

PyObject* get_row_kind(PyObject* self, PyObject* /*unused*/) {
  return safely([&] { return python_row_kind(as_row(self)->kind); });
}

PyObject* set_row_kind(PyObject* self, PyObject* kind) {
  if (!row_kind_of(kind, as_row(self)->kind)) {
    return nullptr;
  }
  Py_RETURN_NONE;
}

PyObject* set_field_names(PyObject* self, PyObject* names) {
  Py_INCREF(names);
  Py_XSETREF(as_row(self)->fields, names);
  Py_RETURN_NONE;
}

PyObject* get_fields_by_names(PyObject* self, PyObject* names) {
  return safely([&]() -> PyObject* {
    RowObject* row = as_row(self);
    if (row->fields == nullptr) {
      return values_list(row).release();
    }
    const Ref wanted = checked(PySequence_List(names));
    Ref out = checked(PyList_New(0));
    Ref missing = checked(PyList_New(0));
    for (Py_ssize_t i = 0; i < PyList_GET_SIZE(wanted.get()); ++i) {
      PyObject* name = PyList_GET_ITEM(wanted.get(), i);
      const Py_ssize_t index = index_of(row, name);
      if (index == -2) {
        throw_python_error();
      }
      if (index == -1) {
        checked(PyList_Append(missing.get(), name));
        continue;
      }
      PyObject* value = row_field(row, index);
      if (value == nullptr) {
        throw_python_error();
      }
      checked(PyList_Append(out.get(), value));
    }
    if (PyList_GET_SIZE(missing.get()) > 0) {
      const Ref have = checked(PySequence_List(row->fields));
      PyErr_Format(PyExc_Exception, "Field names %R not exist in %R.", missing.get(), have.get());
      return nullptr;
    }
    return out.release();
  });
}

PyObject* of_kind(PyObject* /*type*/, PyObject* args, PyObject* kwargs) {
  if (PyTuple_GET_SIZE(args) < 1) {
    PyErr_SetString(PyExc_TypeError, "Row.of_kind() takes a RowKind first");
    return nullptr;
  }
  RowKind kind = RowKind::kInsert;
  if (!row_kind_of(PyTuple_GET_ITEM(args, 0), kind)) {
    return nullptr;
  }
  const Ref rest = Ref::steal(PyTuple_GetSlice(args, 1, PyTuple_GET_SIZE(args)));
  PyObject* row = rest ? tp_new(row_type(), rest.get(), kwargs) : nullptr;
  if (row != nullptr) {
    as_row(row)->kind = kind;
  }
  return row;
}

/// `_new_row(fields, values, kind)`: what a pickle of a row calls.
PyObject* unpickle(PyObject* /*module*/, PyObject* args) {
  PyObject* fields = nullptr;
  PyObject* values = nullptr;
  int kind = 0;
  if (PyArg_ParseTuple(args, "OO!i", &fields, &PyTuple_Type, &values, &kind) == 0) {
    return nullptr;
  }
  RowObject* row = new_row(PyTuple_GET_SIZE(values),
                           fields == Py_None ? nullptr : fields,
                           static_cast<RowKind>(kind & 3));
  for (Py_ssize_t i = 0; row != nullptr && i < PyTuple_GET_SIZE(values); ++i) {
    row->values[i] = Py_NewRef(PyTuple_GET_ITEM(values, i));
  }
  return as_object(row);
}

PyObject* reduce(PyObject* self, PyObject* /*unused*/) {
  return safely([&]() -> PyObject* {
    RowObject* row = as_row(self);
    return Py_BuildValue("O(ONi)",
                         g_new_row,
                         row->fields == nullptr ? Py_None : row->fields,
                         values_tuple(row).release(),
                         static_cast<int>(row->kind));
  });
}

PyObject* shallow_copy(PyObject* self, PyObject* /*unused*/) {
  return safely([&] { return as_object(copy_of_row(as_row(self))); });
}

PyObject* get_fields(PyObject* self, void* /*closure*/) {
  if (as_row(self)->fields == nullptr) {
    PyErr_SetString(PyExc_AttributeError, "_fields");
    return nullptr;
  }
  return PySequence_List(as_row(self)->fields);
}

PyObject* get_values(PyObject* self, void* /*closure*/) {
  return safely([&] { return values_list(as_row(self)).release(); });
}

PyObject* get_kind(PyObject* self, void* /*closure*/) {
  return get_row_kind(self, nullptr);
}

PyCFunction with_keywords(PyObject* (*function)(PyObject*, PyObject*, PyObject*)) {
  return reinterpret_cast<PyCFunction>(reinterpret_cast<void*>(function));
}

PyMethodDef g_methods[] = {  // NOLINT
    {"as_dict",
     with_keywords(&as_dict),
     METH_VARARGS | METH_KEYWORDS,
     "as_dict($self, recursive=False)\n--\n\nThe fields of a named row as a dict; with `recursive` "
     "nested rows too.\n"
     "Raises TypeError for a positional row."},
    {"get_row_kind",
     &get_row_kind,
     METH_NOARGS,
     "get_row_kind($self)\n--\n\nThe row's RowKind; INSERT unless set."},
    {"set_row_kind",
     &set_row_kind,
     METH_O,
     "set_row_kind($self, row_kind)\n--\n\nSets the row's RowKind."},
    {"set_field_names",
     &set_field_names,
     METH_O,
     "set_field_names($self, field_names)\n--\n\nNames the fields of the row."},
    {"get_fields_by_names",
     &get_fields_by_names,
     METH_O,
     "get_fields_by_names($self, names)\n--\n\nThe values of the named fields as a list; all "
     "values of a positional row."},
    {"of_kind",
     with_keywords(&of_kind),
     METH_VARARGS | METH_KEYWORDS | METH_STATIC,
     "of_kind(row_kind, *args, **kwargs)\n--\n\nA row as Row(*args, **kwargs) with the given "
     "kind."},
    {"__reduce__", &reduce, METH_NOARGS, nullptr},
    {"__copy__", &shallow_copy, METH_NOARGS, nullptr},
    {nullptr, nullptr, 0, nullptr}};

PyGetSetDef g_getset[] = {  // NOLINT
    {"_fields", &get_fields, nullptr, "Field names of a named row.", nullptr},
    {"_values", &get_values, nullptr, "The values as a list.", nullptr},
    {"_row_kind", &get_kind, nullptr, "The row's RowKind.", nullptr},
    {nullptr, nullptr, nullptr, nullptr, nullptr}};

PyMethodDef g_unpickle = {"_new_row", &unpickle, METH_VARARGS, nullptr};  // NOLINT

}  // namespace

PyTypeObject* row_type() {
  return g_row_type;
}

RowObject* new_row(Py_ssize_t size, PyObject* fields, RowKind kind) {
  auto* row = PyObject_GC_NewVar(RowObject, g_row_type, size);
  if (row == nullptr) {
    return nullptr;
  }
  row->fields = fields;
  Py_XINCREF(fields);
  row->batch = nullptr;
  row->row = 0;
  row->kind = kind;
  for (Py_ssize_t i = 0; i < size; ++i) {
    row->values[i] = nullptr;
  }
  PyObject_GC_Track(as_object(row));
  return row;
}

RowObject* copy_of_row(RowObject* row) {
  RowObject* copy = new_row(Py_SIZE(row), row->fields, row->kind);
  for (Py_ssize_t i = 0; copy != nullptr && i < Py_SIZE(row); ++i) {
    copy->values[i] = Py_XNewRef(row_field(row, i));
    if (copy->values[i] == nullptr) {
      Py_CLEAR(copy);
    }
  }
  return copy;
}

PyObject* new_row_view(const Batch& batch, std::uint32_t row_index) {
  PyObject* names = field_names_of(*batch.type());
  RowObject* row =
      new_row(static_cast<Py_ssize_t>(batch.columns().size()), names, batch.kind_at(row_index));
  if (row != nullptr) {
    row->batch = &batch;
    intrusive_ptr_add_ref(&batch);
    row->row = row_index;
  }
  return as_object(row);
}

PyObject* row_field(RowObject* row, Py_ssize_t index) {
  PyObject*& slot = row->values[index];
  if (slot == nullptr) {
    slot = row->batch == nullptr
               ? Py_NewRef(Py_None)
               : column_to_python(row->batch->column(static_cast<std::size_t>(index)), row->row);
  }
  return slot;
}

int detach_row(RowObject* row) {
  for (Py_ssize_t i = 0; i < Py_SIZE(row); ++i) {
    if (row_field(row, i) == nullptr) {
      return -1;
    }
  }
  drop_batch(row);
  return 0;
}

namespace {

PyObject* make_field_names(const LogicalType& type) {
  const auto& names = type.field_names();
  PyObject* tuple = PyTuple_New(static_cast<Py_ssize_t>(names.size()));
  for (std::size_t i = 0; tuple != nullptr && i < names.size(); ++i) {
    PyObject* name =
        PyUnicode_FromStringAndSize(names[i].data(), static_cast<Py_ssize_t>(names[i].size()));
    PyUnicode_InternInPlace(&name);
    PyTuple_SET_ITEM(tuple, static_cast<Py_ssize_t>(i), name);
  }
  return tuple;
}

}  // namespace

PyObject* field_names_of(const LogicalType& type) {
  // A job has few row types; each is kept alive so that its address stays its name.
  static auto* cache = new std::unordered_map<LogicalTypePtr, PyObject*>();
  static const LogicalType* last_type = nullptr;
  static PyObject* last_names = nullptr;
  if (&type == last_type) {
    return last_names;
  }
  PyObject*& names = (*cache)[type.shared_from_this()];
  if (names == nullptr) {
    names = make_field_names(type);
  }
  last_type = &type;
  last_names = names;
  return names;
}

int add_row_type(PyObject* module) {
  static PyType_Slot slots[] = {
      {Py_tp_dealloc, reinterpret_cast<void*>(&dealloc)},
      {Py_tp_traverse, reinterpret_cast<void*>(&traverse)},
      {Py_tp_clear, reinterpret_cast<void*>(&clear)},
      {Py_tp_new, reinterpret_cast<void*>(&tp_new)},
      {Py_tp_getattro, reinterpret_cast<void*>(&getattro)},
      {Py_tp_setattro, reinterpret_cast<void*>(&setattro)},
      {Py_tp_repr, reinterpret_cast<void*>(&repr)},
      {Py_tp_hash, reinterpret_cast<void*>(&hash)},
      {Py_tp_richcompare, reinterpret_cast<void*>(&compare)},
      {Py_tp_call, reinterpret_cast<void*>(&call_row)},
      {Py_tp_iter, reinterpret_cast<void*>(&iterate)},
      {Py_tp_methods, g_methods},
      {Py_tp_getset, g_getset},
      {Py_sq_length, reinterpret_cast<void*>(&length)},
      {Py_sq_item, reinterpret_cast<void*>(&item)},
      {Py_sq_contains, reinterpret_cast<void*>(&contains)},
      {Py_mp_length, reinterpret_cast<void*>(&length)},
      {Py_mp_subscript, reinterpret_cast<void*>(&subscript)},
      {Py_mp_ass_subscript, reinterpret_cast<void*>(&set_subscript)},
      {Py_tp_doc,
       const_cast<char*>(
           "Row(*values) or Row(**named_values): values with a row kind; fields of a named row "
           "are\n"
           "read by attribute, name or position, those of a positional one by position. A "
           "positional\n"
           "row of strings is also a factory: Row('a', 'b')(1, 2) is Row(a=1, b=2).")},
      {0, nullptr}};
  static PyType_Spec spec = {"pyflink.common.types.Row",
                             static_cast<int>(sizeof(RowObject) - sizeof(PyObject*)),
                             sizeof(PyObject*),
                             Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC,
                             slots};
  PyObject* type = PyType_FromSpec(&spec);
  if (type == nullptr) {
    return -1;
  }
  g_row_type = reinterpret_cast<PyTypeObject*>(type);
  g_row_type->tp_vectorcall = vectorcall;
  const Ref module_name = Ref::steal(PyUnicode_FromString("pyflink._native"));
  g_new_row = PyCFunction_NewEx(&g_unpickle, nullptr, module_name.get());
  if (g_new_row == nullptr || PyModule_AddObjectRef(module, "_new_row", g_new_row) < 0) {
    return -1;
  }
  return PyModule_AddObjectRef(module, "Row", type);
}

}  // namespace flott::bindings
