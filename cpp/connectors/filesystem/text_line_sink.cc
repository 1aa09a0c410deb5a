#include "connectors/filesystem/text_line_sink.h"

#include "connectors/filesystem/finished_file.h"
#include "connectors/filesystem/local_path.h"
#include "connectors/print/value_text.h"
#include "types/host.h"

#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <ctime>
#include <filesystem>
#include <map>
#include <optional>
#include <random>

namespace flott {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kWriteBytes = 64 * 1024;

struct FileCloser {
  void operator()(std::FILE* file) const { std::fclose(file); }
};

/// The file being written in one bucket.
struct PartFile {
  std::unique_ptr<std::FILE, FileCloser> file;
  fs::path hidden;
  fs::path final_path;
  std::int64_t bytes = 0;
  Timestamp opened_at = 0;
  Timestamp written_at = 0;
};

class TextLineWriter final : public SinkWriter {
 public:
  TextLineWriter(const TextLineSinkOptions& options,
                 const LogicalTypePtr& type,
                 const SinkWriterContext& context)
      : options_(options),
        directory_(local_path(options.directory)),
        subtask_(context.subtask),
        clock_(context.clock),
        restored_(context.restored),
        compaction_(options.compaction, directory_, writer_id_),
        type_(type) {
    if (options.format != "string") {
      encoder_ = make_encoder(options.format, options.format_options, type);
    }
    if (context.metrics != nullptr) {
      records_ = &context.metrics->counter("numRecordsSend");
      bytes_ = &context.metrics->counter("numBytesOut");
    }
  }

  void open() override {
    make_directory(directory_);
    if (restored_ != nullptr) {
      compaction_.restore(*restored_);
    }
  }

  void write(const BatchPtr& batch) override {
    const Timestamp now = now_ms();
    const std::string bucket = bucket_of(now);
    PartFile* part = &part_of(bucket, now);
    text_.clear();
    std::optional<HostScope> scope;
    if (!type_->is_native()) {
      scope.emplace();
    }
    for (std::int64_t row = 0; row < batch->num_rows(); ++row) {
      if (part->bytes + static_cast<std::int64_t>(text_.size()) > options_.max_bytes) {
        write_text(*part);
        complete(bucket, *part);
        parts_.erase(bucket);
        part = &part_of(bucket, now);
      }
      append(*batch, row);
      if (text_.size() >= kWriteBytes) {
        write_text(*part);
      }
    }
    write_text(*part);
    part->written_at = now;
    records_->inc(batch->num_rows());
  }

  void start_flush() override {
    for (auto& [bucket, part] : parts_) {
      complete(bucket, part);
    }
    parts_.clear();
    if (input_ended_) {
      compaction_.finish();
    } else {
      compaction_.on_checkpoint();
    }
  }
  bool flushed() override { return true; }
  void end_input() override { input_ended_ = true; }
  void snapshot(CheckpointId /*id*/, OperatorSnapshot& snapshot) override {
    if (compaction_.is_enabled()) {
      compaction_.snapshot(snapshot);
    }
  }

  Timestamp next_time() const override {
    Timestamp next = kMaxTimestamp;
    for (const auto& [bucket, part] : parts_) {
      next = std::min(next, due(part));
    }
    // Looked at no more often than the interval says.
    return next == kMaxTimestamp ? next : std::max(next, checked_at_ + check_interval());
  }
  void on_time() override {
    const Timestamp now = now_ms();
    checked_at_ = now;
    for (auto it = parts_.begin(); it != parts_.end();) {
      if (due(it->second) > now) {
        ++it;
        continue;
      }
      complete(it->first, it->second);
      it = parts_.erase(it);
    }
  }

  void close() override { parts_.clear(); }

 private:
  Timestamp now_ms() const { return clock_ == nullptr ? 0 : clock_->now_ms(); }

  static Timestamp later(Timestamp time, std::int64_t interval) {
    return interval > kMaxTimestamp - time ? kMaxTimestamp : time + interval;
  }
  Timestamp due(const PartFile& part) const {
    return std::min(later(part.opened_at, options_.rollover_interval_ms),
                    later(part.written_at, options_.inactivity_interval_ms));
  }
  std::int64_t check_interval() const {
    return std::min({options_.bucket_check_interval_ms,
                     options_.rollover_interval_ms,
                     options_.inactivity_interval_ms});
  }

  std::string bucket_of(Timestamp now) const {
    if (options_.bucket_pattern.empty()) {
      return {};
    }
    const std::time_t second = now / 1000;
    std::tm fields{};
    if (options_.utc_offsets.empty()) {
      localtime_r(&second, &fields);
    } else {
      std::int64_t offset = options_.utc_offsets.front().second;
      for (const auto& [from, seconds] : options_.utc_offsets) {
        offset = from <= second ? seconds : offset;
      }
      const std::time_t shifted = second + offset;
      gmtime_r(&shifted, &fields);
    }
    char name[256];
    const std::size_t size =
        std::strftime(name, sizeof name, options_.bucket_pattern.c_str(), &fields);
    return {name, size};
  }

  PartFile& part_of(const std::string& bucket, Timestamp now) {
    PartFile& part = parts_[bucket];
    if (part.file) {
      return part;
    }
    const fs::path folder = bucket.empty() ? directory_ : directory_ / bucket;
    make_directory(folder);
    // Numbers go on after the files of an earlier run, so that none is replaced.
    std::string name;
    do {
      name = next_name(bucket);
    } while (fs::exists(folder / name) || fs::exists(folder / ("compacted-" + name)));
    part.final_path = folder / name;
    // Other sinks may write into the folder too: the name is this writer's alone, and exclusive.
    part.hidden = folder / fmt::format(".{}.{}.part", name, writer_id_);
    part.file.reset(std::fopen(part.hidden.c_str(), "wbxe"));
    check_file(part.file != nullptr, part.hidden);
    part.opened_at = part.written_at = now;
    return part;
  }

