#include "bindings/functions/function_object.h"

#include "base/error.h"
#include "bindings/convert.h"
#include "bindings/errors.h"

#include <string_view>
#include <utility>

namespace flott::bindings {
namespace {

bool is_shared_by_nature(PyObject* object) {
  return PyFunction_Check(object) || PyCFunction_Check(object) || PyType_Check(object);
}

/// "attribute 'lock' (_thread.lock)": the first instance attribute that cannot be copied.
std::string uncopyable_attribute(PyObject* object, PyObject* deepcopy) {
  const Ref attributes = Ref::steal(PyObject_GetAttrString(object, "__dict__"));
  if (attributes && PyDict_Check(attributes.get())) {
    PyObject* name = nullptr;
    PyObject* value = nullptr;
    Py_ssize_t position = 0;
    const Ref snapshot = checked(PyDict_Copy(attributes.get()));
    while (PyDict_Next(snapshot.get(), &position, &name, &value) != 0) {
      const Ref copy = Ref::steal(PyObject_CallOneArg(deepcopy, value));
      if (!copy) {
        PyErr_Clear();
        return fmt::format("attribute {} ({})", short_repr(name), type_name_of(value));
      }
    }
  }
  PyErr_Clear();
  return "the object itself";
}

/// The attribute as UTF-8, empty when it is not there or no text.
std::string text_attribute(PyObject* object, const char* name) {
  const Ref found = Ref::steal(PyObject_GetAttrString(object, name));
  const char* utf8 =
      found && PyUnicode_Check(found.get()) ? PyUnicode_AsUTF8(found.get()) : nullptr;
  std::string text = utf8 == nullptr ? "" : utf8;
  PyErr_Clear();
  return text;
}

/// "job.py:12" of a Python function; empty for what has no code of Python.
std::string place_of(PyObject* function) {
  const Ref code = Ref::steal(PyObject_GetAttrString(function, "__code__"));
  const Ref line =
      Ref::steal(code ? PyObject_GetAttrString(code.get(), "co_firstlineno") : nullptr);
  PyErr_Clear();
  if (!line || !PyLong_Check(line.get())) {
    return {};
  }
  const std::string file = text_attribute(code.get(), "co_filename");
  return fmt::format("{}:{}", file.substr(file.rfind('/') + 1), PyLong_AsLong(line.get()));
}

/// What a decorator or a partial was put around.
Ref unwrapped(PyObject* callable) {
  Ref function = Ref::borrow(callable);
  constexpr int kDeepest = 16;  // a chain of wrappers may be a circle
  for (int i = 0; i < kDeepest; ++i) {
    const bool is_partial =
        std::string_view(Py_TYPE(function.get())->tp_name) == "functools.partial";
    if (!is_partial && !PyFunction_Check(function.get())) {
      break;
    }
    Ref inner =
        Ref::steal(PyObject_GetAttrString(function.get(), is_partial ? "func" : "__wrapped__"));
    PyErr_Clear();
    if (!inner) {
      break;
    }
    function = std::move(inner);
  }
  return function;
}

}  // namespace

std::string describe_function(PyObject* callable) {
  const Ref function = unwrapped(callable);
  PyObject* object = function.get();
  if (PyMethod_Check(object)) {
    PyObject* self = PyMethod_Self(object);
    PyObject* method = PyMethod_Function(object);
    const std::string owner =
        PyType_Check(self) ? text_attribute(self, "__name__") : type_name_of(self);
    const std::string place = place_of(unwrapped(method).get());
    const std::string name = owner + "." + text_attribute(method, "__name__");
    return place.empty() ? name : fmt::format("{} ({})", name, place);
  }
  if (PyFunction_Check(object)) {
    const std::string place = place_of(object);
    if (text_attribute(object, "__name__") == "<lambda>") {
      return "the lambda at " + place;
    }
    constexpr std::string_view kLocals = "<locals>.";
    std::string name = text_attribute(object, "__qualname__");
    if (const auto at = name.rfind(kLocals); at != std::string::npos) {
      name.erase(0, at + kLocals.size());
    }
    return fmt::format("{} ({})", name, place);
  }
  if (PyType_Check(object) || PyCFunction_Check(object)) {
    return text_attribute(object, "__qualname__");
  }
  const Ref method = attribute_or_null(reinterpret_cast<PyObject*>(Py_TYPE(object)), "__call__");
  const std::string place = method ? place_of(method.get()) : "";
  return place.empty() ? type_name_of(object) : fmt::format("{} ({})", type_name_of(object), place);
}

void rethrow_as_result_of(PyObject* function, const char* declared_as) {
  try {
    throw;
  } catch (const PythonError&) {
    throw;  // raised by the value's own code
  } catch (const Error& error) {
    throw Error(error.kind(),
                fmt::format("what {} returned is not of its declared type: {}; return a value of "
                            "this type, or declare another {}",
                            describe_function(function),
                            error.what(),
                            declared_as));
  }
}

Ref subtask_copy(PyObject* function, int parallelism, const std::string& operator_name) {
  if (is_shared_by_nature(function)) {
    return Ref::borrow(function);
  }
  const Ref deepcopy = import_attribute("copy", "deepcopy");
  Ref copy = Ref::steal(PyObject_CallOneArg(deepcopy.get(), function));
  if (copy) {
    return copy;
  }
  // A failing __deepcopy__ is the user's: every kind of exception means "cannot be copied".
  PyObject *type = nullptr, *value = nullptr, *traceback = nullptr;
  PyErr_Fetch(&type, &value, &traceback);
  PyErr_NormalizeException(&type, &value, &traceback);
  const Ref reason_type = Ref::steal(type);
  const Ref reason = Ref::steal(value);
  const Ref reason_traceback = Ref::steal(traceback);
  if (parallelism == 1) {
    return Ref::borrow(function);
  }
  const std::string culprit = uncopyable_attribute(function, deepcopy.get());
  const Ref reason_text = Ref::steal(PyObject_Str(reason.get()));
  const char* utf8 = reason_text ? PyUnicode_AsUTF8(reason_text.get()) : nullptr;
  const std::string message = fmt::format(
      "the function {} of operator '{}' runs in {} subtasks, and each needs its own copy, but {} "
      "cannot be copied: {}. Create it in open(), or set the operator's parallelism to 1.",
      type_name_of(function),
      operator_name,
      parallelism,
      culprit,
      utf8 == nullptr ? "" : utf8);
  PyErr_Clear();
  PyErr_SetString(PyExc_TypeError, message.c_str());
  throw_python_error();
}

FunctionObject::FunctionObject(const FunctionSpec& spec)
    : FunctionObject(subtask_copy(spec.function.get(), spec.parallelism, spec.operator_name),
                     spec.job_parameters) {}

FunctionObject::FunctionObject(Ref object, std::shared_ptr<const JobParameters> job_parameters)
    : object_(std::move(object)), scope_(std::make_shared<OperatorScope>()) {
  scope_->job_parameters = std::move(job_parameters);
}

Handle FunctionObject::method(const char* name, const char* what) const {
  Ref found = attribute_or_null(object_.get(), name);
  if (found) {
    return Handle(std::move(found));
  }
  if (PyCallable_Check(object_.get()) != 0) {
    return Handle::borrow(object_.get());
  }
  throw_error(ErrorKind::kInvalidArgument,
              "{} was expected: an object with {}() or a callable, not {} ({})",
              what,
              name,
              short_repr(object_.get()),
              type_name_of(object_.get()));
}

Handle FunctionObject::optional_method(const char* name) const {
  return Handle(attribute_or_null(object_.get(), name));
}

void FunctionObject::open(OperatorContext& context) {
  scope_->context = &context;
  if (is_shared_by_nature(object_.get())) {
    return;
  }
  const Ref open = attribute_or_null(object_.get(), "open");
  opened_ = true;
  if (open) {
    const Ref runtime_context = make_runtime_context(scope_);
    call(open.get(), runtime_context.get());
  }
}

void FunctionObject::close() {
  if (opened_) {
    opened_ = false;
    // Whatever close() throws, nothing of this function may reach the engine afterwards.
    struct Leave {
      OperatorScope& scope;
      ~Leave() { scope.context = nullptr; }
    } leave{*scope_};
    if (const Ref close = attribute_or_null(object_.get(), "close"); close) {
      call(close.get());
    }
  }
  scope_->context = nullptr;
}

namespace {

/// Upstream's serializers of these write null.
bool takes_null(TypeKind kind) {
  switch (kind) {
    case TypeKind::kBoolean:
    case TypeKind::kTinyInt:
    case TypeKind::kSmallInt:
    case TypeKind::kInt:
    case TypeKind::kBigInt:
    case TypeKind::kFloat:
    case TypeKind::kDouble:
    case TypeKind::kBytes:
    case TypeKind::kArray:
    case TypeKind::kMap:
    case TypeKind::kMultiset:
    case TypeKind::kRow:
    case TypeKind::kTuple:
      return false;
    default:
      return true;
  }
}

}  // namespace

ResultType::ResultType(const FunctionSpec& spec)
    : type(coercion_of(spec.output_type)),
      refuses_none(spec.leaves_python != nullptr && *spec.leaves_python && !takes_none(type)) {}

bool takes_none(const LogicalTypePtr& type) {
  return type == nullptr || takes_null(type->kind());
}

void refuse_none(const std::string& what, const LogicalType& type) {
  throw_error(ErrorKind::kUserCode,
              "{}: the value None of type NoneType does not fit the declared type {}, which "
              "has no null where a stream leaves Python's functions; return a value of this type, "
              "or drop None before: filter(lambda value: value is not None)",
              what,
              type.to_string());
}

LogicalTypePtr coercion_of(const LogicalTypePtr& type) {
  return type == nullptr || type->kind() == TypeKind::kObject ? nullptr : type;
}

}  // namespace flott::bindings
