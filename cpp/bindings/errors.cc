#include "bindings/errors.h"

#include "base/error.h"
#include "bindings/convert.h"

#include <new>

namespace flott::bindings {
namespace {

Ref make_exception(PyObject* type, const char* message) {
  const Ref text = checked(PyUnicode_DecodeUTF8(
      message, static_cast<Py_ssize_t>(std::char_traits<char>::length(message)), "replace"));
  return checked(PyObject_CallOneArg(type, text.get()));
}

PyObject* class_of(ErrorKind kind) {
  switch (kind) {
    case ErrorKind::kInvalidArgument:
      return PyExc_ValueError;
    case ErrorKind::kUserCode:
      return error_classes().user_code_error;
    case ErrorKind::kExternal:
      return error_classes().external_error;
    case ErrorKind::kInternal:
      break;
  }
  return error_classes().internal_error;
}

}  // namespace

ErrorClasses& error_classes() {
  static ErrorClasses classes;
  return classes;
}

Ref exception_of(const std::exception_ptr& error) {
  try {
    std::rethrow_exception(error);
  } catch (const PythonError& from_python) {
    return Ref::borrow(from_python.exception());
  } catch (const Error& own) {
    Ref exception = make_exception(class_of(own.kind()), own.what());
    if (own.kind() == ErrorKind::kInvalidArgument && !own.retryable()) {
      mark_as_refusal(exception.get());
    }
    return exception;
  } catch (const std::bad_alloc&) {
    return make_exception(PyExc_MemoryError, "out of memory");
  } catch (const std::exception& other) {
    return make_exception(error_classes().internal_error, other.what());
  } catch (...) {
    return make_exception(error_classes().internal_error, "an unknown C++ exception");
  }
}

void set_error_from_current_exception() {
  if (PyErr_Occurred() != nullptr) {
    return;
  }
  const Ref exception = exception_of(std::current_exception());
  PyErr_SetObject(reinterpret_cast<PyObject*>(Py_TYPE(exception.get())), exception.get());
}

void add_note(PyObject* exception, const std::string& note) {
  const Ref text = checked(
      PyUnicode_DecodeUTF8(note.data(), static_cast<Py_ssize_t>(note.size()), "backslashreplace"));
  if (const Ref add = attribute_or_null(exception, "add_note"); add) {
    call(add.get(), text.get());
    return;
  }
  Ref notes = attribute_or_null(exception, "__notes__");
  if (!notes || !PyList_Check(notes.get())) {
    notes = checked(PyList_New(0));
    checked(PyObject_SetAttrString(exception, "__notes__", notes.get()));
  }
  checked(PyList_Append(notes.get(), text.get()));
}

}  // namespace flott::bindings
