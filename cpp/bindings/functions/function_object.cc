#include "bindings/functions/function_object.h"

#include "base/error.h"
#include "bindings/errors.h"

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

}  // namespace

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

LogicalTypePtr coercion_of(const LogicalTypePtr& type) {
  return type == nullptr || type->kind() == TypeKind::kObject ? nullptr : type;
}

}  // namespace flott::bindings
