#pragma once

#include "state/rocksdb/entry_rules.h"
#include "state/rocksdb/options.h"
#include "state/rocksdb/shared_memory.h"
#include "state/rocksdb/table_writer.h"

#include <rocksdb/db.h>
#include <rocksdb/write_batch.h>

#include <functional>
#include <future>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace flott::rocks {

inline std::string_view view(const rocksdb::Slice& slice) {
  return {slice.data(), slice.size()};
}
inline rocksdb::Slice slice(std::string_view text) {
  return {text.data(), text.size()};
}

/// The one place where RocksDB's codes become Errors: throws unless `status` is ok. `what` says
/// what was done ("read", "written").
void check_rocksdb(const rocksdb::Status& status, std::string_view what, const std::string& path);

/// An open RocksDB with a column family a state. No write-ahead log: what is not in a checkpoint is
/// done again.
class Database {
 public:
  using RulesOf = std::function<std::shared_ptr<const ColumnRules>(const std::string& state)>;

  /// Opens or creates the database in folder `path`, with the states that are in it; `rules_of`
  /// gives the rules of each.
  Database(std::string path,
           const RocksOptions& options,
           std::shared_ptr<SharedMemory> memory,
           const RulesOf& rules_of,
           bool read_only = false);
  ~Database();
  Database(const Database&) = delete;
  Database& operator=(const Database&) = delete;

  rocksdb::DB& db() {
    settle();
    return *db_;
  }
  const std::string& path() const { return path_; }
  /// The column family of a state; null when there is none.
  rocksdb::ColumnFamilyHandle* column(const std::string& state) const;
  rocksdb::ColumnFamilyHandle* create_column(const std::string& state,
                                             std::shared_ptr<const ColumnRules> rules);

  /// False when there is nothing; of a column that no table is written of. Blocks that are in
  /// memory are read at once, unless few are; the host's lock is given up while the disk is read.
  bool get(rocksdb::ColumnFamilyHandle* column,
           std::string_view key,
           rocksdb::PinnableSlice* value) {
    settle_batches();
    return get_settled(column, key, value);
  }
  /// Likewise of a key that is not being written (write_behind()).
  bool get_settled(rocksdb::ColumnFamilyHandle* column,
                   std::string_view key,
                   rocksdb::PinnableSlice* value);
  /// Likewise of many keys in order, which share what can be shared; without the host's lock. Does
  /// not see what is being written. Where the values are large, not all are read: those whose
  /// status IsAborted().
  void get_sorted(rocksdb::ColumnFamilyHandle* column,
                  const std::vector<rocksdb::Slice>& keys,
                  std::vector<rocksdb::PinnableSlice>& values,
                  std::vector<rocksdb::Status>& statuses);
  /// Writes and empties the batch, without the host's lock.
  void write(rocksdb::WriteBatch& batch);
  /// Likewise, by another thread, when the one before has been written. What fails is thrown by
  /// every call that waits from then on: no checkpoint is made without it.
  void write_behind(rocksdb::WriteBatch& batch);
  /// Likewise to a table, after which the batch comes in key order.
  void write_behind(std::shared_ptr<TableWriter> table, rocksdb::WriteBatch& batch);
  /// Nothing comes any more: the table becomes a part of the database.
  void finish_behind(std::shared_ptr<TableWriter> table);
  std::shared_ptr<TableWriter> new_table(rocksdb::ColumnFamilyHandle* column,
                                         std::string path,
                                         std::shared_ptr<const void> in);
  /// What was to be written is lost: from now on as if writing it had failed.
  void mark_incomplete();
  bool is_writing() const;
  /// Whether what was written last went to a table, so that settle() would show nothing.
  bool is_writing_table() const { return behind_.valid() && !behind_is_visible_; }
  /// Waits until everything is written. Whoever reads sees it then.
  void settle() {
    if (behind_.valid() || !lost_.ok()) {
      wait_for_write();
    }
  }
  /// Likewise, but tables that are being written may not be seen.
  void settle_batches() {
    if (!is_writing_table()) {
      settle();
    }
  }
  /// All state of a column in order; `whole_table`: a pass that leaves the cache as it is.
  std::unique_ptr<rocksdb::Iterator> iterate(rocksdb::ColumnFamilyHandle* column,
                                             bool whole_table = true);
  /// Entries that begin with a slot key, of a map's column; the caller stops at the first other.
  std::unique_ptr<rocksdb::Iterator> iterate_slot(rocksdb::ColumnFamilyHandle* column);
  /// One of RocksDB's numbers of a column (rocksdb::DB::Properties); 0 when it has none.
  std::int64_t estimate(rocksdb::ColumnFamilyHandle* column, const std::string& property) const;
  /// Makes the folder `target` with a copy of everything (links).
  void checkpoint(const std::string& target);

 private:
  void run_behind(std::function<rocksdb::Status()> work);
  void wait_for_write();
  rocksdb::ColumnFamilyOptions column_options(std::shared_ptr<const ColumnRules> rules) const;

  const std::string path_;
  const RocksOptions options_;
  const std::shared_ptr<SharedMemory> memory_;
  rocksdb::ReadOptions in_memory_;
  const rocksdb::ReadOptions anywhere_;
  rocksdb::ReadOptions ahead_;  ///< of get_sorted()
  /// How often what was looked for was in memory, lately; reads that do not try that first.
  int read_score_ = 0;
  int direct_reads_ = 0;
  std::unique_ptr<rocksdb::DB> db_;
  std::future<rocksdb::Status> behind_;  ///< of what is being written
  bool behind_is_visible_ = false;       ///< when it is done
  rocksdb::Status lost_;                 ///< why something was not written
  /// Checkpoints are made of it: what is written to files goes to the disk at once, so that a
  /// checkpoint need not wait for all of it.
  bool in_checkpoints_ = false;
  std::vector<std::pair<std::string, rocksdb::ColumnFamilyHandle*>> columns_;
};

}  // namespace flott::rocks
