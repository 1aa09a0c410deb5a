#pragma once

#include "formats/format.h"
#include "formats/scalar_text.h"

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace simdjson::internal {
class dom_parser_implementation;
}

namespace flott {

struct JsonDecoderOptions {
  bool fail_on_missing_field = false;
  /// A value of the wrong type becomes null, a text that is no JSON is skipped (as
  /// JsonRowDeserializationSchema).
  bool ignore_parse_errors = false;
  TimestampStandard timestamp_standard = TimestampStandard::kRfc3339;
};

/// JSON text -> rows, straight into columns.
///
/// simdjson's first stage checks UTF-8 and finds where every token starts; the walk over those
/// tokens is ours, guided by the row type, so that a value goes from the message into its column
/// without a tree and without an allocation, skipped values are checked too (Jackson parses them as
/// well), and errors know field and byte. Fields are expected in schema order and looked up by name
/// when they come otherwise; unknown ones are skipped, of repeated ones the last wins.
///
/// Conversions follow flink-json's row format: numbers from strings ("12"), BOOLEAN is true only
/// for true or "true", STRING from any value (numbers keep their digits, objects and arrays their
/// JSON text without blanks), INT and BIGINT from 1.7 cut the fraction. DECIMAL is exact. What
/// follows the first value of a message is ignored. Beyond it: a top-level array of objects is
/// several rows.
class JsonDecoder final : public Decoder {
 public:
  /// Throws kInvalidArgument naming the field whose type JSON cannot hold.
  JsonDecoder(LogicalTypePtr type, JsonDecoderOptions options);
  ~JsonDecoder() override;

  const LogicalTypePtr& type() const override { return type_; }
  DecodeResult decode(std::string_view message,
                      Timestamp timestamp,
                      BatchBuilder& builder) override;
  std::int64_t ignored() const override { return ignored_; }

 private:
  struct Node;
  struct Member;
  enum class Status : std::uint8_t { kOk, kValue, kSyntax };

  void build_node(Node& node, const LogicalTypePtr& type, const std::string& path);
  bool index_message();

  Status decode_top_level_array(Timestamp timestamp, BatchBuilder& builder);
  template <typename Columns>
  Status decode_fields(Node& node, Columns&& columns);
  Status decode_value(Node& node, ColumnBuilder& out);
  /// A null, or a value error when the type allows none.
  Status append_null(const Node& node, ColumnBuilder& out);
  Status decode_typed(Node& node, char first, ColumnBuilder& out);
  Status decode_number(const Node& node, ColumnBuilder& out);
  Status decode_quoted(const Node& node, ColumnBuilder& out);
  Status decode_as_text(const Node& node, ColumnBuilder& out);
  Status decode_array(Node& node, ColumnBuilder& out);
  Status decode_map(Node& node, ColumnBuilder& out);
  Status skip_value();
  Status skip_container(char open);
  Status compact_value(std::string& out);

  bool at_end() const { return next_ >= token_count_; }
  std::uint32_t position() const;
  char peek() const;
  /// The text of the scalar that starts at token next_, and moves on.
  std::string_view take_scalar();
  /// Contents of the string at token next_ between its quotes, still escaped; moves on.
  std::string_view take_string();
  bool unescape(std::string_view text, std::string& out);
  Status take_key(std::string_view& key);
  int find_field(const Node& node, std::string_view key, int expected);
  Status syntax_error(std::string_view expected);
  Status value_error(const LogicalType& type, std::string_view found, TextResult result);
  void prepend_path(std::string_view part);
  [[noreturn]] void throw_error_reason() const;

  LogicalTypePtr type_;
  JsonDecoderOptions options_;
  std::unique_ptr<Node> root_;
  std::unique_ptr<simdjson::internal::dom_parser_implementation> index_;
  std::size_t index_capacity_ = 0;

  // The message being decoded.
  std::string_view message_;
  const std::uint32_t* tokens_ = nullptr;
  std::uint32_t token_count_ = 0;
  std::uint32_t next_ = 0;
  int depth_ = 0;

  // Reused between messages.
  std::string scratch_;
  std::string key_scratch_;
  std::vector<Member> members_;

  // What went wrong, when a Status says so.
  std::string error_before_path_;
  std::string error_path_;
  std::string error_after_path_;
  std::int64_t ignored_ = 0;
};

}  // namespace flott
