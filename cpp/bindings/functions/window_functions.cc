#include "bindings/functions/window_functions.h"

#include "base/error.h"
#include "bindings/containers.h"
#include "bindings/convert.h"
#include "bindings/functions/contexts.h"
#include "bindings/functions/operator_wrapper.h"

#include <algorithm>
#include <utility>

namespace flott::bindings {
namespace {

class PythonWindowFunction final : public WindowFunction {
 public:
  PythonWindowFunction(const FunctionSpec& spec,
                       WindowCall how,
                       std::shared_ptr<const SideOutputs> sides)
      : object_(spec),
        how_(how),
        emitter_(spec, std::move(sides)),
        function_(object_.method(how.apply ? "apply" : "process",
                                 how.apply ? "a WindowFunction" : "a ProcessWindowFunction")),
        clear_(how.apply ? Handle() : object_.optional_method("clear")),
        slot_(std::make_shared<WindowSlot>()) {
    slot_->scope = object_.scope();
    slot_->merging = how.merging;
    context_ = Handle(make_window_context(slot_));
  }

  bool uses_host() const override { return true; }
  void open(OperatorContext& context) override {
    emitter_.open(context);
    slot_->windows.open();
    object_.open(context);
    // Also a plain callable's context needs the operator.
    object_.scope()->context = &context;
  }
  void close() override { object_.close(); }

  void process(WindowFunctionContext& context,
               std::vector<Value> elements,
               Collector& out) override {
    const Entered entered(*slot_, context);
    Ref list = checked(PyList_New(static_cast<Py_ssize_t>(elements.size())));
    for (std::size_t i = 0; i < elements.size(); ++i) {
      PyList_SET_ITEM(list.get(),
                      static_cast<Py_ssize_t>(i),
                      checked(to_python(std::move(elements[i]))).release());
    }
    const Ref second =
        how_.apply ? slot_->windows.to_python(context.window()) : Ref::borrow(context_.get());
    if (how_.all) {
      emitter_.emit(call(function_.get(), second.get(), list.get()),
                    out,
                    how_.apply ? "apply" : "process",
                    function_.get());
    } else {
      const Ref key = checked(to_python(context.current_key()));
      emitter_.emit(call(function_.get(), key.get(), second.get(), list.get()),
                    out,
                    how_.apply ? "apply" : "process",
                    function_.get());
    }
  }

  void clear(WindowFunctionContext& context) override {
    if (clear_) {
      const Entered entered(*slot_, context);
      call(clear_.get(), context_.get());
    }
  }

 private:
  class Entered {
   public:
    Entered(WindowSlot& slot, WindowFunctionContext& context) : slot_(slot) {
      slot_.context = &context;
    }
    ~Entered() { slot_.context = nullptr; }
    Entered(const Entered&) = delete;
    Entered& operator=(const Entered&) = delete;

   private:
    WindowSlot& slot_;
  };

  FunctionObject object_;
  WindowCall how_;
  ResultEmitter emitter_;
  Handle function_;
  Handle clear_;
  std::shared_ptr<WindowSlot> slot_;
  Handle context_;
};

class PythonAssigner final : public WindowAssigner {
 public:
  PythonAssigner(PyObject* assigner, OperatorScopePtr scope)
      : assigner_(subtask_copy(assigner, 1, "window")),
        assign_(attribute(assigner_.get(), "assign_windows")),
        merge_(attribute_or_null(assigner_.get(), "merge_windows")),
        slot_(std::make_shared<AssignerSlot>()) {
    slot_->scope = std::move(scope);
    context_ = Handle(make_assigner_context(slot_));
    windows_.open();
    const Ref is_event_time = call(attribute(assigner_.get(), "is_event_time").get());
    is_event_time_ = checked(PyObject_IsTrue(is_event_time.get())) != 0;
  }

  bool uses_host() const override { return true; }
  bool is_event_time() const override { return is_event_time_; }
  bool is_merging() const override { return static_cast<bool>(merge_); }

