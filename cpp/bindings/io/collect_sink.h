#pragma once

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

/// The bounded queue between a job's collect sink and the reader in the main program.
///
/// One lock, held only to move values; never taken while the GIL is wanted. The sink's task stops
/// taking input while the queue is full, and is woken when half of it has been read.
struct CollectState {
  explicit CollectState(std::size_t capacity_values) : capacity(capacity_values) {}

  const std::size_t capacity;
  std::mutex mutex;
  std::condition_variable filled;
  std::deque<Value> values;                          ///< guarded by mutex
  std::atomic<std::size_t> size{0};                  ///< of values: busy() asks for every record
  std::vector<std::function<void()>> writers_woken;  ///< guarded by mutex; wake busy sinks
  bool writer_waits = false;                         ///< guarded by mutex
  /// The sink takes no more: whoever waits for a value had better wait for the job's end. Guarded
  /// by mutex. A job that fails before its sink runs never sets it.
  bool closed = false;
  /// What the one reader has taken out; reader's thread only.
  std::deque<Value> taken;

  /// Moves what there is to `taken`, waiting at most `wait_ms` for a value or for `closed`, which
  /// it returns; call without the GIL.
  bool take(std::int64_t wait_ms);
};

std::unique_ptr<Operator> make_collect_sink(std::shared_ptr<CollectState> queue);

}  // namespace flott::bindings
