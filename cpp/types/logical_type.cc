// Bytes of a type (LogicalType::encode):
//
//   type     := kind:u8 flags:u8 params count:varint type{count} names
//   kind     := TypeKind
//   flags    := bit 0 nullable | bit 1 fixed length | bit 2 names follow (kRow)
//   params   := precision:varint scale:varint length+1:varint
//   names    := string{count} when bit 2 is set, else nothing

#include "types/logical_type.h"

#include "base/bytes.h"
#include "base/error.h"

#include <array>
#include <unordered_set>

namespace flott {

namespace {

constexpr int kMaxDepth = 100;
constexpr std::size_t kKinds = static_cast<std::size_t>(TypeKind::kTuple) + 1;
constexpr std::uint8_t kNullableFlag = 1;
constexpr std::uint8_t kFixedFlag = 2;
constexpr std::uint8_t kNamesFlag = 4;

bool is_temporal(TypeKind kind) {
  return kind == TypeKind::kTime || kind == TypeKind::kTimestamp || kind == TypeKind::kTimestampLtz;
}

std::string_view simple_name(TypeKind kind) {
  switch (kind) {
    case TypeKind::kObject:
      return "RAW";
    case TypeKind::kNull:
      return "NULL";
    case TypeKind::kBoolean:
      return "BOOLEAN";
    case TypeKind::kTinyInt:
      return "TINYINT";
    case TypeKind::kSmallInt:
      return "SMALLINT";
    case TypeKind::kInt:
      return "INT";
    case TypeKind::kBigInt:
      return "BIGINT";
    case TypeKind::kFloat:
      return "FLOAT";
    case TypeKind::kDouble:
      return "DOUBLE";
    case TypeKind::kDecimal:
      return "DECIMAL";
    case TypeKind::kString:
      return "STRING";
    case TypeKind::kBytes:
      return "BYTES";
    case TypeKind::kDate:
      return "DATE";
    case TypeKind::kTime:
      return "TIME";
    case TypeKind::kTimestamp:
      return "TIMESTAMP";
    case TypeKind::kTimestampLtz:
      return "TIMESTAMP_LTZ";
    case TypeKind::kIntervalMonths:
      return "INTERVAL YEAR TO MONTH";
    case TypeKind::kIntervalMillis:
      return "INTERVAL DAY TO SECOND(3)";
    case TypeKind::kArray:
      return "ARRAY";
    case TypeKind::kMap:
      return "MAP";
    case TypeKind::kMultiset:
      return "MULTISET";
    case TypeKind::kRow:
      return "ROW";
    case TypeKind::kTuple:
      return "TUPLE";
  }
  return "?";
}

bool is_plain_identifier(std::string_view name) {
  if (name.empty() || (name[0] >= '0' && name[0] <= '9')) {
    return false;
  }
  for (const char c : name) {
    if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_')) {
      return false;
    }
  }
  return true;
}

std::string quoted(std::string_view name) {
  if (is_plain_identifier(name)) {
    return std::string(name);
  }
  std::string out = "`";
  for (const char c : name) {
    out += c;
    if (c == '`') {
      out += c;
    }
  }
  return out + "`";
}

void require_children(const std::vector<LogicalTypePtr>& children, TypeKind kind) {
  for (const LogicalTypePtr& child : children) {
    if (child == nullptr) {
      throw_error(ErrorKind::kInvalidArgument,
                  "{} needs a type for each of its parts; one is missing",
                  simple_name(kind));
    }
  }
}

bool all_native(const std::vector<LogicalTypePtr>& children) {
  for (const LogicalTypePtr& child : children) {
    if (!child->is_native()) {
      return false;
    }
  }
  return true;
}

LogicalTypePtr decode_type(BytesReader& in, int depth) {
  if (depth > kMaxDepth) {
    throw Error(ErrorKind::kExternal, "stored bytes are damaged: a type is nested too deeply");
  }
  const std::uint8_t kind_byte = in.u8();
  if (kind_byte >= kKinds) {
    throw_error(ErrorKind::kExternal,
                "stored bytes are damaged, or written by a newer version: unknown type kind {}",
                kind_byte);
  }
  const auto kind = static_cast<TypeKind>(kind_byte);
  const std::uint8_t flags = in.u8();
  const bool nullable = (flags & kNullableFlag) != 0;
  const std::uint64_t precision = in.varint();
  const std::uint64_t scale = in.varint();
  const std::int64_t length = static_cast<std::int64_t>(in.varint()) - 1;
  const std::uint64_t count = in.count();
  std::vector<LogicalTypePtr> children;
  for (std::uint64_t i = 0; i < count; ++i) {
    children.push_back(decode_type(in, depth + 1));
  }
  std::vector<std::string> names;
  if ((flags & kNamesFlag) != 0) {
    for (std::uint64_t i = 0; i < count; ++i) {
      names.emplace_back(in.string());
    }
  }
  if (precision > 100 || scale > 100) {
    throw_error(ErrorKind::kExternal,
                "stored bytes are damaged: {} of precision {} and scale {}",
                simple_name(kind),
                precision,
                scale);
  }
  const auto expect_children = [&](std::uint64_t wanted) {
    if (count != wanted) {
      throw_error(ErrorKind::kExternal,
                  "stored bytes are damaged: {} with {} parts instead of {}",
                  simple_name(kind),
                  count,
                  wanted);
    }
  };
  switch (kind) {
    case TypeKind::kRow:
      return LogicalType::row(std::move(names), std::move(children), nullable);
    case TypeKind::kTuple:
      return LogicalType::tuple(std::move(children), nullable);
    case TypeKind::kArray:
      expect_children(1);
      return LogicalType::array(children[0], nullable);
    case TypeKind::kMultiset:
      expect_children(1);
      return LogicalType::multiset(children[0], nullable);
    case TypeKind::kMap:
      expect_children(2);
      return LogicalType::map(children[0], children[1], nullable);
    case TypeKind::kDecimal:
      return LogicalType::decimal(static_cast<int>(precision), static_cast<int>(scale), nullable);
    case TypeKind::kTime:
    case TypeKind::kTimestamp:
    case TypeKind::kTimestampLtz:
      return LogicalType::temporal(kind, static_cast<int>(precision), nullable);
    case TypeKind::kString:
    case TypeKind::kBytes:
      return length < 0 ? LogicalType::of(kind, nullable)
                        : LogicalType::bounded(kind, length, (flags & kFixedFlag) != 0, nullable);
    default:
      return LogicalType::of(kind, nullable);
  }
}

}  // namespace

