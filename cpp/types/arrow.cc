#include "types/arrow.h"

#include "base/error.h"
#include "types/decimal.h"

#include <bit>
#include <charconv>
#include <cmath>
#include <limits>

namespace flott {

namespace {

// ---- export ----

struct ExportedSchema {
  std::string format;
  std::string name;
  std::vector<ArrowSchema> children;
  std::vector<ArrowSchema*> child_pointers;
};

template <typename Node>
void release_children(Node* node) {
  // A consumer may have moved a child out; its release is null here then.
  for (std::int64_t i = 0; i < node->n_children; ++i) {
    if (node->children[i]->release != nullptr) {
      node->children[i]->release(node->children[i]);
    }
  }
}

void release_schema(ArrowSchema* schema) {
  release_children(schema);
  delete static_cast<ExportedSchema*>(schema->private_data);
  schema->release = nullptr;
}

/// Owns a structure until it is handed over.
template <typename Node>
class Guard {
 public:
  explicit Guard(Node* node) : node_(node) {}
  ~Guard() {
    if (node_ != nullptr && node_->release != nullptr) {
      node_->release(node_);
    }
  }
  Guard(const Guard&) = delete;
  Guard& operator=(const Guard&) = delete;
  void dismiss() { node_ = nullptr; }

 private:
  Node* node_;
};

std::string format_of(const LogicalType& type) {
  switch (type.kind()) {
    case TypeKind::kNull:
      return "n";
    case TypeKind::kBoolean:
      return "b";
    case TypeKind::kTinyInt:
      return "c";
    case TypeKind::kSmallInt:
      return "s";
    case TypeKind::kInt:
      return "i";
    case TypeKind::kBigInt:
      return "l";
    case TypeKind::kFloat:
      return "f";
    case TypeKind::kDouble:
      return "g";
    case TypeKind::kDecimal:
      return fmt::format("d:{},{}", type.precision(), type.scale());
    case TypeKind::kString:
      return "u";
    case TypeKind::kBytes:
      return "z";
    case TypeKind::kDate:
      return "tdD";
    case TypeKind::kTime:
      return "ttu";
    case TypeKind::kTimestamp:
      return type.precision() > 6 ? "tsn:" : "tsu:";
    case TypeKind::kTimestampLtz:
      return type.precision() > 6 ? "tsn:UTC" : "tsu:UTC";
    case TypeKind::kIntervalMonths:
      return "tiM";
    case TypeKind::kIntervalMillis:
      return "tDm";
    case TypeKind::kArray:
      return "+l";
    case TypeKind::kMap:
    case TypeKind::kMultiset:
      return "+m";
    case TypeKind::kRow:
    case TypeKind::kTuple:
      return "+s";
    case TypeKind::kObject:
      break;
  }
  throw_error(
      ErrorKind::kInvalidArgument,
      "{} has no Arrow form: its values are opaque Python objects; declare a type for the stream",
      type.to_string());
}

struct Child {
  std::string name;
  LogicalTypePtr type;
};

/// Fills `out`, which owns what was filled so far when an exception leaves.
void fill_schema(std::string name,
                 std::string format,
                 bool nullable,
                 std::int64_t more_flags,
                 const std::vector<Child>& children,
                 ArrowSchema* out);

void fill_schema_of(std::string name, const LogicalType& type, ArrowSchema* out) {
  std::string format = format_of(type);
  std::vector<Child> children;
  switch (type.kind()) {
    case TypeKind::kArray:
      children.push_back({"item", type.children()[0]});
      break;
    case TypeKind::kMap:
    case TypeKind::kMultiset: {
      const LogicalTypePtr value = type.kind() == TypeKind::kMap
                                       ? type.children()[1]
                                       : LogicalType::of(TypeKind::kBigInt, false);
      // Arrow's map keys are never null.
      children.push_back(
          {"entries",
           LogicalType::row(
               {"key", "value"}, {type.children()[0]->with_nullable(false), value}, false)});
      break;
    }
    case TypeKind::kRow:
    case TypeKind::kTuple:
      for (std::size_t i = 0; i < type.children().size(); ++i) {
        children.push_back({type.field_names()[i], type.children()[i]});
      }
      break;
    default:
      break;
  }
  fill_schema(std::move(name), std::move(format), type.nullable(), 0, children, out);
}

void fill_schema(std::string name,
                 std::string format,
                 bool nullable,
                 std::int64_t more_flags,
                 const std::vector<Child>& children,
                 ArrowSchema* out) {
  auto owner = std::make_unique<ExportedSchema>();
  owner->name = std::move(name);
  owner->format = std::move(format);
  owner->children.resize(children.size(), ArrowSchema{});
  for (ArrowSchema& child : owner->children) {
    owner->child_pointers.push_back(&child);
  }
  *out = ArrowSchema{};
  out->format = owner->format.c_str();
  out->name = owner->name.c_str();
  out->flags = (nullable ? ARROW_FLAG_NULLABLE : 0) | more_flags;
  out->n_children = static_cast<std::int64_t>(children.size());
  out->children = owner->child_pointers.data();
  out->private_data = owner.release();
  out->release = release_schema;
  Guard<ArrowSchema> guard(out);
  for (std::size_t i = 0; i < children.size(); ++i) {
    try {
      fill_schema_of(children[i].name, *children[i].type, out->children[i]);
    } catch (const Error& e) {
      throw_error(e.kind(), "field '{}': {}", children[i].name, e.what());
    }
  }
  guard.dismiss();
}

struct ExportedArray {
  ColumnPtr column;  ///< keeps the buffers; null for the struct of a batch and of map entries
  Buffer converted;
  std::vector<const void*> buffers;
  std::vector<ArrowArray> children;
  std::vector<ArrowArray*> child_pointers;
};

void release_array(ArrowArray* array) {
  release_children(array);
  delete static_cast<ExportedArray*>(array->private_data);
  array->release = nullptr;
}

void fill_struct(std::int64_t length, const std::vector<ColumnPtr>& fields, ArrowArray* out);

void finish_array(std::unique_ptr<ExportedArray> owner,
                  std::int64_t length,
                  std::int64_t null_count,
                  std::size_t children,
                  ArrowArray* out) {
  owner->children.resize(children, ArrowArray{});
  for (ArrowArray& child : owner->children) {
    owner->child_pointers.push_back(&child);
  }
  *out = ArrowArray{};
  out->length = length;
  out->null_count = null_count;
  out->n_buffers = static_cast<std::int64_t>(owner->buffers.size());
  out->buffers = owner->buffers.data();
  out->n_children = static_cast<std::int64_t>(children);
  out->children = owner->child_pointers.data();
  out->private_data = owner.release();
  out->release = release_array;
}

void fill_column(const ColumnPtr& column, ArrowArray* out) {
  auto owner = std::make_unique<ExportedArray>();
  owner->column = column;
  const TypeKind kind = column->type->kind();
  if (kind != TypeKind::kNull) {
    owner->buffers.push_back(column->validity ? column->validity.data() : nullptr);
  }
  switch (kind) {
    case TypeKind::kNull:
      break;
    case TypeKind::kString:
    case TypeKind::kBytes:
      owner->buffers.push_back(column->offsets.data());
      owner->buffers.push_back(column->values.data());
      break;
    case TypeKind::kArray:
    case TypeKind::kMap:
    case TypeKind::kMultiset:
      owner->buffers.push_back(column->offsets.data());
      break;
    case TypeKind::kRow:
    case TypeKind::kTuple:
      break;
    case TypeKind::kIntervalMonths: {
      ByteVector months;
      for (std::int64_t i = 0; i < column->length; ++i) {
        const std::int64_t v = column->data<std::int64_t>()[i];
        if (v != static_cast<std::int32_t>(v)) {
          throw_error(ErrorKind::kInvalidArgument,
                      "an interval of {} months does not fit Arrow's 32 bits",
                      v);
        }
        months.push(static_cast<std::int32_t>(v));
      }
      owner->converted = months.finish();
      owner->buffers.push_back(owner->converted.data());
      break;
    }
    default:
      owner->buffers.push_back(column->values.data());
  }
  const bool map = kind == TypeKind::kMap || kind == TypeKind::kMultiset;
  finish_array(
      std::move(owner), column->length, column->null_count, map ? 1 : column->children.size(), out);
  Guard<ArrowArray> guard(out);
  if (map) {
    fill_struct(column->children[0]->length, column->children, out->children[0]);
  } else {
    for (std::size_t i = 0; i < column->children.size(); ++i) {
      fill_column(column->children[i], out->children[i]);
    }
  }
  guard.dismiss();
}

void fill_struct(std::int64_t length, const std::vector<ColumnPtr>& fields, ArrowArray* out) {
  auto owner = std::make_unique<ExportedArray>();
  owner->buffers.push_back(nullptr);
  finish_array(std::move(owner), length, 0, fields.size(), out);
  Guard<ArrowArray> guard(out);
  for (std::size_t i = 0; i < fields.size(); ++i) {
    fill_column(fields[i], out->children[i]);
  }
  guard.dismiss();
}

// ---- import ----

int parse_int(std::string_view text, std::string_view format) {
  int v = 0;
  const auto result = std::from_chars(text.data(), text.data() + text.size(), v);
  if (result.ec != std::errc{} || result.ptr != text.data() + text.size()) {
    throw_error(ErrorKind::kInvalidArgument, "Arrow type '{}' cannot be read", format);
  }
  return v;
}

struct DecimalFormat {
  int precision;
  int scale;
  int bits;
};

DecimalFormat parse_decimal_format(std::string_view format) {
  std::string_view rest = format.substr(2);
  const std::size_t comma = rest.find(',');
  if (comma == std::string_view::npos) {
    throw_error(ErrorKind::kInvalidArgument, "Arrow type '{}' cannot be read", format);
  }
  DecimalFormat out{parse_int(rest.substr(0, comma), format), 0, 128};
  rest.remove_prefix(comma + 1);
  const std::size_t second = rest.find(',');
  out.scale = parse_int(rest.substr(0, second), format);
  if (second != std::string_view::npos) {
    out.bits = parse_int(rest.substr(second + 1), format);
  }
  if (out.bits != 32 && out.bits != 64 && out.bits != 128) {
    throw_error(ErrorKind::kInvalidArgument,
                "Arrow type '{}': decimals have at most 128 bits here; cast the column",
                format);
  }
  return out;
}

bool starts_with(std::string_view text, std::string_view prefix) {
  return text.substr(0, prefix.size()) == prefix;
}

LogicalTypePtr type_of(const ArrowSchema& schema);

LogicalTypePtr row_of(const ArrowSchema& schema, bool nullable) {
  std::vector<std::string> names;
  std::vector<LogicalTypePtr> types;
  for (std::int64_t i = 0; i < schema.n_children; ++i) {
    const ArrowSchema& child = *schema.children[i];
    names.emplace_back(child.name != nullptr ? child.name : "");
    try {
      types.push_back(type_of(child));
    } catch (const Error& e) {
      throw_error(e.kind(), "field '{}': {}", names.back(), e.what());
    }
  }
  return LogicalType::row(std::move(names), std::move(types), nullable);
}

LogicalTypePtr type_of(const ArrowSchema& schema) {
  const bool nullable = (schema.flags & ARROW_FLAG_NULLABLE) != 0;
  if (schema.dictionary != nullptr) {
    return type_of(*schema.dictionary)->with_nullable(nullable);
  }
  const std::string_view format = schema.format;
  const auto simple = [&](TypeKind kind) { return LogicalType::of(kind, nullable); };
  if (format.size() == 1) {
    switch (format[0]) {
      case 'n':
        return simple(TypeKind::kNull);
      case 'b':
        return simple(TypeKind::kBoolean);
      case 'c':
        return simple(TypeKind::kTinyInt);
      case 'C':
      case 's':
        return simple(TypeKind::kSmallInt);
      case 'S':
      case 'i':
        return simple(TypeKind::kInt);
      case 'I':
      case 'l':
      case 'L':
        return simple(TypeKind::kBigInt);
      case 'e':
      case 'f':
        return simple(TypeKind::kFloat);
      case 'g':
        return simple(TypeKind::kDouble);
      case 'u':
      case 'U':
        return simple(TypeKind::kString);
      case 'z':
      case 'Z':
        return simple(TypeKind::kBytes);
      default:
        break;
    }
  }
  if (format == "vu") {
    return simple(TypeKind::kString);
  }
  if (format == "vz") {
    return simple(TypeKind::kBytes);
  }
  if (starts_with(format, "w:")) {
    return LogicalType::bounded(
        TypeKind::kBytes, parse_int(format.substr(2), format), true, nullable);
  }
  if (starts_with(format, "d:")) {
    const DecimalFormat d = parse_decimal_format(format);
    return LogicalType::decimal(d.precision, d.scale, nullable);
  }
  if (format == "tdD" || format == "tdm") {
    return simple(TypeKind::kDate);
  }
  if (format == "tts" || format == "ttm" || format == "ttu" || format == "ttn") {
    const int precision = format[2] == 's' ? 0 : format[2] == 'm' ? 3 : 6;
    return LogicalType::temporal(TypeKind::kTime, precision, nullable);
  }
  if (starts_with(format, "ts") && format.size() >= 4 && format[3] == ':') {
    const int precision = format[2] == 's' ? 0 : format[2] == 'm' ? 3 : format[2] == 'u' ? 6 : 9;
    const TypeKind kind = format.size() > 4 ? TypeKind::kTimestampLtz : TypeKind::kTimestamp;
    return LogicalType::temporal(kind, precision, nullable);
  }
  if (starts_with(format, "tD") && format.size() == 3) {
    return simple(TypeKind::kIntervalMillis);
  }
  if (format == "tiM") {
    return simple(TypeKind::kIntervalMonths);
  }
  if ((format == "+l" || format == "+L" || starts_with(format, "+w:")) && schema.n_children == 1) {
    return LogicalType::array(type_of(*schema.children[0]), nullable);
  }
  if (format == "+m" && schema.n_children == 1 && schema.children[0]->n_children == 2) {
    const ArrowSchema& entries = *schema.children[0];
    return LogicalType::map(type_of(*entries.children[0]), type_of(*entries.children[1]), nullable);
  }
  if (format == "+s") {
    return row_of(schema, nullable);
  }
  throw_error(ErrorKind::kInvalidArgument,
              "Arrow type '{}' has no counterpart here; cast the column first",
              format);
}

using Owner = std::shared_ptr<const void>;

/// One Arrow array below `owner`, with the rows wanted: offset is the array's own plus those of the
/// structs above.
struct Source {
  const ArrowSchema& schema;
  const ArrowArray& array;
  std::int64_t offset;
  std::int64_t length;
  const Owner& owner;

