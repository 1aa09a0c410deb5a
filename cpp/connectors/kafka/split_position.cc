#include "connectors/kafka/split_position.h"

#include "base/bytes.h"
#include "connectors/stored_version.h"

namespace flott::kafka {
namespace {
constexpr std::uint8_t kVersion = 1;
}  // namespace

SourceSplit SplitPosition::encode() const {
  std::string bytes;
  BytesWriter writer(bytes);
  writer.u8(kVersion);
  writer.string(partition.topic);
  writer.u32(static_cast<std::uint32_t>(partition.partition));
  writer.i64(next);
  writer.i64(stop);
  writer.u8(finished ? 1 : 0);
  return {to_string(partition), std::move(bytes)};
}

SplitPosition SplitPosition::decode(const SourceSplit& split) {
  BytesReader reader = position_reader(split, kVersion);
  SplitPosition out;
  out.partition.topic = reader.string();
  out.partition.partition = static_cast<std::int32_t>(reader.u32());
  out.next = reader.i64();
  out.stop = reader.i64();
  out.finished = reader.u8() != 0;
  return out;
}

}  // namespace flott::kafka
