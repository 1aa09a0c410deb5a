#include "formats/csv_decoder.h"

#include "base/error.h"
#include "formats/scalar_text.h"

#include <utility>

namespace flott {

namespace {

bool is_scalar(TypeKind kind) {
  return kind != TypeKind::kObject && kind != TypeKind::kArray && kind != TypeKind::kMap &&
         kind != TypeKind::kMultiset && kind != TypeKind::kRow && kind != TypeKind::kTuple;
}

void check_type(const LogicalType& type, const std::string& path, bool nested) {
  const TypeKind kind = type.kind();
  const bool splits = kind == TypeKind::kArray || type.is_composite();
  if (!is_scalar(kind) && (nested || !splits)) {
    throw_error(
        ErrorKind::kInvalidArgument,
        "csv cannot hold field '{}' of type {}: a cell is a scalar, or an array or row of scalars",
        path,
        type.to_string());
  }
  for (const LogicalTypePtr& child : type.children()) {
    check_type(*child, path, true);
  }
}

}  // namespace

CsvDecoder::CsvDecoder(LogicalTypePtr type, CsvOptions options)
    : type_(std::move(type)), options_(std::move(options)) {
  if (!type_->is_composite()) {
    throw_error(ErrorKind::kInvalidArgument, "csv needs a row type, not {}", type_->to_string());
  }
  for (std::size_t i = 0; i < type_->children().size(); ++i) {
    check_type(*type_->children()[i], type_->field_names()[i], false);
  }
}

DecodeResult CsvDecoder::decode(std::string_view message,
                                Timestamp timestamp,
                                BatchBuilder& builder) {
  if (message.empty()) {
    return DecodeResult::kSkipped;
  }
  error_.clear();
  bool good = true;
  if (const std::size_t valid = valid_utf8_prefix(message); valid != message.size()) {
    error_ = fmt::format("invalid UTF-8 at byte {}", valid);
    good = false;
  }
  while (good && options_.allow_comments && message.starts_with('#')) {
    const std::size_t end = message.find('\n');
    if (end == std::string_view::npos) {
      return DecodeResult::kSkipped;
    }
    message.remove_prefix(end + 1);
  }
  good = good && split_line(message);
  const std::size_t fields = type_->children().size();
  if (good && cells_.size() != fields &&
      (!options_.ignore_parse_errors || cells_.size() > fields)) {
    error_ = fmt::format(
        "expected {} fields but found {} in \"{}\"", fields, cells_.size(), excerpt(message));
    good = false;
  }
  for (std::size_t i = 0; good && i < fields; ++i) {
    ColumnBuilder& column = builder.column(i);
    if (i >= cells_.size()) {
      good = append_null(*type_->children()[i], type_->field_names()[i], column);
      continue;
    }
    const Cell& cell = cells_[i];
    const std::string_view text =
        cell.owned ? std::string_view(unescaped_).substr(cell.offset, cell.size) : cell.text;
    const std::int64_t length = column.length();
    if (append_cell(*type_->children()[i], text, type_->field_names()[i], column)) {
      continue;
    }
    if (options_.ignore_parse_errors) {
      column.truncate(length);
      good = append_null(*type_->children()[i], type_->field_names()[i], column);
    } else {
      good = false;
    }
  }
  if (good) {
    builder.end_row(timestamp);
    return DecodeResult::kRow;
  }
  builder.abort_row();
  if (options_.ignore_parse_errors) {
    ++ignored_;
    return DecodeResult::kSkipped;
  }
  throw Error(ErrorKind::kExternal, error_);
}

bool CsvDecoder::split_line(std::string_view line) {
  cells_.clear();
  unescaped_.clear();
  bool last = false;
  while (!last) {
    if (!take_cell(line, last)) {
      return false;
    }
  }
  return true;
}

bool CsvDecoder::take_cell(std::string_view& rest, bool& last) {
  Cell cell;
  cell.offset = unescaped_.size();
  std::size_t i = 0;
  const auto ends = [&] {
    return i >= rest.size() || rest[i] == options_.field_delimiter || rest[i] == '\n' ||
           rest[i] == '\r';
  };
  const char escape = options_.escape_character;
  const char quote = options_.quote_character;
  if (quote != 0 && !rest.empty() && rest.front() == quote) {
    std::size_t copied = ++i;
    cell.text = rest.substr(1, 0);
    while (true) {
      if (i >= rest.size()) {
        error_ = fmt::format(
            "missing closing quote in field {} of \"{}\"", cells_.size() + 1, excerpt(rest));
        return false;
      }
      const bool doubled = rest[i] == quote && i + 1 < rest.size() && rest[i + 1] == quote;
      if (doubled || (escape != 0 && rest[i] == escape && i + 1 < rest.size())) {
        cell.owned = true;
        unescaped_ += rest.substr(copied, i - copied);
        unescaped_.push_back(rest[i + 1]);
        i += 2;
        copied = i;
      } else if (rest[i] == quote) {
        break;
      } else {
        ++i;
      }
    }
    if (cell.owned) {
      unescaped_ += rest.substr(copied, i - copied);
    } else {
      cell.text = rest.substr(copied, i - copied);
    }
    ++i;
    while (i < rest.size() && rest[i] == ' ' && !ends()) {
      ++i;
    }
    if (!ends()) {
      error_ = fmt::format("expected '{}' after the closing quote of field {} but found \"{}\"",
                           options_.field_delimiter,
                           cells_.size() + 1,
                           excerpt(rest.substr(i)));
      return false;
    }
  } else {
    std::size_t copied = 0;
    while (!ends()) {
      if (escape != 0 && rest[i] == escape && i + 1 < rest.size()) {
        cell.owned = true;
        unescaped_ += rest.substr(copied, i - copied);
        unescaped_.push_back(rest[i + 1]);
        i += 2;
        copied = i;
      } else {
        ++i;
      }
    }
    if (cell.owned) {
      unescaped_ += rest.substr(copied, i - copied);
    } else {
      cell.text = rest.substr(0, i);
    }
  }
  cell.size = unescaped_.size() - cell.offset;
  cells_.push_back(cell);
  last = i >= rest.size() || rest[i] != options_.field_delimiter;
  rest.remove_prefix(last ? rest.size() : i + 1);
  return true;
}

bool CsvDecoder::append_cell(const LogicalType& type,
                             std::string_view text,
                             const std::string& path,
                             ColumnBuilder& out) {
  if (type.kind() == TypeKind::kNull || (options_.null_literal && text == *options_.null_literal)) {
    return append_null(type, path, out);
  }
  if (type.kind() == TypeKind::kArray || type.is_composite()) {
    return append_parts(type, text, path, out);
  }
  const TextResult result = append_text(text, type, TimestampStandard::kRfc3339, scratch_, out);
  if (result == TextResult::kOk) {
    return true;
  }
  if (!options_.ignore_parse_errors) {
    error_ = result == TextResult::kOutOfRange
                 ? fmt::format("numeric value {} is out of range of {} for field '{}'",
                               excerpt(text),
                               type.to_string(),
                               path)
                 : fmt::format("expected {} for field '{}' but found \"{}\"",
                               type.to_string(),
                               path,
                               excerpt(text));
  }
  return false;
}

bool CsvDecoder::append_null(const LogicalType& type, const std::string& path, ColumnBuilder& out) {
  if (!type.nullable()) {
    error_ = fmt::format("field '{}' is null, but its type is {}", path, type.to_string());
    return false;
  }
  out.append_null();
  return true;
}

bool CsvDecoder::append_parts(const LogicalType& type,
                              std::string_view text,
                              const std::string& path,
                              ColumnBuilder& out) {
  const std::string& delimiter = options_.array_element_delimiter;
  if (text.empty()) {
    if (type.is_composite()) {
      return append_null(type, path, out);
    }
    out.close_entry();
    return true;
  }
  std::size_t count = 0;
  std::size_t at = 0;
  const std::size_t fields = type.children().size();
  while (true) {
    const std::size_t end = delimiter.empty() ? std::string_view::npos : text.find(delimiter, at);
    const std::string_view part =
        text.substr(at, end == std::string_view::npos ? std::string_view::npos : end - at);
    if (type.is_composite()) {
      if (count < fields && !append_cell(*type.children()[count],
                                         part,
                                         path + "." + type.field_names()[count],
                                         out.child(count))) {
        return false;
      }
    } else if (!append_cell(*type.children()[0], part, path, out.child(0))) {
      return false;
    }
    ++count;
    if (end == std::string_view::npos) {
      break;
    }
    at = end + delimiter.size();
  }
  if (type.is_composite() && count != fields) {
    error_ = fmt::format("expected {} fields in the nested row '{}' but found {} in \"{}\"",
                         fields,
                         path,
                         count,
                         excerpt(text));
    return false;
  }
  out.close_entry();
  return true;
}

}  // namespace flott