  const std::uint8_t* buffer(std::int64_t i) const {
    const auto* const data =
        i < array.n_buffers ? static_cast<const std::uint8_t*>(array.buffers[i]) : nullptr;
    if (data == nullptr && length > 0) {
      throw_error(ErrorKind::kInvalidArgument,
                  "the Arrow array of type '{}' lacks its buffer {}",
                  schema.format,
                  i);
    }
    return data;
  }
  template <typename T>
  T at(std::int64_t buffer_index, std::int64_t row) const {
    T v;
    std::memcpy(
        &v, buffer(buffer_index) + static_cast<std::size_t>(offset + row) * sizeof v, sizeof v);
    return v;
  }
  bool valid(std::int64_t row) const {
    const auto* const bits =
        array.n_buffers > 0 ? static_cast<const std::uint8_t*>(array.buffers[0]) : nullptr;
    const std::int64_t i = offset + row;
    return bits == nullptr || (bits[i >> 3] >> (i & 7) & 1) != 0;
  }
};

Buffer import_bits(const Source& in, std::int64_t buffer_index) {
  const std::uint8_t* const bits = in.buffer(buffer_index);
  const auto size = static_cast<std::size_t>((in.length + 7) / 8);
  if (in.length == 0) {
    return {nullptr, 0, in.owner};
  }
  if ((in.offset & 7) == 0) {
    return {bits + (in.offset >> 3), size, in.owner};
  }
  ByteVector out;
  out.append_filled(size, 0);
  for (std::int64_t i = 0; i < in.length; ++i) {
    const std::int64_t from = in.offset + i;
    if ((bits[from >> 3] >> (from & 7) & 1) != 0) {
      const auto to = static_cast<std::size_t>(i);
      out[to >> 3] = static_cast<std::uint8_t>(out[to >> 3] | 1U << (to & 7));
    }
  }
  return out.finish();
}

/// Shares fixed-width values, or copies them when they are not aligned for their type.
Buffer import_fixed(const Source& in,
                    std::int64_t buffer_index,
                    std::size_t width,
                    std::int64_t count) {
  if (count == 0) {
    return {nullptr, 0, in.owner};
  }
  const std::uint8_t* const data =
      in.buffer(buffer_index) + static_cast<std::size_t>(in.offset) * width;
  const std::size_t size = static_cast<std::size_t>(count) * width;
  if (std::bit_cast<std::uintptr_t>(data) % width == 0) {
    return {data, size, in.owner};
  }
  ByteVector out;
  out.append(data, size);
  return out.finish();
}

/// Values through a function, null entries as 0 (what lies below a null is arbitrary).
template <typename From, typename To, typename Convert>
Buffer import_converted(const Source& in, Convert&& convert) {
  ByteVector out;
  out.reserve(static_cast<std::size_t>(in.length) * sizeof(To));
  for (std::int64_t i = 0; i < in.length; ++i) {
    out.push<To>(in.valid(i) ? static_cast<To>(convert(in.at<From>(1, i))) : To{});
  }
  return out.finish();
}

std::int64_t scaled(std::int64_t v, std::int64_t factor) {
  std::int64_t out = 0;
  if (__builtin_mul_overflow(v, factor, &out)) {
    throw_error(
        ErrorKind::kInvalidArgument, "the time {} lies beyond what microseconds can say", v);
  }
  return out;
}

std::int64_t floored(std::int64_t v, std::int64_t divisor) {
  const std::int64_t q = v / divisor;
  return v % divisor < 0 ? q - 1 : q;
}

float half_to_float(std::uint16_t bits) {
  const int exponent = bits >> 10 & 0x1f;
  const int fraction = bits & 0x3ff;
  float v = 0;
  if (exponent == 0) {
    v = std::ldexp(static_cast<float>(fraction), -24);
  } else if (exponent == 31) {
    v = fraction == 0 ? std::numeric_limits<float>::infinity()
                      : std::numeric_limits<float>::quiet_NaN();
  } else {
    v = std::ldexp(static_cast<float>(fraction + 1024), exponent - 25);
  }
  return (bits & 0x8000) != 0 ? -v : v;
}

ColumnPtr import_column(const Source& in, const LogicalTypePtr& type);

void check_offset(std::int64_t end) {
  if (end > std::numeric_limits<std::int32_t>::max()) {
    throw_error(ErrorKind::kInvalidArgument,
                "more than 2 GiB in one Arrow column; convert the table in smaller batches");
  }
}

/// 64-bit offsets made 32-bit, starting at 0; `first` is where they started.
Buffer import_large_offsets(const Source& in, std::int64_t& first, std::int64_t& last) {
  ByteVector out;
  first = last = 0;
  if (in.length > 0) {
    first = in.at<std::int64_t>(1, 0);
    last = in.at<std::int64_t>(1, in.length);
    check_offset(last - first);
  }
  for (std::int64_t i = 0; i <= in.length; ++i) {
    out.push(static_cast<std::int32_t>(in.length == 0 ? 0 : in.at<std::int64_t>(1, i) - first));
  }
  return out.finish();
}

Buffer zero_offset() {
  ByteVector out;
  out.push<std::int32_t>(0);
  return out.finish();
}

void import_text(const Source& in, Column& out) {
  const std::string_view format = in.schema.format;
  if (format[0] == 'v') {
    // Views: a length, then up to 12 bytes in place, or a prefix, a buffer number and an offset.
    ByteVector values;
    ByteVector offsets;
    offsets.push<std::int32_t>(0);
    for (std::int64_t i = 0; i < in.length; ++i) {
      if (in.valid(i)) {
        const std::uint8_t* const view =
            in.buffer(1) + static_cast<std::size_t>(in.offset + i) * 16;
        std::int32_t head[4];
        std::memcpy(head, view, sizeof head);
        const auto size = static_cast<std::size_t>(head[0]);
        values.append(size <= 12 ? view + 4 : in.buffer(2 + head[2]) + head[3], size);
        check_offset(static_cast<std::int64_t>(values.size()));
      }
      offsets.push(static_cast<std::int32_t>(values.size()));
    }
    out.values = values.finish();
    out.offsets = offsets.finish();
    return;
  }
  if (format[0] == 'w') {
    const int width = parse_int(format.substr(2), format);
    check_offset(in.length * width);
    ByteVector offsets;
    for (std::int64_t i = 0; i <= in.length; ++i) {
      offsets.push(static_cast<std::int32_t>(i * width));
    }
    out.offsets = offsets.finish();
    const auto bytes = static_cast<std::size_t>(width);
    out.values = in.length == 0 || width == 0
                     ? Buffer{nullptr, 0, in.owner}
                     : Buffer{in.buffer(1) + static_cast<std::size_t>(in.offset) * bytes,
                              static_cast<std::size_t>(in.length) * bytes,
                              in.owner};
    return;
  }
  if (in.length == 0) {
    out.offsets = zero_offset();
    out.values = Buffer{nullptr, 0, in.owner};
    return;
  }
  const auto data = [&](std::int64_t end) {
    return end == 0 ? nullptr : in.buffer(2);  // a column of empty texts may have no data
  };
  if (format == "U" || format == "Z") {
    std::int64_t first = 0;
    std::int64_t last = 0;
    out.offsets = import_large_offsets(in, first, last);
    const std::uint8_t* const bytes = data(last);
    out.values = {bytes == nullptr ? nullptr : bytes + first,
                  static_cast<std::size_t>(last - first),
                  in.owner};
    return;
  }
  out.offsets = import_fixed(in, 1, sizeof(std::int32_t), in.length + 1);
  const auto last = in.at<std::int32_t>(1, in.length);
  out.values = {data(last), static_cast<std::size_t>(last), in.owner};
}

Source child_of(const Source& in, std::int64_t i, std::int64_t offset, std::int64_t length) {
  return {*in.schema.children[i],
          *in.array.children[i],
          in.array.children[i]->offset + offset,
          length,
          in.owner};
}

void import_list(const Source& in, Column& out) {
  const std::string_view format = in.schema.format;
  const ArrowArray& items = *in.array.children[0];
  std::int64_t first = 0;
  std::int64_t count = items.length;
  if (starts_with(format, "+w:")) {
    const int size = parse_int(format.substr(3), format);
    check_offset(in.length * size);
    first = in.offset * size;
    count = in.length * size;
    ByteVector offsets;
    for (std::int64_t i = 0; i <= in.length; ++i) {
      offsets.push(static_cast<std::int32_t>(i * size));
    }
    out.offsets = offsets.finish();
  } else if (in.length == 0) {
    out.offsets = zero_offset();
    count = 0;
  } else if (format == "+L") {
    std::int64_t last = 0;
    out.offsets = import_large_offsets(in, first, last);
    count = last - first;
  } else {
    out.offsets = import_fixed(in, 1, sizeof(std::int32_t), in.length + 1);
  }
  if (format == "+m") {
    const Source entries = child_of(in, 0, first, count);
    for (std::int64_t i = 0; i < 2; ++i) {
      out.children.push_back(import_column(child_of(entries, i, entries.offset, count),
                                           out.type->children()[static_cast<std::size_t>(i)]));
    }
  } else {
    out.children.push_back(import_column(child_of(in, 0, first, count), out.type->children()[0]));
  }
}

std::int64_t dictionary_index(const Source& in, std::int64_t row) {
  switch (in.schema.format[0]) {
    case 'c':
      return in.at<std::int8_t>(1, row);
    case 'C':
      return in.at<std::uint8_t>(1, row);
    case 's':
      return in.at<std::int16_t>(1, row);
    case 'S':
      return in.at<std::uint16_t>(1, row);
    case 'i':
      return in.at<std::int32_t>(1, row);
    case 'I':
      return in.at<std::uint32_t>(1, row);
    case 'l':
    case 'L':
      return in.at<std::int64_t>(1, row);
    default:
      throw_error(ErrorKind::kInvalidArgument,
                  "an Arrow dictionary with indices of type '{}'",
                  in.schema.format);
  }
}

ColumnPtr import_dictionary(const Source& in, const LogicalTypePtr& type) {
  const ArrowArray& dictionary = *in.array.dictionary;
  const ColumnPtr entries = import_column(
      {*in.schema.dictionary, dictionary, dictionary.offset, dictionary.length, in.owner}, type);
  ColumnBuilder out(type);
  for (std::int64_t i = 0; i < in.length; ++i) {
    if (!in.valid(i)) {
      out.append_null();
      continue;
    }
    const std::int64_t index = dictionary_index(in, i);
    if (index < 0 || index >= entries->length) {
      throw_error(ErrorKind::kInvalidArgument,
                  "index {} into an Arrow dictionary of {} entries",
                  index,
                  entries->length);
    }
    out.append_from(*entries, index);
  }
  return out.finish();
}

Buffer import_timestamps(const Source& in) {
  switch (in.schema.format[2]) {
    case 's':
      return import_converted<std::int64_t, std::int64_t>(
          in, [](std::int64_t v) { return scaled(v, 1'000'000); });
    case 'm':
      return import_converted<std::int64_t, std::int64_t>(
          in, [](std::int64_t v) { return scaled(v, 1000); });
    default:  // microseconds, and nanoseconds with precision 9, are our own layout
      return import_fixed(in, 1, 8, in.length);
  }
}

Buffer import_values(const Source& in) {
  const std::string_view format = in.schema.format;
  if (format.size() == 1) {
    switch (format[0]) {
      case 'c':
        return import_fixed(in, 1, 1, in.length);
      case 's':
        return import_fixed(in, 1, 2, in.length);
      case 'i':
      case 'f':
        return import_fixed(in, 1, 4, in.length);
      case 'l':
      case 'g':
        return import_fixed(in, 1, 8, in.length);
      case 'C':
        return import_converted<std::uint8_t, std::int16_t>(in, [](std::uint8_t v) { return v; });
      case 'S':
        return import_converted<std::uint16_t, std::int32_t>(in, [](std::uint16_t v) { return v; });
      case 'I':
        return import_converted<std::uint32_t, std::int64_t>(in, [](std::uint32_t v) { return v; });
      case 'L':
        return import_converted<std::uint64_t, std::int64_t>(in, [](std::uint64_t v) {
          if (v > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max())) {
            throw_error(
                ErrorKind::kInvalidArgument,
                "the unsigned number {} does not fit BIGINT; cast the column to DECIMAL(20, 0)",
                v);
          }
          return static_cast<std::int64_t>(v);
        });
      case 'e':
        return import_converted<std::uint16_t, float>(in, half_to_float);
      default:
        break;
    }
  }
  if (starts_with(format, "d:")) {
    switch (parse_decimal_format(format).bits) {
      case 32:
        return import_converted<std::int32_t, int128>(in, [](std::int32_t v) { return v; });
      case 64:
        return import_converted<std::int64_t, int128>(in, [](std::int64_t v) { return v; });
      default:
        return import_fixed(in, 1, 16, in.length);
    }
  }
  if (format == "tdD") {
    return import_fixed(in, 1, 4, in.length);
  }
  if (format == "tdm") {
    return import_converted<std::int64_t, std::int32_t>(
        in, [](std::int64_t v) { return static_cast<std::int32_t>(floored(v, 86'400'000)); });
  }
  if (format == "tts") {
    return import_converted<std::int32_t, std::int64_t>(
        in, [](std::int64_t v) { return v * 1'000'000; });
  }
  if (format == "ttm") {
    return import_converted<std::int32_t, std::int64_t>(in,
                                                        [](std::int64_t v) { return v * 1000; });
  }
  if (format == "ttu") {
    return import_fixed(in, 1, 8, in.length);
  }
  if (format == "ttn") {
    return import_converted<std::int64_t, std::int64_t>(
        in, [](std::int64_t v) { return floored(v, 1000); });
  }
  if (starts_with(format, "ts")) {
    return import_timestamps(in);
  }
  if (format == "tiM") {
    return import_converted<std::int32_t, std::int64_t>(in, [](std::int64_t v) { return v; });
  }
  switch (format[2]) {  // durations: tDs, tDm, tDu, tDn
    case 's':
      return import_converted<std::int64_t, std::int64_t>(
          in, [](std::int64_t v) { return scaled(v, 1000); });
    case 'm':
      return import_fixed(in, 1, 8, in.length);
    case 'u':
      return import_converted<std::int64_t, std::int64_t>(
          in, [](std::int64_t v) { return floored(v, 1000); });
    default:
      return import_converted<std::int64_t, std::int64_t>(
          in, [](std::int64_t v) { return floored(v, 1'000'000); });
  }
}

void import_validity(const Source& in, Column& out) {
  if (in.array.n_buffers == 0 || in.array.buffers[0] == nullptr || in.array.null_count == 0 ||
      in.length == 0) {
    return;
  }
  for (std::int64_t i = 0; i < in.length; ++i) {
    out.null_count += in.valid(i) ? 0 : 1;
  }
  if (out.null_count > 0) {
    out.validity = import_bits(in, 0);
  }
}

ColumnPtr import_column(const Source& in, const LogicalTypePtr& type) {
  if (in.schema.dictionary != nullptr) {
    return import_dictionary(in, type);
  }
  if (type->kind() == TypeKind::kNull) {
    ColumnBuilder nulls(type->with_nullable(true));
    for (std::int64_t i = 0; i < in.length; ++i) {
      nulls.append_null();
    }
    return nulls.finish();
  }
  auto out = std::make_shared<Column>();
  out->type = type;
  out->length = in.length;
  import_validity(in, *out);
  switch (type->kind()) {
    case TypeKind::kBoolean:
      out->values = import_bits(in, 1);
      break;
    case TypeKind::kString:
    case TypeKind::kBytes:
      import_text(in, *out);
      break;
    case TypeKind::kArray:
    case TypeKind::kMap:
      import_list(in, *out);
      break;
    case TypeKind::kRow:
      for (std::size_t i = 0; i < type->children().size(); ++i) {
        out->children.push_back(import_column(
            child_of(in, static_cast<std::int64_t>(i), in.offset, in.length), type->children()[i]));
      }
      break;
    default:
      out->values = import_values(in);
  }
  return out;
}

}  // namespace

