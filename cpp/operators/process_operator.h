#pragma once

#include "operators/functions.h"
#include "runtime/operator.h"

#include <memory>

namespace flott {

/// Runs a ProcessFunction on one or two inputs, keyed or not. Timers lie in the void namespace, one
/// per key, time and domain. What on_timer collects carries the timer's time for event time, and no
/// timestamp for processing time, as in Flink's KeyedProcessOperator. On streams without keys,
/// registering or deleting a timer throws kInvalidArgument.
///
/// A broadcast element arrives without a key (Record::key is null): then no key is current, and
/// ProcessContext::current_key() is null.
std::unique_ptr<Operator> make_process_operator(std::unique_ptr<ProcessFunction> function);

}  // namespace flott
