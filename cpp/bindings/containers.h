#pragma once

#include "bindings/python_ref.h"

#include <Python.h>
#include <fmt/format.h>

#include <string>

namespace flott::bindings {

/// Raises Python's RuntimeError: "`kind` changed size during `action`".
[[noreturn]] void throw_size_changed(const char* kind, const char* action);

/// body(index, item) for the items of a list or tuple. The body may run Python code, which may
/// change the list: the item is kept alive, and a list of another size is an error.
template <typename Body>
void for_each_item(PyObject* list_or_tuple, const char* action, Body&& body) {
  const Py_ssize_t size = PySequence_Fast_GET_SIZE(list_or_tuple);
  for (Py_ssize_t i = 0; i < size; ++i) {
    const Ref item = Ref::borrow(PySequence_Fast_GET_ITEM(list_or_tuple, i));
    body(i, item.get());
    if (PySequence_Fast_GET_SIZE(list_or_tuple) != size) [[unlikely]] {
      throw_size_changed("list", action);
    }
  }
}

/// body(key, value) for the entries of a dict, likewise.
template <typename Body>
void for_each_entry(PyObject* dict, const char* action, Body&& body) {
  const Py_ssize_t size = PyDict_Size(dict);
  Py_ssize_t position = 0;
  PyObject* next_key = nullptr;
  PyObject* next_value = nullptr;
  Py_ssize_t seen = 0;
  while (PyDict_Next(dict, &position, &next_key, &next_value) != 0) {
    const Ref key = Ref::borrow(next_key);
    const Ref value = Ref::borrow(next_value);
    body(key.get(), value.get());
    // Entries that are replaced one by one leave the size as it is, and would never end.
    if (PyDict_Size(dict) != size || ++seen > size) [[unlikely]] {
      throw_size_changed("dict", action);
    }
  }
}

/// body(key, value) for what `mapping.items()` gives; a TypeError naming `method` when that is not
/// made of pairs.
template <typename Body>
void for_each_pair(PyObject* mapping, const char* method, Body&& body) {
  const Ref items = checked(PyMapping_Items(mapping));
  for_each_item(items.get(), method, [&](Py_ssize_t /*index*/, PyObject* item) {
    const Ref pair = Ref::steal(PySequence_Tuple(item));
    if (!pair || PyTuple_GET_SIZE(pair.get()) != 2) {
      PyErr_Clear();
      const std::string message = fmt::format(
          "{} takes a mapping; items() of this {} gave {} "
          "instead of a (key, value) pair",
          method,
          type_name_of(mapping),
          short_repr(item));
      PyErr_SetString(PyExc_TypeError, message.c_str());
      throw_python_error();
    }
    body(PyTuple_GET_ITEM(pair.get(), 0), PyTuple_GET_ITEM(pair.get(), 1));
  });
}

}  // namespace flott::bindings
