#include "state/rocksdb/table_writer.h"

#include <utility>

namespace flott::rocks {
namespace {

/// New tables are of the first level.
rocksdb::Options options_of_new_tables(const rocksdb::DB& db, rocksdb::ColumnFamilyHandle* column) {
  rocksdb::Options out = db.GetOptions(column);
  if (!out.compression_per_level.empty()) {
    out.compression = out.compression_per_level.front();
    out.compression_per_level.clear();  // of which the writer takes the last
  }
  return out;
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
                         std::unique_ptr<const OwnedPath> path)
    : db_(db),
      column_(column),
      path_(std::move(path)),
      options_(options_of_new_tables(db, column)),
      // What is written is soon read again, to be compacted: it stays in the page cache.
      writer_(rocksdb::EnvOptions(options_), options_, column, false) {}

rocksdb::Status TableWriter::add(const rocksdb::WriteBatch& batch) {
  if (!is_open_) {
    const rocksdb::Status opened = writer_.Open(path_->path());
    if (!opened.ok()) {
      return opened;
    }
    is_open_ = true;
  }
  Entries entries(writer_);
  return batch.Iterate(&entries);
}

rocksdb::Status TableWriter::finish() {
  if (!is_open_) {  // there was nothing to write
    is_part_.store(true, std::memory_order_release);
    return rocksdb::Status::OK();
  }
  const rocksdb::Status finished = writer_.Finish();
  if (!finished.ok()) {
    return finished;
  }
  // Writes, this one of nothing too, wait while there are more new tables than are being compacted.
  rocksdb::WriteOptions unlogged;
  unlogged.disableWAL = true;
  rocksdb::WriteBatch nothing;
  const rocksdb::Status admitted = db_.Write(unlogged, &nothing);
  if (!admitted.ok()) {
    return admitted;
  }
  rocksdb::IngestExternalFileOptions ingest;
  ingest.move_files = true;
  ingest.write_global_seqno = false;
  const rocksdb::Status ingested = db_.IngestExternalFile(column_, {path_->path()}, ingest);
  is_part_.store(ingested.ok(), std::memory_order_release);
  return ingested;
}

}  // namespace flott::rocks
