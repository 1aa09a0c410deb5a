#pragma once

#include "base/working_directory.h"

#include <rocksdb/db.h>
#include <rocksdb/sst_file_writer.h>
#include <rocksdb/write_batch.h>

#include <atomic>
#include <memory>

namespace flott::rocks {

/// Writes many entries of one column as a table of their own, which then becomes a part of the
/// database as a whole: they pass neither through a write buffer nor through the flush of one. One
/// thread at a time; is_part() in any.
class TableWriter {
 public:
  TableWriter(rocksdb::DB& db,
              rocksdb::ColumnFamilyHandle* column,
              std::unique_ptr<const OwnedPath> path);
  TableWriter(const TableWriter&) = delete;
  TableWriter& operator=(const TableWriter&) = delete;

  /// Puts and deletions of keys behind all that came before.
  rocksdb::Status add(const rocksdb::WriteBatch& batch);
  /// Nothing comes any more. Waits while the database has more new tables than it can bear.
  rocksdb::Status finish();
  /// Whether the entries are in the database.
  bool is_part() const { return is_part_.load(std::memory_order_acquire); }

 private:
  rocksdb::DB& db_;
  rocksdb::ColumnFamilyHandle* const column_;
  const std::unique_ptr<const OwnedPath> path_;
  const rocksdb::Options options_;
  rocksdb::SstFileWriter writer_;
  bool is_open_ = false;
  std::atomic<bool> is_part_{false};
};

}  // namespace flott::rocks
