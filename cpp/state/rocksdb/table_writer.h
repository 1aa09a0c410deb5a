#pragma once

#include "base/working_directory.h"

#include <rocksdb/db.h>
#include <rocksdb/sst_file_writer.h>
#include <rocksdb/write_batch.h>

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace flott::rocks {

/// Writes many entries of one column as tables of their own, which then become a part of the
/// database as a whole: they pass neither through a write buffer nor through the flush of one. One
/// thread at a time; are_part() in any.
class TableWriter {
 public:
  /// The tables lie at `path`, with numbers behind it, in the file system of the database, until
  /// they are a part of it; `in`: what they lie in.
  TableWriter(rocksdb::DB& db,
              rocksdb::ColumnFamilyHandle* column,
              std::string path,
              std::shared_ptr<const void> in);
  TableWriter(const TableWriter&) = delete;
  TableWriter& operator=(const TableWriter&) = delete;

  /// Puts and deletions of keys behind all that came before.
  rocksdb::Status add(const rocksdb::WriteBatch& batch);
  /// Nothing comes any more. Waits as the database makes writes of as many bytes wait, while it has
  /// more new tables than are being compacted.
  rocksdb::Status finish();
  /// Whether the entries are in the database.
  bool are_part() const { return are_part_.load(std::memory_order_acquire); }

 private:
  rocksdb::Status end_table();

  rocksdb::DB& db_;
  rocksdb::ColumnFamilyHandle* const column_;
  const std::string path_;
  const std::shared_ptr<const void> in_;
  const rocksdb::Options options_;
  std::vector<std::unique_ptr<const OwnedPath>> tables_;
  std::uint64_t bytes_ = 0;  ///< of the tables that have ended
  rocksdb::SstFileWriter writer_;
  bool is_open_ = false;
  std::atomic<bool> are_part_{false};
};

}  // namespace flott::rocks
