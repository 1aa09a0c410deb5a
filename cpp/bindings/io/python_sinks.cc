#include "bindings/io/python_sinks.h"

#include "base/error.h"
#include "bindings/convert.h"
#include "bindings/functions/contexts.h"
#include "connectors/print/value_text.h"

#include <algorithm>
#include <utility>

namespace flott::bindings {
namespace {

/// Whether a callable takes a second positional argument; plain functions and methods say so
/// themselves, anything else is asked by the inspect module.
bool takes_two_arguments(PyObject* callable) {
  PyObject* function = PyMethod_Check(callable) ? PyMethod_Function(callable) : callable;
  const int bound = PyMethod_Check(callable) ? 1 : 0;
  if (PyFunction_Check(function)) {
    const Ref code = attribute(function, "__code__");
    const std::int64_t count = int_of(attribute(code.get(), "co_argcount").get(), "co_argcount");
    const std::int64_t flags = int_of(attribute(code.get(), "co_flags").get(), "co_flags");
    constexpr std::int64_t kVarArgs = 0x04;
    return count - bound >= 2 || (flags & kVarArgs) != 0;
  }
  const Ref signature = import_attribute("inspect", "signature");
  const Ref found = Ref::steal(PyObject_CallOneArg(signature.get(), callable));
  if (!found) {
    PyErr_Clear();
    return false;
  }
  const Ref parameters = attribute(found.get(), "parameters");
  return PyObject_Size(parameters.get()) >= 2;
}

class PythonSink final : public Operator {
 public:
  explicit PythonSink(const FunctionSpec& spec)
      : object_(spec),
        invoke_(object_.method("invoke", "a SinkFunction")),
        finish_(object_.optional_method("finish")),
        with_context_(takes_two_arguments(invoke_.get())),
        slot_(std::make_shared<SinkSlot>()),
        context_(make_sink_context(slot_)) {}

  bool uses_host() const override { return true; }
  void open(OperatorContext& context) override {
    slot_->context = &context;
    object_.open(context);
  }

  void process(Record&& record, int /*input*/, Output& /*out*/) override {
    slot_->timestamp = record.timestamp;
    const Ref argument = checked(to_python(std::move(record.value)));
    on_record(record.value, argument, [&] {
      if (with_context_) {
        call(invoke_.get(), argument.get(), context_.get());
      } else {
        call(invoke_.get(), argument.get());
      }
    });
  }

  bool process_watermark(Timestamp watermark,
                         std::int64_t /*deadline_ns*/,
                         Output& /*out*/) override {
    slot_->watermark = watermark;
    return true;
  }

  bool finish(Output& /*out*/) override {
    if (finish_) {
      const HostScope host;
      call(finish_.get());
    }
    return true;
  }

  void close() override {
    const HostScope host;
    object_.close();
    slot_->context = nullptr;
  }

 private:
  FunctionObject object_;
  Handle invoke_;
  Handle finish_;
  bool with_context_;
  std::shared_ptr<SinkSlot> slot_;
  Handle context_;
};

class PrintOperator final : public Operator {
 public:
  PrintOperator(std::string prefix, bool to_stderr, LogicalTypePtr type)
      : prefix_(std::move(prefix)),
        to_stderr_(to_stderr),
        type_(type != nullptr ? std::move(type) : LogicalType::object()),
        is_native_(type_->is_native()) {}

  bool uses_host() const override { return true; }
  void open(OperatorContext& context) override { operator_ = &context; }

  void process(Record&& record, int /*input*/, Output& /*out*/) override {
    line_ = prefix_;
    if (is_native_ && record.value.is_object()) {
      auto* object = static_cast<PyObject*>(record.value.as_object());
      append_printed(object == Py_None ? Value::null() : to_native(object, *type_), *type_, line_);
    } else {
      append_printed(record.value, *type_, line_);
    }
    line_ += '\n';
    write_to_python_stream(line_, to_stderr_);
    if (!unflushed_) {
      unflushed_ = true;
      operator_->schedule_wakeup(operator_->clock().now_ms());
    }
  }

  void on_wakeup(Output& /*out*/) override { flush(); }
  bool finish(Output& /*out*/) override {
    flush();
    return true;
  }
  void close() override { flush(); }

 private:
  void flush() {
    if (unflushed_) {
      unflushed_ = false;
      const HostScope host;
      flush_python_stream(to_stderr_);
    }
  }

  std::string prefix_;
  bool to_stderr_;
  LogicalTypePtr type_;
  bool is_native_;
  OperatorContext* operator_ = nullptr;
  std::string line_;
  bool unflushed_ = false;
};

/// Null when there is no stream (pythonw, a finalizing interpreter).
PyObject* python_stream(bool to_stderr) {
  // Not PySys_GetObject, which makes a str of the name each time.
  static PyObject* const sys = PyModule_GetDict(checked(PyImport_ImportModule("sys")).release());
  static PyObject* const names[] = {PyUnicode_InternFromString("stdout"),
                                    PyUnicode_InternFromString("stderr")};
  PyObject* stream = PyDict_GetItemWithError(sys, names[to_stderr ? 1 : 0]);
  return stream == Py_None ? nullptr : stream;
}

}  // namespace

std::unique_ptr<Operator> make_python_sink(const FunctionSpec& spec) {
  return std::make_unique<PythonSink>(spec);
}

std::unique_ptr<Operator> make_print_sink(std::string prefix, bool to_stderr, LogicalTypePtr type) {
  return std::make_unique<PrintOperator>(std::move(prefix), to_stderr, std::move(type));
}

std::string print_prefix(const std::string& identifier, int subtask, int parallelism) {
  std::string out = identifier;
  if (parallelism > 1) {
    out += out.empty() ? "" : ":";
    out += std::to_string(subtask + 1);
  }
  return out.empty() ? out : out + "> ";
}

void write_to_python_stream(std::string_view text, bool to_stderr) {
  // Looked up each time: pytest and notebooks replace the stream while a job runs.
  const Ref stream = Ref::borrow(python_stream(to_stderr));
  if (!stream) {
    return;
  }
  static PyObject* const name = PyUnicode_InternFromString("write");
  const Ref line = checked(
      PyUnicode_DecodeUTF8(text.data(), static_cast<Py_ssize_t>(text.size()), "backslashreplace"));
  PyObject* stack[] = {nullptr, stream.get(), line.get()};
  checked(PyObject_VectorcallMethod(name, stack + 1, 2 | PY_VECTORCALL_ARGUMENTS_OFFSET, nullptr));
}

void flush_python_stream(bool to_stderr) {
  const Ref stream = Ref::borrow(python_stream(to_stderr));
  if (!stream) {
    return;
  }
  const Ref result = Ref::steal(PyObject_CallMethod(stream.get(), "flush", nullptr));
  if (!result) {
    // A closed pipe must not hide why a job ended.
    PyErr_Clear();
  }
}

}  // namespace flott::bindings