  void append(const Batch& batch, std::int64_t row) {
    if (encoder_) {
      encoder_->encode(batch, row, text_);
      return;
    }
    if (type_->kind() != TypeKind::kString) {
      append_java(batch.value_at(row), *type_, text_);
    } else if (batch.column(0).is_null(row)) {
      text_ += "null";
    } else {
      text_ += batch.column(0).string_at(row);
    }
    text_.push_back('\n');
  }

  void write_text(PartFile& part) {
    check_file(std::fwrite(text_.data(), 1, text_.size(), part.file.get()) == text_.size(),
               part.hidden);
    part.bytes += static_cast<std::int64_t>(text_.size());
    bytes_->inc(static_cast<std::int64_t>(text_.size()));
    text_.clear();
  }

  void complete(const std::string& bucket, PartFile& part) {
    check_file(std::fflush(part.file.get()) == 0 && ::fsync(fileno(part.file.get())) == 0,
               part.hidden);
    part.file.reset();
    if (compaction_.is_enabled()) {
      // It stays hidden, but a checkpoint counts on it.
      sync_directories(directory_, bucket);
      compaction_.add(bucket, part.hidden, part.final_path.filename().string(), part.bytes);
      return;
    }
    while (!give_name(part.hidden, part.final_path)) {
      part.final_path = part.final_path.parent_path() / next_name(bucket);
    }
    // A checkpoint counts on the file: its name, and that of its bucket, must survive a power loss.
    sync_directories(directory_, bucket);
  }

  std::string next_name(const std::string& bucket) {
    return fmt::format(
        "{}-{}-{}{}", options_.prefix, subtask_, numbers_[bucket]++, options_.suffix);
  }

  const TextLineSinkOptions options_;
  const fs::path directory_;
  const int subtask_;
  const Clock* const clock_;
  const OperatorSnapshot* const restored_;
  const std::string writer_id_ = fmt::format("{:08x}", std::random_device()());
  FileCompaction compaction_;
  bool input_ended_ = false;
  const LogicalTypePtr type_;
  std::unique_ptr<Encoder> encoder_;             ///< null: the values' text
  std::map<std::string, PartFile> parts_;        ///< by bucket
  std::map<std::string, std::int64_t> numbers_;  ///< of the next file, by bucket
  Timestamp checked_at_ = 0;
  std::string text_;
  Counter unused_records_;
  Counter unused_bytes_;
  Counter* records_ = &unused_records_;
  Counter* bytes_ = &unused_bytes_;
};

FileCompactionOptions compaction_of(const Options& options) {
  FileCompactionOptions out;
  const std::string kind = options.get("compact", "");
  if (kind.empty()) {
    return out;
  }
  if (kind != "concat" && kind != "identical") {
    throw_error(
        ErrorKind::kInvalidArgument, "option 'compact' is concat or identical, got '{}'", kind);
  }
  out.kind = kind == "concat" ? FileCompactionOptions::Kind::kConcat
                              : FileCompactionOptions::Kind::kIdentical;
  out.size_threshold = options.get_int("compact.size", 0);
  out.checkpoints = options.get_int("compact.checkpoints", 0);
  const std::string hex = options.get("compact.delimiter", "");
  for (std::size_t i = 0; i + 1 < hex.size(); i += 2) {
    out.delimiter.push_back(static_cast<char>(std::stoi(hex.substr(i, 2), nullptr, 16)));
  }
  return out;
}

}  // namespace

TextLineSink::TextLineSink(std::string directory, std::string prefix)
    : type_(LogicalType::of(TypeKind::kString)) {
  options_.directory = std::move(directory);
  options_.prefix = std::move(prefix);
  local_path(options_.directory);
}

TextLineSink::TextLineSink(TextLineSinkOptions options, LogicalTypePtr type)
    : options_(std::move(options)), type_(std::move(type)) {
  local_path(options_.directory);
  if (options_.format != "string") {
    make_encoder(options_.format, options_.format_options, type_);
  }
}

std::unique_ptr<Sink> TextLineSink::from_options(const Options& options,
                                                 const LogicalTypePtr& type) {
  TextLineSinkOptions out;
  out.directory = options.get("path");
  out.prefix = options.get("file-prefix", out.prefix);
  out.suffix = options.get("file-suffix", "");
  out.bucket_pattern = options.get("bucket.pattern", "");
  for (const std::string& item : options.get_list("bucket.utc-offsets")) {
    const std::size_t colon = item.find(':');
    if (colon == std::string::npos) {
      throw_error(ErrorKind::kInvalidArgument,
                  "option 'bucket.utc-offsets' is a list of second:offset, got '{}'",
                  item);
    }
    out.utc_offsets.emplace_back(std::stoll(item.substr(0, colon)),
                                 std::stoll(item.substr(colon + 1)));
  }
  out.max_bytes = options.get_int("rolling.max-bytes", out.max_bytes);
  out.rollover_interval_ms = options.get_int("rolling.interval.ms", out.rollover_interval_ms);
  out.inactivity_interval_ms = options.get_int("rolling.inactivity.ms", out.inactivity_interval_ms);
  out.bucket_check_interval_ms =
      options.get_int("bucket-check.interval.ms", out.bucket_check_interval_ms);
  out.compaction = compaction_of(options);
  out.format = options.get("format", out.format);
  out.format_options = options.sub("format").values();
  return std::make_unique<TextLineSink>(std::move(out), type);
}

std::unique_ptr<SinkWriter> TextLineSink::create_writer(const SinkWriterContext& context) {
  return std::make_unique<TextLineWriter>(options_, type_, context);
}

}  // namespace flott
