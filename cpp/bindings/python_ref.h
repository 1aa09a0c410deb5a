#pragma once

#include "bindings/convert.h"
#include "types/host.h"

#include <Python.h>

#include <string>
#include <utility>

namespace flott::bindings {

/// An owned reference used while the GIL is held: locals of a call. May be null.
class Ref {
 public:
  Ref() = default;
  /// Takes over one reference.
  static Ref steal(PyObject* object) { return Ref(object); }
  static Ref borrow(PyObject* object) {
    Py_XINCREF(object);
    return Ref(object);
  }
  Ref(Ref&& other) noexcept : object_(std::exchange(other.object_, nullptr)) {}
  Ref& operator=(Ref&& other) noexcept {
    std::swap(object_, other.object_);
    return *this;
  }
  Ref(const Ref&) = delete;
  Ref& operator=(const Ref&) = delete;
  ~Ref() { Py_XDECREF(object_); }

  PyObject* get() const { return object_; }
  PyObject* release() { return std::exchange(object_, nullptr); }
  explicit operator bool() const { return object_ != nullptr; }

 private:
  explicit Ref(PyObject* object) : object_(object) {}
  PyObject* object_ = nullptr;
};

/// An owned reference held by an engine object, which may be destroyed by any thread, with or
/// without the GIL. Assigned with the GIL held.
class Handle {
 public:
  Handle() = default;
  explicit Handle(Ref ref) : object_(ref.release()) {}
  static Handle borrow(PyObject* object) { return Handle(Ref::borrow(object)); }
  Handle(Handle&& other) noexcept : object_(std::exchange(other.object_, nullptr)) {}
  Handle& operator=(Handle&& other) noexcept {
    std::swap(object_, other.object_);
    return *this;
  }
  Handle(const Handle&) = delete;
  Handle& operator=(const Handle&) = delete;
  ~Handle() { reset(); }
  void reset() {
    if (PyObject* object = std::exchange(object_, nullptr); object != nullptr) {
      if (holds_gil()) {
        Py_DECREF(object);
      } else {
        require_host().release(object);
      }
    }
  }

  PyObject* get() const { return object_; }
  explicit operator bool() const { return object_ != nullptr; }

 private:
  PyObject* object_ = nullptr;
};

/// The result of a C API call that signals failure by null; throws the Python error.
inline Ref checked(PyObject* object) {
  if (object == nullptr) [[unlikely]] {
    throw_python_error();
  }
  return Ref::steal(object);
}

/// Same for calls that signal failure by a negative number.
inline int checked(int result) {
  if (result < 0) [[unlikely]] {
    throw_python_error();
  }
  return result;
}

/// Calls `callable` with borrowed arguments by the vectorcall protocol. The slot before the first
/// argument lets bound methods prepend `self` without an allocation.
template <typename... Args>
inline Ref call(PyObject* callable, Args... args) {
  constexpr std::size_t kCount = sizeof...(Args);
  constexpr std::size_t kCountFlags = kCount | PY_VECTORCALL_ARGUMENTS_OFFSET;
  PyObject* stack[kCount + 1] = {nullptr, args...};
  if (PyFunction_Check(callable)) [[likely]] {
    // What PyObject_Vectorcall does after asking around.
    const vectorcallfunc function = reinterpret_cast<PyFunctionObject*>(callable)->vectorcall;
    return checked(function(callable, stack + 1, kCountFlags, nullptr));
  }
  return checked(PyObject_Vectorcall(callable, stack + 1, kCountFlags, nullptr));
}

/// getattr; null when there is none.
Ref attribute_or_null(PyObject* object, const char* name);
Ref attribute(PyObject* object, const char* name);
bool has_attribute(PyObject* object, const char* name);

/// `module.name`, importing the module when it is not loaded yet.
Ref import_attribute(const char* module, const char* name);
/// `module.name` that is looked up at the first get() and kept. For function-local statics:
/// initialised before the program runs, so without the lock C++ puts around other initialisations.
/// Importing lets go of the GIL, and a thread that waits for such a lock holding the GIL would stop
/// everything.
class CachedAttribute {
 public:
  constexpr CachedAttribute(const char* module, const char* name) : module_(module), name_(name) {}
  /// Borrowed. With the GIL; throws as import_attribute().
  PyObject* get();

 private:
  const char* module_;
  const char* name_;
  PyObject* object_ = nullptr;
};

/// `module.name` if the module is already loaded, else null: a value of that class cannot exist.
Ref loaded_attribute(const char* module, const char* name);

/// UTF-8 text of a str; throws kInvalidArgument naming `what` for anything else.
std::string text_of(PyObject* object, const char* what);
/// repr, cut at 200 characters; never fails.
std::string short_repr(PyObject* object);
/// `type(object).__name__`.
std::string type_name_of(PyObject* object);

/// int of a Python object that must be one (or None when `none` is given).
std::int64_t int_of(PyObject* object, const char* what);
inline PyObject* python_int(std::int64_t value) {
  return PyLong_FromLongLong(value);
}

}  // namespace flott::bindings
