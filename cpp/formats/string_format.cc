#include "formats/string_format.h"

#include "base/error.h"
#include "formats/scalar_text.h"

#include <utility>

namespace flott {

namespace {

/// Whether the one column is text; throws when `type` does not have exactly one column that the
/// format takes.
bool check_single_column(const std::string& format, const LogicalType& type) {
  const LogicalType& column =
      type.is_composite() && type.children().size() == 1 ? *type.children()[0] : type;
  if (column.kind() == TypeKind::kString) {
    return true;
  }
  if (column.kind() == TypeKind::kBytes && format == "raw") {
    return false;
  }
  throw_error(ErrorKind::kInvalidArgument,
              "format '{}' holds one {} per message, not {}: use json or csv for rows",
              format,
              format == "raw" ? "BYTES or STRING" : "STRING",
              type.to_string());
}

std::unique_ptr<Charset> charset_or_utf8(bool is_text, const std::string& name) {
  return is_text && !Charset::is_utf8(name) ? std::make_unique<Charset>(name) : nullptr;
}

}  // namespace

SingleColumnDecoder::SingleColumnDecoder(const std::string& format,
                                         LogicalTypePtr type,
                                         const std::string& charset)
    : type_(std::move(type)),
      text_(check_single_column(format, *type_)),
      charset_(charset_or_utf8(text_, charset)) {}

DecodeResult SingleColumnDecoder::decode(std::string_view message,
                                         Timestamp timestamp,
                                         BatchBuilder& builder) {
  if (charset_ != nullptr) {
    scratch_.clear();
    charset_->decode(message, scratch_);
    message = scratch_;
  } else if (text_ && valid_utf8_prefix(message) != message.size()) [[unlikely]] {
    scratch_.clear();
    append_repaired_utf8(message, scratch_);
    message = scratch_;
  }
  builder.column(0).append_string(message);
  builder.end_row(timestamp);
  return DecodeResult::kRow;
}

SingleColumnEncoder::SingleColumnEncoder(const std::string& format,
                                         const LogicalTypePtr& type,
                                         const std::string& charset)
    : charset_(charset_or_utf8(check_single_column(format, *type), charset)) {}

bool SingleColumnEncoder::encode(const Batch& batch, std::int64_t row, std::string& out) {
  const Column& column = batch.column(0);
  if (column.is_null(row)) {
    return false;
  }
  if (charset_ != nullptr) {
    charset_->encode(column.string_at(row), out);
  } else {
    out += column.string_at(row);
  }
  return true;
}

}  // namespace flott
