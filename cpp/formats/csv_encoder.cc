#include "formats/csv_encoder.h"

#include "base/error.h"
#include "formats/csv_decoder.h"
#include "formats/scalar_text.h"

#include <algorithm>
#include <cstring>
#include <utility>

namespace flott {

namespace {
constexpr std::size_t kLongestUnquoted = 24;
}

CsvEncoder::CsvEncoder(LogicalTypePtr type, CsvOptions options)
    : type_(std::move(type)), options_(std::move(options)) {
  const CsvDecoder same_types_as(type_, options_);
  const auto byte = [](char c) { return static_cast<unsigned char>(c); };
  smallest_safe_ = static_cast<unsigned char>(std::max({byte(options_.field_delimiter),
                                                        byte(options_.quote_character),
                                                        byte('\r'),
                                                        byte('\n')}) +
                                              1);
}

bool CsvEncoder::encode(const Batch& batch, std::int64_t row, std::string& out) {
  for (std::size_t i = 0; i < type_->children().size(); ++i) {
    if (i > 0) {
      out.push_back(options_.field_delimiter);
    }
    write_cell(*type_->children()[i], batch.column(i), row, out);
  }
  out += options_.line_delimiter;
  return true;
}

void CsvEncoder::write_cell(const LogicalType& type,
                            const Column& column,
                            std::int64_t i,
                            std::string& out) {
  if (type.kind() == TypeKind::kNull || column.is_null(i)) {
    out += options_.null_literal.value_or("");
    return;
  }
  switch (type.kind()) {
    case TypeKind::kString:
      quote_if_needed(column.string_at(i), out);
      break;
    case TypeKind::kBoolean:
    case TypeKind::kTinyInt:
    case TypeKind::kSmallInt:
    case TypeKind::kInt:
    case TypeKind::kBigInt:
    case TypeKind::kFloat:
    case TypeKind::kDouble:
      write_text(type, column, i, out);
      break;
    default:
      scratch_.clear();
      write_text(type, column, i, scratch_);
      quote_if_needed(scratch_, out);
      break;
  }
}

void CsvEncoder::write_text(const LogicalType& type,
                            const Column& column,
                            std::int64_t i,
                            std::string& out) {
  if (type.kind() == TypeKind::kNull || column.is_null(i)) {
    out += options_.null_literal.value_or("");
    return;
  }
  switch (type.kind()) {
    case TypeKind::kBoolean:
      out += column.bool_at(i) ? "true" : "false";
      break;
    case TypeKind::kTinyInt:
      append_integer(column.data<std::int8_t>()[i], out);
      break;
    case TypeKind::kSmallInt:
      append_integer(column.data<std::int16_t>()[i], out);
      break;
    case TypeKind::kInt:
      append_integer(column.data<std::int32_t>()[i], out);
      break;
    case TypeKind::kBigInt:
    case TypeKind::kIntervalMonths:
    case TypeKind::kIntervalMillis:
      append_integer(column.data<std::int64_t>()[i], out);
      break;
    case TypeKind::kFloat:
      append_float(column.data<float>()[i], out);
      break;
    case TypeKind::kDouble:
      append_double(column.data<double>()[i], out);
      break;
    case TypeKind::kDecimal: {
      __int128 value;
      std::memcpy(&value, column.data<char>() + i * 16, sizeof value);
      if (options_.decimal_scientific) {
        append_decimal_scientific(value, type.scale(), out);
      } else {
        append_decimal(value, type.scale(), out);
      }
      break;
    }
    case TypeKind::kString:
      out += column.string_at(i);
      break;
    case TypeKind::kBytes:
      append_base64(column.string_at(i), out);
      break;
    case TypeKind::kDate:
      append_date(column.data<std::int32_t>()[i], out);
      break;
    case TypeKind::kTime:
      append_time(column.data<std::int64_t>()[i], out);
      break;
    case TypeKind::kTimestamp:
      // java.sql.Timestamp always shows one digit of the fraction.
      append_timestamp(column.data<std::int64_t>()[i], type, ' ', /*min_digits=*/1, out);
      break;
    case TypeKind::kTimestampLtz:
      append_timestamp(column.data<std::int64_t>()[i], type, ' ', /*min_digits=*/0, out);
      out.push_back('Z');
      break;
    case TypeKind::kArray: {
      const std::int32_t* const offsets = column.offset_data();
      for (std::int32_t k = offsets[i]; k < offsets[i + 1]; ++k) {
        if (k > offsets[i]) {
          out += options_.array_element_delimiter;
        }
        write_text(*type.children()[0], *column.children[0], k, out);
      }
      break;
    }
    case TypeKind::kRow:
    case TypeKind::kTuple:
      for (std::size_t c = 0; c < type.children().size(); ++c) {
        if (c > 0) {
          out += options_.array_element_delimiter;
        }
        write_text(*type.children()[c], *column.children[c], i, out);
      }
      break;
    default:
      break;  // refused by the constructor
  }
}

void CsvEncoder::quote_if_needed(std::string_view text, std::string& out) const {
  const char quote = options_.quote_character;
  const char escape = options_.escape_character;
  const bool safe =
      text.size() <= kLongestUnquoted && std::all_of(text.begin(), text.end(), [&](char c) {
        return static_cast<unsigned char>(c) >= smallest_safe_ && (escape == 0 || c != escape);
      });
  if (quote == 0 || safe) {
    out += text;
    return;
  }
  out.push_back(quote);
  for (const char c : text) {
    if (c == quote || (escape != 0 && c == escape)) {
      out.push_back(escape != 0 ? escape : quote);
    }
    out.push_back(c);
  }
  out.push_back(quote);
}

}  // namespace flott
