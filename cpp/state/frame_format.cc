#include "state/frame_format.h"

#include "base/error.h"

#include <algorithm>
#include <utility>

namespace flott {
namespace {

constexpr std::uint8_t kStamped = 1;

std::string encoded(const LogicalType& type) {
  std::string out;
  type.encode(out);
  return out;
}

LogicalTypePtr decoded(std::string_view bytes) {
  BytesReader in(bytes);
  return LogicalType::decode(in);
}

}  // namespace

std::string_view kind_name(StateKind kind) {
  switch (kind) {
    case StateKind::kValue:
      return "value";
    case StateKind::kList:
      return "list";
    case StateKind::kMap:
      return "map";
    case StateKind::kReducing:
      return "reducing";
    case StateKind::kAggregating:
      return "aggregating";
  }
  return "unknown";
}

const LogicalTypePtr& or_object(const LogicalTypePtr& type) {
  return type != nullptr ? type : LogicalType::object();
}

std::string describe_state(StateKind kind, const LogicalTypePtr& key, const LogicalTypePtr& value) {
  return key != nullptr
             ? fmt::format(
                   "{} state of {} to {}", kind_name(kind), key->to_string(), value->to_string())
             : fmt::format("{} state of {}", kind_name(kind), value->to_string());
}

bool same_type(const LogicalTypePtr& a, const LogicalTypePtr& b) {
  return a == nullptr || b == nullptr ? a == b : *a == *b;
}

bool reads_as(const LogicalType& stored, const LogicalType& declared) {
  if (stored == declared) {
    return true;
  }
  if (stored.nullable() != declared.nullable()) {
    return false;
  }
  if (stored.kind() == TypeKind::kFloat) {
    return declared.kind() == TypeKind::kDouble;
  }
  const std::vector<LogicalTypePtr>& parts = stored.children();
  return !parts.empty() && stored.kind() == declared.kind() &&
         stored.field_names() == declared.field_names() &&
         std::equal(parts.begin(),
                    parts.end(),
                    declared.children().begin(),
                    declared.children().end(),
                    [](const auto& a, const auto& b) { return reads_as(*a, *b); });
}

void require_readable(const StoredState& stored,
                      StateKind kind,
                      const LogicalTypePtr& key_type,
                      const LogicalTypePtr& value_type) {
  if (stored.kind == kind && reads_as(*stored.value_type, *value_type) &&
      same_type(stored.key_type, key_type)) {
    return;
  }
  throw_error(ErrorKind::kInvalidArgument,
              "state '{}' is declared as {}, but the checkpoint holds it as {}; declare it as it "
              "was stored, or give the new state another name",
              stored.name,
              describe_state(kind, key_type, value_type),
              describe_state(stored.kind, stored.key_type, stored.value_type));
}

void require_kind(const StateDescriptor& descriptor, bool fits, std::string_view wanted) {
  if (!fits) {
    throw_error(ErrorKind::kInvalidArgument,
                "state '{}' is declared as {} state, but asked for as {} state",
                descriptor.name,
                kind_name(descriptor.kind),
                wanted);
  }
}

void write_frame_header(const std::vector<StoredState>& states, BytesWriter& out) {
  out.u8(kFrameVersion);
  out.varint(states.size());
  for (const StoredState& state : states) {
    out.string(state.name);
    out.u8(static_cast<std::uint8_t>(state.kind));
    out.u8(state.stamped ? kStamped : 0);
    out.string(encoded(*state.value_type));
    if (state.kind == StateKind::kMap) {
      out.string(encoded(*state.key_type));
    }
  }
}

void check_frame_version(BytesReader& in) {
  const std::uint8_t version = in.u8();
  if (version != kFrameVersion) {
    throw_error(ErrorKind::kExternal,
                "its format version is {}, and this version of Flott reads {} (was it written by a "
                "newer one?)",
                version,
                kFrameVersion);
  }
}

std::vector<StoredState> read_frame_header(BytesReader& in) {
  check_frame_version(in);
  std::vector<StoredState> states;
  for (std::uint64_t left = in.varint(); left > 0; --left) {
    StoredState& state = states.emplace_back();
    state.name = std::string(in.string());
    state.kind = static_cast<StateKind>(in.u8());
    state.stamped = (in.u8() & kStamped) != 0;
    state.value_type = decoded(in.string());
    if (state.kind == StateKind::kMap) {
      state.key_type = decoded(in.string());
    }
  }
  return states;
}

}  // namespace flott
