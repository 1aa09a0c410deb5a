#pragma once

#include "checkpoint/snapshot.h"
#include "state/heap/segment.h"

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

namespace flott::heap {

/// The segments that together are the backend's state at its last snapshot: a base and deltas,
/// oldest first. Deltas that have become as large as the base are merged with it, many small ones
/// with each other, by a thread of the chain's own, which may be the one that finishes an open
/// segment; the state never has to be encoded as a whole again. Used by the task's thread.
class SegmentChain {
 public:
  SegmentChain() = default;
  ~SegmentChain() { clear(); }
  SegmentChain(const SegmentChain&) = delete;
  SegmentChain& operator=(const SegmentChain&) = delete;

  bool empty() const { return links_.empty(); }
  /// A base replaces all. `build` makes the segment, of about so many bytes, where its file is read
  /// first.
  void add(bool is_base, std::size_t size, std::function<std::string()> build);
  /// So large is what was added last, as far as is known now; unless it has been merged.
  void correct_last(std::size_t size);
  /// All of the chain as files, with what has been merged so far.
  std::vector<SnapshotFile> files();
  void clear();
  /// Waits for a merge that has begun.
  void settle();

 private:
  struct Merge {
    std::size_t first = 0;  ///< positions of what is merged: [first, first + count)
    std::size_t count = 0;
    std::vector<SnapshotFile> inputs;
    std::atomic<bool> stop{false};
    std::atomic<bool> done{false};
    std::string result;
    std::thread thread;
  };
  void start_merge();
  void take_merged();
  static void run(Merge& merge);

  std::vector<SnapshotFile> links_;
  std::unique_ptr<Merge> merge_;
};

}  // namespace flott::heap
