#pragma once

#include "types/logical_type.h"
#include "types/value.h"

#include <string>

namespace flott {

/// Appends a record as `DataStream.print()` shows it: a ROW in the host's forms without blanks
/// (`+I[1,None,True,1.5]`), opaque values as the host's `str`, everything else as Java prints it
/// (`(1,null,true,1.5)`, `[a, b]`, `{k=v}`, bytes as `[102, 108]`, doubles as `1.0E10`).
void append_printed(const Value& value, const LogicalType& type, std::string& out);

/// Java's text of a value; nested rows as `+I[a, 1]`.
void append_java(const Value& value, const LogicalType& type, std::string& out);

/// Java's Double.toString / Float.toString.
void append_java_double(double value, bool single, std::string& out);

}  // namespace flott
