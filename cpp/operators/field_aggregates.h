#pragma once

#include "state/state.h"
#include "types/logical_type.h"

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace flott {

/// What is computed from one field of rows or tuples.
struct FieldAggregate {
  enum class How : std::uint8_t {
    kFirst,  ///< the first record's value, null or not: for the fields of the key
    kCount,  ///< records, or those whose field is not null
    kSum,    ///< of integers a BIGINT (wraps around at 64 bits), of floats a DOUBLE, of decimals
             ///< exact
    kMin,
    kMax,
    kAvg,  ///< a DOUBLE
  };
  static constexpr int kEveryRecord = -1;

  How how = How::kCount;
  int field = kEveryRecord;  ///< kEveryRecord: kCount only
};

/// "first", "count", ... as in the Python class.
std::string_view name_of(FieldAggregate::How how);

/// Several aggregates of the fields of one record type, computed without the host: what
/// pyflink.datastream.aggregates.FieldAggregates describes and defines.
///
/// Nulls are left out, except by kFirst and by kCount of every record; what has seen nothing but
/// nulls is null. kMin and kMax keep the earlier of two equal values and of two that NaN makes
/// incomparable. An accumulator is an array of native values, two for kAvg (sum and count) and one
/// for each other aggregate; a result is a row of `result_type`, which has one field each.
///
/// add_in_place() also takes opaque values of the host: they are coerced to `input_type`, with the
/// host's lock held by the caller.
///
/// Throws kInvalidArgument when `input_type` has no such field, or the aggregate cannot take the
/// field's type (takes_field_type).
std::shared_ptr<InPlaceAggregateFunction> make_field_aggregates(
    LogicalTypePtr input_type,
    const std::vector<FieldAggregate>& aggregates,
    LogicalTypePtr result_type);

/// Whether fields of this type can be aggregated so.
bool takes_field_type(FieldAggregate::How how, const LogicalType& type);

/// Type of the accumulators: with other aggregates it is another one, so that a restore notices.
LogicalTypePtr field_accumulator_type(const LogicalType& input_type,
                                      const std::vector<FieldAggregate>& aggregates);

}  // namespace flott
