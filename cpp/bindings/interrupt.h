#pragma once

#include <Python.h>

#include <utility>
#include <vector>

namespace flott::bindings {

/// What is raised inside Python code that runs on when its job is being cancelled: a BaseException,
/// so that `except Exception` lets it through. Borrowed; made once by add_interrupt_types().
PyObject* job_cancelled();
/// Adds the class to the module.
void add_interrupt_types(PyObject* module);

/// The threads of one job that run users' functions. Every method needs the GIL, which is also what
/// guards the list: a thread that is not the caller stands still, inside Python code or outside.
class TaskThreads {
 public:
  /// The calling thread, which keeps its thread state until remove().
  void add();
  /// No function of the calling thread is interrupted any more; what was raised too late is
  /// forgotten. Does nothing for a thread that was not added.
  void remove();
  /// Raises job_cancelled() in those that are inside Python code; code that catches it runs on
  /// until it is raised again. Code that is cleaning up behind it (`finally`, `__exit__`, `except`)
  /// is left alone. Code that is blocked in C notices when it is back in Python.
  void interrupt();

 private:
  std::vector<std::pair<PyThreadState*, unsigned long>> threads_;
};

}  // namespace flott::bindings
