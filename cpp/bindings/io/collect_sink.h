#pragma once

#include "checkpoint/snapshot.h"
#include "runtime/operator.h"
#include "types/value.h"

#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <vector>

namespace flott::bindings {

/// When the reader gets to see what the sink collected.
enum class CollectDelivery {
  kAtOnce,              ///< the job fails once and for all, or is run in steps
  kAtOnceAndNotAgain,   ///< a restart begins anew: refused once the reader has had anything
  kWithTheCheckpoints,  ///< what a checkpoint holds is not collected again; the rest at the end
};

/// The bounded queue between a job's collect sink and the reader in the main program; it outlives
/// the attempts of the job.
///
/// One lock, held only to move values; never taken while the GIL is wanted. The sink's task stops
/// taking input while the queue is full, and is woken when half of it has been read. Values that
/// wait for their checkpoint are not counted.
struct CollectState {
  explicit CollectState(std::size_t capacity_values) : capacity(capacity_values) {}

  const std::size_t capacity;
  CollectDelivery delivery = CollectDelivery::kAtOnce;  ///< set before the job starts
  std::mutex mutex;
  std::condition_variable filled;
  std::deque<Value> values;                          ///< guarded by mutex
  std::atomic<std::size_t> size{0};                  ///< of values: busy() asks for every record
  std::vector<std::function<void()>> writers_woken;  ///< guarded by mutex; wake busy sinks
  bool writer_waits = false;                         ///< guarded by mutex
  /// The sink takes no more: whoever waits for a value had better wait for the job's end, or for
  /// its next attempt. Guarded by mutex. A job that fails before its sink runs never sets it.
  bool closed = false;
  /// What waits for the checkpoint with the number, or a later one; guarded by mutex.
  struct Epoch {
    CheckpointId until = 0;
    std::vector<Value> values;
  };
  std::deque<Epoch> epochs;
  CheckpointId released = -1;  ///< the newest of those whose values the reader may have
  std::int64_t given_out = 0;  ///< guarded by mutex
  /// What the one reader has taken out; reader's thread only.
  std::deque<Value> taken;

  /// Moves what there is to `taken`, waiting at most `wait_ms` for a value or for `closed`, which
  /// it returns; call without the GIL.
  bool take(std::int64_t wait_ms);
  /// The job has finished: everything is for the reader.
  void release_all();
  /// With the lock held: what waits for checkpoint `id` or an earlier one is for the reader.
  void release(CheckpointId id);
};

std::unique_ptr<Operator> make_collect_sink(std::shared_ptr<CollectState> queue);

}  // namespace flott::bindings
