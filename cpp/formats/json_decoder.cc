#include "formats/json_decoder.h"

#include "base/error.h"

#include <simdjson.h>

#include <algorithm>
#include <bit>
#include <cstring>
#include <utility>

namespace flott {

namespace {

/// Jackson's limit.
constexpr int kMaxDepth = 1000;
constexpr std::size_t kFirstCapacity = 4096;
constexpr int kUnknownField = -1;

bool is_blank(char c) {
  return c == ' ' || c == '\n' || c == '\r' || c == '\t';
}
bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

/// The grammar of JSON numbers; `integer` tells whether there is neither fraction nor exponent.
bool is_number(std::string_view text, bool& integer) {
  std::size_t i = 0;
  const auto digits = [&] {
    const std::size_t begin = i;
    while (i < text.size() && is_digit(text[i])) {
      ++i;
    }
    return i > begin;
  };
  integer = true;
  if (i < text.size() && text[i] == '-') {
    ++i;
  }
  if (i < text.size() && text[i] == '0') {
    ++i;
  } else if (!digits()) {
    return false;
  }
  if (i < text.size() && text[i] == '.') {
    integer = false;
    ++i;
    if (!digits()) {
      return false;
    }
  }
  if (i < text.size() && (text[i] == 'e' || text[i] == 'E')) {
    integer = false;
    ++i;
    if (i < text.size() && (text[i] == '+' || text[i] == '-')) {
      ++i;
    }
    if (!digits()) {
      return false;
    }
  }
  return i == text.size() && !text.empty();
}

bool is_literal(std::string_view text) {
  return text == "true" || text == "false" || text == "null";
}

bool has_backslash(std::string_view text) {
  return !text.empty() && std::memchr(text.data(), '\\', text.size()) != nullptr;
}

std::uint32_t name_hash(std::string_view name) {
  if (name.empty()) {
    return 0;
  }
  const auto byte = [&](std::size_t i) {
    return static_cast<std::uint32_t>(static_cast<unsigned char>(name[i]));
  };
  const std::size_t n = name.size();
  std::uint32_t h = static_cast<std::uint32_t>(n) * 0x9e3779b1U;
  h ^= byte(0) * 0x85ebca6bU;
  h ^= byte(n / 2) * 0xc2b2ae35U;
  h ^= byte(n - 1) * 0x27d4eb2fU;
  return h ^ h >> 15;
}

std::string child_path(const std::string& path, const std::string& name) {
  return path.empty() ? name : path + "." + name;
}

}  // namespace

/// A type with what decoding needs beside it.
struct JsonDecoder::Node {
  LogicalTypePtr type;
  TypeKind kind = TypeKind::kNull;
  IntegerRange range{};
  std::vector<std::unique_ptr<Node>> children;

