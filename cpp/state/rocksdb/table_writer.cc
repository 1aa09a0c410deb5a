#include "state/rocksdb/table_writer.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace flott::rocks {
namespace {

/// Most new tables are of the first level, which is rewritten soon.
rocksdb::Options options_of_new_tables(const rocksdb::DB& db, rocksdb::ColumnFamilyHandle* column) {
  rocksdb::Options out = db.GetOptions(column);
  if (!out.compression_per_level.empty()) {
    out.compression = out.compression_per_level.front();
    out.compression_per_level.clear();  // of which the writer takes the last
  }
  return out;
}

/// Waits as long as writes of so many bytes would: these are of bytes that are stored nowhere.
rocksdb::Status wait_for_bytes(rocksdb::DB& db, std::uint64_t bytes) {
  constexpr std::uint64_t kAtOnce = 1 << 20;
  rocksdb::WriteOptions unlogged;
  unlogged.disableWAL = true;
  rocksdb::WriteBatch nothing;
  nothing.PutLogData(std::string(std::min(bytes, kAtOnce), '\0'));
  for (std::uint64_t waited = 0; waited < bytes; waited += kAtOnce) {
    const rocksdb::Status status = db.Write(unlogged, &nothing);
    if (!status.ok()) {
      return status;
    }
  }
  return rocksdb::Status::OK();
}

/// Takes a batch apart.
class Entries final : public rocksdb::WriteBatch::Handler {
 public:
  explicit Entries(rocksdb::SstFileWriter& writer) : writer_(writer) {}

  rocksdb::Status PutCF(std::uint32_t /*column*/,
                        const rocksdb::Slice& key,
                        const rocksdb::Slice& value) override {
    return writer_.Put(key, value);
  }
  rocksdb::Status DeleteCF(std::uint32_t /*column*/, const rocksdb::Slice& key) override {
    return writer_.Delete(key);
  }

 private:
  rocksdb::SstFileWriter& writer_;
};

}  // namespace

TableWriter::TableWriter(rocksdb::DB& db,
                         rocksdb::ColumnFamilyHandle* column,
                         std::string path,
                         std::shared_ptr<const void> in)
    : db_(db),
      column_(column),
      path_(std::move(path)),
      in_(std::move(in)),
      options_(options_of_new_tables(db, column)),
      // What is written is soon read again, to be compacted: it stays in the page cache.
      writer_(rocksdb::EnvOptions(options_), options_, column, false) {}

rocksdb::Status TableWriter::add(const rocksdb::WriteBatch& batch) {
  if (!is_open_) {
    tables_.push_back(
        std::make_unique<const OwnedPath>(fmt::format("{}.{}", path_, tables_.size()), in_));
    const rocksdb::Status opened = writer_.Open(tables_.back()->path());
    if (!opened.ok()) {
      return opened;
    }
    is_open_ = true;
  }
  Entries entries(writer_);
  const rocksdb::Status added = batch.Iterate(&entries);
  // As large as those from write buffers: of larger ones the database does not keep the filter at
  // hand, and a read looks for its key in one of several only.
  return added.ok() && writer_.FileSize() >= options_.write_buffer_size ? end_table() : added;
}

rocksdb::Status TableWriter::end_table() {
  if (!is_open_) {
    return rocksdb::Status::OK();
  }
  is_open_ = false;
  const rocksdb::Status finished = writer_.Finish();
  bytes_ += writer_.FileSize();
  return finished;
}

rocksdb::Status TableWriter::finish() {
  if (const rocksdb::Status ended = end_table(); !ended.ok()) {
    return ended;
  }
  if (const rocksdb::Status admitted = wait_for_bytes(db_, bytes_); !admitted.ok()) {
    return admitted;
  }
  if (!tables_.empty()) {
    std::vector<std::string> paths;
    for (const auto& table : tables_) {
      paths.push_back(table->path());
    }
    rocksdb::IngestExternalFileOptions ingest;
    ingest.move_files = true;
    ingest.write_global_seqno = false;
    const rocksdb::Status ingested = db_.IngestExternalFile(column_, paths, ingest);
    if (!ingested.ok()) {
      return ingested;
    }
  }
  are_part_.store(true, std::memory_order_release);
  return rocksdb::Status::OK();
}

}  // namespace flott::rocks
