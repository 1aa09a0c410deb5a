#pragma once

#include "formats/csv_options.h"
#include "formats/format.h"

#include <cstdint>
#include <string>
#include <string_view>

namespace flott {

/// Rows -> lines of CSV with the texts and the (generous) quoting of Flink's
/// CsvRowSerializationSchema: a cell is quoted when it is longer than 24 characters or has a
/// character not above delimiter and quote.
class CsvEncoder final : public Encoder {
 public:
  /// Throws kInvalidArgument when `type` is no row, or names the field whose type a cell cannot
  /// hold.
  CsvEncoder(LogicalTypePtr type, CsvOptions options);

  bool encode(const Batch& batch, std::int64_t row, std::string& out) override;

 private:
  void write_cell(const LogicalType& type, const Column& column, std::int64_t i, std::string& out);
  /// Text of a value without quoting.
  void write_text(const LogicalType& type, const Column& column, std::int64_t i, std::string& out);
  void quote_if_needed(std::string_view text, std::string& out) const;

  LogicalTypePtr type_;
  CsvOptions options_;
  unsigned char smallest_safe_ = 0;
  std::string scratch_;
};

}  // namespace flott
