#include "bindings/functions/process_function.h"

#include "base/error.h"
#include "bindings/convert.h"
#include "bindings/functions/operator_wrapper.h"

#include <set>
#include <string>
#include <utility>

namespace flott::bindings {
namespace {

const char* method_name(ProcessKind kind, int input) {
  switch (kind) {
    case ProcessKind::kOneInput:
      return "process_element";
    case ProcessKind::kTwoInputs:
      return input == 0 ? "process_element1" : "process_element2";
    case ProcessKind::kBroadcast:
      return input == 0 ? "process_element" : "process_broadcast_element";
  }
  return "";
}

class PythonProcess final : public ProcessFunction {
 public:
  PythonProcess(const FunctionSpec& spec,
                ProcessKind kind,
                std::shared_ptr<const SideOutputs> sides,
                std::shared_ptr<BroadcastStates> broadcast)
      : object_(spec),
        kind_(kind),
        emitter_(spec, std::move(sides)),
        slot_(std::make_shared<ProcessSlot>()) {
    process_[0] = kind == ProcessKind::kOneInput
                      ? object_.method("process_element", "a ProcessFunction")
                      : Handle(attribute(object_.get(), method_name(kind, 0)));
    if (kind != ProcessKind::kOneInput) {
      process_[1] = Handle(attribute(object_.get(), method_name(kind, 1)));
    }
    on_timer_ = object_.optional_method("on_timer");
    slot_->scope = object_.scope();
    slot_->broadcast = std::move(broadcast);
    context_ = Handle(make_process_context(slot_));
  }

  bool uses_host() const override { return true; }
  void open(OperatorContext& context) override {
    emitter_.open(context);
    object_.open(context);
  }
  void close() override { object_.close(); }

  void process_element(Value&& value, int input, ProcessContext& context, Collector& out) override {
    const Ref argument = checked(to_python(std::move(value)));
    const Entered entered(*slot_, context, input == 1);
    on_record(value, argument, [&] {
      emitter_.emit(call(process_[input].get(), argument.get(), context_.get()),
                    out,
                    method_name(kind_, input),
                    process_[input].get());
    });
  }

  void on_timer(Timestamp time, ProcessContext& context, Collector& out) override {
    if (!on_timer_) {
      return;
    }
    const Ref argument = checked(python_int(time));
    const Entered entered(*slot_, context, false);
    emitter_.emit(
        call(on_timer_.get(), argument.get(), context_.get()), out, "on_timer", on_timer_.get());
  }

 private:
  /// The context means this call, until the results are consumed.
  class Entered {
   public:
    Entered(ProcessSlot& slot, ProcessContext& context, bool writable) : slot_(slot) {
      slot_.context = &context;
      slot_.broadcast_writable = writable;
    }
    ~Entered() { slot_.context = nullptr; }
    Entered(const Entered&) = delete;
    Entered& operator=(const Entered&) = delete;

   private:
    ProcessSlot& slot_;
  };

  FunctionObject object_;
  ProcessKind kind_;
  ResultEmitter emitter_;
  std::shared_ptr<ProcessSlot> slot_;
  Handle process_[2];
  Handle on_timer_;
  Handle context_;
};

class BroadcastStateOperator final : public OperatorWrapper {
 public:
  BroadcastStateOperator(std::unique_ptr<Operator> inner, std::shared_ptr<BroadcastStates> states)
      : OperatorWrapper(std::move(inner)), states_(std::move(states)) {}

  void open(OperatorContext& context) override {
    states_->restore(context.restored());
    for (const auto& [name, bytes] : context.restored().broadcast_state) {
      restored_.insert(name);
    }
    OperatorWrapper::open(context);
  }
  bool claims_state(const std::string& name) const override {
    return restored_.contains(name) || OperatorWrapper::claims_state(name);
  }
  void snapshot(CheckpointId id, OperatorSnapshot& snapshot) override {
    OperatorWrapper::snapshot(id, snapshot);
    const HostScope host;
    states_->snapshot(snapshot);
  }

 private:
  std::shared_ptr<BroadcastStates> states_;
  std::set<std::string> restored_;  ///< names; also what is not declared any more is kept
};

}  // namespace

std::unique_ptr<ProcessFunction> make_process_function(const FunctionSpec& spec,
                                                       ProcessKind kind,
                                                       std::shared_ptr<const SideOutputs> sides,
                                                       std::shared_ptr<BroadcastStates> broadcast) {
  return std::make_unique<PythonProcess>(spec, kind, std::move(sides), std::move(broadcast));
}

std::unique_ptr<Operator> with_broadcast_state(std::unique_ptr<Operator> inner,
                                               std::shared_ptr<BroadcastStates> states) {
  return std::make_unique<BroadcastStateOperator>(std::move(inner), std::move(states));
}

}  // namespace flott::bindings
