#include "state/rocksdb/database.h"

#include "base/error.h"
#include "base/in_background.h"
#include "state/rocksdb/unsynced_files.h"
#include "types/host.h"

#include <rocksdb/filter_policy.h>
#include <rocksdb/table.h>
#include <rocksdb/utilities/checkpoint.h>

#include <algorithm>
#include <chrono>
#include <limits>
#include <map>
#include <utility>

namespace flott::rocks {
namespace {

constexpr std::string_view kColumnPrefix = "state:";
constexpr int kBestScore = 16;
constexpr std::uint64_t kMostAheadBytes = 1 << 20;
constexpr const char* kBytesPerSync = "1048576";

rocksdb::CompressionType compression_of(const std::string& name) {
  static const std::map<std::string, rocksdb::CompressionType> kTypes = {
      {"NO_COMPRESSION", rocksdb::kNoCompression},
      {"SNAPPY_COMPRESSION", rocksdb::kSnappyCompression},
      {"ZLIB_COMPRESSION", rocksdb::kZlibCompression},
      {"BZLIB2_COMPRESSION", rocksdb::kBZip2Compression},
      {"LZ4_COMPRESSION", rocksdb::kLZ4Compression},
      {"LZ4HC_COMPRESSION", rocksdb::kLZ4HCCompression},
      {"ZSTD", rocksdb::kZSTD}};
  return kTypes.at(name);
}

rocksdb::InfoLogLevel log_level_of(const std::string& name) {
  static const std::map<std::string, rocksdb::InfoLogLevel> kLevels = {
      {"DEBUG_LEVEL", rocksdb::DEBUG_LEVEL},
      {"INFO_LEVEL", rocksdb::INFO_LEVEL},
      {"WARN_LEVEL", rocksdb::WARN_LEVEL},
      {"ERROR_LEVEL", rocksdb::ERROR_LEVEL},
      {"FATAL_LEVEL", rocksdb::FATAL_LEVEL},
      {"HEADER_LEVEL", rocksdb::HEADER_LEVEL}};
  return kLevels.at(name);
}

rocksdb::WriteOptions unlogged() {
  rocksdb::WriteOptions out;
  out.disableWAL = true;
  return out;
}

std::shared_ptr<rocksdb::WriteBatch> taken(rocksdb::WriteBatch& batch) {
  return std::make_shared<rocksdb::WriteBatch>(std::exchange(batch, rocksdb::WriteBatch()));
}

}  // namespace

void check_rocksdb(const rocksdb::Status& status, std::string_view what, const std::string& path) {
  if (status.ok()) {
    return;
  }
  const char* advice = "see the message and the folder; the job goes on from a checkpoint";
  if (status.IsNoSpace() || status.ToString().find("No space left") != std::string::npos) {
    advice = "the disk is full: free space, or set state.backend.rocksdb.localdir to another disk";
  } else if (status.IsCorruption()) {
    advice =
        "a file of the database is damaged: restore an older checkpoint if it is one of the "
        "checkpoint's, else start again from the last one, and check the disk";
  } else if (status.IsIOError()) {
    advice = "see that the folder exists, can be written to and that enough files may be open";
  }
  throw Error(
      ErrorKind::kExternal,
      fmt::format(
          "RocksDB state in '{}' could not be {}: {}; {}", path, what, status.ToString(), advice),
      Retryable::kYes);
}

rocksdb::ColumnFamilyOptions Database::column_options(
    std::shared_ptr<const ColumnRules> rules) const {
  rocksdb::ColumnFamilyOptions out;
  out.write_buffer_size = options_.write_buffer_bytes;
  out.max_write_buffer_number = options_.write_buffer_count;
  out.min_write_buffer_number_to_merge = options_.write_buffers_to_merge;
  out.target_file_size_base = options_.target_file_bytes;
  out.max_bytes_for_level_base = options_.level_base_bytes;
  out.level_compaction_dynamic_level_bytes = options_.dynamic_level_size;
  out.compaction_style = options_.compaction_style == "UNIVERSAL"
                             ? rocksdb::kCompactionStyleUniversal
                         : options_.compaction_style == "NONE" ? rocksdb::kCompactionStyleNone
                                                               : rocksdb::kCompactionStyleLevel;
  // Else writes would wait for compactions that nobody begins.
  out.disable_auto_compactions = out.compaction_style == rocksdb::kCompactionStyleNone;
  if (options_.compression.empty()) {
    // The first levels are rewritten often and are a small part of a large state.
    out.compression_per_level = {
        rocksdb::kNoCompression, rocksdb::kNoCompression, rocksdb::kLZ4Compression};
  } else {
    for (const std::string& level : options_.compression) {
      out.compression_per_level.push_back(compression_of(level));
    }
  }
  if (rules != nullptr) {  // nothing is written to the default column
    // Most keys that are looked for in a write buffer are not there. The filter is made with the
    // buffer and counts as a part of it: as large as for a full buffer, those of a few states would
    // use up what the write buffers of the process may have, and every write would be a flush.
    double filtered_bytes = static_cast<double>(options_.write_buffer_bytes);
    if (memory_->write_buffers() != nullptr) {
      const std::size_t common_bytes = memory_->write_buffers()->buffer_size();
      filtered_bytes = std::min(filtered_bytes, static_cast<double>(common_bytes) / 8);
      const std::size_t block = std::min(common_bytes / 256, options_.write_buffer_bytes / 8);
      out.arena_block_size = std::clamp<std::size_t>(block, 4 << 10, 1 << 20);
    }
    out.memtable_prefix_bloom_size_ratio =
        0.05 * filtered_bytes / static_cast<double>(options_.write_buffer_bytes);
    out.memtable_whole_key_filtering = true;
  }

  rocksdb::BlockBasedTableOptions table;
  table.format_version = 5;
  table.block_size = options_.block_bytes;
  table.metadata_block_size = options_.metadata_block_bytes;
  table.data_block_index_type = rocksdb::BlockBasedTableOptions::kDataBlockBinaryAndHash;
  table.data_block_hash_table_util_ratio = 0.75;
  if (options_.bloom_filter) {
    table.filter_policy.reset(rocksdb::NewBloomFilterPolicy(options_.bloom_bits));
  }
  table.block_cache = memory_->cache() != nullptr
                          ? memory_->cache()
                          : rocksdb::NewLRUCache(options_.block_cache_bytes);
  // In the cache, or they would grow with the state, outside of any budget.
  table.cache_index_and_filter_blocks = true;
  table.cache_index_and_filter_blocks_with_high_priority = true;
  table.pin_l0_filter_and_index_blocks_in_cache = true;
  if (options_.partitioned_index) {
    table.index_type = rocksdb::BlockBasedTableOptions::kTwoLevelIndexSearch;
    table.partition_filters = options_.bloom_filter;
    table.pin_top_level_index_and_filter = true;
  }
  out.table_factory.reset(rocksdb::NewBlockBasedTableFactory(table));

  if (rules != nullptr) {
    if (rules->kind == StateKind::kList) {
      out.merge_operator = make_list_merge();
    } else if (rules->kind == StateKind::kMap) {
      out.prefix_extractor = make_slot_prefix();
    }
    if (rules->kind != StateKind::kMap) {
      out.memtable_insert_with_hint_prefix_extractor = make_insertion_hint();
    }
    out.compaction_filter_factory = make_expiry_filter(std::move(rules));
  }
  return out;
}

Database::Database(std::string path,
                   const RocksOptions& options,
                   std::shared_ptr<SharedMemory> memory,
                   const RulesOf& rules_of,
                   bool read_only)
    : path_(std::move(path)), options_(options), memory_(std::move(memory)) {
  in_memory_.read_tier = rocksdb::kBlockCacheTier;
  ahead_.value_size_soft_limit = kMostAheadBytes;
  rocksdb::DBOptions db_options;
  db_options.env = unsynced_files();
  db_options.create_if_missing = true;
  db_options.max_background_jobs = options_.background_threads;
  db_options.max_open_files = options_.open_files;
  db_options.info_log_level = log_level_of(options_.log_level);
  db_options.db_log_dir = options_.log_directory;
  db_options.max_log_file_size = 25 << 20;
  db_options.keep_log_file_num = 4;
  db_options.stats_dump_period_sec = 0;
  db_options.stats_persist_period_sec = 0;
  // The folder is removed when it is closed.
  db_options.avoid_flush_during_shutdown = true;
  db_options.use_fsync = false;
  db_options.allow_concurrent_memtable_write = false;  // one task writes
  db_options.write_buffer_manager = memory_->write_buffers();

  std::vector<std::string> names;
  const HostRelease without_host_lock;
  const rocksdb::Status listed = rocksdb::DB::ListColumnFamilies(db_options, path_, &names);
  if (names.empty()) {
    if (read_only) {
      check_rocksdb(listed, "opened", path_);
    }
    names = {rocksdb::kDefaultColumnFamilyName};
  }
  std::vector<rocksdb::ColumnFamilyDescriptor> descriptors;
  for (const std::string& name : names) {
    const bool is_state = name.starts_with(kColumnPrefix);
    descriptors.emplace_back(
        name, column_options(is_state ? rules_of(name.substr(kColumnPrefix.size())) : nullptr));
  }
  std::vector<rocksdb::ColumnFamilyHandle*> handles;
  rocksdb::DB* raw = nullptr;
  const rocksdb::Status opened =
      read_only ? rocksdb::DB::OpenForReadOnly(db_options, path_, descriptors, &handles, &raw)
                : rocksdb::DB::Open(db_options, path_, descriptors, &handles, &raw);
  check_rocksdb(opened, "opened", path_);
  db_.reset(raw);
  for (std::size_t i = 0; i < names.size(); ++i) {
    columns_.emplace_back(names[i], handles[i]);
  }
}

Database::~Database() {
  const HostRelease without_host_lock;
  if (behind_.valid()) {
    behind_.wait();
  }
  for (const auto& [name, handle] : columns_) {
    db_->DestroyColumnFamilyHandle(handle);
  }
  db_->Close();
}

rocksdb::ColumnFamilyHandle* Database::column(const std::string& state) const {
  const std::string name = std::string(kColumnPrefix) + state;
  const auto it = std::find_if(
      columns_.begin(), columns_.end(), [&](const auto& c) { return c.first == name; });
  return it == columns_.end() ? nullptr : it->second;
}

rocksdb::ColumnFamilyHandle* Database::create_column(const std::string& state,
                                                     std::shared_ptr<const ColumnRules> rules) {
  settle();
  const std::string name = std::string(kColumnPrefix) + state;
  rocksdb::ColumnFamilyHandle* handle = nullptr;
  const HostRelease without_host_lock;
  check_rocksdb(
      db_->CreateColumnFamily(column_options(std::move(rules)), name, &handle), "extended", path_);
  columns_.emplace_back(name, handle);
  return handle;
}

bool Database::get_settled(rocksdb::ColumnFamilyHandle* column,
                           std::string_view key,
                           rocksdb::PinnableSlice* value) {
  rocksdb::Status status;
  if (direct_reads_ > 0 || host() == nullptr) {
    direct_reads_ = std::max(0, direct_reads_ - 1);
    const HostRelease without_host_lock;
    status = db_->Get(anywhere_, column, slice(key), value);
  } else {
    status = db_->Get(in_memory_, column, slice(key), value);
    if (!status.IsIncomplete()) {
      read_score_ = std::min(read_score_ + 1, kBestScore);
    } else {
      value->Reset();
      const HostRelease without_host_lock;
      status = db_->Get(anywhere_, column, slice(key), value);
      read_score_ -= 4;
      if (read_score_ < 0) {
        read_score_ = kBestScore;
        direct_reads_ = 256;
      }
    }
  }
  if (status.IsNotFound()) {
    return false;
  }
  check_rocksdb(status, "read", path_);
  return true;
}

void Database::get_sorted(rocksdb::ColumnFamilyHandle* column,
                          const std::vector<rocksdb::Slice>& keys,
                          std::vector<rocksdb::PinnableSlice>& values,
                          std::vector<rocksdb::Status>& statuses) {
  statuses.assign(keys.size(), {});
  {
    const HostRelease without_host_lock;
    db_->MultiGet(ahead_, column, keys.size(), keys.data(), values.data(), statuses.data(), true);
  }
  for (const rocksdb::Status& status : statuses) {
    if (!status.IsNotFound() && !status.IsAborted()) {
      check_rocksdb(status, "read", path_);
    }
  }
}

void Database::write(rocksdb::WriteBatch& batch) {
  if (batch.Count() == 0) {
    return;
  }
  settle();
  {
    const HostRelease without_host_lock;
    lost_ = db_->Write(unlogged(), &batch);
  }
  check_rocksdb(lost_, "written", path_);
  batch.Clear();
}

void Database::write_behind(rocksdb::WriteBatch& batch) {
  if (batch.Count() == 0) {
    return;
  }
  run_behind([this, to_write = taken(batch)] { return db_->Write(unlogged(), to_write.get()); });
  behind_is_visible_ = true;
}

void Database::write_behind(std::shared_ptr<TableWriter> table, rocksdb::WriteBatch& batch) {
  if (batch.Count() == 0) {
    return;
  }
  run_behind([table = std::move(table), to_write = taken(batch)] { return table->add(*to_write); });
}

void Database::finish_behind(std::shared_ptr<TableWriter> table) {
  run_behind([table = std::move(table)] { return table->finish(); });
}

void Database::run_behind(std::function<rocksdb::Status()> work) {
  settle();
  behind_ = in_background(std::move(work));
  behind_is_visible_ = false;
}

std::shared_ptr<TableWriter> Database::new_table(rocksdb::ColumnFamilyHandle* column,
                                                 std::string path,
                                                 std::shared_ptr<const void> in) {
  return std::make_shared<TableWriter>(*db_, column, std::move(path), std::move(in));
}

void Database::mark_incomplete() {
  if (lost_.ok()) {
    lost_ = rocksdb::Status::Aborted("an earlier error kept changes from being written");
  }
}

bool Database::is_writing() const {
  return behind_.valid() && behind_.wait_for(std::chrono::seconds(0)) != std::future_status::ready;
}

void Database::wait_for_write() {
  if (behind_.valid()) {
    const HostRelease without_host_lock;
    mark_incomplete();  // unless it comes back
    lost_ = behind_.get();
  }
  check_rocksdb(lost_, "written", path_);
}

std::unique_ptr<rocksdb::Iterator> Database::iterate(rocksdb::ColumnFamilyHandle* column,
                                                     bool whole_table) {
  settle();
  rocksdb::ReadOptions options;
  options.total_order_seek = true;
  options.fill_cache = !whole_table;
  if (whole_table) {
    options.readahead_size = 1 << 20;
  }
  return std::unique_ptr<rocksdb::Iterator>(db_->NewIterator(options, column));
}

std::unique_ptr<rocksdb::Iterator> Database::iterate_slot(rocksdb::ColumnFamilyHandle* column) {
  settle_batches();
  rocksdb::ReadOptions options;
  options.prefix_same_as_start = true;
  return std::unique_ptr<rocksdb::Iterator>(db_->NewIterator(options, column));
}

std::int64_t Database::estimate(rocksdb::ColumnFamilyHandle* column,
                                const std::string& property) const {
  std::uint64_t value = 0;
  return db_->GetIntProperty(column, property, &value) ? static_cast<std::int64_t>(value) : 0;
}

void Database::checkpoint(const std::string& target) {
  settle();
  const HostRelease without_host_lock;
  if (!std::exchange(in_checkpoints_, true)) {
    check_rocksdb(db_->SetDBOptions({{"bytes_per_sync", kBytesPerSync}}), "checkpointed", path_);
  }
  rocksdb::Checkpoint* raw = nullptr;
  check_rocksdb(rocksdb::Checkpoint::Create(db_.get(), &raw), "checkpointed", path_);
  const std::unique_ptr<rocksdb::Checkpoint> checkpoint(raw);
  // By itself a checkpoint waits until its flush would not slow down writes: while much is to be
  // compacted, for a minute and longer, in which the task stands still.
  rocksdb::FlushOptions at_once;
  at_once.allow_write_stall = true;
  std::vector<rocksdb::ColumnFamilyHandle*> handles;
  for (const auto& [name, handle] : columns_) {
    handles.push_back(handle);
  }
  check_rocksdb(db_->Flush(at_once, handles), "checkpointed", path_);
  constexpr std::uint64_t kNoFlush = std::numeric_limits<std::uint64_t>::max();
  check_rocksdb(checkpoint->CreateCheckpoint(target, kNoFlush), "checkpointed", path_);
}

}  // namespace flott::rocks
