#include "bindings/io/python_source.h"

#include "base/error.h"
#include "base/log.h"
#include "bindings/boxed.h"
#include "bindings/convert.h"
#include "bindings/errors.h"
#include "bindings/interrupt.h"

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <utility>

namespace flott::bindings {
namespace {

constexpr std::size_t kCapacityRows = 8192;
// Together well below the second in which Ctrl-C ends a job.
constexpr auto kCancelPatience = std::chrono::milliseconds(200);
constexpr auto kInterruptPatience = std::chrono::milliseconds(400);

PyTypeObject* g_source_context = nullptr;

struct HandedRow {
  Value value;
  Timestamp timestamp;
};

struct Mark {
  std::int64_t after_row;  ///< number of rows handed over before it
  Timestamp watermark;     ///< or kMinWatermark: the source is idle until its next row or watermark
};

/// Between the function's thread and the task. The lock is never held while the GIL is wanted.
struct Handover {
  std::mutex mutex;
  std::condition_variable space;
  std::condition_variable ended_changed;
  std::deque<HandedRow> rows;
  std::deque<Mark> marks;
  std::int64_t rows_in = 0;   ///< handed over by the function
  std::int64_t rows_out = 0;  ///< seen by the watermark generator; task's thread
  bool task_waits = false;
  bool cancelled = false;  ///< or closed: nothing of the job may be used any more
  bool ended = false;
  std::exception_ptr error;
  unsigned long thread_id = 0;

  std::function<void()> wakeup;
  const Clock* clock = nullptr;  ///< the job's: only with the lock held and not cancelled
  LogicalTypePtr type;
  Handle lock;  ///< get_checkpoint_lock(); GIL

  /// The job's clock; raises in a thread that was left behind, whose job may be gone.
  Timestamp now_ms() {
    {
      const std::lock_guard guard(mutex);
      if (!cancelled) {
        return clock->now_ms();
      }
    }
    raise_cancelled();
  }

  [[noreturn]] static void raise_cancelled() {
    PyErr_SetString(job_cancelled(), "the job was cancelled");
    throw_python_error();
  }

  /// Function's thread, GIL held: the lock is held for moments only, and the GIL is given up while
  /// there is no room.
  void push(Value value, Timestamp timestamp) {
    bool wake = false;
    bool stop = false;
    {
      std::unique_lock guard(mutex);
      if (rows.size() < kCapacityRows && !cancelled) {
        wake = append(std::move(value), timestamp);
      } else {
        guard.unlock();
        const GilRelease released;
        guard.lock();
        space.wait(guard, [&] { return cancelled || rows.size() < kCapacityRows; });
        stop = cancelled;
        wake = !stop && append(std::move(value), timestamp);
        guard.unlock();
      }
    }
    if (stop) {
      raise_cancelled();
    }
    if (wake) {
      wakeup();
    }
  }

