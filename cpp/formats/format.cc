#include "formats/format.h"

#include "base/error.h"
#include "formats/csv_decoder.h"
#include "formats/csv_encoder.h"
#include "formats/json_decoder.h"
#include "formats/json_encoder.h"
#include "formats/string_format.h"

#include <initializer_list>
#include <utility>

namespace flott {

namespace {

constexpr const char* kFailOnMissingField = "fail-on-missing-field";
constexpr const char* kIgnoreParseErrors = "ignore-parse-errors";
constexpr const char* kTimestampFormat = "timestamp-format.standard";
constexpr const char* kMapNullKeyMode = "map-null-key.mode";
constexpr const char* kMapNullKeyLiteral = "map-null-key.literal";
constexpr const char* kDecimalAsPlainNumber = "encode.decimal-as-plain-number";
constexpr const char* kIgnoreNullFields = "encode.ignore-null-fields";
/// Chooses between two decoders of ours no more; accepted because upstream has it.
constexpr const char* kJsonParserEnabled = "decode.json-parser.enabled";

constexpr const char* kFieldDelimiter = "field-delimiter";
constexpr const char* kQuoteCharacter = "quote-character";
constexpr const char* kDisableQuoteCharacter = "disable-quote-character";
constexpr const char* kAllowComments = "allow-comments";
constexpr const char* kArrayElementDelimiter = "array-element-delimiter";
constexpr const char* kEscapeCharacter = "escape-character";
constexpr const char* kNullLiteral = "null-literal";
constexpr const char* kWriteBigDecimalScientific = "write-bigdecimal-in-scientific-notation";
constexpr const char* kLineDelimiter = "line-delimiter";

constexpr const char* kCharset = "charset";

/// Reads the options of one format and refuses the ones it does not have.
class OptionReader {
 public:
  OptionReader(const std::string& format,
               const FormatOptions& options,
               std::initializer_list<const char*> known)
      : format_(format), options_(options) {
    for (const auto& [name, value] : options) {
      bool found = false;
      std::string names;
      for (const char* const k : known) {
        found |= name == k;
        names += names.empty() ? "" : ", ";
        names += k;
      }
      if (!found) {
        throw_error(ErrorKind::kInvalidArgument,
                    "format '{}' has no option '{}'; it has: {}",
                    format,
                    name,
                    names.empty() ? std::string("none") : names);
      }
    }
  }

  std::string text(const char* name, const char* default_value) const {
    const auto found = options_.find(name);
    return found == options_.end() ? default_value : found->second;
  }
  bool has(const char* name) const { return options_.contains(name); }
  bool flag(const char* name, bool default_value = false) const {
    const auto found = options_.find(name);
    if (found == options_.end()) {
      return default_value;
    }
    if (found->second == "true" || found->second == "false") {
      return found->second == "true";
    }
    throw_error(ErrorKind::kInvalidArgument,
                "option '{}' of format '{}' must be true or false, not '{}'",
                name,
                format_,
                found->second);
  }
  /// One character; `\t` may be spelt with a backslash. 0 when the option is absent and there is no
  /// default.
  char character(const char* name, char default_value) const {
    const auto found = options_.find(name);
    if (found == options_.end()) {
      return default_value;
    }
    if (found->second == "\\t") {
      return '\t';
    }
    if (found->second.size() != 1) {
      throw_error(ErrorKind::kInvalidArgument,
                  "option '{}' of format '{}' must be one character, not '{}'",
                  name,
                  format_,
                  found->second);
    }
    return found->second[0];
  }
  [[noreturn]] void refuse(const char* name, const std::string& value, const char* allowed) const {
    throw_error(ErrorKind::kInvalidArgument,
                "option '{}' of format '{}' must be {}, not '{}'",
                name,
                format_,
                allowed,
                value);
  }

