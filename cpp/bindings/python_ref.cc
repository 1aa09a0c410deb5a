#include "bindings/python_ref.h"

#include "base/error.h"
#include "bindings/containers.h"

namespace flott::bindings {

Ref attribute_or_null(PyObject* object, const char* name) {
  PyObject* found = PyObject_GetAttrString(object, name);
  if (found == nullptr) {
    if (!PyErr_ExceptionMatches(PyExc_AttributeError)) {
      throw_python_error();
    }
    PyErr_Clear();
  }
  return Ref::steal(found);
}

Ref attribute(PyObject* object, const char* name) {
  return checked(PyObject_GetAttrString(object, name));
}

bool has_attribute(PyObject* object, const char* name) {
  return static_cast<bool>(attribute_or_null(object, name));
}

Ref import_attribute(const char* module, const char* name) {
  const Ref loaded = checked(PyImport_ImportModule(module));
  return attribute(loaded.get(), name);
}

PyObject* CachedAttribute::get() {
  if (object_ == nullptr) {
    Ref found = import_attribute(module_, name_);
    if (object_ == nullptr) {  // another thread may have been here during the import
      object_ = found.release();
    }
  }
  return object_;
}

Ref loaded_attribute(const char* module, const char* name) {
  const Ref module_name = checked(PyUnicode_FromString(module));
  const Ref loaded = Ref::steal(PyImport_GetModule(module_name.get()));
  if (!loaded) {
    if (PyErr_Occurred() != nullptr) {
      throw_python_error();
    }
    return {};
  }
  return attribute_or_null(loaded.get(), name);
}

std::string text_of(PyObject* object, const char* what) {
  if (!PyUnicode_Check(object)) {
    throw_error(
        ErrorKind::kInvalidArgument, "{} must be a str, not {}", what, type_name_of(object));
  }
  Py_ssize_t size = 0;
  const char* text = PyUnicode_AsUTF8AndSize(object, &size);
  if (text == nullptr) {
    throw_python_error();
  }
  return {text, static_cast<std::size_t>(size)};
}

std::string short_repr(PyObject* object) {
  const Ref text = Ref::steal(PyObject_Repr(object));
  Py_ssize_t size = 0;
  const char* utf8 = text ? PyUnicode_AsUTF8AndSize(text.get(), &size) : nullptr;
  if (utf8 == nullptr) {
    PyErr_Clear();
    return "<" + type_name_of(object) + " whose repr() fails>";
  }
  std::string out(utf8, static_cast<std::size_t>(size));
  if (out.size() > 200) {
    std::size_t cut = 200;
    while (cut > 0 && (static_cast<unsigned char>(out[cut]) & 0xC0) == 0x80) {
      --cut;
    }
    out.resize(cut);
    out += "...";
  }
  return out;
}

void throw_size_changed(const char* kind, const char* action) {
  PyErr_Format(PyExc_RuntimeError, "%s changed size during %s", kind, action);
  throw_python_error();
}

std::string type_name_of(PyObject* object) {
  return Py_TYPE(object)->tp_name;
}

std::int64_t int_of(PyObject* object, const char* what) {
  if (!PyLong_Check(object)) {
    throw_error(ErrorKind::kInvalidArgument,
                "{} must be an int, not {} ({})",
                what,
                short_repr(object),
                type_name_of(object));
  }
  const long long value = PyLong_AsLongLong(object);
  if (value == -1 && PyErr_Occurred() != nullptr) {
    throw_python_error();
  }
  return value;
}

}  // namespace flott::bindings
