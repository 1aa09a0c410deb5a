#pragma once

#include "base/time.h"
#include "runtime/operator.h"
#include "types/batch.h"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace flott::harness {

/// The language of operator tests. A case is a list of steps between bars:
///
///   case      = step { "|" step }
///   step      = [ "2" ] kind value [ "@" time ]   a record; "2" for the second input
///             | "side" number kind value [ "@" time ]   only in expectations
///             | "watermark" time                  combined watermark of the inputs
///             | "clock" time                      processing time is now this; timers fire
///             | "idle" | "active"                 watermark status
///             | "end" | "end 2"                   input ended; the last one brings the maximum
///             watermark first
///   kind      = "+" | "-" | "-U" | "+U"           insert, delete, update before, update after
///   value     = item { "," item }                 two items or more are a row
///   item      = integer | float | "true" | "false" | "null" | "[" [ value ] "]" (an array) | "("
///   value ")" (a row)
///             | text
///   time      = number [ "ms" | "s" | "m" | "h" ] | "max" | "min"
///
/// Examples: `+ a,2 @1500 | watermark 5s | + [a,b] | side0 + x @1s | watermark max`
struct Step {
  enum class Kind { kRecord, kWatermark, kClock, kIdle, kActive, kEnd };
  Kind kind = Kind::kRecord;
  int input = 0;
  Value value;
  RowKind row_kind = RowKind::kInsert;
  Timestamp time = kNoTimestamp;  ///< of the record, watermark or clock
  std::string text;               ///< as written, for messages
};

/// Throws std::invalid_argument that shows the step when it is not in the language.
std::vector<Step> parse_case(std::string_view text);
/// One value, as in a step.
Value parse_value(std::string_view text);
Timestamp parse_time(std::string_view text);

/// Lines as the harness writes outputs, out of an expectation: times in ms, single blanks.
std::vector<std::string> canonical_lines(std::string_view expectation);

std::string to_text(const Value& value);
std::string to_text(Timestamp time);
std::string to_text(const Record& record);

/// The type of a batch that can hold both values, or null when none can. Null values fit any type.
LogicalTypePtr common_type(const Value& value, const LogicalTypePtr& with);

}  // namespace flott::harness
