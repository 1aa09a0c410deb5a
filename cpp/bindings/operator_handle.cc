#include "bindings/operator_handle.h"

#include "base/error.h"
#include "bindings/errors.h"
#include "bindings/state_objects.h"

#include <limits>
#include <utility>

namespace flott::bindings {

PythonCounter::PythonCounter(OperatorScopePtr scope, const std::string& name)
    : scope_(std::move(scope)),
      counter_(&scope_->require("a metric group").metrics().counter(name)) {}

void PythonCounter::inc(std::int64_t by) {
  if (scope_->context != nullptr) {
    counter_->inc(by);
    last_ = counter_->get();
  }
}

std::int64_t PythonCounter::count() const {
  return scope_->context != nullptr ? counter_->get() : last_;
}

std::string OperatorHandle::task_name_with_subtasks() const {
  const OperatorContext& operator_context = context();
  return fmt::format("{} ({}/{})",
                     operator_context.operator_name(),
                     operator_context.subtask_index() + 1,
                     operator_context.parallelism());
}

const JobParameters& OperatorHandle::job_parameters() const {
  static const JobParameters none;
  return scope_->job_parameters != nullptr ? *scope_->job_parameters : none;
}

Ref OperatorHandle::get_state(PyObject* descriptor) const {
  OperatorContext& operator_context = context();
  const StateDescriptor native = descriptor_of(descriptor);
  if (!operator_context.is_keyed()) {
    throw_error(
        ErrorKind::kInvalidArgument,
        "state '{}' was asked for in operator '{}', whose stream has no keys: call key_by() "
        "before it",
        native.name,
        operator_context.operator_name());
  }
  return make_state_object(
      operator_context.keyed_state(), scope_, native, Window{}, StateSharing::kAlone);
}

void OperatorHandle::gauge(const std::string& name, PyObject* read) const {
  auto function = std::make_shared<Handle>(Ref::borrow(read));
  context().metrics().gauge(name, [function]() -> double {
    const HostScope host;
    const Ref value = Ref::steal(PyObject_CallNoArgs(function->get()));
    const double number = value ? PyFloat_AsDouble(value.get()) : -1.0;
    if (PyErr_Occurred() != nullptr) {
      // Metrics must not fail the job; what cannot be read is not a number.
      PyErr_Clear();
      return std::numeric_limits<double>::quiet_NaN();
    }
    return number;
  });
}

}  // namespace flott::bindings
