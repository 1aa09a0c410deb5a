#pragma once

#include "base/bytes.h"
#include "connectors/source.h"

#include <cstdint>
#include <span>
#include <string_view>

namespace flott {

/// Reads the format version that a connector's stored bytes begin with: one of `known`. Throws
/// kInvalidArgument for another, which no restart strategy tries again.
///
/// @param what  what is stored, for the message
std::uint8_t read_stored_version(BytesReader& in,
                                 std::span<const std::uint8_t> known,
                                 std::string_view what);

inline void check_stored_version(BytesReader& in, std::uint8_t known, std::string_view what) {
  read_stored_version(in, {&known, 1}, what);
}

/// A reader of a split's position behind its version, which is checked likewise.
BytesReader position_reader(const SourceSplit& split, std::uint8_t known);

}  // namespace flott
