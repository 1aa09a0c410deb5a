#pragma once

#include "formats/csv_options.h"
#include "formats/format.h"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace flott {

/// One line of CSV -> one row, straight into columns; what follows the first line of a message is
/// ignored, as in Flink's CsvRowDeserializationSchema. Fields by position. Arrays and nested rows
/// are one cell, split at the element delimiter.
class CsvDecoder final : public Decoder {
 public:
  /// Throws kInvalidArgument when `type` is no row, or names the field whose type a cell cannot
  /// hold.
  CsvDecoder(LogicalTypePtr type, CsvOptions options);

  const LogicalTypePtr& type() const override { return type_; }
  DecodeResult decode(std::string_view message,
                      Timestamp timestamp,
                      BatchBuilder& builder) override;
  std::int64_t ignored() const override { return ignored_; }

 private:
  /// Splits the first line into cells_; false with error_ set when it is malformed.
  bool split_line(std::string_view line);
  bool take_cell(std::string_view& rest, bool& last);
  /// Converts one cell; false with error_ set when it does not fit.
  bool append_cell(const LogicalType& type,
                   std::string_view text,
                   const std::string& path,
                   ColumnBuilder& out);
  bool append_null(const LogicalType& type, const std::string& path, ColumnBuilder& out);
  bool append_parts(const LogicalType& type,
                    std::string_view text,
                    const std::string& path,
                    ColumnBuilder& out);

  struct Cell {
    std::string_view text;
    /// Text with escapes undone lies in unescaped_ at this offset instead.
    std::size_t offset = 0;
    std::size_t size = 0;
    bool owned = false;
  };

  LogicalTypePtr type_;
  CsvOptions options_;
  std::vector<Cell> cells_;
  std::string unescaped_;
  std::string scratch_;
  std::string error_;
  std::int64_t ignored_ = 0;
};

}  // namespace flott
