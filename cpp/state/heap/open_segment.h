#pragma once

#include "state/heap/changes.h"
#include "state/heap/segment.h"

#include <atomic>
#include <cstddef>
#include <exception>
#include <functional>
#include <mutex>
#include <string>
#include <vector>

namespace flott::heap {

/// A segment whose keys are stored while the task goes on: copy on write. The thread that wants its
/// bytes (who writes the checkpoint, a merge of the chain, or the task when all must be there)
/// stores one key after the other; the task stores a key itself before it changes it. Where host
/// objects are in the state the task stores all before anyone else has the segment: nobody may need
/// the host's lock for its bytes (checkpoint/deferred.h).
class OpenSegment {
 public:
  /// Appends the entry's record.
  using Store = std::function<void(KeyEntry& entry, SegmentBuilder& segment)>;

  OpenSegment(SegmentBuilder segment, std::vector<Changed> keys, Store store)
      : segment_(std::move(segment)), keys_(std::move(keys)), store_(std::move(store)) {}

  /// By the task, before the key at this position changes or goes.
  void store(std::size_t position);
  /// Stores up to `most` of the keys that are left; false when none is.
  bool store_some(std::size_t most);
  /// Stores all that are left. Any thread, also several; `store` is not called afterwards.
  void finish();
  /// Throws what was wrong with a key that was to be stored.
  void check() const;
  /// All keys are stored, and nothing was wrong.
  bool complete() const;
  /// Of a record on average, judged by those that are stored.
  std::size_t record_bytes() const;
  /// How many bytes build() gives; as long as keys are left, judged by those that are stored.
  std::size_t expected_bytes() const;
  /// finish(), check(), and the segment's bytes. Once: nothing is kept of them.
  std::string build();

 private:
  void store_next(std::size_t most);
  std::size_t typical_record() const;  ///< its bytes; with the lock

  mutable std::mutex mutex_;
  std::atomic<bool> task_waits_{false};
  SegmentBuilder segment_;
  std::vector<Changed> keys_;  ///< without entry: stored
  std::size_t next_ = 0;       ///< all before are stored
  Store store_;
  std::exception_ptr error_;
  std::size_t built_bytes_ = 0;  ///< not 0: build() has been called
};

}  // namespace flott::heap
