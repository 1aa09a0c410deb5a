#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace flott::rocks {

/// The settings of the backend, under Flink's names (`state.backend.rocksdb.*`); what has another
/// default than in Flink says so.
struct RocksOptions {
  /// Folders for the working directories, one of which is picked; empty: the system's temporary
  /// folder.
  std::vector<std::string> local_directories;
  /// Bytes for block caches, write buffers and decoded entries of all backends in this process: 0
  /// when memory is not managed. From `taskmanager.memory.managed.size`, `memory.fixed-per-tm`,
  /// `memory.fixed-per-slot` times slots, or 128 MB a slot.
  std::uint64_t memory_bytes = 0;
  double write_buffer_ratio = 0.5;
  double high_priority_ratio = 0.1;
  bool partitioned_index = false;

  int background_threads = 2;
  int open_files = -1;
  std::uint64_t write_buffer_bytes = 64 << 20;
  int write_buffer_count = 2;
  int write_buffers_to_merge = 1;
  std::uint64_t block_bytes = 4 << 10;
  std::uint64_t metadata_block_bytes = 4 << 10;
  std::uint64_t block_cache_bytes = 8 << 20;  ///< of each state, when memory is not managed
  bool bloom_filter = true;                   ///< Flink: false
  double bloom_bits = 10;
  std::string compaction_style = "LEVEL";
  bool dynamic_level_size = false;
  std::uint64_t target_file_bytes = 64 << 20;
  std::uint64_t level_base_bytes = 256 << 20;
  /// A level each, the last one for those below. Empty: LZ4; Flink: SNAPPY.
  std::vector<std::string> compression;
  std::uint64_t write_batch_bytes = 2 << 20;
  std::string log_level = "HEADER_LEVEL";  ///< Flink: INFO_LEVEL
  std::string log_directory;
  bool incremental = false;  ///< checkpoints share the files that have not changed

  /// Throws kInvalidArgument naming the setting, its value and what it may be.
  static RocksOptions parse(const std::map<std::string, std::string>& settings);
};

}  // namespace flott::rocks