std::shared_ptr<LogicalType> LogicalType::create(TypeKind kind, bool nullable) {
  struct Access : LogicalType {};
  auto type = std::make_shared<Access>();
  type->kind_ = kind;
  type->nullable_ = nullable;
  return type;
}

LogicalTypePtr LogicalType::of(TypeKind kind, bool nullable) {
  // Types without parameters are created by every decoder and builder; sharing them also makes the
  // pointer comparison of operator== succeed.
  static const std::array<LogicalTypePtr, kKinds * 2> shared = [] {
    std::array<LogicalTypePtr, kKinds * 2> out;
    for (std::size_t i = 0; i < kKinds * 2; ++i) {
      auto type = create(static_cast<TypeKind>(i / 2), i % 2 == 1);
      switch (type->kind_) {
        case TypeKind::kObject:
          type->native_ = false;
          break;
        case TypeKind::kDecimal:
          type->precision_ = 10;
          break;
        case TypeKind::kTimestamp:
        case TypeKind::kTimestampLtz:
          type->precision_ = 6;
          break;
        default:
          break;
      }
      out[i] = std::move(type);
    }
    return out;
  }();
  if (kind == TypeKind::kArray || kind == TypeKind::kMap || kind == TypeKind::kMultiset ||
      kind == TypeKind::kRow || kind == TypeKind::kTuple) {
    throw_error(ErrorKind::kInvalidArgument, "{} needs the types of its parts", simple_name(kind));
  }
  return shared[static_cast<std::size_t>(kind) * 2 + (nullable ? 1 : 0)];
}