  /// With the lock held; true when the task waits for rows.
  bool append(Value value, Timestamp timestamp) {
    rows.push_back({std::move(value), timestamp});
    ++rows_in;
    return std::exchange(task_waits, false);
  }
};

PyObject* null_object() {
  return nullptr;
}

void collect(Handover& handover, PyObject* element, Timestamp timestamp) {
  Ref own = checked(isolate(element));
  Value value = handover.type != nullptr && handover.type->is_native() && own.get() != Py_None
                    ? to_native(own.get(), *handover.type)
                    : from_python_steal(own.release());
  handover.push(std::move(value), timestamp);
}

PyObject* context_collect(PyObject* self, PyObject* element) {
  return guarded(null_object(), [&]() -> PyObject* {
    Handover& handover = Boxed<Handover>::of(self);
    collect(handover, element, handover.now_ms());
    Py_RETURN_NONE;
  });
}

PyObject* context_collect_with_timestamp(PyObject* self, PyObject* const* args, Py_ssize_t count) {
  return guarded(null_object(), [&]() -> PyObject* {
    if (count != 2) {
      PyErr_Format(PyExc_TypeError,
                   "collect_with_timestamp() takes an element and its timestamp, %zd given",
                   count);
      return nullptr;
    }
    collect(Boxed<Handover>::of(self), args[0], int_of(args[1], "a record's timestamp (ms)"));
    Py_RETURN_NONE;
  });
}

void add_mark(Handover& handover, Timestamp watermark) {
  bool wake = false;
  bool stop = false;
  {
    const std::lock_guard guard(handover.mutex);
    stop = handover.cancelled;
    if (!stop) {
      handover.marks.push_back({handover.rows_in, watermark});
      wake = std::exchange(handover.task_waits, false);
    }
  }
  if (stop) {
    Handover::raise_cancelled();
  }
  if (wake) {
    handover.wakeup();
  }
}

PyObject* context_emit_watermark(PyObject* self, PyObject* watermark) {
  return guarded(null_object(), [&]() -> PyObject* {
    Ref time = Ref::borrow(watermark);
    if (!PyLong_Check(watermark)) {
      time = attribute(watermark, "timestamp");
    }
    add_mark(Boxed<Handover>::of(self), int_of(time.get(), "the timestamp of a Watermark"));
    Py_RETURN_NONE;
  });
}

PyObject* context_mark_idle(PyObject* self, PyObject* /*unused*/) {
  return guarded(null_object(), [&]() -> PyObject* {
    add_mark(Boxed<Handover>::of(self), kMinWatermark);
    Py_RETURN_NONE;
  });
}

PyObject* context_nothing(PyObject* /*self*/, PyObject* /*unused*/) {
  Py_RETURN_NONE;
}

PyObject* context_checkpoint_lock(PyObject* self, PyObject* /*unused*/) {
  return guarded(null_object(), [&]() -> PyObject* {
    Handover& handover = Boxed<Handover>::of(self);
    if (!handover.lock) {
      handover.lock = Handle(call(import_attribute("threading", "RLock").get()));
    }
    return Ref::borrow(handover.lock.get()).release();
  });
}

PyMethodDef g_context_methods[] = {
    {"collect", context_collect, METH_O, nullptr},
    {"collect_with_timestamp", fast_call(context_collect_with_timestamp), METH_FASTCALL, nullptr},
    {"emit_watermark", context_emit_watermark, METH_O, nullptr},
    {"mark_as_temporarily_idle", context_mark_idle, METH_NOARGS, nullptr},
    {"get_checkpoint_lock", context_checkpoint_lock, METH_NOARGS, nullptr},
    {"close", context_nothing, METH_NOARGS, nullptr},
    {nullptr, nullptr, 0, nullptr}};

/// What the thread runs: function.run(context), and the outcome into the handover.
struct SourceRun {
  std::shared_ptr<Handover> handover;
  Handle run;
  Handle context;
};
PyTypeObject* g_source_run = nullptr;

PyObject* run_source(PyObject* self, PyObject* /*unused*/) {
  SourceRun& source = Boxed<SourceRun>::of(self);
  Handover& handover = *source.handover;
  {
    const std::lock_guard guard(handover.mutex);
    handover.thread_id = PyThread_get_thread_ident();
  }
  std::exception_ptr error;
  try {
    const Ref result = Ref::steal(PyObject_CallOneArg(source.run.get(), source.context.get()));
    if (!result) {
      if (PyErr_ExceptionMatches(job_cancelled())) {
        PyErr_Clear();
      } else {
        throw_python_error();
      }
    }
  } catch (...) {
    error = std::current_exception();
  }
  {
    const std::lock_guard guard(handover.mutex);
    handover.ended = true;
    handover.error = handover.cancelled ? nullptr : error;
    handover.ended_changed.notify_all();
  }
  // Raised when run() had returned: it would come up in Python's own code.
  PyThreadState_SetAsyncExc(handover.thread_id, nullptr);
  handover.wakeup();
  Py_RETURN_NONE;
}

PyMethodDef g_run_methods[] = {{"run", run_source, METH_NOARGS, nullptr},
                               {nullptr, nullptr, 0, nullptr}};

class PythonSourceReader final : public SourceReader {
 public:
  PythonSourceReader(FunctionSpecPtr spec, std::shared_ptr<Handover> handover)
      : spec_(std::move(spec)),
        handover_(std::move(handover)),
        builder_(handover_->type != nullptr ? handover_->type : LogicalType::object()) {}

  void open() override {}

