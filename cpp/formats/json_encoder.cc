#include "formats/json_encoder.h"

#include "base/error.h"

#include <cmath>
#include <cstring>
#include <utility>

namespace flott {

namespace {

/// High bit set in each byte of `word` that JSON must or we do escape: control characters, '"',
/// '\\' and lead bytes of characters beyond U+FFFF. Borrows between bytes can only mark bytes above
/// a truly marked one, which a second look sorts out.
std::uint64_t suspicious(std::uint64_t word) {
  constexpr std::uint64_t kOnes = 0x0101010101010101ULL;
  constexpr std::uint64_t kHigh = 0x8080808080808080ULL;
  const std::uint64_t control = (word - kOnes * 0x20) & ~word;
  const std::uint64_t quote = word ^ kOnes * 0x22;
  const std::uint64_t slash = word ^ kOnes * 0x5c;
  const std::uint64_t marked = control | ((quote - kOnes) & ~quote) | ((slash - kOnes) & ~slash) |
                               (word & (word << 1) & (word << 2) & (word << 3));
  return marked & kHigh;
}

bool needs_escape(unsigned char c) {
  return c < 0x20 || c == '"' || c == '\\' || c >= 0xf0;
}

void append_unicode_escape(std::uint32_t unit, std::string& out) {
  constexpr std::string_view kHex = "0123456789ABCDEF";
  out += "\\u";
  for (int shift = 12; shift >= 0; shift -= 4) {
    out.push_back(kHex[unit >> shift & 15]);
  }
}

}  // namespace

void append_json_string(std::string_view text, std::string& out) {
  out.push_back('"');
  const char* p = text.data();
  const char* const end = p + text.size();
  const char* copied = p;
  while (p < end) {
    if (end - p >= 8) {
      std::uint64_t word;
      std::memcpy(&word, p, 8);
      if (suspicious(word) == 0) {
        p += 8;
        continue;
      }
    }
    const auto c = static_cast<unsigned char>(*p);
    if (!needs_escape(c)) {
      ++p;
      continue;
    }
    out.append(copied, static_cast<std::size_t>(p - copied));
    switch (c) {
      case '"':
        out += "\\\"";
        break;
      case '\\':
        out += "\\\\";
        break;
      case '\b':
        out += "\\b";
        break;
      case '\f':
        out += "\\f";
        break;
      case '\n':
        out += "\\n";
        break;
      case '\r':
        out += "\\r";
        break;
      case '\t':
        out += "\\t";
        break;
      default:
        if (c < 0x20) {
          append_unicode_escape(c, out);
        } else if (end - p >= 4) {
          const auto byte = [&](int i) {
            return static_cast<std::uint32_t>(static_cast<unsigned char>(p[i]));
          };
          const std::uint32_t code_point = (byte(0) & 7) << 18 | (byte(1) & 0x3f) << 12 |
                                           (byte(2) & 0x3f) << 6 | (byte(3) & 0x3f);
          append_unicode_escape(0xd800 + ((code_point - 0x10000) >> 10 & 0x3ff), out);
          append_unicode_escape(0xdc00 + (code_point & 0x3ff), out);
          p += 3;
        } else {
          out += "\xef\xbf\xbd";
        }
        break;
    }
    ++p;
    copied = p;
  }
  out.append(copied, static_cast<std::size_t>(end - copied));
  out.push_back('"');
}

struct JsonEncoder::Node {
  LogicalTypePtr type;
  TypeKind kind = TypeKind::kNull;
  std::vector<std::unique_ptr<Node>> children;
  /// kRow / kTuple: `"name":` for each field, ready to copy.
  std::vector<std::string> keys;
  std::string path;
};

JsonEncoder::JsonEncoder(LogicalTypePtr type, JsonEncoderOptions options)
    : options_(std::move(options)), root_(std::make_unique<Node>()) {
  build_node(*root_, type, "");
}

JsonEncoder::~JsonEncoder() = default;

void JsonEncoder::build_node(Node& node, const LogicalTypePtr& type, const std::string& path) {
  node.type = type;
  node.kind = type->kind();
  node.path = path;
  if (node.kind == TypeKind::kObject) {
    throw_error(ErrorKind::kInvalidArgument,
                "json cannot encode {} of type {}: give it a concrete type such as Types.STRING()",
                path.empty() ? std::string("rows") : "field '" + path + "'",
                type->to_string());
  }
  for (std::size_t i = 0; i < type->children().size(); ++i) {
    std::string child = path;
    if (type->is_composite()) {
      const std::string& name = type->field_names()[i];
      child = path.empty() ? name : path + "." + name;
      std::string key;
      append_json_string(name, key);
      key.push_back(':');
      node.keys.push_back(std::move(key));
    }
    node.children.push_back(std::make_unique<Node>());
    build_node(*node.children.back(), type->children()[i], child);
  }
  if (node.kind == TypeKind::kMultiset) {
    node.children.push_back(std::make_unique<Node>());
    build_node(*node.children.back(), LogicalType::of(TypeKind::kBigInt), path);
  }
}

bool JsonEncoder::encode(const Batch& batch, std::int64_t row, std::string& out) {
  if (root_->type->is_composite()) {
    STREAM_DCHECK(batch.columns().size() == root_->children.size(),
                  "{} columns, not {}",
                  root_->children.size(),
                  batch.columns().size());
    write_fields(*root_, [&](std::size_t i) -> const Column& { return batch.column(i); }, row, out);
  } else {
    write_value(*root_, batch.column(0), row, out);
  }
  return true;
}

template <typename Columns>
void JsonEncoder::write_fields(const Node& node,
                               Columns&& columns,
                               std::int64_t row,
                               std::string& out) {
  out.push_back('{');
  bool first = true;
  for (std::size_t i = 0; i < node.children.size(); ++i) {
    const Column& column = columns(i);
    if (options_.ignore_null_fields && column.is_null(row)) {
      continue;
    }
    if (!first) {
      out.push_back(',');
    }
    first = false;
    out += node.keys[i];
    write_value(*node.children[i], column, row, out);
  }
  out.push_back('}');
}

void JsonEncoder::write_value(const Node& node,
                              const Column& column,
                              std::int64_t i,
                              std::string& out) {
  if (node.kind == TypeKind::kNull || column.is_null(i)) {
    out += "null";
    return;
  }
  switch (node.kind) {
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
    case TypeKind::kFloat: {
      const float value = column.data<float>()[i];
      const bool finite = std::isfinite(value);
      out += finite ? "" : "\"";
      append_float(value, out);
      out += finite ? "" : "\"";
      break;
    }
    case TypeKind::kDouble: {
      const double value = column.data<double>()[i];
      const bool finite = std::isfinite(value);
      out += finite ? "" : "\"";
      append_double(value, out);
      out += finite ? "" : "\"";
      break;
    }
    case TypeKind::kDecimal: {
      __int128 value;
      std::memcpy(&value, column.data<char>() + i * 16, sizeof value);
      if (!options_.decimal_as_plain_number) {
        append_decimal_scientific(value, node.type->scale(), out);
        break;
      }
      int scale = node.type->scale();
      while (scale > 0 && value % 10 == 0) {
        value /= 10;
        --scale;
      }
      append_decimal(value, scale, out);
      break;
    }
    case TypeKind::kString:
      append_json_string(column.string_at(i), out);
      break;
    case TypeKind::kBytes:
      out.push_back('"');
      append_base64(column.string_at(i), out);
      out.push_back('"');
      break;
    case TypeKind::kDate:
      out.push_back('"');
      append_date(column.data<std::int32_t>()[i], out);
      out.push_back('"');
      break;
    case TypeKind::kTime:
      out.push_back('"');
      append_time(column.data<std::int64_t>()[i], out);
      out += options_.timestamp_standard == TimestampStandard::kRfc3339 ? "Z\"" : "\"";
      break;
    case TypeKind::kTimestamp:
    case TypeKind::kTimestampLtz: {
      const bool sql = options_.timestamp_standard == TimestampStandard::kSql;
      const bool zone = options_.timestamp_standard == TimestampStandard::kRfc3339 ||
                        node.kind == TypeKind::kTimestampLtz;
      out.push_back('"');
      append_timestamp(column.data<std::int64_t>()[i], *node.type, sql ? ' ' : 'T', 0, out);
      out += zone ? "Z\"" : "\"";
      break;
    }
    case TypeKind::kArray: {
      const Column& items = *column.children[0];
      const std::int32_t* const offsets = column.offset_data();
      out.push_back('[');
      for (std::int32_t k = offsets[i]; k < offsets[i + 1]; ++k) {
        if (k > offsets[i]) {
          out.push_back(',');
        }
        write_value(*node.children[0], items, k, out);
      }
      out.push_back(']');
      break;
    }
    case TypeKind::kMap:
    case TypeKind::kMultiset:
      write_map(node, column, i, out);
      break;
    case TypeKind::kRow:
    case TypeKind::kTuple:
      write_fields(
          node, [&](std::size_t c) -> const Column& { return *column.children[c]; }, i, out);
      break;
    case TypeKind::kNull:
    case TypeKind::kObject:
      break;  // handled above, refused by the constructor
  }
}

void JsonEncoder::write_map(const Node& node,
                            const Column& column,
                            std::int64_t i,
                            std::string& out) {
  const Column& keys = *column.children[0];
  const std::int32_t* const offsets = column.offset_data();
  out.push_back('{');
  bool first = true;
  for (std::int32_t k = offsets[i]; k < offsets[i + 1]; ++k) {
    const bool null_key = keys.is_null(k);
    if (null_key && options_.map_null_key_mode == MapNullKeyMode::kDrop) {
      continue;
    }
    if (null_key && options_.map_null_key_mode == MapNullKeyMode::kFail) {
      throw_error(ErrorKind::kUserCode,
                  "json cannot write the null key in map field '{}': set map-null-key.mode to DROP "
                  "or LITERAL",
                  node.path);
    }
    if (!first) {
      out.push_back(',');
    }
    first = false;
    if (null_key) {
      append_json_string(options_.map_null_key_literal, out);
    } else {
      write_key(*node.children[0], keys, k, out);
    }
    out.push_back(':');
    write_value(*node.children[1], *column.children[1], k, out);
  }
  out.push_back('}');
}

void JsonEncoder::write_key(const Node& node,
                            const Column& column,
                            std::int64_t i,
                            std::string& out) {
  scratch_.clear();
  write_value(node, column, i, scratch_);
  if (scratch_.starts_with('"')) {
    out += scratch_;
  } else {
    append_json_string(std::string(scratch_), out);
  }
}

}  // namespace flott
