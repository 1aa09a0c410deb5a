#include "state/rocksdb/options.h"

#include "base/error.h"
#include "base/log.h"

#include <algorithm>
#include <atomic>
#include <cctype>
#include <charconv>
#include <string_view>

namespace flott::rocks {
namespace {

constexpr std::string_view kPrefix = "state.backend.rocksdb.";
constexpr std::uint64_t kDefaultSlotBytes = 128ULL << 20;

std::string upper(std::string_view text) {
  std::string out(text);
  std::transform(out.begin(), out.end(), out.begin(), [](unsigned char c) {
    return c == '-' ? '_' : static_cast<char>(std::toupper(c));
  });
  return out;
}

std::string_view trimmed(std::string_view text) {
  const auto space = [](char c) { return std::isspace(static_cast<unsigned char>(c)) != 0; };
  while (!text.empty() && space(text.front())) {
    text.remove_prefix(1);
  }
  while (!text.empty() && space(text.back())) {
    text.remove_suffix(1);
  }
  return text;
}

std::vector<std::string> split(std::string_view text, std::string_view separators) {
  std::vector<std::string> out;
  while (!text.empty()) {
    const std::size_t at = std::min(text.find_first_of(separators), text.size());
    if (const std::string_view part = trimmed(text.substr(0, at)); !part.empty()) {
      out.emplace_back(part);
    }
    text.remove_prefix(std::min(at + 1, text.size()));
  }
  return out;
}

class Settings {
 public:
  explicit Settings(const std::map<std::string, std::string>& all) : all_(all) {}

  const std::string* find(const std::string& key) const {
    const auto it = all_.find(key);
    return it == all_.end() ? nullptr : &it->second;
  }
  static std::string own(std::string_view name) { return std::string(kPrefix).append(name); }

  [[noreturn]] static void refuse(const std::string& key,
                                  const std::string& value,
                                  std::string_view wanted) {
    throw_error(ErrorKind::kInvalidArgument,
                "could not parse value '{}' for key '{}': expected {}",
                value,
                key,
                wanted);
  }

  void boolean(const std::string& key, bool* out) const {
    if (const std::string* value = find(key)) {
      const std::string text = upper(trimmed(*value));
      if (text != "TRUE" && text != "FALSE") {
        refuse(key, *value, "true or false");
      }
      *out = text == "TRUE";
    }
  }
  void integer(const std::string& key, int least, int* out) const {
    if (const std::string* value = find(key)) {
      const std::string_view text = trimmed(*value);
      const auto end = text.data() + text.size();
      const auto result = std::from_chars(text.data(), end, *out);
      if (result.ec != std::errc{} || result.ptr != end || *out < least) {
        refuse(key, *value, fmt::format("an integer of at least {}", least));
      }
    }
  }
  void real(const std::string& key, double least, double most, double* out) const {
    if (const std::string* value = find(key)) {
      const std::string_view text = trimmed(*value);
      const auto end = text.data() + text.size();
      const auto result = std::from_chars(text.data(), end, *out);
      if (result.ec != std::errc{} || result.ptr != end || !(*out >= least && *out <= most)) {
        refuse(key, *value, fmt::format("a number from {} to {}", least, most));
      }
    }
  }
  /// `64mb`, `1 gb`, `4096`.
  void size(const std::string& key, std::uint64_t* out) const {
    const std::string* value = find(key);
    if (value == nullptr) {
      return;
    }
    constexpr std::string_view kWanted = "a size such as 64mb, 1 gb or 4096 (bytes)";
    const std::string_view text = trimmed(*value);
    double number = 0;
    const auto end = text.data() + text.size();
    const auto result = std::from_chars(text.data(), end, number);
    if (result.ec != std::errc{} || number <= 0) {
      refuse(key, *value, kWanted);
    }
    const std::string unit =
        upper(trimmed({result.ptr, static_cast<std::size_t>(end - result.ptr)}));
    int shift = 0;
    if (unit.empty() || unit == "B" || unit == "BYTES") {
      shift = 0;
    } else if (unit == "K" || unit == "KB" || unit == "KIBIBYTES") {
      shift = 10;
    } else if (unit == "M" || unit == "MB" || unit == "MEBIBYTES") {
      shift = 20;
    } else if (unit == "G" || unit == "GB" || unit == "GIBIBYTES") {
      shift = 30;
    } else if (unit == "T" || unit == "TB" || unit == "TEBIBYTES") {
      shift = 40;
    } else {
      refuse(key, *value, kWanted);
    }
    *out = static_cast<std::uint64_t>(number * static_cast<double>(1ULL << shift));
  }
  void choice(const std::string& key,
              const std::vector<std::string>& known,
              std::string* out) const {
    if (const std::string* value = find(key)) {
      const std::string text = upper(trimmed(*value));
      if (std::find(known.begin(), known.end(), text) == known.end()) {
        refuse(key, *value, fmt::format("one of {}", fmt::join(known, ", ")));
      }
      *out = text;
    }
  }