  void add_splits(const std::vector<SourceSplit>& splits) override {
    if (!splits.empty() && !started_) {
      started_ = true;
      start();
    }
  }

  PollResult poll(SourceBatch& out, std::int64_t max_rows) override {
    if (!started_) {
      return PollResult::kFinished;
    }
    {
      const std::lock_guard guard(handover_->mutex);
      std::int64_t room = std::max<std::int64_t>(max_rows, 1);
      for (; room > 0 && !handover_->rows.empty(); --room) {
        polled_.push_back(std::move(handover_->rows.front()));
        handover_->rows.pop_front();
      }
      if (polled_.empty()) {
        if (handover_->ended) {
          if (handover_->error != nullptr) {
            std::rethrow_exception(handover_->error);
          }
          return PollResult::kFinished;
        }
        handover_->task_waits = true;
        return PollResult::kIdle;
      }
      handover_->space.notify_one();
    }
    for (HandedRow& row : polled_) {
      builder_.append(std::move(row.value), row.timestamp, RowKind::kInsert, nullptr);
    }
    polled_.clear();
    out.split = 0;
    out.batch = builder_.finish();
    return PollResult::kMore;
  }

  std::vector<SourceSplit> positions() override { return {{"python", ""}}; }
  bool split_finished(int /*index*/) const override {
    const std::lock_guard guard(handover_->mutex);
    return handover_->ended && handover_->rows.empty();
  }

  void close() override {
    if (!started_) {
      return;
    }
    started_ = false;
    const HostScope host;
    if (thread_started_ && !ended_within(std::chrono::milliseconds(0))) {
      cancel();
    }
    {
      // Threads that the function has started may still hold the context.
      const std::lock_guard guard(handover_->mutex);
      handover_->cancelled = true;
    }
    if (object_ != nullptr) {
      object_->close();
    }
  }

 private:
  void start() {
    const HostScope host;
    object_ = std::make_unique<FunctionObject>(*spec_);
    const Ref context = Boxed<Handover>::make(g_source_context, handover_);
    auto run = std::make_shared<SourceRun>();
    run->handover = handover_;
    run->run = object_->method("run", "a SourceFunction");
    run->context = Handle(Ref::borrow(context.get()));
    if (const Handle open = object_->optional_method("open"); open) {
      const Ref runtime_context = make_runtime_context(object_->scope());
      call(open.get(), runtime_context.get());
    }
    const Ref boxed = Boxed<SourceRun>::make(g_source_run, run);
    const Ref target = attribute(boxed.get(), "run");
    // The function sees the context variables that its job was started with.
    const Ref variables = checked(PyContext_CopyCurrent());
    const Ref run_in_context = attribute(variables.get(), "run");
    const Ref thread_class = import_attribute("threading", "Thread");
    const Ref arguments = checked(PyTuple_New(0));
    const Ref options = checked(Py_BuildValue("{s:O,s:(O),s:s,s:O}",
                                              "target",
                                              run_in_context.get(),
                                              "args",
                                              target.get(),
                                              "name",
                                              spec_->operator_name.c_str(),
                                              "daemon",
                                              Py_True));
    const Ref thread = checked(PyObject_Call(thread_class.get(), arguments.get(), options.get()));
    call(attribute(thread.get(), "start").get());
    thread_started_ = true;
  }

  bool ended_within(std::chrono::milliseconds patience) {
    const GilRelease released;
    std::unique_lock guard(handover_->mutex);
    return handover_->ended_changed.wait_for(guard, patience, [&] { return handover_->ended; });
  }

  void cancel() {
    {
      const std::lock_guard guard(handover_->mutex);
      handover_->cancelled = true;
      handover_->space.notify_all();
    }
    if (const Handle cancel = object_->optional_method("cancel"); cancel) {
      const Ref result = Ref::steal(PyObject_CallNoArgs(cancel.get()));
      if (!result) {
        PyErr_WriteUnraisable(cancel.get());
      }
    }
    if (ended_within(kCancelPatience)) {
      return;
    }
    if (!interrupt()) {
      return;
    }
    if (!ended_within(kInterruptPatience)) {
      log(LogLevel::kWarn,
          "source",
          "run() of the source '{}' did not end {} ms after cancel(): its thread is left behind; "
          "let run() look at a flag that cancel() sets",
          spec_->operator_name,
          (kCancelPatience + kInterruptPatience).count());
    }
  }

