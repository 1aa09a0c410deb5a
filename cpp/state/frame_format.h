#pragma once

// Grammar of a frame: all keyed state of one key group, the same from every backend. Numbers
// little-endian; string, varint: base/bytes.h.
//
//   frame   := header  keys:varint key*
//   header  := version:u8 (1)  states:varint state*
//   state   := name:string  kind:u8 (StateKind)  flags:u8  value_type:string  [key_type:string, map
//   only]
//              flags: 1 = content carries access times (TTL); types: LogicalType::encode
//   key     := canonical bytes:string  value:string (Value::encode)  slots:varint slot*
//   slot    := state:varint (position above)  namespace (state/namespace_codec.h)  content:string
//   content := value, reducing, aggregating: [access:i64] value:Value
//              list: count:varint ([access:i64] element:Value)*
//              map: count:varint (key:Value [access:i64] value:Value)*
//
// The length before each content lets state that nobody declares again be carried on unread. A
// change of this grammar raises the version; older versions stay readable.

#include "base/bytes.h"
#include "state/state.h"

#include <string>
#include <string_view>
#include <vector>

namespace flott {

/// Name, kind and types of a state, as a frame's header (or a backend's own files) store them.
struct StoredState {
  std::string name;
  StateKind kind = StateKind::kValue;
  bool stamped = false;  ///< content carries access times
  LogicalTypePtr value_type;
  LogicalTypePtr key_type;  ///< map only, else null
};

/// Version of frames of keyed state and of timers.
inline constexpr std::uint8_t kFrameVersion = 1;
/// Reads it. Throws kExternal for one that this version of Flott does not know.
void check_frame_version(BytesReader& in);

void write_frame_header(const std::vector<StoredState>& states, BytesWriter& out);
/// Throws kExternal for damaged bytes and for a version it does not know.
std::vector<StoredState> read_frame_header(BytesReader& in);

std::string_view kind_name(StateKind kind);
/// "map state of STRING to BIGINT".
std::string describe_state(StateKind kind, const LogicalTypePtr& key, const LogicalTypePtr& value);

/// Null means "the object type" in descriptors.
const LogicalTypePtr& or_object(const LogicalTypePtr& type);
/// Equal, or both null.
bool same_type(const LogicalTypePtr& a, const LogicalTypePtr& b);
/// Whether values that were stored as `stored` may be read as `declared`: the same type, or one
/// with DOUBLE where `stored` says FLOAT, of which the same bytes are stored.
bool reads_as(const LogicalType& stored, const LogicalType& declared);

/// Throws kInvalidArgument unless a state of `kind` and types may take over what is stored.
void require_readable(const StoredState& stored,
                      StateKind kind,
                      const LogicalTypePtr& key_type,
                      const LogicalTypePtr& value_type);

/// Throws kInvalidArgument when a descriptor of another kind was asked for as `wanted` state.
void require_kind(const StateDescriptor& descriptor, bool fits, std::string_view wanted);

}  // namespace flott
