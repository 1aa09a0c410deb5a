#pragma once

#include "bindings/python_ref.h"

#include <Python.h>

#include <exception>
#include <string>

namespace flott::bindings {

/// The exception classes of pyflink._native, made once by the module's init.
struct ErrorClasses {
  PyObject* flott_error = nullptr;
  PyObject* user_code_error = nullptr;
  PyObject* external_error = nullptr;
  PyObject* internal_error = nullptr;
};
ErrorClasses& error_classes();

/// The Python exception object for a C++ one: the original object with its traceback if it came
/// from Python, else a ValueError (kInvalidArgument), UserCodeError, ExternalError or
/// InternalError.
Ref exception_of(const std::exception_ptr& error);

/// Sets the Python error indicator from the C++ exception being handled; for `catch (...)` at the
/// end of every function that Python calls.
void set_error_from_current_exception();

/// PEP 678: adds a note, on Python 3.10 by setting `__notes__`.
void add_note(PyObject* exception, const std::string& note);

/// Runs `body` and gives its result, or `failure` with a Python error set.
template <typename Result, typename Body>
Result guarded(Result failure, Body&& body) noexcept {
  try {
    return body();
  } catch (...) {
    set_error_from_current_exception();
    return failure;
  }
}

}  // namespace flott::bindings
