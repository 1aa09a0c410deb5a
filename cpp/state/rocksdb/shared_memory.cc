#include "state/rocksdb/shared_memory.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <mutex>
#include <tuple>

namespace flott::rocks {
namespace {

/// Share of the budget for decoded entries (state/rocksdb/slot_cache.h); the rest is RocksDB's. An
/// entry takes less room there than the block that it is read from.
constexpr double kEntriesPart = 0.6;
constexpr std::uint64_t kUnmanagedEntries = 32ULL << 20;
constexpr std::size_t kLeastShare = 16 << 10;
/// Index and filter blocks of a table have some MB: parts of the cache in which they have no room
/// beside others would read them again and again. There are few threads to keep apart.
constexpr double kCachePartBytes = 64 << 20;

int shard_bits(double cache_bytes) {
  int bits = 0;
  while (bits < 6 && cache_bytes / std::pow(2, bits + 1) >= kCachePartBytes) {
    ++bits;
  }
  return bits;
}

}  // namespace

SharedMemory::SharedMemory(const RocksOptions& options)
    : entries_bytes_(options.memory_bytes == 0
                         ? kUnmanagedEntries
                         : static_cast<std::uint64_t>(static_cast<double>(options.memory_bytes) *
                                                      kEntriesPart)) {
  if (options.memory_bytes == 0) {
    return;
  }
  const auto bytes = static_cast<double>(options.memory_bytes - entries_bytes_);
  // Write buffers are charged to the cache. A buffer that is being flushed still counts and the
  // manager lets usage overshoot by half, so that the cache is made smaller by half of their share
  // and their limit is two thirds of it (as in Flink's managed memory).
  const double cache = (3 - options.write_buffer_ratio) * bytes / 3;
  const double buffers = 2 * bytes * options.write_buffer_ratio / 3;
  cache_ = rocksdb::NewLRUCache(
      static_cast<std::size_t>(cache), shard_bits(cache), false, options.high_priority_ratio);
  write_buffers_ =
      std::make_shared<rocksdb::WriteBufferManager>(static_cast<std::size_t>(buffers), cache_);
}

std::shared_ptr<SharedMemory> SharedMemory::get(const RocksOptions& options) {
  using Budget = std::tuple<std::uint64_t, double, double>;
  static std::mutex mutex;
  static auto* const known = new std::map<Budget, std::weak_ptr<SharedMemory>>();
  const std::lock_guard lock(mutex);
  std::weak_ptr<SharedMemory>& slot =
      (*known)[{options.memory_bytes, options.write_buffer_ratio, options.high_priority_ratio}];
  std::shared_ptr<SharedMemory> memory = slot.lock();
  if (memory == nullptr) {
    memory = std::make_shared<SharedMemory>(options);
    slot = memory;
  }
  return memory;
}

std::size_t SharedMemory::entries_share() const {
  const int backends = std::max(1, backends_.load(std::memory_order_relaxed));
  const auto share = static_cast<std::size_t>(entries_bytes_) / static_cast<std::size_t>(backends);
  return std::max(share, kLeastShare);
}

}  // namespace flott::rocks
