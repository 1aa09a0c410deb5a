#pragma once

#include "bindings/functions/function_object.h"
#include "runtime/operator.h"

#include <memory>

namespace flott::bindings {

/// Asynchronous I/O (AsyncDataStream). What happens to a record until its results are there - event
/// loop, time-outs, retries, order - is Python's `pyflink.datastream._async.AsyncRunner`; this
/// operator gives it records and watermarks and emits what is ready.
///
/// The runner is the spec's function:
///   start(wake)                called after open(); `wake` may be called from any thread
///   submit(value, timestamp)   a record; returns at once
///   watermark(timestamp)       stands in the queue between the records around it
///   ready()                    list of what may be emitted now, in order: a watermark (int), or a
///                              pair (timestamp, results); raises what a function raised
///
/// At most `capacity` records are under way, those included whose results wait for their turn. A
/// checkpoint waits until all are settled, so that nothing of the queue is state (Flink stores it).
std::unique_ptr<Operator> make_async_wait_operator(const FunctionSpec& spec, std::int64_t capacity);

}  // namespace flott::bindings
