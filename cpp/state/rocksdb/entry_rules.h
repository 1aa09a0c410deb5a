#pragma once

#include "base/clock.h"
#include "state/state.h"

#include <rocksdb/compaction_filter.h>
#include <rocksdb/merge_operator.h>
#include <rocksdb/slice_transform.h>

#include <atomic>
#include <cstdint>
#include <memory>

namespace flott::rocks {

/// What the database's threads know of one state. Thread-safe: set by the task's thread while
/// compactions run.
struct ColumnRules {
  const StateKind kind;
  const Clock* const clock;             ///< may be null
  const Timestamp birth;                ///< access time of entries without one
  std::atomic<std::int64_t> ttl_ms{0};  ///< 0: nothing expires
  /// Entries between two looks at the clock.
  std::atomic<std::int64_t> refresh_after{1000};
};

/// Appends the elements of list operands.
std::shared_ptr<rocksdb::MergeOperator> make_list_merge();
/// Drops what has expired; list elements one by one.
std::shared_ptr<rocksdb::CompactionFilterFactory> make_expiry_filter(
    std::shared_ptr<const ColumnRules> rules);
/// The slot key of a map's entries, for filters that know which files have any.
std::shared_ptr<const rocksdb::SliceTransform> make_slot_prefix();
/// Write buffers remember the place of the last insertion for all entries; the next one of a batch
/// in the order of its keys begins there. Not for columns in which ranges between slot keys are
/// deleted: RocksDB (7.8) would use the place among entries for the deletion, which it keeps
/// elsewhere.
std::shared_ptr<const rocksdb::SliceTransform> make_insertion_hint();

}  // namespace flott::rocks