 private:
  const std::string& format_;
  const FormatOptions& options_;
};

TimestampStandard timestamp_standard(const OptionReader& reader) {
  const std::string value = reader.text(kTimestampFormat, "RFC-3339");
  if (value == "SQL") {
    return TimestampStandard::kSql;
  }
  if (value == "ISO-8601") {
    return TimestampStandard::kIso8601;
  }
  if (value == "RFC-3339") {
    return TimestampStandard::kRfc3339;
  }
  reader.refuse(kTimestampFormat, value, "SQL, ISO-8601 or RFC-3339");
}

MapNullKeyMode map_null_key_mode(const OptionReader& reader) {
  const std::string value = reader.text(kMapNullKeyMode, "FAIL");
  if (value == "FAIL") {
    return MapNullKeyMode::kFail;
  }
  if (value == "DROP") {
    return MapNullKeyMode::kDrop;
  }
  if (value == "LITERAL") {
    return MapNullKeyMode::kLiteral;
  }
  reader.refuse(kMapNullKeyMode, value, "FAIL, DROP or LITERAL");
}

/// Either side of a connector gets the options of both, as `WITH` gives them.
OptionReader json_reader(const std::string& format, const FormatOptions& options) {
  return {format,
          options,
          {kFailOnMissingField,
           kIgnoreParseErrors,
           kTimestampFormat,
           kMapNullKeyMode,
           kMapNullKeyLiteral,
           kDecimalAsPlainNumber,
           kIgnoreNullFields,
           kJsonParserEnabled}};
}

OptionReader csv_reader(const std::string& format, const FormatOptions& options) {
  return {format,
          options,
          {kFieldDelimiter,
           kQuoteCharacter,
           kDisableQuoteCharacter,
           kAllowComments,
           kIgnoreParseErrors,
           kArrayElementDelimiter,
           kEscapeCharacter,
           kNullLiteral,
           kWriteBigDecimalScientific,
           kLineDelimiter}};
}

CsvOptions csv_options(const OptionReader& reader) {
  CsvOptions csv;
  csv.field_delimiter = reader.character(kFieldDelimiter, ',');
  if (reader.flag(kDisableQuoteCharacter)) {
    if (reader.has(kQuoteCharacter)) {
      throw_error(ErrorKind::kInvalidArgument,
                  "csv: {} and {} exclude each other; set one of them",
                  kQuoteCharacter,
                  kDisableQuoteCharacter);
    }
    csv.quote_character = 0;
  } else {
    csv.quote_character = reader.character(kQuoteCharacter, '"');
  }
  csv.escape_character = reader.character(kEscapeCharacter, 0);
  csv.allow_comments = reader.flag(kAllowComments);
  csv.ignore_parse_errors = reader.flag(kIgnoreParseErrors);
  csv.array_element_delimiter = reader.text(kArrayElementDelimiter, ";");
  if (reader.has(kNullLiteral)) {
    csv.null_literal = reader.text(kNullLiteral, "");
  }
  csv.decimal_scientific = reader.flag(kWriteBigDecimalScientific, true);
  csv.line_delimiter = reader.text(kLineDelimiter, "\n");
  return csv;
}

[[noreturn]] void unknown_format(const std::string& format) {
  throw_error(ErrorKind::kInvalidArgument,
              "there is no format '{}'; there are: csv, json, raw, string",
              format);
}

}  // namespace

std::unique_ptr<Decoder> make_decoder(const std::string& format,
                                      const FormatOptions& options,
                                      const LogicalTypePtr& type) {
  if (format == "json") {
    const OptionReader reader = json_reader(format, options);
    JsonDecoderOptions json;
    json.fail_on_missing_field = reader.flag(kFailOnMissingField);
    json.ignore_parse_errors = reader.flag(kIgnoreParseErrors);
    json.timestamp_standard = timestamp_standard(reader);
    map_null_key_mode(reader);
    return std::make_unique<JsonDecoder>(type, json);
  }
  if (format == "csv") {
    return std::make_unique<CsvDecoder>(type, csv_options(csv_reader(format, options)));
  }
  if (format == "string" || format == "raw") {
    const OptionReader reader(format, options, {kCharset});
    return std::make_unique<SingleColumnDecoder>(format, type, reader.text(kCharset, "UTF-8"));
  }
  unknown_format(format);
}

std::unique_ptr<Encoder> make_encoder(const std::string& format,
                                      const FormatOptions& options,
                                      const LogicalTypePtr& type) {
  if (format == "json") {
    const OptionReader reader = json_reader(format, options);
    JsonEncoderOptions json;
    json.ignore_null_fields = reader.flag(kIgnoreNullFields);
    json.decimal_as_plain_number = reader.flag(kDecimalAsPlainNumber);
    json.timestamp_standard = timestamp_standard(reader);
    json.map_null_key_mode = map_null_key_mode(reader);
    json.map_null_key_literal = reader.text(kMapNullKeyLiteral, "null");
    return std::make_unique<JsonEncoder>(type, std::move(json));
  }
  if (format == "csv") {
    return std::make_unique<CsvEncoder>(type, csv_options(csv_reader(format, options)));
  }
  if (format == "string" || format == "raw") {
    const OptionReader reader(format, options, {kCharset});
    return std::make_unique<SingleColumnEncoder>(format, type, reader.text(kCharset, "UTF-8"));
  }
  unknown_format(format);
}

}  // namespace flott
