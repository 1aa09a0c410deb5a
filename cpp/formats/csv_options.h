#pragma once

#include <optional>
#include <string>

namespace flott {

/// Settings of both directions; names and defaults as Flink's CSV format.
struct CsvOptions {
  char field_delimiter = ',';
  /// 0: no quoting.
  char quote_character = '"';
  /// 0: none; a quote inside quotes is then doubled.
  char escape_character = 0;
  /// Lines that begin with # are no rows.
  bool allow_comments = false;
  /// A cell of the wrong type becomes null, a broken line is skipped.
  bool ignore_parse_errors = false;
  std::string array_element_delimiter = ";";
  /// A cell with this text is null. Absent: no cell is null when read, nulls are written as
  /// nothing.
  std::optional<std::string> null_literal;
  /// Decimals as `1E+2` where BigDecimal does so.
  bool decimal_scientific = true;
  /// Written after each row; may be empty.
  std::string line_delimiter = "\n";
};

}  // namespace flott
