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
  static constexpr std::int64_t kNoStop = -1;
  /// Not looked up yet (KafkaSource::resolve_positions()); never in a checkpoint.
  static constexpr std::int64_t kOpen = RD_KAFKA_OFFSET_INVALID;

  TopicPartition partition;
  std::int64_t next = -2;
  std::int64_t stop = kNoStop;  ///< first offset not to read
  bool finished = false;

  SourceSplit encode() const;
  static SplitPosition decode(const SourceSplit& split);
};

}  // namespace flott::kafka
