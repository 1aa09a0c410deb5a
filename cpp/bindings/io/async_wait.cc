#include "bindings/io/async_wait.h"

#include "base/error.h"
#include "bindings/containers.h"
#include "bindings/convert.h"
#include "bindings/errors.h"

#include <functional>
#include <utility>

namespace flott::bindings {
namespace {

using Wakeup = std::function<void()>;
constexpr const char* kWakeupCapsule = "flott.wakeup";

void destroy_wakeup(PyObject* capsule) {
  delete static_cast<Wakeup*>(PyCapsule_GetPointer(capsule, kWakeupCapsule));
}

PyObject* call_wakeup(PyObject* capsule, PyObject* /*unused*/) {
  return guarded(static_cast<PyObject*>(nullptr), [&]() -> PyObject* {
    (*static_cast<Wakeup*>(PyCapsule_GetPointer(capsule, kWakeupCapsule)))();
    Py_RETURN_NONE;
  });
}

/// A Python callable without arguments that may be kept and called by any thread.
Ref python_wakeup(Wakeup wakeup) {
  static PyMethodDef method = {"wake", call_wakeup, METH_NOARGS, nullptr};
  auto owned = std::make_unique<Wakeup>(std::move(wakeup));
  const Ref capsule = checked(PyCapsule_New(owned.get(), kWakeupCapsule, destroy_wakeup));
  owned.release();
  return checked(PyCFunction_New(&method, capsule.get()));
}

class AsyncWaitOperator final : public Operator {
 public:
  AsyncWaitOperator(const FunctionSpec& spec, std::int64_t capacity)
      : object_(spec),
        type_(coercion_of(spec.output_type)),
        capacity_(capacity),
        submit_(attribute(object_.get(), "submit")),
        watermark_(attribute(object_.get(), "watermark")),
        ready_(attribute(object_.get(), "ready")),
        invoke_(attribute(attribute(object_.get(), "_function").get(), "async_invoke")) {}

  bool uses_host() const override { return true; }
  void open(OperatorContext& context) override {
    object_.open(context);
    const Ref wake = python_wakeup(context.async_wakeup());
    call(attribute(object_.get(), "start").get(), wake.get());
  }

  void process(Record&& record, int /*input*/, Output& out) override {
    const Ref value = checked(to_python(record.value.isolated()));
    const Ref timestamp = checked(python_int(record.timestamp));
    call(submit_.get(), value.get(), timestamp.get());
    ++under_way_;
    emit_ready(out);
  }

  bool can_be_busy() const override { return true; }
  bool busy() const override { return under_way_ >= capacity_; }
  void on_wakeup(Output& out) override { emit_ready(out); }

  bool process_watermark(Timestamp watermark, std::int64_t /*deadline_ns*/, Output& out) override {
    const HostScope host;
    const Ref time = checked(python_int(watermark));
    call(watermark_.get(), time.get());
    emit_ready(out);
    return true;
  }
  bool forwards_watermarks() const override { return false; }
  bool makes_watermarks() const override { return false; }  // it passes them on in its own time
  void process_status(WatermarkStatus status, Output& out) override { out.emit_status(status); }

  bool finish(Output& out) override {
    emit_ready(out);
    return under_way_ == 0;
  }
  bool prepare_snapshot(CheckpointId /*id*/, Output& out) override {
    emit_ready(out);
    return under_way_ == 0;
  }
  void close() override {
    const HostScope host;
    object_.close();
  }

 private:
  void emit_ready(Output& out) {
    const HostScope host;
    const Ref ready = call(ready_.get());
    for_each_item(ready.get(), "emission", [&](Py_ssize_t /*index*/, PyObject* item) {
      if (PyLong_Check(item) != 0) {
        out.emit_watermark(int_of(item, "a watermark"));
        return;
      }
      --under_way_;
      const Timestamp timestamp = int_of(PyTuple_GET_ITEM(item, 0), "a record's timestamp");
      for_each_item(
          PyTuple_GET_ITEM(item, 1), "emission", [&](Py_ssize_t /*number*/, PyObject* result) {
            Record record;
            record.value = typed_result(Ref::borrow(result), type_, invoke_.get());
            record.timestamp = timestamp;
            out.emit(std::move(record));
          });
    });
  }

  FunctionObject object_;
  LogicalTypePtr type_;
  std::int64_t capacity_;
  std::int64_t under_way_ = 0;
  Handle submit_;
  Handle watermark_;
  Handle ready_;
  Handle invoke_;  ///< the user's, for messages
};

}  // namespace

std::unique_ptr<Operator> make_async_wait_operator(const FunctionSpec& spec,
                                                   std::int64_t capacity) {
  return std::make_unique<AsyncWaitOperator>(spec, capacity);
}

}  // namespace flott::bindings
