#pragma once

#include "connectors/kafka/options.h"
#include "connectors/source.h"

#include <cstdint>
#include <string>

namespace flott::kafka {

/// Where a partition is read. Bytes: version u8 = 1, topic string, partition u32, next i64, stop
/// i64, finished u8 (base/bytes.h). `next` may be RD_KAFKA_OFFSET_BEGINNING until the first record
/// was read.
struct SplitPosition {
  TopicPartition partition;
  std::int64_t next = -2;
  std::int64_t stop = -1;  ///< first offset not to read; -1: never stops
  bool finished = false;

  SourceSplit encode() const;
  static SplitPosition decode(const SourceSplit& split);
};

}  // namespace flott::kafka
