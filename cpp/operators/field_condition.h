#pragma once

#include "operators/functions.h"
#include "runtime/operator.h"
#include "types/value.h"

#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

namespace flott {

/// What pyflink.datastream.expressions describes and defines: a condition on fields of a record.
///
/// Two-valued, as in Python: a comparison is true or false, never null. With null, kEqual and
/// kNotEqual are Python's `==` and `!=` (null equals null only), an order holds for nothing. NaN is
/// equal to nothing and neither less nor greater.
struct FieldCondition {
  enum class Kind : std::uint8_t {
    kAnd,      ///< of `children`
    kOr,       ///< of `children`
    kNot,      ///< of the one child
    kIsNull,   ///< `field`
    kIsTrue,   ///< a BOOLEAN `field`; null is false
    kIsIn,     ///< `field` equals one of `values`
    kCompare,  ///< `field` with values[0], or with `other_field` when that is given
  };
  enum class Comparison : std::uint8_t {
    kEqual,
    kNotEqual,
    kLess,
    kLessEqual,
    kGreater,
    kGreaterEqual,
  };
  static constexpr int kWholeRecord = -1;  ///< a stream without fields: the record itself
  static constexpr int kNoField = -2;

  Kind kind = Kind::kAnd;
  Comparison comparison = Comparison::kEqual;
  int field = kWholeRecord;
  int other_field = kNoField;
  std::vector<Value> values;  ///< native and not null
  std::vector<FieldCondition> children;
};

/// "==", "!=", "<", ...
std::string_view text_of(FieldCondition::Comparison comparison);

/// Whether the condition holds for one native record.
bool holds(const FieldCondition& condition, const Value& record);

/// Sets `out[row]` to 1 where the condition holds and to 0 elsewhere, a column at a time.
void evaluate(const FieldCondition& condition, const Batch& batch, std::vector<std::uint8_t>& out);

/// Passes the records of a native stream for which the condition holds, unchanged and a batch at a
/// time; a batch all of which passes goes on as it is.
std::unique_ptr<Operator> make_field_filter_operator(FieldCondition condition);

}  // namespace flott
