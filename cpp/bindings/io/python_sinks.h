#pragma once

#include "bindings/functions/function_object.h"
#include "runtime/operator.h"
#include "types/logical_type.h"

#include <memory>
#include <string>

namespace flott::bindings {

/// A Python SinkFunction: invoke(value, context) or invoke(value) for each record, finish() at the
/// end of input if there is one.
std::unique_ptr<Operator> make_python_sink(const FunctionSpec& spec);

/// print(): a line a record to Python's sys.stdout or sys.stderr, in the forms of
/// connectors/print/value_text.h; the lines of one slice are flushed at its end. `prefix` as
/// upstream: subtask and identifier.
std::unique_ptr<Operator> make_print_sink(std::string prefix, bool to_stderr, LogicalTypePtr type);
std::string print_prefix(const std::string& identifier, int subtask, int parallelism);

/// Writes to sys.stdout / sys.stderr; with the GIL held.
void write_to_python_stream(std::string_view text, bool to_stderr);
void flush_python_stream(bool to_stderr);

}  // namespace flott::bindings
