#pragma once

#include "types/value.h"

#include <Python.h>

#include <cstdint>
#include <optional>

namespace flott::bindings {

/// datetime objects <-> the engine's temporal values. The datetime module is imported at first use.
/// All with the GIL held.

PyObject* date_to_python(std::int64_t days);
PyObject* time_to_python(std::int64_t micros);
/// Naive for a TIMESTAMP, UTC-aware for an instant; nanoseconds are cut off.
PyObject* timestamp_to_python(std::int64_t micros, bool instant);
PyObject* interval_to_python(std::int64_t millis);

enum class TemporalKind { kNone, kDate, kTime, kTimestamp, kTimedelta };
/// Which of datetime's classes the object is an instance of (a datetime is kTimestamp).
TemporalKind temporal_kind(PyObject* object);
/// The object as a Value: date, time (micros), timestamp (aware ones as instants), timedelta (ms).
/// Its kind must not be kNone. Throws PythonError.
Value temporal_to_value(PyObject* object);
/// Microseconds of a timedelta.
std::int64_t timedelta_micros(PyObject* object);

}  // namespace flott::bindings
