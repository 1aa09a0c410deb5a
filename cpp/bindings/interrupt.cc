#include "bindings/interrupt.h"

#include "bindings/python_ref.h"

#include <algorithm>

namespace flott::bindings {
namespace {

PyObject* g_job_cancelled = nullptr;

/// Whether `exception`, or one that it arose from, is a job_cancelled().
bool comes_from_cancelling(PyObject* exception) {
  Ref next = Ref::borrow(exception);
  for (int depth = 0; next && next.get() != Py_None && depth < 16; ++depth) {
    if (PyErr_GivenExceptionMatches(next.get(), g_job_cancelled) != 0) {
      return true;
    }
    if (PyExceptionInstance_Check(next.get()) == 0) {
      return false;
    }
    next = Ref::steal(PyException_GetContext(next.get()));
  }
  return false;
}

/// The exceptions that threads are handling now: in `except`, `finally`, `__exit__`.
Ref exceptions_handled_now() {
  static constinit CachedAttribute current_exceptions("sys", "_current_exceptions");
  Ref found = Ref::steal(PyObject_CallNoArgs(current_exceptions.get()));
  if (!found) {
    PyErr_Clear();
  }
  return found;
}

/// Whether the thread is cleaning up after it was interrupted.
bool is_cleaning_up(PyObject* handled, unsigned long thread) {
  const Ref id = Ref::steal(PyLong_FromUnsignedLong(thread));
  PyObject* found = handled == nullptr || !id ? nullptr : PyDict_GetItem(handled, id.get());
  if (found != nullptr && PyTuple_Check(found) != 0) {  // before 3.12: type, value, traceback
    found = PyTuple_GET_ITEM(found, 1);
  }
  return found != nullptr && comes_from_cancelling(found);
}

}  // namespace

PyObject* job_cancelled() {
  return g_job_cancelled;
}

void add_interrupt_types(PyObject* module) {
  g_job_cancelled =
      checked(PyErr_NewException("pyflink._native.JobCancelled", PyExc_BaseException, nullptr))
          .release();
  checked(PyModule_AddObjectRef(module, "JobCancelled", g_job_cancelled));
}

void TaskThreads::add() {
  threads_.emplace_back(PyThreadState_Get(), PyThread_get_thread_ident());
}

void TaskThreads::remove() {
  const auto own = std::find_if(threads_.begin(), threads_.end(), [](const auto& thread) {
    return thread.first == PyThreadState_Get();
  });
  if (own == threads_.end()) {
    return;
  }
  PyThreadState_SetAsyncExc(own->second, nullptr);
  threads_.erase(own);
}

void TaskThreads::interrupt() {
  const Ref handled = exceptions_handled_now();
  for (const auto& [state, id] : threads_) {
    if (is_cleaning_up(handled.get(), id)) {
      continue;
    }
    // Without a frame it is in none of the functions: the exception would wait for the next one.
    if (const Ref frame = Ref::steal(reinterpret_cast<PyObject*>(PyThreadState_GetFrame(state)));
        frame) {
      PyThreadState_SetAsyncExc(id, g_job_cancelled);
    }
  }
}

}  // namespace flott::bindings
