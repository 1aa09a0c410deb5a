#pragma once

#include "bindings/functions/function_object.h"
#include "operators/functions.h"

#include <memory>

namespace flott::bindings {

/// A Python WatermarkGenerator (on_event(event, timestamp, output), on_periodic_emit(output)) made
/// by calling `supplier`, one for each subtask or split. The object itself is accepted too, and
/// copied. Of several watermarks emitted in one call the largest counts;
/// mark_idle() holds until mark_active() or the next watermark.
std::unique_ptr<WatermarkGenerator> make_python_watermark_generator(PyObject* supplier);

void add_watermark_types(PyObject* module);

}  // namespace flott::bindings
