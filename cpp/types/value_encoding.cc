// Self-describing bytes of a Value (Value::encode), used for state and checkpoints:
//
//   value     := 'N'                                      null
//              | 't' | 'f'                                boolean
//              | 'i' zigzag                               integer
//              | 'd' f64                                  double
//              | 'D' zigzag                               date, days
//              | 'T' zigzag                               time, microseconds
//              | 'S' zigzag nanos:varint                  timestamp, microseconds and 0..999 ns
//              | 'Z' zigzag nanos:varint                  instant, likewise
//              | 'M' zigzag | 'I' zigzag                  interval of months, of milliseconds
//              | 'c' scale:u8 low:u64 high:u64            decimal, two's complement
//              | 's' string | 'b' string                  text, bytes (length as varint)
//              | 'a' count:varint value{count}            array
//              | 'm' count:varint (value value){count}    map
//              | 'r' flags:u8 [type] count:varint value{count}
//                  row; flags: bits 0-1 RowKind, bit 2 a type follows (logical_type.cc), others 0
//              | 'o' string                               opaque value, by Host::serialize
//   zigzag    := varint of (v << 1) ^ (v >> 63)
//
// A batch row is written as a row. Tags are never reused; a reader refuses tags and flags it does
// not know, so that bytes of a newer version are an error and not a wrong value.

#include "types/value_encoding.h"

#include "base/bytes.h"
#include "base/error.h"
#include "base/varint.h"
#include "types/batch.h"
#include "types/decimal.h"

#include <algorithm>
#include <cstring>

