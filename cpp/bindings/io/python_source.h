#pragma once

#include "bindings/functions/function_object.h"
#include "connectors/source.h"
#include "operators/functions.h"

#include <memory>

namespace flott::bindings {

/// A Python SourceFunction: run(ctx) on a thread of its own, handing over to the task through a
/// bounded queue; parallelism 1. Records without a timestamp get the wall clock's. Its position
/// is not part of checkpoints: after a restart it runs from its beginning.
///
/// On cancellation cancel() is called, then the next ctx.collect() raises, then the thread is
/// interrupted between two byte codes; one that still runs is left behind with a warning.
class PythonSource;
std::shared_ptr<PythonSource> make_python_source(FunctionSpecPtr spec, LogicalTypePtr type);
std::shared_ptr<Source> as_source(const std::shared_ptr<PythonSource>& source);

/// Passes on what the function gives to ctx.emit_watermark(), at the right place between the
/// records.
std::unique_ptr<WatermarkGenerator> make_source_watermarks(
    const std::shared_ptr<PythonSource>& source);

void add_source_types(PyObject* module);

}  // namespace flott::bindings
