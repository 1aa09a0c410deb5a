#pragma once

#include "types/batch.h"
#include "types/logical_type.h"

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>

namespace flott {

/// Settings of a format by name; the same shape as connectors/options.h, which lies below this
/// folder's users.
using FormatOptions = std::map<std::string, std::string>;

enum class DecodeResult {
  kRow,      ///< one row (or more) was appended and ended
  kSkipped,  ///< the message gave no row: null, blank, or ignored because of ignore-parse-errors
};

/// Bytes -> rows. Not thread-safe; one per reader.
class Decoder {
 public:
  virtual ~Decoder() = default;
  /// Type of the rows (composite), or of the one column (kString for `string`).
  virtual const LogicalTypePtr& type() const = 0;
  /// Decodes one message into `builder` (whose type is type()) and ends the row with `timestamp`.
  /// Leaves no partial row behind. Throws kExternal whose text is only the reason ("field 'a' is
  /// missing", "expected INT for field 'n' but found \"x\"", "unexpected end of JSON at byte 17");
  /// the reader adds topic, partition and offset.
  virtual DecodeResult decode(std::string_view message,
                              Timestamp timestamp,
                              BatchBuilder& builder) = 0;
  /// Messages skipped because of ignore-parse-errors, so far.
  virtual std::int64_t ignored() const { return 0; }
};

/// Rows -> bytes. Not thread-safe.
class Encoder {
 public:
  virtual ~Encoder() = default;
  /// Appends one message for row `row`. Returns false when the message is null (Kafka tombstone).
  virtual bool encode(const Batch& batch, std::int64_t row, std::string& out) = 0;
};

/// Formats: `string` (SimpleStringSchema: one column), `json`, `csv`, `raw` (bytes). Throws
/// kInvalidArgument for unknown formats, options or unsupported types, naming them.
/// JSON options: `fail-on-missing-field`, `ignore-parse-errors` (true/false),
/// `timestamp-format.standard` (SQL, ISO-8601), `map-null-key.mode` (FAIL, DROP, LITERAL),
/// `map-null-key.literal`, `encode.decimal-as-plain-number`, `encode.ignore-null-fields`. CSV
/// options: `field-delimiter`, `quote-character`, `disable-quote-character`, `allow-comments`,
/// `ignore-parse-errors`, `array-element-delimiter`, `escape-character`, `null-literal`. `string`
/// and `raw` of a STRING have `charset` (UTF-8).
std::unique_ptr<Decoder> make_decoder(const std::string& format,
                                      const FormatOptions& options,
                                      const LogicalTypePtr& type);
std::unique_ptr<Encoder> make_encoder(const std::string& format,
                                      const FormatOptions& options,
                                      const LogicalTypePtr& type);

}  // namespace flott