  void assign(const Value& value,
              Timestamp timestamp,
              Timestamp current_processing_time,
              std::vector<Window>& out) override {
    slot_->current_processing_time = current_processing_time;
    const Ref element = checked(to_python(value));
    const Ref time = checked(python_int(timestamp));
    const Ref result = call(assign_.get(), element.get(), time.get(), context_.get());
    const Ref assigned = checked(
        PySequence_Fast(result.get(), "assign_windows() must return a collection of windows"));
    for_each_item(assigned.get(), "conversion", [&](Py_ssize_t /*index*/, PyObject* window) {
      out.push_back(windows_.from_python(window));
    });
  }

  std::vector<Merge> merge(std::vector<Window> windows) override {
    Ref list = checked(PyList_New(0));
    for (const Window& window : windows) {
      const Ref object = windows_.to_python(window);
      checked(PyList_Append(list.get(), object.get()));
    }
    // The callback is a list's append under the name merge: merge_windows(windows, callback) calls
    // callback.merge(to_be_merged, result).
    const Ref merges = checked(PyList_New(0));
    const Ref callback = merge_callback(merges.get());
    call(merge_.get(), list.get(), callback.get());
    std::vector<Merge> out;
    for (Py_ssize_t i = 0; i < PyList_GET_SIZE(merges.get()); ++i) {
      PyObject* pair = PyList_GET_ITEM(merges.get(), i);
      Merge merge;
      merge.result = windows_.from_python(PyTuple_GET_ITEM(pair, 1));
      const Ref merged =
          checked(PySequence_Fast(PyTuple_GET_ITEM(pair, 0), "merge() takes a list of windows"));
      for (Py_ssize_t j = 0; j < PySequence_Fast_GET_SIZE(merged.get()); ++j) {
        merge.merged.push_back(windows_.from_python(PySequence_Fast_GET_ITEM(merged.get(), j)));
      }
      out.push_back(std::move(merge));
    }
    return out;
  }

 private:
  static PyObject* record_merge(PyObject* self, PyObject* const* args, Py_ssize_t count) {
    if (count != 2) {
      PyErr_SetString(PyExc_TypeError, "merge() takes the windows to merge and their result");
      return nullptr;
    }
    PyObject* pair = PyTuple_Pack(2, args[0], args[1]);
    if (pair == nullptr) {
      return nullptr;
    }
    const int failed = PyList_Append(self, pair);
    Py_DECREF(pair);
    if (failed < 0) {
      return nullptr;
    }
    Py_RETURN_NONE;
  }

  /// types.SimpleNamespace(merge=<appends to `merges`>).
  static Ref merge_callback(PyObject* merges) {
    static PyMethodDef method = {
        "merge",
        reinterpret_cast<PyCFunction>(reinterpret_cast<void*>(&record_merge)),
        METH_FASTCALL,
        nullptr};
    const Ref function = checked(PyCFunction_New(&method, merges));
    const Ref make = import_attribute("types", "SimpleNamespace");
    Ref callback = call(make.get());
    checked(PyObject_SetAttrString(callback.get(), "merge", function.get()));
    return callback;
  }

  Handle assigner_;
  Handle assign_;
  Handle merge_;
  std::shared_ptr<AssignerSlot> slot_;
  Handle context_;
  WindowObjects windows_;
  bool is_event_time_ = true;
};

class PythonTrigger final : public Trigger {
 public:
  PythonTrigger(PyObject* trigger, OperatorScopePtr scope)
      : trigger_(subtask_copy(trigger, 1, "window")),
        on_element_(attribute(trigger_.get(), "on_element")),
        on_processing_time_(attribute(trigger_.get(), "on_processing_time")),
        on_event_time_(attribute(trigger_.get(), "on_event_time")),
        on_merge_(attribute_or_null(trigger_.get(), "on_merge")),
        clear_(attribute_or_null(trigger_.get(), "clear")),
        slot_(std::make_shared<TriggerSlot>()) {
    slot_->scope = std::move(scope);
    context_ = Handle(make_trigger_context(slot_));
    windows_.open();
    const Ref results = import_attribute("pyflink.datastream.window", "TriggerResult");
    constexpr std::pair<const char*, TriggerResult> kNames[] = {
        {"CONTINUE", TriggerResult::kContinue},
        {"FIRE_AND_PURGE", TriggerResult::kFireAndPurge},
        {"FIRE", TriggerResult::kFire},
        {"PURGE", TriggerResult::kPurge}};
    for (std::size_t i = 0; i < 4; ++i) {
      results_[i] = {Handle(attribute(results.get(), kNames[i].first)), kNames[i].second};
    }
    if (const Ref can_merge = attribute_or_null(trigger_.get(), "can_merge"); can_merge) {
      can_merge_ = checked(PyObject_IsTrue(call(can_merge.get()).get())) != 0;
    }
  }

