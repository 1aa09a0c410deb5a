#pragma once

#include "formats/format.h"
#include "formats/scalar_text.h"

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace flott {

/// What to do with a null key of a map, which JSON cannot write.
enum class MapNullKeyMode : std::uint8_t { kFail, kDrop, kLiteral };

struct JsonEncoderOptions {
  /// Leave null fields away instead of writing `"a":null`; in nested rows too.
  bool ignore_null_fields = false;
  /// `100` instead of `1E+2`.
  bool decimal_as_plain_number = false;
  TimestampStandard timestamp_standard = TimestampStandard::kRfc3339;
  MapNullKeyMode map_null_key_mode = MapNullKeyMode::kFail;
  std::string map_null_key_literal = "null";
};

/// Rows -> JSON objects without blanks, fields in the order of the type. Texts are those of Flink's
/// JsonRowSerializationSchema: decimals without trailing zeros, bytes as base64, NaN and infinities
/// as strings, characters beyond U+FFFF as two \u escapes.
class JsonEncoder final : public Encoder {
 public:
  /// Throws kInvalidArgument naming the field whose type JSON cannot hold.
  JsonEncoder(LogicalTypePtr type, JsonEncoderOptions options);
  ~JsonEncoder() override;

  bool encode(const Batch& batch, std::int64_t row, std::string& out) override;

 private:
  struct Node;
  void build_node(Node& node, const LogicalTypePtr& type, const std::string& path);
  template <typename Columns>
  void write_fields(const Node& node, Columns&& columns, std::int64_t row, std::string& out);
  void write_value(const Node& node, const Column& column, std::int64_t i, std::string& out);
  void write_map(const Node& node, const Column& column, std::int64_t i, std::string& out);
  /// The value as a JSON object's key, quotes included.
  void write_key(const Node& node, const Column& column, std::int64_t i, std::string& out);

  JsonEncoderOptions options_;
  std::unique_ptr<Node> root_;
  std::string scratch_;
};

/// Appends `text` (UTF-8) in double quotes with JSON's escapes.
void append_json_string(std::string_view text, std::string& out);

}  // namespace flott