LogicalTypePtr LogicalType::decimal(int precision, int scale, bool nullable) {
  if (precision < 1 || precision > 38) {
    throw_error(ErrorKind::kInvalidArgument,
                "the precision of DECIMAL must be between 1 and 38, not {}",
                precision);
  }
  if (scale < 0 || scale > precision) {
    throw_error(ErrorKind::kInvalidArgument,
                "the scale of DECIMAL({0}, {1}) must be between 0 and the precision {0}",
                precision,
                scale);
  }
  auto type = create(TypeKind::kDecimal, nullable);
  type->precision_ = precision;
  type->scale_ = scale;
  return type;
}

LogicalTypePtr LogicalType::temporal(TypeKind kind, int precision, bool nullable) {
  if (!is_temporal(kind)) {
    throw_error(ErrorKind::kInvalidArgument, "{} has no fractional seconds", simple_name(kind));
  }
  if (precision < 0 || precision > 9) {
    throw_error(ErrorKind::kInvalidArgument,
                "the precision of {} must be between 0 and 9, not {}",
                simple_name(kind),
                precision);
  }
  auto type = create(kind, nullable);
  type->precision_ = precision;
  return type;
}

LogicalTypePtr LogicalType::bounded(TypeKind kind, std::int64_t length, bool fixed, bool nullable) {
  if (kind != TypeKind::kString && kind != TypeKind::kBytes) {
    throw_error(ErrorKind::kInvalidArgument, "{} has no length", simple_name(kind));
  }
  if (length < 0) {
    throw_error(ErrorKind::kInvalidArgument,
                "the length of a {} must not be negative: {}",
                simple_name(kind),
                length);
  }
  auto type = create(kind, nullable);
  type->length_ = length;
  type->fixed_length_ = fixed;
  return type;
}

LogicalTypePtr LogicalType::array(LogicalTypePtr element, bool nullable) {
  auto type = create(TypeKind::kArray, nullable);
  type->children_ = {std::move(element)};
  require_children(type->children_, type->kind_);
  type->native_ = all_native(type->children_);
  return type;
}

LogicalTypePtr LogicalType::map(LogicalTypePtr key, LogicalTypePtr value, bool nullable) {
  auto type = create(TypeKind::kMap, nullable);
  type->children_ = {std::move(key), std::move(value)};
  require_children(type->children_, type->kind_);
  type->native_ = all_native(type->children_);
  return type;
}

LogicalTypePtr LogicalType::multiset(LogicalTypePtr element, bool nullable) {
  auto type = create(TypeKind::kMultiset, nullable);
  type->children_ = {std::move(element)};
  require_children(type->children_, type->kind_);
  type->native_ = all_native(type->children_);
  return type;
}

LogicalTypePtr LogicalType::row(std::vector<std::string> names,
                                std::vector<LogicalTypePtr> types,
                                bool nullable) {
  if (names.size() != types.size()) {
    throw_error(ErrorKind::kInvalidArgument,
                "ROW has {} field names but {} field types; give one name a type",
                names.size(),
                types.size());
  }
  std::unordered_set<std::string_view> seen;
  for (const std::string& name : names) {
    if (!seen.insert(name).second) {
      throw_error(
          ErrorKind::kInvalidArgument, "ROW has two fields named '{}'; names must differ", name);
    }
  }
  auto type = create(TypeKind::kRow, nullable);
  type->field_names_ = std::move(names);
  type->children_ = std::move(types);
  require_children(type->children_, type->kind_);
  type->native_ = all_native(type->children_);
  return type;
}

LogicalTypePtr LogicalType::tuple(std::vector<LogicalTypePtr> types, bool nullable) {
  auto type = create(TypeKind::kTuple, nullable);
  type->children_ = std::move(types);
  require_children(type->children_, type->kind_);
  type->native_ = all_native(type->children_);
  for (std::size_t i = 0; i < type->children_.size(); ++i) {
    type->field_names_.push_back(fmt::format("f{}", i));
  }
  return type;
}

const LogicalTypePtr& LogicalType::object() {
  static const LogicalTypePtr type = of(TypeKind::kObject);
  return type;
}