  /// False when the function has ended. The GIL keeps it from ending meanwhile.
  bool interrupt() {
    const std::lock_guard guard(handover_->mutex);
    if (!handover_->ended && handover_->thread_id != 0) {
      PyThreadState_SetAsyncExc(handover_->thread_id, job_cancelled());
    }
    return !handover_->ended;
  }

  FunctionSpecPtr spec_;
  std::shared_ptr<Handover> handover_;
  BatchBuilder builder_;
  std::vector<HandedRow> polled_;
  std::unique_ptr<FunctionObject> object_;
  bool started_ = false;
  bool thread_started_ = false;
};

}  // namespace

class PythonSource final : public Source {
 public:
  PythonSource(FunctionSpecPtr spec, LogicalTypePtr type)
      : spec_(std::move(spec)), type_(std::move(type)) {}

  /// A function may end by itself (then the job does), but nobody knows beforehand.
  Boundedness boundedness() const override { return Boundedness::kUnbounded; }
  LogicalTypePtr produced_type() const override {
    return type_ != nullptr && type_->is_native() ? type_ : LogicalType::object();
  }
  std::vector<SourceSplit> discover_splits(const std::function<bool()>& /*cancelled*/) override {
    return {{"python", ""}};
  }
  std::unique_ptr<SourceReader> create_reader(const SourceReaderContext& context) override {
    auto handover = std::make_shared<Handover>();
    handover->wakeup = context.wakeup;
    handover->clock = context.clock;
    handover->type = type_;
    {
      const std::lock_guard guard(mutex_);
      current_ = handover;
    }
    return std::make_unique<PythonSourceReader>(spec_, std::move(handover));
  }
  bool uses_host() const override { return true; }

  std::shared_ptr<Handover> current() {
    const std::lock_guard guard(mutex_);
    return current_;
  }

 private:
  FunctionSpecPtr spec_;
  LogicalTypePtr type_;
  std::mutex mutex_;
  std::shared_ptr<Handover> current_;  ///< of the reader made last
};

namespace {

class SourceWatermarks final : public WatermarkGenerator {
 public:
  explicit SourceWatermarks(std::shared_ptr<PythonSource> source) : source_(std::move(source)) {}

  Timestamp on_event(const Value& /*value*/, Timestamp /*timestamp*/) override {
    Handover& handover = use();
    ++handover.rows_out;
    idle_ = false;
    return take(handover);
  }
  Timestamp on_periodic() override { return take(use()); }
  bool is_idle() const override { return idle_; }

 private:
  Handover& use() {
    if (handover_ == nullptr) {
      handover_ = source_->current();
    }
    return *handover_;
  }
  Timestamp take(Handover& handover) {
    Timestamp out = kMinWatermark;
    const std::lock_guard guard(handover.mutex);
    while (!handover.marks.empty() && handover.marks.front().after_row <= handover.rows_out) {
      out = std::max(out, handover.marks.front().watermark);
      idle_ = handover.marks.front().watermark == kMinWatermark;
      handover.marks.pop_front();
    }
    return out;
  }

  std::shared_ptr<PythonSource> source_;
  std::shared_ptr<Handover> handover_;
  bool idle_ = false;
};

}  // namespace

std::shared_ptr<PythonSource> make_python_source(FunctionSpecPtr spec, LogicalTypePtr type) {
  return std::make_shared<PythonSource>(std::move(spec), std::move(type));
}

std::shared_ptr<Source> as_source(const std::shared_ptr<PythonSource>& source) {
  return source;
}

std::unique_ptr<WatermarkGenerator> make_source_watermarks(
    const std::shared_ptr<PythonSource>& source) {
  return std::make_unique<SourceWatermarks>(source);
}

void add_source_types(PyObject* module) {
  g_source_context = Boxed<Handover>::make_type("pyflink._native.SourceContext", g_context_methods);
  checked(PyModule_AddType(module, g_source_context));
  g_source_run = Boxed<SourceRun>::make_type("pyflink._native.SourceRun", g_run_methods);
}

}  // namespace flott::bindings
