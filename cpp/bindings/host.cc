#include "types/host.h"

#include "bindings/convert.h"
#include "bindings/python_ref.h"
#include "bindings/row.h"
#include "types/value.h"

#include <atomic>
#include <mutex>
#include <vector>

namespace flott::bindings {

// Said again here: link-time optimisation goes by the definition.
[[gnu::tls_model("initial-exec")]] constinit thread_local int t_gil_depth = 0;

namespace {

/// The interpreter is going away: its objects are left to the operating system.
bool finalizing() {
#if PY_VERSION_HEX >= 0x030D0000
  return Py_IsFinalizing() != 0 || Py_IsInitialized() == 0;
#else
  return _Py_IsFinalizing() != 0 || Py_IsInitialized() == 0;
#endif
}

/// This thread's place in the interpreter. An engine thread keeps one thread state for its whole
/// life, so that entering is taking the GIL and nothing more, and so that thread locals and
/// contextvars stay.
class ThreadAttachment {
 public:
  ~ThreadAttachment() {
    if (own_ != nullptr && !finalizing()) {
      PyEval_RestoreThread(own_);
      PyGILState_Release(state_);
    }
  }

  /// The outermost entry of this thread, or one within a GilRelease.
  void enter() {
    STREAM_CHECK(
        level_ < kMaxLevels, "the interpreter was entered and released {} times over", level_);
    Mode& mode = modes_[level_++];
    if (own_ != nullptr) {
      mode = Mode::kOwn;
      PyEval_RestoreThread(own_);
    } else if (PyGILState_Check() != 0) {
      mode = Mode::kAlreadyHeld;
    } else if (PyGILState_GetThisThreadState() != nullptr) {
      // A Python thread that released the GIL to wait for us.
      mode = Mode::kBorrowed;
      states_[level_ - 1] = PyGILState_Ensure();
    } else {
      mode = Mode::kOwn;
      state_ = PyGILState_Ensure();
      own_ = PyThreadState_Get();
    }
  }

  void leave() {
    switch (modes_[--level_]) {
      case Mode::kAlreadyHeld:
        break;
      case Mode::kBorrowed:
        PyGILState_Release(states_[level_]);
        break;
      case Mode::kOwn:
        own_ = PyEval_SaveThread();
        break;
    }
  }

 private:
  enum class Mode { kOwn, kBorrowed, kAlreadyHeld };
  static constexpr int kMaxLevels = 16;
  int level_ = 0;
  Mode modes_[kMaxLevels] = {};
  PyGILState_STATE states_[kMaxLevels] = {};  ///< of the borrowed levels
  PyThreadState* own_ = nullptr;
  PyGILState_STATE state_ = PyGILState_UNLOCKED;
};

thread_local ThreadAttachment t_attachment;  // NOLINT

void enter_interpreter() {
  if (t_gil_depth == 0) {
    t_attachment.enter();
  }
  ++t_gil_depth;
}

void leave_interpreter() {
  if (--t_gil_depth == 0) {
    t_attachment.leave();
  }
}

/// Objects released by threads that do not hold the GIL. Bounded: whoever fills it takes the GIL
/// and empties it.
class DeferredReleases {
 public:
  void add(PyObject* object) {
    bool full = false;
    {
      const std::lock_guard lock(mutex_);
      objects_.push_back(object);
      count_.store(objects_.size(), std::memory_order_relaxed);
      full = objects_.size() >= kLimit;
    }
    if (full && !finalizing()) {
      enter_interpreter();
      drain();
      leave_interpreter();
    }
  }
  /// With the GIL.
  void drain() {
    std::vector<PyObject*> objects;
    {
      const std::lock_guard lock(mutex_);
      objects.swap(objects_);
      count_.store(0, std::memory_order_relaxed);
    }
    for (PyObject* object : objects) {
      Py_DECREF(object);
    }
  }
  bool empty_hint() const { return count_.load(std::memory_order_relaxed) == 0; }

 private:
  static constexpr std::size_t kLimit = 4096;
  std::mutex mutex_;
  std::vector<PyObject*> objects_;
  std::atomic<std::size_t> count_{0};
};

DeferredReleases& deferred() {
  static auto* releases = new DeferredReleases();  // outlives every thread
  return *releases;
}

class Gil {
 public:
  Gil() { enter_interpreter(); }
  ~Gil() { leave_interpreter(); }
  Gil(const Gil&) = delete;
  Gil& operator=(const Gil&) = delete;
};

PyObject* object_of(void* handle) {
  return static_cast<PyObject*>(handle);
}

class PythonHost final : public Host {
 public:
  void enter() override {
    enter_interpreter();
    if (!deferred().empty_hint()) {
      deferred().drain();
    }
  }
  void leave() override { leave_interpreter(); }
  void* suspend() override { return t_gil_depth > 0 ? new GilRelease : nullptr; }
  void resume(void* suspended) override { delete static_cast<GilRelease*>(suspended); }