 private:
  const std::map<std::string, std::string>& all_;
};

/// What Flink's sets of options change, as far as it applies here.
void apply_predefined(const std::string& name, RocksOptions& out) {
  if (name == "SPINNING_DISK_OPTIMIZED") {
    out.background_threads = 4;
    out.dynamic_level_size = true;
  } else if (name == "SPINNING_DISK_OPTIMIZED_HIGH_MEM") {
    out.background_threads = 4;
    out.dynamic_level_size = true;
    out.write_buffer_count = 4;
    out.write_buffers_to_merge = 3;
    out.target_file_bytes = 256ULL << 20;
    out.level_base_bytes = 1ULL << 30;
    out.block_cache_bytes = 256ULL << 20;
    out.block_bytes = 128ULL << 10;
    out.bloom_filter = true;
  } else if (name == "FLASH_SSD_OPTIMIZED") {
    out.background_threads = 4;
  }
}

std::uint64_t managed_bytes(const Settings& settings) {
  bool managed = true;
  settings.boolean(Settings::own("memory.managed"), &managed);
  int slots = 1;
  settings.integer("slots", 1, &slots);
  const auto count = static_cast<std::uint64_t>(slots);
  std::uint64_t bytes = 0;
  settings.size(Settings::own("memory.fixed-per-slot"), &bytes);
  if (bytes > 0) {
    return bytes * count;
  }
  settings.size(Settings::own("memory.fixed-per-tm"), &bytes);
  if (bytes > 0 || !managed) {
    return bytes;
  }
  settings.size("taskmanager.memory.managed.size", &bytes);
  return bytes > 0 ? bytes : kDefaultSlotBytes * count;
}

}  // namespace

RocksOptions RocksOptions::parse(const std::map<std::string, std::string>& all) {
  const Settings settings(all);
  const auto own = [](std::string_view name) { return Settings::own(name); };
  RocksOptions out;
  std::string predefined = "DEFAULT";
  settings.choice(own("predefined-options"),
                  {"DEFAULT",
                   "SPINNING_DISK_OPTIMIZED",
                   "SPINNING_DISK_OPTIMIZED_HIGH_MEM",
                   "FLASH_SSD_OPTIMIZED"},
                  &predefined);
  apply_predefined(predefined, out);

  if (const std::string* folders = settings.find(own("localdir"))) {
    out.local_directories = split(*folders, ",:");
    if (out.local_directories.empty()) {
      Settings::refuse(own("localdir"), *folders, "folders, separated by commas or colons");
    }
    for (const std::string& folder : out.local_directories) {
      if (folder.front() != '/') {
        Settings::refuse(own("localdir"), *folders, "absolute paths");
      }
    }
  }
  out.memory_bytes = managed_bytes(settings);
  settings.real(own("memory.write-buffer-ratio"), 0.01, 0.99, &out.write_buffer_ratio);
  settings.real(own("memory.high-prio-pool-ratio"), 0, 1, &out.high_priority_ratio);
  if (out.write_buffer_ratio + out.high_priority_ratio >= 1) {
    throw_error(ErrorKind::kInvalidArgument,
                "'{}' ({}) and '{}' ({}) must be less than 1 together: the rest caches blocks",
                own("memory.write-buffer-ratio"),
                out.write_buffer_ratio,
                own("memory.high-prio-pool-ratio"),
                out.high_priority_ratio);
  }
  settings.boolean(own("memory.partitioned-index-filters"), &out.partitioned_index);

  settings.integer(own("thread.num"), 1, &out.background_threads);
  settings.integer(own("files.open"), -1, &out.open_files);
  settings.size(own("writebuffer.size"), &out.write_buffer_bytes);
  settings.integer(own("writebuffer.count"), 1, &out.write_buffer_count);
  settings.integer(own("writebuffer.number-to-merge"), 1, &out.write_buffers_to_merge);
  settings.size(own("block.blocksize"), &out.block_bytes);
  settings.size(own("block.metadata-blocksize"), &out.metadata_block_bytes);
  settings.size(own("block.cache-size"), &out.block_cache_bytes);
  settings.boolean(own("use-bloom-filter"), &out.bloom_filter);
  settings.real(own("bloom-filter.bits-per-key"), 1, 100, &out.bloom_bits);
  settings.choice(
      own("compaction.style"), {"LEVEL", "UNIVERSAL", "FIFO", "NONE"}, &out.compaction_style);
  if (out.compaction_style == "FIFO") {
    throw_error(
        ErrorKind::kInvalidArgument,
        "'{}' is FIFO, which deletes state once there is much of it; use LEVEL or UNIVERSAL",
        own("compaction.style"));
  }
  static std::atomic<bool> warned{false};
  if (out.compaction_style == "NONE" && !warned.exchange(true)) {
    log(LogLevel::kWarn,
        "state",
        "'{}' is NONE: what was overwritten, cleared or has expired is never removed, and each "
        "checkpoint adds files that stay open; for short jobs only",
        own("compaction.style"));
  }
  settings.boolean(own("compaction.level.use-dynamic-size"), &out.dynamic_level_size);
  settings.size(own("compaction.level.target-file-size-base"), &out.target_file_bytes);
  settings.size(own("compaction.level.max-size-level-base"), &out.level_base_bytes);
  if (const std::string* levels = settings.find(own("compression.per.level"))) {
    for (const std::string& level : split(*levels, ",;")) {
      const std::string name = upper(level);
      const std::vector<std::string> known = {"NO_COMPRESSION",
                                              "SNAPPY_COMPRESSION",
                                              "ZLIB_COMPRESSION",
                                              "BZLIB2_COMPRESSION",
                                              "LZ4_COMPRESSION",
                                              "LZ4HC_COMPRESSION",
                                              "ZSTD"};
      if (std::find(known.begin(), known.end(), name) == known.end()) {
        Settings::refuse(own("compression.per.level"),
                         *levels,
                         fmt::format("a list of {}", fmt::join(known, ", ")));
      }
      out.compression.push_back(name);
    }
  }
  settings.size(own("write-batch-size"), &out.write_batch_bytes);
  settings.choice(
      own("log.level"),
      {"DEBUG_LEVEL", "INFO_LEVEL", "WARN_LEVEL", "ERROR_LEVEL", "FATAL_LEVEL", "HEADER_LEVEL"},
      &out.log_level);
  if (const std::string* folder = settings.find(own("log.dir"))) {
    out.log_directory = *folder;
  }
  settings.boolean("state.backend.incremental", &out.incremental);
  settings.boolean("execution.checkpointing.incremental", &out.incremental);

  std::string timers = "HEAP";
  settings.choice(own("timer-service.factory"), {"HEAP", "ROCKSDB"}, &timers);
  static std::atomic<bool> told{false};
  if (timers == "ROCKSDB" && !told.exchange(true)) {
    log(LogLevel::kInfo, "state", "timers are kept on the heap, also with the RocksDB backend");
  }
  return out;
}

}  // namespace flott::rocks
