#include "bindings/io/document_json.h"

#include "formats/json_encoder.h"
#include "formats/scalar_text.h"

#include <cmath>

namespace flott::bindings {

namespace {

/// A list that contains itself has no end; json's own encoder then says what is wrong.
constexpr int kMaxDepth = 64;

bool append_text(PyObject* text, std::string& out) {
  Py_ssize_t size = 0;
  const char* const bytes = PyUnicode_AsUTF8AndSize(text, &size);
  if (bytes == nullptr) {
    PyErr_Clear();
    return false;
  }
  append_json_string({bytes, static_cast<std::size_t>(size)}, out);
  return true;
}

bool append_number(PyObject* number, std::string& out) {
  if (PyLong_CheckExact(number)) {
    int overflow = 0;
    const long long value = PyLong_AsLongLongAndOverflow(number, &overflow);
    if (overflow != 0) {
      return false;
    }
    append_integer(value, out);
    return true;
  }
  const double value = PyFloat_AS_DOUBLE(number);
  if (!std::isfinite(value)) {
    return false;
  }
  char* const text = PyOS_double_to_string(value, 'r', 0, Py_DTSF_ADD_DOT_0, nullptr);
  if (text == nullptr) {
    PyErr_Clear();
    return false;
  }
  out += text;
  PyMem_Free(text);
  return true;
}

bool append_value(PyObject* value, int depth, std::string& out);

bool append_object(PyObject* dict, int depth, std::string& out) {
  out.push_back('{');
  PyObject* key = nullptr;
  PyObject* value = nullptr;
  Py_ssize_t position = 0;
  bool first = true;
  while (PyDict_Next(dict, &position, &key, &value) != 0) {
    if (!first) {
      out.push_back(',');
    }
    first = false;
    if (!PyUnicode_CheckExact(key) || !append_text(key, out)) {
      return false;
    }
    out.push_back(':');
    if (!append_value(value, depth + 1, out)) {
      return false;
    }
  }
  out.push_back('}');
  return true;
}

bool append_array(PyObject* sequence, int depth, std::string& out) {
  out.push_back('[');
  const Py_ssize_t size = PySequence_Fast_GET_SIZE(sequence);
  for (Py_ssize_t i = 0; i < size; ++i) {
    if (i > 0) {
      out.push_back(',');
    }
    if (!append_value(PySequence_Fast_GET_ITEM(sequence, i), depth + 1, out)) {
      return false;
    }
  }
  out.push_back(']');
  return true;
}

bool append_value(PyObject* value, int depth, std::string& out) {
  if (depth > kMaxDepth) {
    return false;
  }
  if (PyUnicode_CheckExact(value)) {
    return append_text(value, out);
  }
  if (value == Py_None || value == Py_True || value == Py_False) {
    out += value == Py_None ? "null" : value == Py_True ? "true" : "false";
    return true;
  }
  if (PyLong_CheckExact(value) || PyFloat_CheckExact(value)) {
    return append_number(value, out);
  }
  if (PyDict_CheckExact(value)) {
    return append_object(value, depth, out);
  }
  if (PyList_CheckExact(value) || PyTuple_CheckExact(value)) {
    return append_array(value, depth, out);
  }
  return false;
}

}  // namespace

bool append_document_json(PyObject* value, std::string& out) {
  const std::size_t before = out.size();
  if (append_value(value, 0, out)) {
    return true;
  }
  out.resize(before);
  return false;
}

}  // namespace flott::bindings
