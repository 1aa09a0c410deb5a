#include "bindings/interrupt.h"

#include "bindings/python_ref.h"

#include <algorithm>

namespace flott::bindings {
namespace {

PyObject* g_job_cancelled = nullptr;

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
  for (const auto& [state, id] : threads_) {
    // Without a frame it is in none of the functions: the exception would wait for the next one.
    if (const Ref frame = Ref::steal(reinterpret_cast<PyObject*>(PyThreadState_GetFrame(state)));
        frame) {
      PyThreadState_SetAsyncExc(id, g_job_cancelled);
    }
  }
}

}  // namespace flott::bindings
