#pragma once

#include "base/time.h"

#include <cstdint>
#include <mutex>
#include <set>
#include <string>
#include <vector>

namespace flott {

/// What a producer of watermarks says about itself: one subtask of a source, or of an operator
/// behind assign_timestamps_and_watermarks().
struct WatermarkOrigin {
  struct Split {
    std::string id;
    Timestamp watermark = kMinWatermark;
    bool idle = false;
    bool has_records = false;              ///< any so far
    Timestamp quiet_since = kNoTimestamp;  ///< clock time; kNoTimestamp: records come
  };

  std::string name;
  int subtask = 0;
  int parallelism = 1;
  bool has_strategy = true;  ///< false: a source without a watermark strategy
  bool idle = false;
  Timestamp watermark = kMinWatermark;
  std::int64_t records = 0;              ///< batches of them, for a source
  Timestamp quiet_since = kNoTimestamp;  ///< as of a split
  std::vector<Split> splits;             ///< of a source: those that are not read to their end
};

/// Since when something that counts up has stood still, as far as it was asked now and then.
class QuietTimer {
 public:
  /// kNoTimestamp when `count` has risen since the last call, or this is the first one.
  Timestamp quiet_since(std::int64_t count, Timestamp now) {
    if (count != count_) {
      count_ = count;
      risen_seen_at_ = now;
      return kNoTimestamp;
    }
    return risen_seen_at_;
  }

 private:
  std::int64_t count_ = -1;
  Timestamp risen_seen_at_ = kNoTimestamp;
};

/// Where the tasks of a job tell each other, every few seconds, who makes the watermarks: a task in
/// which nothing fires looks up whom it waits for. Thread-safe; one small lock.
class EventTimeBoard {
 public:
  /// `upstream`: for each task, those that its channels come from.
  explicit EventTimeBoard(std::vector<std::vector<int>> upstream);

  /// Replaces what `task` said before; none: it only passes on what comes to it.
  void publish(int task, std::vector<WatermarkOrigin> origins);
  /// The task has ended and holds nobody back.
  void end(int task);
  /// True the first time: what all subtasks would say is said by one of them.
  bool claim(const std::string& what);
  /// The nearest origins in front of `task`.
  std::vector<WatermarkOrigin> upstream_of(int task) const;

 private:
  struct Entry {
    std::vector<WatermarkOrigin> origins;
    bool ended = false;
  };

  const std::vector<std::vector<int>> upstream_;
  mutable std::mutex mutex_;
  std::vector<Entry> entries_;  ///< by task
  std::set<std::string> claimed_;
};

}  // namespace flott