  void retain(void* handle) override {
    if (t_gil_depth > 0) [[likely]] {
      Py_INCREF(object_of(handle));
      return;
    }
    const Gil gil;
    Py_INCREF(object_of(handle));
  }
  void release(void* handle) override {
    if (t_gil_depth > 0) [[likely]] {
      Py_DECREF(object_of(handle));
      return;
    }
    release_outside(handle);
  }
  void* isolate(void* handle) override {
    const Gil gil;
    return bindings::isolate(object_of(handle));
  }
  bool equal(void* a, void* b) override {
    const Gil gil;
    return checked(PyObject_RichCompareBool(object_of(a), object_of(b), Py_EQ)) == 1;
  }
  bool less(void* a, void* b) override {
    const Gil gil;
    return checked(PyObject_RichCompareBool(object_of(a), object_of(b), Py_LT)) == 1;
  }
  bool truthy(void* handle) override {
    const Gil gil;
    return checked(PyObject_IsTrue(object_of(handle))) == 1;
  }
  void serialize(void* handle, std::string& out) override {
    const Gil gil;
    static constinit CachedAttribute dumps("pickle", "dumps");
    static PyObject* protocol = PyLong_FromLong(5);
    PyObject* bytes =
        PyObject_CallFunctionObjArgs(dumps.get(), object_of(handle), protocol, nullptr);
    if (bytes == nullptr) {
      // Lambdas, local classes: what pickle refuses, cloudpickle stores by value.
      PyErr_Clear();
      static constinit CachedAttribute cloud_dumps("cloudpickle", "dumps");
      bytes = PyObject_CallOneArg(cloud_dumps.get(), object_of(handle));
    }
    const Ref owned = checked(bytes);
    out.append(PyBytes_AS_STRING(bytes), static_cast<std::size_t>(PyBytes_GET_SIZE(bytes)));
  }
  void* deserialize(std::string_view bytes) override {
    const Gil gil;
    static constinit CachedAttribute loads("pickle", "loads");
    const Ref argument =
        checked(PyBytes_FromStringAndSize(bytes.data(), static_cast<Py_ssize_t>(bytes.size())));
    return checked(PyObject_CallOneArg(loads.get(), argument.get())).release();
  }
  void encode_key(void* handle, std::string& out) override {
    const Gil gil;
    bindings::encode_key(object_of(handle), out);
  }
  std::string repr(void* handle) override {
    const Gil gil;
    return short_repr(object_of(handle));
  }
  std::string str(void* handle) override {
    const Gil gil;
    const Ref text = checked(PyObject_Str(object_of(handle)));
    return text_of(text.get(), "str()");
  }
  std::size_t size_hint(void* handle) override {
    // Fixed parts of the object only: no call, no walk, so no lock is needed for exact types.
    PyObject* object = object_of(handle);
    PyTypeObject* type = Py_TYPE(object);
    std::size_t size = static_cast<std::size_t>(type->tp_basicsize);
    if (PyUnicode_CheckExact(object)) {
      size += static_cast<std::size_t>(PyUnicode_GET_LENGTH(object));
    } else if (type->tp_itemsize > 0) {
      size += static_cast<std::size_t>(type->tp_itemsize) *
              static_cast<std::size_t>(std::abs(Py_SIZE(object)));
    } else if (PyList_CheckExact(object)) {
      size += 32 * static_cast<std::size_t>(PyList_GET_SIZE(object));
    } else if (PyDict_CheckExact(object)) {
      size += 64 * static_cast<std::size_t>(PyDict_Size(object));
    } else {
      size += 64;  // an instance's __dict__
    }
    return size;
  }
  Value to_native(void* handle, const LogicalType& type) override {
    const Gil gil;
    return bindings::to_native(object_of(handle), type);
  }
  void* to_object(const Value& value, const LogicalType& /*type*/) override {
    const Gil gil;
    return checked(to_python(value)).release();
  }

 private:
  [[gnu::noinline]] static void release_outside(void* handle) {
    if (PyGILState_Check() != 0) {
      Py_DECREF(object_of(handle));
    } else if (!finalizing()) {
      deferred().add(object_of(handle));
    }
  }
};

}  // namespace

void install_host() {
  static auto* python_host = new PythonHost();  // used until the process ends
  set_host(python_host);
}

namespace {

std::string describe(PyObject* exception) {
  std::string text = type_name_of(exception);
  PyObject* message = PyObject_Str(exception);
  if (message == nullptr) {
    PyErr_Clear();
    return text;
  }
  const Ref owned = Ref::steal(message);
  const char* utf8 = PyUnicode_AsUTF8(message);
  if (utf8 == nullptr) {
    PyErr_Clear();
    return text;
  }
  return *utf8 == '\0' ? text : text + ": " + utf8;
}

constexpr const char* kRefusal = "_flott_refusal";

ErrorKind kind_of(PyObject* exception) {
  const bool refused = PyObject_HasAttrString(exception, kRefusal) != 0;
  return refused ? ErrorKind::kInvalidArgument : ErrorKind::kUserCode;
}

}  // namespace

void mark_as_refusal(PyObject* exception) {
  if (PyObject_SetAttrString(exception, kRefusal, Py_True) != 0) {
    PyErr_Clear();  // without it, the job is started again in vain
  }
}

PythonError::PythonError(PyObject* exception)
    : Error(kind_of(exception), describe(exception)),
      exception_(exception, [](PyObject* object) { require_host().release(object); }) {}

void throw_python_error() {
  PyObject* type = nullptr;
  PyObject* value = nullptr;
  PyObject* traceback = nullptr;
  PyErr_Fetch(&type, &value, &traceback);
  if (type == nullptr) {
    throw Error(ErrorKind::kInternal, "a Python call failed without saying why");
  }
  PyErr_NormalizeException(&type, &value, &traceback);
  if (traceback != nullptr) {
    PyException_SetTraceback(value, traceback);
  }
  Py_XDECREF(type);
  Py_XDECREF(traceback);
  throw PythonError(value);
}

}  // namespace flott::bindings