namespace flott {

namespace {

constexpr int kMaxDepth = 1000;
// A damaged count must not reserve a multiple of the bytes there are at every level.
constexpr std::uint64_t kMaxReserve = 1024;

std::uint64_t zigzag(std::int64_t v) {
  return (static_cast<std::uint64_t>(v) << 1) ^ static_cast<std::uint64_t>(v >> 63);
}

std::int64_t unzigzag(std::uint64_t v) {
  return static_cast<std::int64_t>((v >> 1) ^ (~(v & 1) + 1));
}

char* put_tagged_int(char tag, std::int64_t v, char* out) {
  *out++ = tag;
  return put_varint(zigzag(v), out);
}

void encode_row(const Value& row, RowKind kind, const LogicalType* type, std::string& out) {
  BytesWriter w(out);
  w.u8(kRowTag);
  w.u8(static_cast<std::uint8_t>(static_cast<std::uint8_t>(kind) |
                                 (type != nullptr ? kRowTypeFlag : 0)));
  if (type != nullptr) {
    type->encode(out);
  }
  const std::size_t count = row.field_count();
  w.varint(count);
  for (std::size_t i = 0; i < count; ++i) {
    row.field(i).encode(out);
  }
}

std::uint32_t decode_nanos(BytesReader& in) {
  const std::uint64_t nanos = in.varint();
  if (nanos > 999) {
    throw_error(
        ErrorKind::kExternal, "stored bytes are damaged: a timestamp with {} nanoseconds", nanos);
  }
  return static_cast<std::uint32_t>(nanos);
}

Value decode_value(BytesReader& in, int depth) {
  if (depth > kMaxDepth) {
    throw Error(ErrorKind::kExternal, "stored bytes are damaged: a value is nested too deeply");
  }
  const std::uint8_t tag = in.u8();
  switch (tag) {
    case 'N':
      return {};
    case 't':
      return Value::boolean(true);
    case 'f':
      return Value::boolean(false);
    case 'i':
      return Value::integer(unzigzag(in.varint()));
    case 'd':
      return Value::real(in.f64());
    case 'D':
      return Value::date(static_cast<std::int32_t>(unzigzag(in.varint())));
    case 'T':
      return Value::time(unzigzag(in.varint()));
    case 'S': {
      const std::int64_t micros = unzigzag(in.varint());
      return Value::timestamp(micros, decode_nanos(in));
    }
    case 'Z': {
      const std::int64_t micros = unzigzag(in.varint());
      return Value::timestamp_ltz(micros, decode_nanos(in));
    }
    case 'M':
      return Value::interval_months(unzigzag(in.varint()));
    case 'I':
      return Value::interval_millis(unzigzag(in.varint()));
    case 'c': {
      const int scale = in.u8();
      const std::uint64_t low = in.u64();
      const std::uint64_t high = in.u64();
      const auto unscaled = static_cast<int128>(static_cast<unsigned __int128>(high) << 64 | low);
      if (scale > kMaxDecimalDigits || decimal_digits(unscaled) > kMaxDecimalDigits) {
        throw_error(ErrorKind::kExternal, "stored bytes are damaged: a decimal of scale {}", scale);
      }
      return Value::decimal(unscaled, scale);
    }
    case 's':
      return Value::string(std::string(in.string()));
    case 'b':
      return Value::bytes(std::string(in.string()));
    case 'a': {
      std::vector<Value> items;
      const std::uint64_t count = in.count();
      items.reserve(std::min<std::uint64_t>(count, kMaxReserve));
      for (std::uint64_t i = 0; i < count; ++i) {
        items.push_back(decode_value(in, depth + 1));
      }
      return Value::array(std::move(items));
    }
    case 'm': {
      std::vector<std::pair<Value, Value>> entries;
      const std::uint64_t count = in.count();
      for (std::uint64_t i = 0; i < count; ++i) {
        Value key = decode_value(in, depth + 1);
        Value value = decode_value(in, depth + 1);
        entries.emplace_back(std::move(key), std::move(value));
      }
      return Value::map(std::move(entries));
    }
    case kRowTag: {
      const std::uint8_t flags = in.u8();
      if ((flags & ~(kRowKindMask | kRowTypeFlag)) != 0) {
        throw_error(ErrorKind::kExternal,
                    "stored bytes are damaged, or written by a newer version: row flags {}",
                    flags);
      }
      LogicalTypePtr type = (flags & kRowTypeFlag) != 0 ? LogicalType::decode(in) : nullptr;
      const std::uint64_t count = in.count();
      if (type != nullptr && (!type->is_composite() || type->children().size() != count)) {
        throw_error(ErrorKind::kExternal,
                    "stored bytes are damaged: a row of {} fields with type {}",
                    count,
                    type->to_string());
      }
      std::vector<Value> fields;
      fields.reserve(std::min<std::uint64_t>(count, kMaxReserve));
      for (std::uint64_t i = 0; i < count; ++i) {
        fields.push_back(decode_value(in, depth + 1));
      }
      return Value::row(
          std::move(fields), std::move(type), static_cast<RowKind>(flags & kRowKindMask));
    }
    case 'o':
      return Value::adopt_object(require_host().deserialize(in.string()));
    default:
      throw_error(ErrorKind::kExternal,
                  "stored bytes are damaged, or written by a newer version: unknown value tag {}",
                  tag);
  }
}

bool skip(BytesReader& in, int depth) {
  if (depth > kMaxDepth) {
    throw Error(ErrorKind::kExternal, "stored bytes are damaged: a value is nested too deeply");
  }
  std::uint64_t children = 0;
  const std::uint8_t tag = in.u8();
  switch (tag) {
    case 'N':
    case 't':
    case 'f':
      return false;
    case 'i':
    case 'D':
    case 'T':
    case 'M':
    case 'I':
      in.varint();
      return false;
    case 'd':
      in.f64();
      return false;
    case 'S':
    case 'Z':
      in.varint();
      in.varint();
      return false;
    case 'c':
      in.take(1 + 2 * sizeof(std::uint64_t));
      return false;
    case 's':
    case 'b':
      in.string();
      return false;
    case 'o':
      in.string();
      return true;
    case 'a':
      children = in.count();
      break;
    case 'm':
      children = 2 * in.count();
      break;
    case kRowTag:
      if ((in.u8() & kRowTypeFlag) != 0) {
        LogicalType::decode(in);
      }
      children = in.count();
      break;
    default:
      throw_error(ErrorKind::kExternal,
                  "stored bytes are damaged, or written by a newer version: unknown value tag {}",
                  tag);
  }
  bool opaque = false;
  for (; children > 0; --children) {
    opaque = skip(in, depth + 1) || opaque;
  }
  return opaque;
}

}  // namespace

char* encode_scalar(const Value& value, char* out) {
  switch (value.kind()) {
    case ValueKind::kBool:
      *out++ = value.as_bool() ? 't' : 'f';
      return out;
    case ValueKind::kInt:
      return put_tagged_int('i', value.as_int(), out);
    case ValueKind::kDouble: {
      *out++ = 'd';
      const double v = value.as_double();
      std::memcpy(out, &v, sizeof v);
      return out + sizeof v;
    }
    case ValueKind::kDate:
      return put_tagged_int('D', value.as_int(), out);
    case ValueKind::kTime:
      return put_tagged_int('T', value.as_int(), out);
    case ValueKind::kTimestamp:
      return put_varint(value.aux(), put_tagged_int('S', value.as_int(), out));
    case ValueKind::kTimestampLtz:
      return put_varint(value.aux(), put_tagged_int('Z', value.as_int(), out));
    case ValueKind::kIntervalMonths:
      return put_tagged_int('M', value.as_int(), out);
    case ValueKind::kIntervalMillis:
      return put_tagged_int('I', value.as_int(), out);
    default:
      STREAM_DCHECK(value.is_null(), "not a scalar");
      *out++ = 'N';
      return out;
  }
}

void Value::encode(std::string& out) const {
  BytesWriter w(out);
  switch (kind_) {
    default: {
      char bytes[kMaxScalarBytes];
      out.append(bytes, encode_scalar(*this, bytes));
      return;
    }
    case ValueKind::kDecimal: {
      const DecimalNode& d = as_decimal();
      const auto bits = static_cast<unsigned __int128>(d.unscaled);
      w.u8('c');
      w.u8(static_cast<std::uint8_t>(d.scale));
      w.u64(static_cast<std::uint64_t>(bits));
      w.u64(static_cast<std::uint64_t>(bits >> 64));
      return;
    }
    case ValueKind::kString:
      w.u8('s');
      w.string(as_string());
      return;
    case ValueKind::kBytes:
      w.u8('b');
      w.string(as_string());
      return;
    case ValueKind::kRow:
      return encode_row(*this, as_row().kind, as_row().type.get(), out);
    case ValueKind::kBatchRow:
      return encode_row(*this, as_batch().kind_at(aux_), as_batch().type().get(), out);
    case ValueKind::kArray:
      w.u8('a');
      w.varint(as_array().size());
      for (const Value& item : as_array()) {
        item.encode(out);
      }
      return;
    case ValueKind::kMap:
      w.u8('m');
      w.varint(as_map().size());
      for (const auto& [key, value] : as_map()) {
        key.encode(out);
        value.encode(out);
      }
      return;
    case ValueKind::kObject: {
      // The host may append its own framing; the length in front keeps values skippable.
      std::string bytes;
      require_host().serialize(as_object(), bytes);
      w.u8('o');
      w.string(bytes);
      return;
    }
  }
}

Value Value::decode(BytesReader& in) {
  return decode_value(in, 0);
}

bool skip_value(BytesReader& in) {
  return skip(in, 0);
}

}  // namespace flott
