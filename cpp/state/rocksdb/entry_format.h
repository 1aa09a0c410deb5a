#pragma once

// Bytes in the database: one column family a state.
//
//   slot key  := group:u16 (big-endian)  canonical key bytes:string  namespace
//                (state/namespace_codec.h)
//   key       := slot key  [canonical bytes of the map key, map only]
//   value     := header  content
//   header    := n:varint (key value's size * 2 + stamped)  key value
//                key value: Value::encode of the key, empty when its canonical bytes say it all
//   content   := value, reducing, aggregating: [access:i64, when stamped]  value:Value
//                list: element*   element := n:varint (size * 2 + stamped) [access:i64] Value
//                map: [access:i64, when stamped]  sequence:varint  key:string (Value::encode, or
//                empty when the canonical bytes say it all)  value:Value
//
// A slot key is no prefix of another one, so what begins with it is one map. `access` is there as
// the state's TTL was when the entry was written: TTL may be switched on and off over restores.
// Lists grow by merge operands, which look like values. `sequence` keeps a map's insertion order.

#include "base/bytes.h"
#include "state/namespace_codec.h"
#include "types/key.h"
#include "types/value.h"

#include <string>
#include <string_view>

namespace flott::rocks {

inline void append_group(KeyGroup group, std::string& out) {
  out.push_back(static_cast<char>(group >> 8));
  out.push_back(static_cast<char>(group & 0xff));
}

/// What all slot keys of a key begin with.
inline void append_key_prefix(KeyGroup group, std::string_view key, std::string& out) {
  append_group(group, out);
  BytesWriter(out).string(key);
}

/// The parts of a key; views into it.
struct ParsedKey {
  KeyGroup group = 0;
  std::string_view prefix;  ///< group and key
  std::string_view key;     ///< canonical bytes
  std::string_view slot;    ///< group, key and namespace
  std::string_view map_key;
  Window window;
};

inline ParsedKey parse_key(std::string_view bytes) {
  ParsedKey out;
  BytesReader in(bytes);
  const auto high = static_cast<KeyGroup>(in.u8());
  out.group = high << 8 | static_cast<KeyGroup>(in.u8());
  out.key = in.string();
  out.prefix = bytes.substr(0, bytes.size() - in.remaining());
  out.window = decode_namespace(in);
  out.slot = bytes.substr(0, bytes.size() - in.remaining());
  out.map_key = in.take(in.remaining());
  return out;
}

/// Size of the slot key that `bytes` begin with; 0 when they begin with none. Never throws: called
/// by the database.
inline std::size_t slot_key_size(std::string_view bytes) noexcept {
  std::size_t at = 2;
  const auto read_length = [&](std::size_t* length) {
    *length = 0;
    for (int shift = 0; shift < 64 && at < bytes.size(); shift += 7) {
      const auto b = static_cast<unsigned char>(bytes[at++]);
      *length |= static_cast<std::size_t>(b & 0x7f) << shift;
      if ((b & 0x80) == 0) {
        return *length <= bytes.size() - at;
      }
    }
    return false;
  };
  std::size_t length = 0;
  if (bytes.size() < 2 || !read_length(&length)) {
    return 0;
  }
  at += length;
  if (at >= bytes.size()) {
    return 0;
  }
  const auto tag = static_cast<unsigned char>(bytes[at++]);
  if (tag != 0) {
    at += 16;
  }
  if (tag == 2) {
    if (at > bytes.size() || !read_length(&length)) {
      return 0;
    }
    at += length;
  }
  return at <= bytes.size() ? at : 0;
}

struct EntryHeader {
  bool stamped = false;
  std::string_view key_value;
};

inline void write_header(std::string_view key_value, bool stamped, std::string& out) {
  BytesWriter writer(out);
  writer.varint(key_value.size() * 2 + (stamped ? 1 : 0));
  writer.raw(key_value.data(), key_value.size());
}

inline EntryHeader read_header(BytesReader& in) {
  const std::uint64_t n = in.varint();
  return {(n & 1) != 0, in.take(n / 2)};
}

/// An element of a list.
struct StoredElement {
  bool stamped = false;
  Timestamp access = 0;
  std::string_view value;
};

inline void write_element(bool stamped,
                          Timestamp access,
                          std::string_view value,
                          std::string& out) {
  BytesWriter writer(out);
  writer.varint(value.size() * 2 + (stamped ? 1 : 0));
  if (stamped) {
    writer.i64(access);
  }
  writer.raw(value.data(), value.size());
}

inline StoredElement read_element(BytesReader& in) {
  StoredElement out;
  const std::uint64_t n = in.varint();
  out.stamped = (n & 1) != 0;
  out.access = out.stamped ? in.i64() : 0;
  out.value = in.take(n / 2);
  return out;
}

/// Whether a key's canonical bytes are enough to have its value again (types/key.h: key_value).
inline bool bytes_say_it_all(std::string_view bytes, const Value& value) {
  const char tag = bytes.empty() ? '\0' : bytes[0];
  switch (value.kind()) {
    case ValueKind::kNull:
      return tag == 'N';
    case ValueKind::kInt:
      return tag == 'I';
    case ValueKind::kString:
      return tag == 'S';
    default:
      return false;
  }
}

/// Likewise of the value as Value::encode writes it: its tag says the kind.
inline bool bytes_say_it_all_of(std::string_view bytes, std::string_view encoded) {
  const char tag = bytes.empty() ? '\0' : bytes[0];
  switch (encoded.empty() ? '\0' : encoded[0]) {
    case 'N':
      return tag == 'N';
    case 'i':
      return tag == 'I';
    case 's':
      return tag == 'S';
    default:
      return false;
  }
}

/// The value of a key out of its canonical bytes and of what is stored beside them.
inline Value stored_key_value(std::string_view bytes, std::string_view key_value_bytes) {
  if (key_value_bytes.empty()) {
    return key_value({bytes, 0, nullptr});
  }
  BytesReader in(key_value_bytes);
  return Value::decode(in);
}

}  // namespace flott::rocks
