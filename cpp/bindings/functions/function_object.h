#pragma once

#include "bindings/operator_scope.h"
#include "bindings/python_ref.h"
#include "operators/functions.h"

#include <string>

namespace flott::bindings {

/// The function of one subtask: instances are deep-copied, so that no two subtasks share an
/// attribute; plain functions, lambdas, builtins and classes are shared. An instance that cannot be
/// copied is used as it is at parallelism 1; above, throws a TypeError naming the attribute that
/// failed. `operator_name` is for that message.
Ref subtask_copy(PyObject* function, int parallelism, const std::string& operator_name);

/// The user's function as messages name it: "parse (job.py:12)", "Parse.map (job.py:30)", "the
/// lambda at job.py:12", "int". Never fails. With the GIL.
std::string describe_function(PyObject* callable);

/// What builders hand to the functions below: everything one operator's subtasks share.
struct FunctionSpec {
  Handle function;  ///< the user's object, never called itself when it can be copied
  std::string operator_name;
  int parallelism = 1;
  LogicalTypePtr output_type;  ///< null: results are not coerced
  std::shared_ptr<const JobParameters> job_parameters;
  /// Set while the graph is built: results leave Python's functions here (print, collect, a sink).
  std::shared_ptr<const bool> leaves_python;
};
using FunctionSpecPtr = std::shared_ptr<const FunctionSpec>;

/// A user's object in one subtask with its life cycle: open(runtime_context) and close() are called
/// if it has them. GIL held, but for destruction.
class FunctionObject {
 public:
  explicit FunctionObject(const FunctionSpec& spec);
  /// `object` is used as it is.
  FunctionObject(Ref object, std::shared_ptr<const JobParameters> job_parameters);

  PyObject* get() const { return object_.get(); }
  /// The bound method `name`, or the object itself if it is a plain callable without that
  /// attribute. Throws kInvalidArgument if it is neither; `what` says what was expected.
  Handle method(const char* name, const char* what) const;
  /// Null if there is none.
  Handle optional_method(const char* name) const;

  void open(OperatorContext& context);
  void close();
  const OperatorScopePtr& scope() const { return scope_; }

 private:
  Handle object_;
  OperatorScopePtr scope_;
  bool opened_ = false;
};

/// To be called while the exception of a result that does not fit its type is handled: throws it
/// on, saying whose result it was and where its type was declared.
[[noreturn]] void rethrow_as_result_of(PyObject* function, const char* declared_as);

/// Applies the declared type to what `function` returned. Steals `result`; `declared_as` is the
/// parameter that the type was given as.
inline Value typed_result(Ref result,
                          const LogicalTypePtr& type,
                          PyObject* function,
                          const char* declared_as = "output_type") {
  if (type == nullptr) {
    return from_python_steal(result.release());
  }
  try {
    return from_python_steal(coerce_python(result.release(), *type));
  } catch (...) {
    rethrow_as_result_of(function, declared_as);
  }
}

/// Runs `body` for the record whose value was moved into `argument`. When it fails, the value is
/// put back, for the message that names it (OperatorChain::failed_record); otherwise this costs
/// nothing.
template <typename Body>
inline decltype(auto) on_record(Value& value, const Ref& argument, Body&& body) {
  try {
    return body();
  } catch (...) {
    value = from_python(argument.get());
    throw;
  }
}

/// `type`, or null when it asks for no coercion (opaque values).
LogicalTypePtr coercion_of(const LogicalTypePtr& type);

/// What the results of a function must be. None passes from function to function whatever the type,
/// as upstream, so that a filter may drop it; where results leave Python, a type without null, as
/// LONG or ROW, refuses it.
struct ResultType {
  ResultType() = default;
  explicit ResultType(const FunctionSpec& spec);

  LogicalTypePtr type;  ///< null: not coerced
  bool refuses_none = false;
};

/// Whether None is a value of `type` where a stream leaves Python's functions.
bool takes_none(const LogicalTypePtr& type);
/// Throws kUserCode; `what` says who let None pass.
[[noreturn]] void refuse_none(const std::string& what, const LogicalType& type);

inline Value typed_result(Ref result, const ResultType& type, PyObject* function) {
  if (type.refuses_none && result.get() == Py_None) [[unlikely]] {
    refuse_none("what " + describe_function(function) + " returned is not of its declared type",
                *type.type);
  }
  return typed_result(std::move(result), type.type, function);
}

}  // namespace flott::bindings