int LogicalType::field_index(std::string_view name) const {
  for (std::size_t i = 0; i < field_names_.size(); ++i) {
    if (field_names_[i] == name) {
      return static_cast<int>(i);
    }
  }
  return -1;
}

LogicalTypePtr LogicalType::with_nullable(bool nullable) const {
  auto type = create(kind_, nullable);
  type->fixed_length_ = fixed_length_;
  type->native_ = native_;
  type->precision_ = precision_;
  type->scale_ = scale_;
  type->length_ = length_;
  type->children_ = children_;
  type->field_names_ = field_names_;
  return type;
}

std::string LogicalType::to_string() const {
  std::string out;
  switch (kind_) {
    case TypeKind::kDecimal:
      out = fmt::format("DECIMAL({}, {})", precision_, scale_);
      break;
    case TypeKind::kString:
    case TypeKind::kBytes:
      if (length_ < 0) {
        out = simple_name(kind_);
      } else {
        const bool text = kind_ == TypeKind::kString;
        out =
            fmt::format("{}{}({})", fixed_length_ ? "" : "VAR", text ? "CHAR" : "BINARY", length_);
      }
      break;
    case TypeKind::kTime:
    case TypeKind::kTimestamp:
    case TypeKind::kTimestampLtz:
      out = fmt::format("{}({})", simple_name(kind_), precision_);
      break;
    case TypeKind::kArray:
    case TypeKind::kMap:
    case TypeKind::kMultiset:
    case TypeKind::kRow:
    case TypeKind::kTuple: {
      out = simple_name(kind_);
      out += '<';
      for (std::size_t i = 0; i < children_.size(); ++i) {
        if (i > 0) {
          out += ", ";
        }
        if (kind_ == TypeKind::kRow) {
          out += quoted(field_names_[i]);
          out += ' ';
        }
        out += children_[i]->to_string();
      }
      out += '>';
      break;
    }
    default:
      out = simple_name(kind_);
  }
  if (!nullable_) {
    out += " NOT NULL";
  }
  return out;
}

bool LogicalType::operator==(const LogicalType& other) const {
  if (this == &other) {
    return true;
  }
  if (kind_ != other.kind_ || nullable_ != other.nullable_ || precision_ != other.precision_ ||
      scale_ != other.scale_ || length_ != other.length_ || fixed_length_ != other.fixed_length_ ||
      children_.size() != other.children_.size() || field_names_ != other.field_names_) {
    return false;
  }
  for (std::size_t i = 0; i < children_.size(); ++i) {
    if (!(*children_[i] == *other.children_[i])) {
      return false;
    }
  }
  return true;
}

void LogicalType::encode(std::string& out) const {
  BytesWriter w(out);
  const bool names = kind_ == TypeKind::kRow;
  w.u8(static_cast<std::uint8_t>(kind_));
  w.u8(static_cast<std::uint8_t>((nullable_ ? kNullableFlag : 0) |
                                 (fixed_length_ ? kFixedFlag : 0) | (names ? kNamesFlag : 0)));
  w.varint(static_cast<std::uint64_t>(precision_));
  w.varint(static_cast<std::uint64_t>(scale_));
  w.varint(static_cast<std::uint64_t>(length_ + 1));
  w.varint(children_.size());
  for (const LogicalTypePtr& child : children_) {
    child->encode(out);
  }
  if (names) {
    for (const std::string& name : field_names_) {
      w.string(name);
    }
  }
}

LogicalTypePtr LogicalType::decode(BytesReader& in) {
  try {
    return decode_type(in, 0);
  } catch (const Error& e) {
    if (e.kind() != ErrorKind::kInvalidArgument) {
      throw;
    }
    throw_error(ErrorKind::kExternal, "stored bytes are damaged: {}", e.what());
  }
}

std::string_view short_string(RowKind kind) {
  switch (kind) {
    case RowKind::kInsert:
      return "+I";
    case RowKind::kUpdateBefore:
      return "-U";
    case RowKind::kUpdateAfter:
      return "+U";
    case RowKind::kDelete:
      return "-D";
  }
  return "?";
}

}  // namespace flott
