#pragma once

#include "state/rocksdb/options.h"

#include <rocksdb/cache.h>
#include <rocksdb/write_buffer_manager.h>

#include <atomic>
#include <cstdint>
#include <memory>

namespace flott::rocks {

/// What bounds the memory of all backends of a process that were given the same budget: one block
/// cache (blocks, indexes, filters) that also pays for the write buffers, and a share for decoded
/// entries. Thread-safe.
class SharedMemory {
 public:
  /// The present one of that budget, or a new one.
  static std::shared_ptr<SharedMemory> get(const RocksOptions& options);

  explicit SharedMemory(const RocksOptions& options);

  const std::shared_ptr<rocksdb::Cache>& cache() const { return cache_; }
  const std::shared_ptr<rocksdb::WriteBufferManager>& write_buffers() const {
    return write_buffers_;
  }
  /// Backends come and go: the share of each changes.
  void enter() { backends_.fetch_add(1, std::memory_order_relaxed); }
  void leave() { backends_.fetch_sub(1, std::memory_order_relaxed); }
  /// Bytes of decoded entries that one backend may hold.
  std::size_t entries_share() const;

 private:
  const std::uint64_t entries_bytes_;
  std::shared_ptr<rocksdb::Cache> cache_;
  std::shared_ptr<rocksdb::WriteBufferManager> write_buffers_;
  std::atomic<int> backends_{0};
};

}  // namespace flott::rocks
