#include "bindings/harness/operator_probe.h"

#include "base/error.h"
#include "bindings/convert.h"
#include "bindings/functions/operator_wrapper.h"
#include "bindings/functions/window_objects.h"
#include "bindings/state_objects.h"

#include <utility>

namespace flott::bindings {
namespace {

class ProbedOperator final : public OperatorWrapper {
 public:
  ProbedOperator(std::unique_ptr<Operator> inner, std::shared_ptr<OperatorProbe> probe)
      : OperatorWrapper(std::move(inner)),
        probe_(std::move(probe)),
        scope_(std::make_shared<OperatorScope>()) {}

  void open(OperatorContext& context) override {
    scope_->context = &context;
    probe_->watch(scope_);
    OperatorWrapper::open(context);
  }
  void close() override {
    OperatorWrapper::close();
    scope_->context = nullptr;
  }

 private:
  std::shared_ptr<OperatorProbe> probe_;
  OperatorScopePtr scope_;
};

/// What a state object holds for the current key.
Ref content_of(PyObject* state, StateKind kind) {
  switch (kind) {
    case StateKind::kValue:
      return call(attribute(state, "value").get());
    case StateKind::kList: {
      const Ref items = call(attribute(state, "get").get());
      return checked(PySequence_List(items.get()));
    }
    case StateKind::kMap: {
      const Ref items = call(attribute(state, "items").get());
      Ref dict = checked(PyDict_New());
      checked(PyDict_MergeFromSeq2(dict.get(), items.get(), 1));
      return dict;
    }
    case StateKind::kReducing:
    case StateKind::kAggregating:
      break;
  }
  return call(attribute(state, "get").get());
}

}  // namespace

std::size_t OperatorProbe::timers(bool event_time) const {
  std::size_t count = 0;
  for (const OperatorScopePtr& scope : scopes_) {
    if (scope->context != nullptr && scope->context->is_keyed()) {
      count += scope->context->timers().size(event_time ? TimeDomain::kEventTime
                                                        : TimeDomain::kProcessingTime);
    }
  }
  return count;
}

std::size_t OperatorProbe::state_entries() const {
  std::size_t count = 0;
  for (const OperatorScopePtr& scope : scopes_) {
    if (scope->context != nullptr && scope->context->is_keyed()) {
      count += scope->context->keyed_state().entry_count();
    }
  }
  return count;
}

Ref OperatorProbe::state(const std::string& name, PyObject* window) const {
  Window native_window;
  if (window != Py_None) {
    WindowObjects windows;
    windows.open();
    native_window = windows.from_python(window);
  }
  Ref out;
  for (const OperatorScopePtr& scope : scopes_) {
    if (scope->context == nullptr || !scope->context->is_keyed()) {
      continue;
    }
    KeyedStateBackend& backend = scope->context->keyed_state();
    const std::optional<StateDescriptor> descriptor = backend.declared(name);
    if (!descriptor) {
      continue;
    }
    if (!out) {
      out = checked(PyList_New(0));
    }
    const Ref state =
        make_state_object(backend, scope, *descriptor, native_window, StateSharing::kWithWindows);
    backend.for_each_key(name, [&] {
      const Ref content = content_of(state.get(), descriptor->kind);
      // A key may have the state in another window only.
      const bool empty =
          content.get() == Py_None ||
          ((PyList_Check(content.get()) || PyDict_Check(content.get())) &&
           descriptor->kind != StateKind::kValue && PyObject_Size(content.get()) == 0);
      if (!empty) {
        const Ref key = checked(to_python(backend.current_key()));
        const Ref pair = checked(PyTuple_Pack(2, key.get(), content.get()));
        checked(PyList_Append(out.get(), pair.get()));
      }
    });
  }
  return out ? std::move(out) : Ref::borrow(Py_None);
}

Ref OperatorProbe::broadcast_state(const std::string& name) const {
  for (const auto& states : broadcasts_) {
    if (states->has(name)) {
      return checked(PyDict_Copy(states->entries(name)));
    }
  }
  return Ref::borrow(Py_None);
}

std::unique_ptr<Operator> with_probe(std::unique_ptr<Operator> inner,
                                     std::shared_ptr<OperatorProbe> probe) {
  return std::make_unique<ProbedOperator>(std::move(inner), std::move(probe));
}

}  // namespace flott::bindings
