#pragma once

#include "base/error.h"
#include "types/batch.h"
#include "types/value.h"

#include <Python.h>

#include <memory>
#include <string>
#include <utility>

namespace flott::bindings {

/// Value <-> Python object. Call with the GIL held.

/// New reference. A kObject value gives its own object; native kinds the Python type upstream gives
/// (int, float, str, bytes, Decimal, datetime.*, list, dict, tuple, _native.Row). A kBatchRow
/// becomes a _native.Row *view* (fields decoded when touched) or a tuple (kTuple). Returns nullptr
/// with a Python error set on failure.
PyObject* native_to_python(const Value& value);
inline PyObject* to_python(const Value& value) {
  return value.is_object() ? Py_NewRef(static_cast<PyObject*>(value.as_object()))
                           : native_to_python(value);
}
/// As to_python, moving the reference out of a kObject value.
inline PyObject* to_python(Value&& value) {
  return value.is_object() ? static_cast<PyObject*>(value.release_object())
                           : native_to_python(value);
}

/// Wraps an object as an opaque Value, taking over one reference. None becomes a kObject holding
/// None, so that `None` as a user's value is never confused with "no value".
inline Value from_python_steal(PyObject* object) {
  return Value::adopt_object(object);
}
inline Value from_python(PyObject* object) {
  Py_INCREF(object);
  return Value::adopt_object(object);
}

/// Object -> native value of `type` (Host::to_native); throws flott::Error (kUserCode).
Value to_native(PyObject* object, const LogicalType& type);

/// Coerces a Python result to a declared type but leaves it a Python object (INT wraps, FLOAT
/// rounds, dict/tuple/list given for ROW become named _native.Row, ...). Steals `object`, returns a
/// new reference; throws flott::Error showing value and type. Cheap for the common exact cases.
PyObject* coerce_python(PyObject* object, const LogicalType& type);

/// The same object if nobody can change it (None, bool, int, float, str, bytes, Decimal, dates,
/// enums, tuples, frozensets and Rows of these - a Row that was handed out is treated as immutable
/// only if read-only), else a deep copy. New reference; throws on failure.
PyObject* isolate(PyObject* object);

/// Stable canonical key bytes (types/key.h); throws flott::Error with the value shown.
void encode_key(PyObject* object, std::string& out);
/// `encoder` turns instances of the class `type` into a value that encode_key() takes.
void register_key_encoder(PyObject* type, PyObject* encoder);

/// The current Python error as a flott::Error that carries the exception object (PythonError
/// below); clears it.
[[noreturn]] void throw_python_error();

/// An Error that holds the original Python exception with its traceback; execute() raises exactly
/// that object.
class PythonError final : public Error {
 public:
  /// Takes over one reference to a normalized exception instance.
  explicit PythonError(PyObject* exception);
  /// Borrowed.
  PyObject* exception() const { return exception_.get(); }

 private:
  std::shared_ptr<PyObject> exception_;  ///< released with the GIL taken
};

/// The exception says that the engine refuses the program or its settings: when a function lets it
/// through, it is no failure that another attempt could do without.
void mark_as_refusal(PyObject* exception);

/// Registers the Host with the engine; called once by the module's init.
void install_host();

/// Adds the class Row to the module; -1 with a Python error set on failure (bindings/row.h).
int add_row_type(PyObject* module);

/// How often this thread has entered the interpreter through the Host and not left it yet; 0 while
/// a GilRelease is in force. Positive means that the GIL is held, told without a call: this is
/// asked several times a record.
[[gnu::tls_model("initial-exec")]] extern constinit thread_local int t_gil_depth;

inline bool holds_gil() {
  return t_gil_depth > 0 || PyGILState_Check() != 0;
}

/// Releases the GIL for a scope (waiting, joining).
class GilRelease {
 public:
  GilRelease() : depth_(std::exchange(t_gil_depth, 0)), state_(PyEval_SaveThread()) {}
  ~GilRelease() {
    PyEval_RestoreThread(state_);
    t_gil_depth = depth_;
  }
  GilRelease(const GilRelease&) = delete;
  GilRelease& operator=(const GilRelease&) = delete;

 private:
  int depth_;
  PyThreadState* state_;
};

}  // namespace flott::bindings