  bool uses_host() const override { return true; }
  bool can_merge() const override { return can_merge_; }

  TriggerResult on_element(const Value& value,
                           Timestamp timestamp,
                           const Window& window,
                           TriggerContext& context) override {
    const Entered entered(*slot_, context, nullptr);
    const Ref element = checked(to_python(value));
    const Ref time = checked(python_int(timestamp));
    const Ref object = windows_.to_python(window);
    return result_of(
        call(on_element_.get(), element.get(), time.get(), object.get(), context_.get()),
        "on_element");
  }
  TriggerResult on_processing_time(Timestamp time,
                                   const Window& window,
                                   TriggerContext& context) override {
    return on_time(on_processing_time_, time, window, context, "on_processing_time");
  }
  TriggerResult on_event_time(Timestamp time,
                              const Window& window,
                              TriggerContext& context) override {
    return on_time(on_event_time_, time, window, context, "on_event_time");
  }
  void on_merge(const Window& window,
                const std::vector<Window>& merged,
                TriggerContext& context) override {
    if (on_merge_) {
      const Entered entered(*slot_, context, &merged);
      const Ref object = windows_.to_python(window);
      call(on_merge_.get(), object.get(), context_.get());
    }
  }
  void clear(const Window& window, TriggerContext& context) override {
    if (clear_) {
      const Entered entered(*slot_, context, nullptr);
      const Ref object = windows_.to_python(window);
      call(clear_.get(), object.get(), context_.get());
    }
  }

 private:
  class Entered {
   public:
    Entered(TriggerSlot& slot, TriggerContext& context, const std::vector<Window>* merged)
        : slot_(slot) {
      slot_.context = &context;
      slot_.merged = merged;
    }
    ~Entered() {
      slot_.context = nullptr;
      slot_.merged = nullptr;
    }
    Entered(const Entered&) = delete;
    Entered& operator=(const Entered&) = delete;

   private:
    TriggerSlot& slot_;
  };

  TriggerResult on_time(const Handle& method,
                        Timestamp time,
                        const Window& window,
                        TriggerContext& context,
                        const char* name) {
    const Entered entered(*slot_, context, nullptr);
    const Ref argument = checked(python_int(time));
    const Ref object = windows_.to_python(window);
    return result_of(call(method.get(), argument.get(), object.get(), context_.get()), name);
  }

  TriggerResult result_of(Ref result, const char* method) const {
    for (const auto& [object, native] : results_) {
      if (object.get() == result.get()) {
        return native;
      }
    }
    // An enum of the user's own with upstream's member names does as well.
    if (const Ref name = attribute_or_null(result.get(), "name"); name) {
      for (const auto& [object, native] : results_) {
        const Ref own_name = attribute(object.get(), "name");
        if (checked(PyObject_RichCompareBool(own_name.get(), name.get(), Py_EQ)) != 0) {
          return native;
        }
      }
    }
    throw_error(ErrorKind::kUserCode,
                "Trigger.{}() must return a TriggerResult, not {} ({})",
                method,
                short_repr(result.get()),
                type_name_of(result.get()));
  }

  Handle trigger_;
  Handle on_element_;
  Handle on_processing_time_;
  Handle on_event_time_;
  Handle on_merge_;
  Handle clear_;
  std::shared_ptr<TriggerSlot> slot_;
  Handle context_;
  WindowObjects windows_;
  std::pair<Handle, TriggerResult> results_[4];
  bool can_merge_ = false;
};

/// Python evictors get and return lists: evict_before(elements, size, window, context) changes the
/// list of (timestamp, value) pairs in place, or returns the one to keep.
class PythonEvictor final : public Evictor {
 public:
  explicit PythonEvictor(PyObject* evictor)
      : evictor_(subtask_copy(evictor, 1, "window")),
        before_(attribute_or_null(evictor_.get(), "evict_before")),
        after_(attribute_or_null(evictor_.get(), "evict_after")),
        slot_(std::make_shared<TriggerSlot>()) {
    slot_->scope = std::make_shared<OperatorScope>();
    context_ = Handle(make_trigger_context(slot_));
    windows_.open();
  }

