#pragma once

#include "operators/functions.h"
#include "runtime/operator.h"
#include "windows/assigner.h"
#include "windows/trigger.h"

#include <memory>

namespace flott {

/// Everything a window operator is made of; one set per subtask.
struct WindowOperatorOptions {
  std::unique_ptr<WindowAssigner> assigner;
  std::unique_ptr<Trigger> trigger;
  std::unique_ptr<Evictor> evictor;              ///< may be null
  std::shared_ptr<ReduceFunction> reduce;        ///< incremental, or
  std::shared_ptr<AggregateFunction> aggregate;  ///< incremental, or neither: elements are kept
  std::unique_ptr<WindowFunction>
      function;  ///< may be null with reduce / aggregate: emits the result
  UserFunction* reduce_life_cycle =
      nullptr;  ///< open/close of reduce or aggregate when they have one; borrowed
  std::int64_t allowed_lateness_ms = 0;
  SideOutputId late_output = -1;  ///< -1: late records are dropped and counted
  LogicalTypePtr element_type = LogicalType::object();
  LogicalTypePtr accumulator_type = LogicalType::object();
  /// Everything that arrives is native and of `element_type`: whole batches are taken, and an
  /// InPlaceAggregateFunction reads their columns.
  bool takes_batches = false;
  /// The aggregate gets opaque values, which only the host can read.
  bool takes_host_values = false;
};

/// Metric: processing-time windows (their timers) that were waiting for the clock when the input
/// ended, and were dropped. Only there when there are any.
inline constexpr const char* kWindowsDroppedAtEnd = "numWindowsDroppedAtEnd";

/// Metric: records of count windows of which none got full before the input ended. Only there when
/// a subtask fired for none.
inline constexpr const char* kRecordsInNoFullWindow = "numRecordsInNoFullWindow";

/// The one window operator: every assigner, trigger, evictor and function, in both time domains, on
/// keyed streams (window_all runs on a constant key). A result has the timestamp of what made it,
/// as in PyFlink: of the record for which the trigger fired, or of the event-time timer (for an
/// event-time window without further ado, window.max_timestamp(); results of processing-time timers
/// have that one, too). Metrics: numLateRecordsDropped.
std::unique_ptr<Operator> make_window_operator(WindowOperatorOptions options);

}  // namespace flott
