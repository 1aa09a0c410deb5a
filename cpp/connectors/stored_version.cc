#include "connectors/stored_version.h"

#include "base/error.h"

#include <fmt/ranges.h>

#include <algorithm>

namespace flott {

std::uint8_t read_stored_version(BytesReader& in,
                                 std::span<const std::uint8_t> known,
                                 std::string_view what) {
  const std::uint8_t version = in.u8();
  if (std::find(known.begin(), known.end(), version) == known.end()) {
    throw_error(ErrorKind::kInvalidArgument,
                "{} has the format version {}, and this version of Flott reads {}: restore the "
                "checkpoint with the version of Flott that wrote it",
                what,
                version,
                fmt::join(known, " and "));
  }
  return version;
}

BytesReader position_reader(const SourceSplit& split, std::uint8_t known) {
  BytesReader reader(split.position);
  check_stored_version(reader, known, fmt::format("the position of split '{}'", split.id));
  return reader;
}

}  // namespace flott