  void evict_before(std::vector<TimestampedValue>& elements,
                    const Window& window,
                    TriggerContext& context) override {
    evict(before_, elements, window, context);
  }
  void evict_after(std::vector<TimestampedValue>& elements,
                   const Window& window,
                   TriggerContext& context) override {
    evict(after_, elements, window, context);
  }

 private:
  void evict(const Handle& method,
             std::vector<TimestampedValue>& elements,
             const Window& window,
             TriggerContext& context) {
    if (!method) {
      return;
    }
    const HostScope host;
    Ref list = checked(PyList_New(0));
    for (const TimestampedValue& element : elements) {
      const Ref time = checked(python_int(element.timestamp));
      const Ref value = checked(to_python(element.value));
      const Ref pair = checked(PyTuple_Pack(2, time.get(), value.get()));
      checked(PyList_Append(list.get(), pair.get()));
    }
    slot_->context = &context;
    struct Leave {
      TriggerSlot& slot;
      ~Leave() { slot.context = nullptr; }
    } leave{*slot_};
    const Ref size = checked(PyLong_FromSize_t(elements.size()));
    const Ref object = windows_.to_python(window);
    const Ref result = call(method.get(), list.get(), size.get(), object.get(), context_.get());
    const Ref kept = checked(PySequence_Fast(
        result.get() == Py_None ? list.get() : result.get(),
        "an evictor changes the list in place and returns None, or returns what is kept"));
    elements.clear();
    for (Py_ssize_t i = 0; i < PySequence_Fast_GET_SIZE(kept.get()); ++i) {
      PyObject* pair = PySequence_Fast_GET_ITEM(kept.get(), i);
      if (!PyTuple_Check(pair) || PyTuple_GET_SIZE(pair) != 2) {
        throw_error(ErrorKind::kUserCode,
                    "an evictor's elements are (timestamp, value) pairs, not {}",
                    short_repr(pair));
      }
      elements.push_back({from_python(PyTuple_GET_ITEM(pair, 1)),
                          int_of(PyTuple_GET_ITEM(pair, 0), "an element's timestamp")});
    }
  }

  Handle evictor_;
  Handle before_;
  Handle after_;
  std::shared_ptr<TriggerSlot> slot_;
  Handle context_;
  WindowObjects windows_;
};

class ScopedOperator final : public OperatorWrapper {
 public:
  ScopedOperator(std::unique_ptr<Operator> inner, OperatorScopePtr scope)
      : OperatorWrapper(std::move(inner)), scope_(std::move(scope)) {}
  void open(OperatorContext& context) override {
    scope_->context = &context;
    OperatorWrapper::open(context);
  }
  void close() override {
    OperatorWrapper::close();
    scope_->context = nullptr;
  }

 private:
  OperatorScopePtr scope_;
};

}  // namespace

std::unique_ptr<WindowFunction> make_window_function(const FunctionSpec& spec,
                                                     WindowCall how,
                                                     std::shared_ptr<const SideOutputs> sides) {
  return std::make_unique<PythonWindowFunction>(spec, how, std::move(sides));
}
std::unique_ptr<WindowAssigner> make_python_window_assigner(PyObject* assigner,
                                                            OperatorScopePtr scope) {
  return std::make_unique<PythonAssigner>(assigner, std::move(scope));
}
std::unique_ptr<Trigger> make_python_trigger(PyObject* trigger, OperatorScopePtr scope) {
  return std::make_unique<PythonTrigger>(trigger, std::move(scope));
}
std::unique_ptr<Evictor> make_python_evictor(PyObject* evictor) {
  return std::make_unique<PythonEvictor>(evictor);
}
std::unique_ptr<Operator> with_operator_scope(std::unique_ptr<Operator> inner,
                                              OperatorScopePtr scope) {
  return std::make_unique<ScopedOperator>(std::move(inner), std::move(scope));
}

}  // namespace flott::bindings
