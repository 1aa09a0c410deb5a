#include "bindings/harness/step_job.h"

#include "base/error.h"
#include "bindings/errors.h"
#include "bindings/job.h"

#include <optional>
#include <utility>

namespace flott::bindings {

PythonStepJob::PythonStepJob(const GraphBuilder& builder,
                             const std::string& job_name,
                             PyObject* options,
                             const StepSnapshot* restore,
                             Timestamp start_ms) {
  const JobOptions job_options = read_job_options(builder, job_name, options);
  const GilRelease released;
  executor_ = std::make_unique<StepExecutor>(
      builder.graph(),
      job_options,
      restore != nullptr ? std::optional(restore->data) : std::nullopt,
      start_ms);
}

StepExecutor& PythonStepJob::executor() const {
  if (executor_ == nullptr) {
    throw_error(ErrorKind::kInvalidArgument, "the job was closed");
  }
  return *executor_;
}

template <typename Body>
void PythonStepJob::run(Body&& body) {
  StepExecutor& job = executor();
  try {
    const GilRelease released;
    body(job);
  } catch (...) {
    const Ref exception = exception_of(std::current_exception());
    if (!job.error_location().empty()) {
      add_note(exception.get(), "in " + job.error_location());
    }
    PyErr_SetObject(reinterpret_cast<PyObject*>(Py_TYPE(exception.get())), exception.get());
    throw_python_error();
  }
}

void PythonStepJob::run_until_idle() {
  run([](StepExecutor& job) { job.run_until_idle(); });
}

void PythonStepJob::set_time(Timestamp now_ms) {
  const Timestamp before = now();
  if (now_ms < before) {
    throw_error(ErrorKind::kInvalidArgument,
                "processing time is {} already and cannot go back to {}",
                before,
                now_ms);
  }
  run([&](StepExecutor& job) { job.advance(now_ms - before); });
}

Timestamp PythonStepJob::now() const {
  return executor().clock().now_ms();
}

std::shared_ptr<StepSnapshot> PythonStepJob::snapshot() {
  auto out = std::make_shared<StepSnapshot>();
  run([&](StepExecutor& job) {
    if (job.finished()) {
      throw_error(
          ErrorKind::kInvalidArgument,
          "the job has ended: no snapshot can be taken any more; take it before end_input()");
    }
    out->data = job.checkpoint();
  });
  return out;
}

std::map<std::string, double> PythonStepJob::metrics() const {
  StepExecutor& job = executor();
  const GilRelease released;
  return job.metrics();
}

void PythonStepJob::close() {
  if (executor_ != nullptr) {
    const GilRelease released;
    executor_.reset();
  }
}

}  // namespace flott::bindings
