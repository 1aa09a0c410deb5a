#include "bindings/functions/watermark_generator.h"

#include "base/error.h"
#include "bindings/boxed.h"
#include "bindings/convert.h"

#include <algorithm>
#include <utility>

namespace flott::bindings {
namespace {

/// Python's WatermarkOutput: remembers what one call emitted, and whether the generator is idle.
struct WatermarkSlot {
  Timestamp emitted = kMinWatermark;
  bool idle = false;
};
PyTypeObject* g_watermark_output = nullptr;

PyObject* output_emit(PyObject* self, PyObject* watermark) {
  return guarded(static_cast<PyObject*>(nullptr), [&]() -> PyObject* {
    Ref time = Ref::borrow(watermark);
    if (!PyLong_Check(watermark)) {
      time = attribute(watermark, "timestamp");
      if (PyCallable_Check(time.get()) != 0) {
        time = call(time.get());
      }
    }
    WatermarkSlot& slot = Boxed<WatermarkSlot>::of(self);
    slot.emitted = std::max(slot.emitted, int_of(time.get(), "the timestamp of a Watermark"));
    slot.idle = false;
    Py_RETURN_NONE;
  });
}

PyObject* output_mark_idle(PyObject* self, PyObject* /*unused*/) {
  Boxed<WatermarkSlot>::of(self).idle = true;
  Py_RETURN_NONE;
}

PyObject* output_mark_active(PyObject* self, PyObject* /*unused*/) {
  Boxed<WatermarkSlot>::of(self).idle = false;
  Py_RETURN_NONE;
}

PyMethodDef g_output_methods[] = {{"emit_watermark", output_emit, METH_O, nullptr},
                                  {"mark_idle", output_mark_idle, METH_NOARGS, nullptr},
                                  {"mark_active", output_mark_active, METH_NOARGS, nullptr},
                                  {nullptr, nullptr, 0, nullptr}};

class PythonWatermarkGenerator final : public WatermarkGenerator {
 public:
  explicit PythonWatermarkGenerator(PyObject* supplier)
      : generator_(make(supplier)),
        on_event_(attribute(generator_.get(), "on_event")),
        on_periodic_(attribute(generator_.get(), "on_periodic_emit")),
        slot_(std::make_shared<WatermarkSlot>()),
        output_(Boxed<WatermarkSlot>::make(g_watermark_output, slot_)) {}

  bool uses_host() const override { return true; }
  bool is_idle() const override { return slot_->idle; }

  Timestamp on_event(const Value& value, Timestamp timestamp) override {
    const Ref event = checked(to_python(value));
    const Ref time = checked(python_int(timestamp));
    slot_->emitted = kMinWatermark;
    call(on_event_.get(), event.get(), time.get(), output_.get());
    return slot_->emitted;
  }

  Timestamp on_periodic() override {
    const HostScope host;
    slot_->emitted = kMinWatermark;
    call(on_periodic_.get(), output_.get());
    return slot_->emitted;
  }

 private:
  static Handle make(PyObject* supplier) {
    if (!PyType_Check(supplier) && has_attribute(supplier, "on_event")) {
      return Handle(subtask_copy(supplier, 1, "watermarks"));
    }
    if (PyCallable_Check(supplier) == 0) {
      throw_error(ErrorKind::kInvalidArgument,
                  "a watermark generator or a function that makes one was expected, not {}",
                  short_repr(supplier));
    }
    return Handle(call(supplier));
  }

  Handle generator_;
  Handle on_event_;
  Handle on_periodic_;
  std::shared_ptr<WatermarkSlot> slot_;
  Handle output_;
};

}  // namespace

std::unique_ptr<WatermarkGenerator> make_python_watermark_generator(PyObject* supplier) {
  return std::make_unique<PythonWatermarkGenerator>(supplier);
}

void add_watermark_types(PyObject* module) {
  g_watermark_output =
      Boxed<WatermarkSlot>::make_type("pyflink._native.WatermarkOutput", g_output_methods);
  checked(PyModule_AddType(module, g_watermark_output));
}

}  // namespace flott::bindings
