#pragma once

#include "connectors/options.h"
#include "types/batch.h"

#include <memory>
#include <string>
#include <vector>

namespace flott {

/// Makes the value of one field of a generated row from the row's index alone: a restored source
/// goes on with the same rows, and splits need no common state.
class FieldGenerator {
 public:
  virtual ~FieldGenerator() = default;
  virtual void append(std::uint64_t row, Timestamp now_ms, ColumnBuilder& column) const = 0;
  /// Number of rows after which the field has no more values (sequence), or -1.
  virtual std::int64_t limit() const { return -1; }
};

/// The generator of field `name` of `type` by the options below `fields.<name>.` (Flink's datagen):
/// `kind` random | sequence, `min`, `max`, `length`, `start`, `end`, `null-rate`, `max-past` (ms,
/// time stamps), and `values` (a comma-separated choice, our addition). Throws kInvalidArgument
/// naming the option.
std::unique_ptr<FieldGenerator> make_field_generator(const std::string& name,
                                                     const LogicalTypePtr& type,
                                                     const Options& options,
                                                     std::uint64_t seed);

}  // namespace flott