  // kRow / kTuple.
  std::vector<std::string> names;
  /// Open addressing over name_hash; -1 is free.
  std::vector<std::int32_t> table;
  std::uint32_t table_mask = 0;
  /// Which object wrote a field last, to find repeated and missing ones.
  std::vector<std::uint64_t> seen;
  std::uint64_t object_number = 0;
  bool any_backslash = false;
};

/// One member of a JSON object that becomes a map.
struct JsonDecoder::Member {
  std::string_view raw_key;
  std::uint32_t value_token = 0;
};

JsonDecoder::JsonDecoder(LogicalTypePtr type, JsonDecoderOptions options)
    : type_(std::move(type)), options_(options), root_(std::make_unique<Node>()) {
  if (options_.fail_on_missing_field && options_.ignore_parse_errors) {
    throw Error(
        ErrorKind::kInvalidArgument,
        "json: fail-on-missing-field and ignore-parse-errors exclude each other; set one of them");
  }
  build_node(*root_, type_, "");
}

JsonDecoder::~JsonDecoder() = default;

void JsonDecoder::build_node(Node& node, const LogicalTypePtr& type, const std::string& path) {
  node.type = type;
  node.kind = type->kind();
  node.range = integer_range(node.kind);
  switch (node.kind) {
    case TypeKind::kObject:
      throw_error(
          ErrorKind::kInvalidArgument,
          "json cannot decode {} of type {}: give it a concrete type such as Types.STRING()",
          path.empty() ? std::string("rows") : "field '" + path + "'",
          type->to_string());
    case TypeKind::kMap:
    case TypeKind::kMultiset: {
      const TypeKind key = type->children()[0]->kind();
      if (key == TypeKind::kArray || key == TypeKind::kMap || key == TypeKind::kMultiset ||
          key == TypeKind::kRow || key == TypeKind::kTuple) {
        throw_error(
            ErrorKind::kInvalidArgument,
            "json cannot decode field '{}' of type {}: keys of JSON objects are text, so the "
            "key type must be a scalar",
            path,
            type->to_string());
      }
      break;
    }
    default:
      break;
  }
  for (std::size_t i = 0; i < type->children().size(); ++i) {
    auto child = std::make_unique<Node>();
    const bool field = type->is_composite();
    build_node(
        *child, type->children()[i], field ? child_path(path, type->field_names()[i]) : path);
    node.children.push_back(std::move(child));
  }
  if (node.kind == TypeKind::kMultiset) {
    auto count = std::make_unique<Node>();
    build_node(*count, LogicalType::of(TypeKind::kBigInt), path);
    node.children.push_back(std::move(count));
  }
  if (!type->is_composite()) {
    return;
  }
  node.names = type->field_names();
  node.seen.assign(node.names.size(), 0);
  const std::size_t slots = std::bit_ceil(std::max<std::size_t>(8, node.names.size() * 4));
  node.table.assign(slots, kUnknownField);
  node.table_mask = static_cast<std::uint32_t>(slots - 1);
  for (std::size_t i = 0; i < node.names.size(); ++i) {
    std::uint32_t slot = name_hash(node.names[i]) & node.table_mask;
    while (node.table[slot] != kUnknownField) {
      slot = (slot + 1) & node.table_mask;
    }
    node.table[slot] = static_cast<std::int32_t>(i);
    node.any_backslash |=
        has_backslash(node.names[i]) || node.names[i].find('"') != std::string::npos;
  }
}

bool JsonDecoder::index_message() {
  if (index_ == nullptr || message_.size() > index_capacity_) {
    index_capacity_ = std::bit_ceil(std::max(message_.size(), kFirstCapacity));
    const simdjson::error_code made =
        index_ == nullptr ? simdjson::get_active_implementation()->create_dom_parser_implementation(
                                index_capacity_, kMaxDepth, index_)
                          : index_->set_capacity(index_capacity_);
    if (made != simdjson::SUCCESS) {
      index_.reset();
      index_capacity_ = 0;
      error_before_path_ =
          fmt::format("a message of {} bytes is too large for JSON", message_.size());
      return false;
    }
  }
  // The first stage copies the end of its input into a block of its own, so that the message needs
  // no padding.
  const simdjson::error_code error =
      index_->stage1(reinterpret_cast<const std::uint8_t*>(message_.data()),
                     message_.size(),
                     simdjson::stage1_mode::regular);
  tokens_ = index_->structural_indexes.get();
  token_count_ = index_->n_structural_indexes;
  next_ = 0;
  depth_ = 0;
  switch (error) {
    case simdjson::SUCCESS:
      return true;
    case simdjson::EMPTY:
      token_count_ = 0;
      return true;
    case simdjson::UTF8_ERROR:
      error_before_path_ = fmt::format("invalid UTF-8 at byte {}", valid_utf8_prefix(message_));
      return false;
    case simdjson::UNCLOSED_STRING:
      error_before_path_ =
          fmt::format("unexpected end of JSON at byte {}: a string is not closed", message_.size());
      return false;
    case simdjson::UNESCAPED_CHARS:
      error_before_path_ = "a control character inside a string is not escaped";
      return false;
    default:
      error_before_path_ = fmt::format("no JSON: {}", simdjson::error_message(error));
      return false;
  }
}

DecodeResult JsonDecoder::decode(std::string_view message,
                                 Timestamp timestamp,
                                 BatchBuilder& builder) {
  message_ = message;
  error_before_path_.clear();
  error_path_.clear();
  error_after_path_.clear();
  if (message.empty()) {
    return DecodeResult::kSkipped;
  }
  Status status = Status::kSyntax;
  if (index_message()) {
    if (token_count_ == 0) {
      return DecodeResult::kSkipped;
    }
    const char first = peek();
    if (type_->is_composite()) {
      if (first == '{') {
        status = decode_fields(*root_,
                               [&](std::size_t i) -> ColumnBuilder& { return builder.column(i); });
      } else if (first == '[') {
        const std::int64_t before = builder.num_rows();
        status = decode_top_level_array(timestamp, builder);
        if (status == Status::kOk) {
          return builder.num_rows() > before ? DecodeResult::kRow : DecodeResult::kSkipped;
        }
      } else {
        const std::uint32_t start = position();
        if (take_scalar() == "null") {
          return DecodeResult::kSkipped;
        }
        error_before_path_ = fmt::format("expected a JSON object but found {}",
                                         excerpt(trim(message_.substr(start))));
      }
    } else if (take_scalar() == "null") {
      return DecodeResult::kSkipped;
    } else {
      next_ = 0;
      status = decode_value(*root_, builder.column(0));
    }
  }
  if (status == Status::kOk) {
    builder.end_row(timestamp);
    return DecodeResult::kRow;
  }
  builder.abort_row();
  if (options_.ignore_parse_errors) {
    ++ignored_;
    return DecodeResult::kSkipped;
  }
  throw_error_reason();
}

JsonDecoder::Status JsonDecoder::decode_top_level_array(Timestamp timestamp,
                                                        BatchBuilder& builder) {
  // Aside first: rows that were ended in `builder` could not be taken back when a later one is bad.
  BatchBuilder rows(type_);
  next_ = 1;
  depth_ = 1;
  bool done = peek() == ']';
  for (std::size_t i = 0; !done; ++i) {
    const std::uint32_t start = position();
    const char first = peek();
    Status status = Status::kOk;
    if (first == '{') {
      status =
          decode_fields(*root_, [&](std::size_t c) -> ColumnBuilder& { return rows.column(c); });
    } else {
      status = skip_value();
      if (status == Status::kOk && first != 'n') {
        value_error(
            *type_, trim(message_.substr(start, position() - start)), TextResult::kMalformed);
        status = Status::kValue;
      }
    }
    if (status == Status::kValue) {
      prepend_path(fmt::format("[{}]", i));
    }
    if (status == Status::kSyntax || (status == Status::kValue && !options_.ignore_parse_errors)) {
      return status;
    }
    if (status == Status::kOk && first == '{') {
      rows.end_row();
    } else {
      rows.abort_row();
    }
    const char c = peek();
    if (c == ',') {
      ++next_;
    } else if (c == ']') {
      done = true;
    } else {
      return syntax_error("',' or ']'");
    }
  }
  const BatchPtr batch = rows.finish();
  for (std::int64_t i = 0; batch != nullptr && i < batch->num_rows(); ++i) {
    for (std::size_t c = 0; c < batch->columns().size(); ++c) {
      builder.column(c).append_from(batch->column(c), i);
    }
    builder.end_row(timestamp);
  }
  return Status::kOk;
}

template <typename Columns>
JsonDecoder::Status JsonDecoder::decode_fields(Node& node, Columns&& columns) {
  if (++depth_ > kMaxDepth) {
    error_before_path_ =
        fmt::format("nested deeper than {} levels at byte {}", kMaxDepth, position());
    return Status::kSyntax;
  }
  ++next_;  // {
  const std::uint64_t object = ++node.object_number;
  const int field_count = static_cast<int>(node.names.size());
  int expected = 0;
  int found = 0;
  if (peek() != '}') {
    while (true) {
      std::string_view key;
      if (const Status status = take_key(key); status != Status::kOk) {
        return status;
      }
      const int field = find_field(node, key, expected);
      if (field == kUnknownField) {
        if (const Status status = skip_value(); status != Status::kOk) {
          return status;
        }
      } else {
        expected = field + 1;
        const auto i = static_cast<std::size_t>(field);
        ColumnBuilder& column = columns(i);
        if (node.seen[i] == object) [[unlikely]] {
          column.truncate(column.length() - 1);
        } else {
          node.seen[i] = object;
          ++found;
        }
        if (const Status status = decode_value(*node.children[i], column); status != Status::kOk) {
          if (status == Status::kValue) {
            prepend_path(node.names[i]);
          }
          return status;
        }
      }
      const char c = peek();
      if (c == ',') {
        ++next_;
      } else if (c == '}') {
        break;
      } else {
        return syntax_error("',' or '}'");
      }
    }
  }
  ++next_;
  --depth_;
  if (found < field_count) {
    for (std::size_t i = 0; i < node.names.size(); ++i) {
      if (node.seen[i] != object) {
        if (options_.fail_on_missing_field || !node.children[i]->type->nullable()) {
          error_before_path_ = "field '";
          error_path_ = node.names[i];
          error_after_path_ = "' is missing";
          return Status::kValue;
        }
        columns(i).append_null();
      }
    }
  }
  return Status::kOk;
}

JsonDecoder::Status JsonDecoder::decode_value(Node& node, ColumnBuilder& out) {
  if (at_end()) {
    return syntax_error("a value");
  }
  const std::uint32_t start = next_;
  const char first = message_[tokens_[start]];
  if (first == 'n') {
    if (take_scalar() != "null") {
      next_ = start;
      return syntax_error("a value");
    }
    return append_null(node, out);
  }
  if (!options_.ignore_parse_errors) {
    return decode_typed(node, first, out);
  }
  const std::int64_t length = out.length();
  const int depth = depth_;
  const Status status = decode_typed(node, first, out);
  if (status != Status::kValue) {
    return status;
  }
  // Null in place of the value, as upstream; the rest of the message still counts.
  out.truncate(length);
  next_ = start;
  depth_ = depth;
  if (const Status skipped = skip_value(); skipped != Status::kOk) {
    return skipped;
  }
  return append_null(node, out);
}

JsonDecoder::Status JsonDecoder::append_null(const Node& node, ColumnBuilder& out) {
  if (!node.type->nullable()) [[unlikely]] {
    return value_error(*node.type, "null", TextResult::kMalformed);
  }
  out.append_null();
  return Status::kOk;
}

JsonDecoder::Status JsonDecoder::decode_typed(Node& node, char first, ColumnBuilder& out) {
  switch (node.kind) {
    case TypeKind::kString:
      if (first == '"') {
        const std::string_view text = take_string();
        if (!has_backslash(text)) [[likely]] {
          out.append_string(text);
          return Status::kOk;
        }
        if (!unescape(text, scratch_)) {
          return Status::kSyntax;
        }
        out.append_string(scratch_);
        return Status::kOk;
      }
      return decode_as_text(node, out);
    case TypeKind::kRow:
    case TypeKind::kTuple: {
      if (first != '{') {
        break;
      }
      const Status status =
          decode_fields(node, [&](std::size_t i) -> ColumnBuilder& { return out.child(i); });
      if (status == Status::kOk) {
        out.close_entry();
      }
      return status;
    }
    case TypeKind::kArray:
      if (first != '[') {
        break;
      }
      return decode_array(node, out);
    case TypeKind::kMap:
    case TypeKind::kMultiset:
      if (first != '{') {
        break;
      }
      return decode_map(node, out);
    case TypeKind::kNull: {
      const Status status = skip_value();
      return status == Status::kOk ? append_null(node, out) : status;
    }
    case TypeKind::kBoolean: {
      if (first == '"') {
        return decode_quoted(node, out);
      }
      const std::uint32_t start = position();
      const Status status = skip_value();
      if (status == Status::kOk) {
        out.append_bool(first == 't' && message_.substr(start, 4) == "true");
      }
      return status;
    }
    default:
      if (first == '"') {
        return decode_quoted(node, out);
      }
      if (first == '-' || is_digit(first)) {
        return decode_number(node, out);
      }
      break;
  }
  const std::uint32_t start = position();
  if (const Status status = skip_value(); status != Status::kOk) {
    return status;
  }
  const std::uint32_t end = at_end() ? static_cast<std::uint32_t>(message_.size()) : position();
  return value_error(*node.type, trim(message_.substr(start, end - start)), TextResult::kMalformed);
}

JsonDecoder::Status JsonDecoder::decode_number(const Node& node, ColumnBuilder& out) {
  const std::uint32_t start = position();
  const std::string_view text = take_scalar();
  const bool integer_kind = node.kind >= TypeKind::kTinyInt && node.kind <= TypeKind::kBigInt;
  if (integer_kind) {
    // Up to 18 digits cannot overflow; this is nearly every number.
    const bool negative = text.front() == '-';
    const std::string_view digits = text.substr(negative ? 1 : 0);
    if (!digits.empty() && digits.size() <= 18 && (digits.front() != '0' || digits.size() == 1)) {
      std::int64_t value = 0;
      bool all_digits = true;
      for (const char c : digits) {
        const auto d = static_cast<unsigned char>(c - '0');
        all_digits &= d <= 9;
        value = value * 10 + d;
      }
      if (all_digits) [[likely]] {
        value = negative ? -value : value;
        if (value < node.range.min || value > node.range.max) {
          return value_error(*node.type, text, TextResult::kOutOfRange);
        }
        out.append_int(value);
        return Status::kOk;
      }
    }
  }
  bool integer = false;
  if (!is_number(text, integer)) {
    error_before_path_ = fmt::format("malformed number {} at byte {}", excerpt(text), start);
    return Status::kSyntax;
  }
  if (integer_kind && !integer && (node.kind == TypeKind::kInt || node.kind == TypeKind::kBigInt)) {
    // The fraction is cut off, as Jackson's asInt and asLong do.
    const std::optional<double> value = parse_double(text);
    const auto low = static_cast<double>(node.range.min);
    const auto high = static_cast<double>(node.range.max);
    const bool fits =
        value && *value >= low && (node.kind == TypeKind::kInt ? *value <= high : *value < high);
    if (!fits) {
      return value_error(*node.type, text, TextResult::kOutOfRange);
    }
    out.append_int(static_cast<std::int64_t>(*value));
    return Status::kOk;
  }
  const TextResult result =
      append_text(text, *node.type, options_.timestamp_standard, scratch_, out);
  return result == TextResult::kOk ? Status::kOk : value_error(*node.type, text, result);
}

JsonDecoder::Status JsonDecoder::decode_quoted(const Node& node, ColumnBuilder& out) {
  std::string_view text = take_string();
  const std::string_view raw(text.data() - 1, text.size() + 2);
  if (has_backslash(text)) {
    if (!unescape(text, key_scratch_)) {
      return Status::kSyntax;
    }
    text = key_scratch_;
  }
  const TextResult result =
      append_text(text, *node.type, options_.timestamp_standard, scratch_, out);
  return result == TextResult::kOk ? Status::kOk : value_error(*node.type, raw, result);
}

JsonDecoder::Status JsonDecoder::decode_as_text(const Node& /*node*/, ColumnBuilder& out) {
  const char first = peek();
  if (first != '{' && first != '[') {
    const std::uint32_t start = next_;
    if (const Status status = skip_value(); status != Status::kOk) {
      return status;
    }
    next_ = start;
    out.append_string(take_scalar());
    return Status::kOk;
  }
  if (const Status status = compact_value(scratch_); status != Status::kOk) {
    return status;
  }
  out.append_string(scratch_);
  return Status::kOk;
}

JsonDecoder::Status JsonDecoder::compact_value(std::string& out) {
  const std::uint32_t begin = next_;
  if (const Status status = skip_value(); status != Status::kOk) {
    return status;
  }
  // Token by token drops the blanks between them. Cleared only now: skipping may have used the same
  // scratch.
  out.clear();
  const std::uint32_t end = next_;
  for (next_ = begin; next_ < end;) {
    const char c = message_[tokens_[next_]];
    if (c == '{' || c == '}' || c == '[' || c == ']' || c == ',' || c == ':') {
      out.push_back(c);
      ++next_;
    } else if (c == '"') {
      const std::string_view text = take_string();
      out.append(text.data() - 1, text.size() + 2);
    } else {
      out += take_scalar();
    }
  }
  return Status::kOk;
}

JsonDecoder::Status JsonDecoder::decode_array(Node& node, ColumnBuilder& out) {
  if (++depth_ > kMaxDepth) {
    error_before_path_ =
        fmt::format("nested deeper than {} levels at byte {}", kMaxDepth, position());
    return Status::kSyntax;
  }
  ++next_;  // [
  Node& element = *node.children[0];
  ColumnBuilder& items = out.child(0);
  if (peek() != ']') {
    for (std::size_t i = 0;; ++i) {
      if (const Status status = decode_value(element, items); status != Status::kOk) {
        if (status == Status::kValue) {
          prepend_path(fmt::format("[{}]", i));
        }
        return status;
      }
      const char c = peek();
      if (c == ',') {
        ++next_;
      } else if (c == ']') {
        break;
      } else {
        return syntax_error("',' or ']'");
      }
    }
  }
  ++next_;
  --depth_;
  out.close_entry();
  return Status::kOk;
}

JsonDecoder::Status JsonDecoder::decode_map(Node& node, ColumnBuilder& out) {
  // First over the members, so that of a repeated key only the last is decoded.
  if (++depth_ > kMaxDepth) {
    error_before_path_ =
        fmt::format("nested deeper than {} levels at byte {}", kMaxDepth, position());
    return Status::kSyntax;
  }
  ++next_;  // {
  const std::size_t base = members_.size();
  Status status = Status::kOk;
  if (peek() != '}') {
    while (true) {
      std::string_view key;
      status = take_key(key);
      if (status == Status::kOk) {
        members_.push_back({key, next_});
        status = skip_value();
      }
      if (status != Status::kOk) {
        members_.resize(base);
        return status;
      }
      const char c = peek();
      if (c == ',') {
        ++next_;
      } else if (c == '}') {
        break;
      } else {
        members_.resize(base);
        return syntax_error("',' or '}'");
      }
    }
  }
  const std::uint32_t after = next_ + 1;
  const std::size_t end = members_.size();
  std::vector<std::string_view> sorted;
  if (end - base > 32) {
    for (std::size_t i = base; i < end; ++i) {
      sorted.push_back(members_[i].raw_key);
    }
    std::sort(sorted.begin(), sorted.end());
  }
  const bool may_repeat =
      sorted.empty() || std::adjacent_find(sorted.begin(), sorted.end()) != sorted.end();
  for (std::size_t i = base; i < end; ++i) {
    const Member member = members_[i];
    bool repeated = false;
    for (std::size_t j = i + 1; may_repeat && j < end && !repeated; ++j) {
      repeated = members_[j].raw_key == member.raw_key;
    }
    if (repeated) {
      continue;
    }
    std::string_view key = member.raw_key;
    if (has_backslash(key)) {
      if (!unescape(key, key_scratch_)) {
        members_.resize(base);
        return Status::kSyntax;
      }
      key = key_scratch_;
    }
    const TextResult result = append_text(
        key, *node.type->children()[0], options_.timestamp_standard, scratch_, out.child(0));
    if (result != TextResult::kOk) {
      members_.resize(base);
      return value_error(*node.type->children()[0],
                         {member.raw_key.data() - 1, member.raw_key.size() + 2},
                         result);
    }
    next_ = member.value_token;
    status = decode_value(*node.children[1], out.child(1));
    if (status != Status::kOk) {
      if (status == Status::kValue) {
        prepend_path(fmt::format("[\"{}\"]", excerpt(member.raw_key)));
      }
      members_.resize(base);
      return status;
    }
  }
  members_.resize(base);
  next_ = after;
  --depth_;
  out.close_entry();
  return Status::kOk;
}

JsonDecoder::Status JsonDecoder::skip_value() {
  if (at_end()) {
    return syntax_error("a value");
  }
  const char first = message_[tokens_[next_]];
  if (first == '"') {
    const std::string_view text = take_string();
    if (has_backslash(text) && !unescape(text, scratch_)) {
      return Status::kSyntax;
    }
    return Status::kOk;
  }
  if (first == '{' || first == '[') {
    return skip_container(first);
  }
  const std::uint32_t start = next_;
  const std::string_view text = take_scalar();
  bool integer = false;
  if (is_literal(text) || is_number(text, integer)) {
    return Status::kOk;
  }
  next_ = start;
  return syntax_error("a value");
}

JsonDecoder::Status JsonDecoder::skip_container(char open) {
  if (++depth_ > kMaxDepth) {
    error_before_path_ =
        fmt::format("nested deeper than {} levels at byte {}", kMaxDepth, position());
    return Status::kSyntax;
  }
  const char close = open == '{' ? '}' : ']';
  ++next_;
  if (peek() != close) {
    while (true) {
      if (open == '{') {
        std::string_view key;
        if (const Status status = take_key(key); status != Status::kOk) {
          return status;
        }
      }
      if (const Status status = skip_value(); status != Status::kOk) {
        return status;
      }
      const char c = peek();
      if (c == ',') {
        ++next_;
      } else if (c == close) {
        break;
      } else {
        return syntax_error(open == '{' ? "',' or '}'" : "',' or ']'");
      }
    }
  }
  ++next_;
  --depth_;
  return Status::kOk;
}

std::uint32_t JsonDecoder::position() const {
  return at_end() ? static_cast<std::uint32_t>(message_.size()) : tokens_[next_];
}

char JsonDecoder::peek() const {
  return at_end() ? '\0' : message_[tokens_[next_]];
}

std::string_view JsonDecoder::take_scalar() {
  const std::uint32_t start = tokens_[next_];
  ++next_;
  std::uint32_t end = position();
  while (end > start && is_blank(message_[end - 1])) {
    --end;
  }
  return message_.substr(start, end - start);
}

std::string_view JsonDecoder::take_string() {
  // Between the opening quote and the next token there is nothing but the string and blanks: the
  // first stage has seen the closing quote.
  const std::string_view text = take_scalar();
  STREAM_DCHECK(text.size() >= 2 && text.back() == '"', "a closed string, not {}", text);
  return text.substr(1, text.size() - 2);
}

bool JsonDecoder::unescape(std::string_view text, std::string& out) {
  out.clear();
  const auto fail = [&](std::size_t at) {
    const auto offset = static_cast<std::size_t>(text.data() - message_.data()) + at;
    error_before_path_ =
        fmt::format("bad escape sequence {} at byte {}", excerpt(text.substr(at, 6)), offset);
    return false;
  };
  const auto hex4 = [&](std::size_t at, std::uint32_t& value) {
    if (at + 4 > text.size()) {
      return false;
    }
    value = 0;
    for (std::size_t i = at; i < at + 4; ++i) {
      const char c = text[i];
      const char lower = static_cast<char>(c | 0x20);
      if (is_digit(c)) {
        value = value << 4 | static_cast<std::uint32_t>(c - '0');
      } else if (lower >= 'a' && lower <= 'f') {
        value = value << 4 | static_cast<std::uint32_t>(lower - 'a' + 10);
      } else {
        return false;
      }
    }
    return true;
  };
  std::size_t i = 0;
  while (i < text.size()) {
    const std::size_t slash = text.find('\\', i);
    if (slash == std::string_view::npos) {
      out += text.substr(i);
      break;
    }
    out += text.substr(i, slash - i);
    if (slash + 1 >= text.size()) {
      return fail(slash);
    }
    i = slash + 2;
    switch (text[slash + 1]) {
      case '"':
      case '\\':
      case '/':
        out.push_back(text[slash + 1]);
        break;
      case 'b':
        out.push_back('\b');
        break;
      case 'f':
        out.push_back('\f');
        break;
      case 'n':
        out.push_back('\n');
        break;
      case 'r':
        out.push_back('\r');
        break;
      case 't':
        out.push_back('\t');
        break;
      case 'u': {
        std::uint32_t unit = 0;
        if (!hex4(i, unit)) {
          return fail(slash);
        }
        i += 4;
        if (unit >= 0xd800 && unit <= 0xdbff) {
          std::uint32_t low = 0;
          if (text.substr(i, 2) == "\\u" && hex4(i + 2, low) && low >= 0xdc00 && low <= 0xdfff) {
            unit = 0x10000 + ((unit - 0xd800) << 10) + (low - 0xdc00);
            i += 6;
          } else {
            unit = 0xfffd;
          }
        } else if (unit >= 0xdc00 && unit <= 0xdfff) {
          unit = 0xfffd;  // half of a pair is no character
        }
        append_code_point(unit, out);
        break;
      }
      default:
        return fail(slash);
    }
  }
  return true;
}

JsonDecoder::Status JsonDecoder::take_key(std::string_view& key) {
  if (peek() != '"') {
    return syntax_error("a field name in double quotes");
  }
  key = take_string();
  if (peek() != ':') {
    return syntax_error("':'");
  }
  ++next_;
  return Status::kOk;
}

int JsonDecoder::find_field(const Node& node, std::string_view key, int expected) {
  const auto names = static_cast<int>(node.names.size());
  if (expected < names && !node.any_backslash) [[likely]] {
    const std::string& name = node.names[static_cast<std::size_t>(expected)];
    if (name.size() == key.size() && std::memcmp(name.data(), key.data(), key.size()) == 0) {
      return expected;
    }
  }
  if (has_backslash(key)) [[unlikely]] {
    if (!unescape(key, key_scratch_)) {
      error_before_path_.clear();
      return kUnknownField;
    }
    key = key_scratch_;
  }
  std::uint32_t slot = name_hash(key) & node.table_mask;
  while (node.table[slot] != kUnknownField) {
    const std::string& name = node.names[static_cast<std::size_t>(node.table[slot])];
    if (name == key) {
      return node.table[slot];
    }
    slot = (slot + 1) & node.table_mask;
  }
  return kUnknownField;
}

JsonDecoder::Status JsonDecoder::syntax_error(std::string_view expected) {
  if (at_end()) {
    error_before_path_ =
        fmt::format("unexpected end of JSON at byte {}: expected {}", message_.size(), expected);
  } else {
    const std::uint32_t start = next_;
    const std::uint32_t at = position();
    const std::string_view found = take_scalar();
    next_ = start;
    error_before_path_ =
        fmt::format("expected {} at byte {} but found {}", expected, at, excerpt(found));
  }
  error_path_.clear();
  error_after_path_.clear();
  return Status::kSyntax;
}

JsonDecoder::Status JsonDecoder::value_error(const LogicalType& type,
                                             std::string_view found,
                                             TextResult result) {
  error_path_.clear();
  if (options_.ignore_parse_errors) {
    return Status::kValue;  // nobody will read the text
  }
  if (result == TextResult::kOutOfRange) {
    error_before_path_ = fmt::format(
        "numeric value {} is out of range of {} for field '", excerpt(found), type.to_string());
    error_after_path_ = "'";
  } else {
    error_before_path_ = fmt::format("expected {} for field '", type.to_string());
    error_after_path_ = fmt::format("' but found {}", excerpt(found));
  }
  return Status::kValue;
}

void JsonDecoder::prepend_path(std::string_view part) {
  std::string path(part);
  if (!error_path_.empty() && error_path_.front() != '[') {
    path += '.';
  }
  path += error_path_;
  error_path_ = std::move(path);
}

void JsonDecoder::throw_error_reason() const {
  throw Error(ErrorKind::kExternal, error_before_path_ + error_path_ + error_after_path_);
}

}  // namespace flott
