#pragma once

#include "connectors/kafka/client.h"
#include "connectors/kafka/options.h"

#include <functional>
#include <map>
#include <vector>

namespace flott::kafka {

/// Asks the brokers for partitions and offsets, with retries as StartPatience says. Blocks, at most
/// two seconds before it looks at `cancelled` again; used by the coordinator's thread. Throws
/// kExternal naming topic, brokers and setting. What a cancelled call returns is incomplete.
class OffsetLookup {
 public:
  using Cancelled = std::function<bool()>;
  using Offsets = std::map<TopicPartition, std::int64_t>;

  explicit OffsetLookup(const SourceOptions& options);

  /// The partitions the options select, in order. Empty when cancelled.
  std::vector<TopicPartition> partitions(const Cancelled& cancelled);
  /// Offsets at `timestamp_ms`, or RD_KAFKA_OFFSET_END (-1) for the current end,
  /// RD_KAFKA_OFFSET_BEGINNING (-2) for the start; these have an entry for every partition. One
  /// without a record at or after the time has no entry.
  Offsets offsets_at(const std::vector<TopicPartition>& partitions,
                     std::int64_t timestamp_ms,
                     const Cancelled& cancelled);
  /// The group's committed offsets; a partition without has no entry.
  Offsets committed(const std::vector<TopicPartition>& partitions, const Cancelled& cancelled);

 private:
  template <typename Attempt>
  bool retry(std::string_view what, const Cancelled& cancelled, const Attempt& attempt);

  const SourceOptions& options_;
  int patience_ms_;  ///< what one request may take: learned from how slow the brokers are
  StartErrors errors_;
  Client client_;
};

}  // namespace flott::kafka