void export_schema(const LogicalType& type, ArrowSchema* schema) {
  if (type.is_composite()) {
    fill_schema_of("", type, schema);
  } else {
    fill_schema("", "+s", false, 0, {{"f0", type.with_nullable(type.nullable())}}, schema);
  }
}

void export_batch(const Batch& batch, ArrowArray* array, ArrowSchema* schema) {
  export_schema(*batch.type(), schema);  // also refuses opaque values, before anything is exported
  Guard<ArrowSchema> guard(schema);
  fill_struct(batch.num_rows(), batch.columns(), array);
  guard.dismiss();
}

LogicalTypePtr import_schema(const ArrowSchema& schema) {
  if (std::string_view(schema.format) != "+s") {
    throw_error(ErrorKind::kInvalidArgument,
                "an Arrow record batch is expected (a struct), not an array of type '{}'",
                schema.format);
  }
  return row_of(schema, true);
}

BatchPtr import_batch(ArrowArray* array, ArrowSchema* schema) {
  const Guard<ArrowSchema> schema_guard(schema);
  // The array moves to where every column can keep it alive; release runs when the last one goes.
  auto* const moved = new ArrowArray(*array);
  array->release = nullptr;
  const std::shared_ptr<const ArrowArray> owner(moved, [](ArrowArray* a) {
    if (a->release != nullptr) {
      a->release(a);
    }
    delete a;
  });
  const LogicalTypePtr type = import_schema(*schema);
  if (moved->n_children != schema->n_children) {
    throw_error(ErrorKind::kInvalidArgument,
                "an Arrow batch of {} columns came with a schema of {}",
                moved->n_children,
                schema->n_children);
  }
  const Owner shared_owner = owner;
  const Source rows{*schema, *moved, moved->offset, moved->length, shared_owner};
  for (std::int64_t i = 0; moved->null_count != 0 && i < rows.length; ++i) {
    if (!rows.valid(i)) {
      throw_error(ErrorKind::kInvalidArgument,
                  "row {} of the Arrow batch is null; a stream of rows has no null rows",
                  i);
    }
  }
  std::vector<ColumnPtr> columns;
  for (std::int64_t i = 0; i < moved->n_children; ++i) {
    try {
      columns.push_back(import_column(child_of(rows, i, rows.offset, rows.length),
                                      type->children()[static_cast<std::size_t>(i)]));
    } catch (const Error& e) {
      throw_error(
          e.kind(), "column '{}': {}", type->field_names()[static_cast<std::size_t>(i)], e.what());
    }
  }
  return Batch::make(type, std::move(columns), moved->length);
}

}  // namespace flott
