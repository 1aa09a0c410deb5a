#pragma once

#include "checkpoint/snapshot.h"

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

namespace flott {

/// What one keyed state of a job holds, over all subtasks.
struct StateSize {
  std::string uid;  ///< of its operator
  std::string operator_name;
  std::string state;
  std::int64_t entries = 0;
  std::int64_t bytes = 0;
};

/// When growth is pointed out: in each of so many checkpoints in a row, and by so much in all.
///
/// A state that fills up to its working size - the keys of an hour, the users of a day - grows,
/// too. So only what is large enough to matter in the end is told, and one checkpoint without
/// growth, which every state has that is cleaned up, begins the count anew. RocksDB's numbers are
/// estimates that count what is overwritten until it is compacted: at most about a tenth of the
/// whole, so the growth must be more than that.
struct StateGrowthLimits {
  int checkpoints = 10;
  std::int64_t entries = 100'000;
  std::int64_t bytes = 64 << 20;
  std::int64_t percent = 25;  ///< of what it was at first
};

/// Looks at the sizes of states that nothing removes by itself (no TTL), checkpoint after
/// checkpoint, and says once of each that it seems to grow without end. A plain calculation, used
/// by the job's coordinator thread.
class StateGrowthWatch {
 public:
  explicit StateGrowthWatch(StateGrowthLimits limits = {}) : limits_(limits) {}

  /// A checkpoint is complete; returns the warnings that are due now. The first one says what a
  /// state had when the job began.
  std::vector<std::string> observe(CheckpointId id, const std::vector<StateSize>& sizes);

 private:
  struct Seen {
    CheckpointId first_id = 0;
    StateSize first;
    StateSize last;
    int entries_grown = 0;  ///< in so many checkpoints in a row
    int bytes_grown = 0;
    bool told = false;
  };
  bool grows(std::int64_t first, std::int64_t now, std::int64_t limit, int checkpoints) const;

  const StateGrowthLimits limits_;
  std::map<std::pair<std::string, std::string>, Seen> seen_;  ///< by uid and state
};

}  // namespace flott
