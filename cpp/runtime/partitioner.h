#pragma once

#include "runtime/operator.h"

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

namespace flott {

/// How records choose the downstream subtask, in Flink's terms.
enum class PartitionStrategy : std::uint8_t {
  kForward,    ///< subtask i to subtask i; the only one that may be chained
  kRebalance,  ///< round robin over all
  kRescale,    ///< round robin over the local share
  kShuffle,    ///< uniformly at random
  kGlobal,     ///< all to subtask 0
  kBroadcast,  ///< every record to every subtask
  kHash,       ///< by the key group of the record's key (downstream of key_by)
  kCustom,     ///< by a user's partitioner
};

/// Chooses the channel of each record of one upstream subtask. Called on the task's thread.
class CustomPartitioner {
 public:
  virtual ~CustomPartitioner() = default;
  /// Index of the downstream subtask in [0, num_partitions); anything else is a kUserCode error.
  virtual int partition(const Value& value, int num_partitions) = 0;
  virtual bool uses_host() const { return false; }
};

struct PartitionerSpec {
  PartitionStrategy strategy = PartitionStrategy::kForward;
  /// kCustom: makes the partitioner of one upstream subtask.
  std::function<std::unique_ptr<CustomPartitioner>()> make_custom;
};

/// "FORWARD", "HASH", ...: Flink's ship strategy names.
std::string_view ship_strategy_name(PartitionStrategy strategy);

}  // namespace flott
