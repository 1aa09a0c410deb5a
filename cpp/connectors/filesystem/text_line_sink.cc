#include "connectors/filesystem/text_line_sink.h"

#include "base/bytes.h"
#include "base/fault_point.h"
#include "base/log.h"
#include "base/random_id.h"
#include "connectors/filesystem/finished_file.h"
#include "connectors/filesystem/hidden_file.h"
#include "connectors/filesystem/local_path.h"
#include "connectors/print/value_text.h"
#include "connectors/stored_version.h"
#include "runtime/task.h"
#include "types/host.h"

#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <filesystem>
#include <map>
#include <optional>
#include <set>

// An entry of the operator state "file-parts", which is union state: the parts of subtask n go to
// subtask n mod parallelism.
//
//   entry := version:u8  kind:u8 (0 pending, 1 in progress)  subtask:varint  bucket:string
//            hidden path:string  name:string  bytes:i64 (what counts of it)  opened at:i64

namespace flott {
namespace {

namespace fs = std::filesystem;

constexpr const char* kStateName = "file-parts";
constexpr std::uint8_t kVersion = 1;
constexpr CheckpointId kNotYet = std::numeric_limits<CheckpointId>::max();

constexpr std::size_t kWriteBytes = 64 * 1024;

struct FileCloser {
  void operator()(std::FILE* file) const { std::fclose(file); }
};

/// The file being written in one bucket.
struct PartFile {
  std::unique_ptr<std::FILE, FileCloser> file;
  fs::path hidden;
  std::string name;
  std::int64_t bytes = 0;
  Timestamp opened_at = 0;
  Timestamp written_at = 0;
  bool known = false;  ///< to a checkpoint
};

/// A complete file that waits for a checkpoint to get its name.
struct PendingFile : HiddenFile {
  std::string bucket;
  std::int64_t bytes = 0;
  CheckpointId checkpoint = kNotYet;  ///< the first that knows that it is complete
  bool known = false;                 ///< to one that it was in progress for
};

class TextLineWriter final : public SinkWriter {
 public:
  TextLineWriter(const TextLineSinkOptions& options,
                 const LogicalTypePtr& type,
                 const SinkWriterContext& context)
      : options_(options),
        directory_(local_path(options.directory)),
        subtask_(context.subtask),
        parallelism_(context.parallelism),
        checkpointing_(context.checkpointing),
        clock_(context.clock),
        restored_(context.restored),
        compaction_(options.compaction, writer_id_, subtask_, parallelism_, checkpointing_),
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
      restore_parts(*restored_);
      restored_ = nullptr;
    }
  }

  bool claims_state(const std::string& name) const override {
    return name == kStateName || name == FileCompaction::kStateName;
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
        roll(bucket, *part);
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
    if (!checkpointing_ || options_.roll_on_checkpoint || input_ended_ || savepoint_) {
      for (auto& [bucket, part] : parts_) {
        roll(bucket, part);
      }
      parts_.clear();
    }
    for (auto& [bucket, part] : parts_) {
      sync(part);
    }
    const bool is_savepoint = std::exchange(savepoint_, false);
    if (is_savepoint) {
      name_for_savepoint();
    }
    // A checkpoint counts on the files: their names, and those of their buckets, must survive a
    // power loss.
    for (const std::string& bucket : std::exchange(new_in_buckets_, {})) {
      sync_directories(directory_, bucket);
    }
    if (input_ended_ || is_savepoint) {
      compaction_.finish();
    } else {
      compaction_.on_checkpoint();
    }
  }
  bool flushed() override { return true; }
  /// The job that goes on would change files in progress, and remove those that wait for others to
  /// be compacted: a savepoint has only complete ones, which are finished whenever it is restored.
  void before_savepoint() override { savepoint_ = true; }
  void end_input() override { input_ended_ = true; }

  void snapshot(CheckpointId id, OperatorSnapshot& snapshot) override {
    const CheckpointId checkpoint = id == kFinalSnapshot ? kNotYet - 1 : id;
    if (compaction_.is_enabled()) {
      compaction_.snapshot(checkpoint, snapshot);
    }
    for (PendingFile& file : pending_) {
      file.checkpoint = std::min(file.checkpoint, checkpoint);
      store(snapshot, 0, file.bucket, file.hidden, file.name, file.bytes, 0);
    }
    for (auto& [bucket, part] : parts_) {
      part.known = true;
      store(snapshot, 1, bucket, part.hidden, part.name, part.bytes, part.opened_at);
    }
  }

  void notify_checkpoint_complete(CheckpointId id) override {
    commit(id);
    // The checkpoint has our copies instead.
    for (const fs::path& copied : std::exchange(copied_, {})) {
      remove_file(copied);
    }
  }
  bool has_uncommitted() const override { return !pending_.empty() || !compaction_.empty(); }
  void start_final_commit() override {
    OperatorSnapshot unused;
    snapshot(kFinalSnapshot, unused);
    notify_checkpoint_complete(kNotYet - 1);
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
      roll(it->first, it->second);
      it = parts_.erase(it);
    }
  }

  void close() override {
    // Nobody will ask for what no checkpoint knows. Never throws.
    std::error_code ignored;
    for (const auto& [bucket, part] : parts_) {
      if (checkpointing_ && !part.known) {
        fs::remove(part.hidden, ignored);
      }
    }
    for (const PendingFile& file : pending_) {
      if (file.checkpoint == kNotYet && !file.known) {
        fs::remove(file.hidden, ignored);
      }
    }
    parts_.clear();
  }

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
    const fs::path folder = folder_of(bucket);
    // Numbers go on after the files of an earlier run, so that none is replaced.
    do {
      part.name = next_name(bucket);
    } while (is_taken(folder, part.name));
    create(part, folder);
    part.opened_at = part.written_at = now;
    new_in_buckets_.insert(bucket);
    return part;
  }

  bool is_taken(const fs::path& folder, const std::string& name) const {
    return fs::exists(folder / name) || fs::exists(folder / ("compacted-" + name)) ||
           std::any_of(pending_.begin(), pending_.end(), [&](const PendingFile& file) {
             return file.name == name && file.hidden.parent_path() == folder;
           });
  }

  /// Other sinks may write into the folder too: the hidden name is this writer's alone, and
  /// exclusive.
  void create(PartFile& part, const fs::path& folder) const {
    make_directory(folder);
    part.hidden = folder / hidden_name(part.name, writer_id_);
    part.file.reset(std::fopen(part.hidden.c_str(), "wbxe"));
    check_file(part.file != nullptr, part.hidden);
  }

  /// What a savepoint names must stay whatever becomes of this job, of which an attempt may begin
  /// from an older checkpoint and remove what this writer made since: it gets hidden names with an
  /// id of its own. The old ones stay for that checkpoint.
  void name_for_savepoint() {
    const std::string id = random_id();
    std::set<fs::path> folders;
    const auto rename = [&](HiddenFile& file) {
      const fs::path& folder = *folders.insert(file.hidden.parent_path()).first;
      const fs::path own = folder / hidden_name(file.name, id);
      STREAM_CHECK(add_name(file.hidden, own), "'{}' is there already", own.string());
      file.former_names.push_back(std::exchange(file.hidden, own));
    };
    std::for_each(pending_.begin(), pending_.end(), rename);
    compaction_.visit([&](const std::string& /*bucket*/, HiddenFile& part) { rename(part); });
    std::for_each(folders.begin(), folders.end(), sync_directory);
  }

  fs::path folder_of(const std::string& bucket) const {
    return bucket.empty() ? directory_ : directory_ / bucket;
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

  static void sync(const PartFile& part) {
    check_file(std::fflush(part.file.get()) == 0 && ::fsync(fileno(part.file.get())) == 0,
               part.hidden);
  }

  /// The file is complete.
  void roll(const std::string& bucket, PartFile& part) {
    sync(part);
    part.file.reset();
    if (compaction_.is_enabled()) {
      // It stays hidden, but a checkpoint counts on it.
      sync_directories(directory_, bucket);
      compaction_.add(bucket, part.hidden, part.name, part.bytes);
      return;
    }
    PendingFile file{{part.hidden, part.name}, bucket, part.bytes, kNotYet, part.known};
    if (checkpointing_) {
      pending_.push_back(std::move(file));
    } else {
      finish(file);
    }
  }

  /// Gives a complete file its name; a repetition changes nothing. Where it lies, as Flink does:
  /// the checkpoint restored from may be of a sink that had another folder.
  void finish(const PendingFile& file) {
    const fs::path folder = file.hidden.parent_path();
    std::string name = file.name;
    while (!add_name(file.hidden, folder / name)) {
      std::error_code error;
      if (fs::equivalent(file.hidden, folder / name, error)) {
        break;  // the process ended before the hidden name was removed
      }
      name = next_name(file.bucket);
    }
    remove_hidden(file);
    sync_directory(folder);
  }

  void commit(CheckpointId id) {
    fault_point(FaultPoint::kDuringCommit);
    std::erase_if(pending_, [&](const PendingFile& file) {
      const bool due = file.checkpoint <= id;
      if (due) {
        finish(file);
      }
      return due;
    });
    compaction_.commit(id);
    fault_point(FaultPoint::kBetweenCommitAndNotify);
  }

  void store(OperatorSnapshot& snapshot,
             std::uint8_t kind,
             const std::string& bucket,
             const fs::path& hidden,
             const std::string& name,
             std::int64_t bytes,
             Timestamp opened_at) const {
    BytesWriter out(snapshot.union_state[kStateName].emplace_back());
    out.u8(kVersion);
    out.u8(kind);
    out.varint(static_cast<std::uint64_t>(subtask_));
    out.string(bucket);
    out.string(hidden.string());
    out.string(name);
    out.i64(bytes);
    out.i64(opened_at);
  }

  void restore_parts(const OperatorSnapshot& snapshot) {
    fault_point(FaultPoint::kDuringRecovery);
    Leftovers leftovers;
    compaction_.visit([&](const std::string& bucket, const HiddenFile& part) {
      leftovers.keep(part.hidden);  // only those of former writers are there yet
      count_behind(bucket, part.name);
    });
    const std::vector<std::string> none;
    const auto stored = snapshot.union_state.find(kStateName);
    for (const std::string& entry : stored == snapshot.union_state.end() ? none : stored->second) {
      BytesReader in(entry);
      check_stored_version(in, kVersion, "what is stored of the file sink's files");
      const bool in_progress = in.u8() == 1;
      const auto subtask = static_cast<int>(in.varint());
      if (subtask % parallelism_ != subtask_) {
        continue;
      }
      PendingFile file;
      file.bucket = in.string();
      file.hidden = fs::path(in.string());
      file.name = in.string();
      file.bytes = in.i64();
      const Timestamp opened_at = in.i64();
      leftovers.keep(file.hidden);
      count_behind(file.bucket, file.name);
      if (in_progress) {
        take_over(file, opened_at);
      } else if (fs::exists(file.hidden)) {
        finish(file);
      } else if (!fs::exists(file.hidden.parent_path() / file.name)) {
        log(LogLevel::kWarn,
            "flott.filesystem",
            "'{}', which the checkpoint says is complete, is not in '{}'; if it was not taken away "
            "since it was finished, its lines are lost (is the folder mounted?)",
            file.name,
            file.hidden.parent_path().string());
      }
    }
    leftovers.remove();
  }

  /// Goes on with a file in progress, in a copy of what the checkpoint knows: whoever else may
  /// still write to it, or restore from the same checkpoint again, has the old one to himself.
  void take_over(const PendingFile& file, Timestamp opened_at) {
    std::error_code error;
    const auto size = static_cast<std::int64_t>(fs::file_size(file.hidden, error));
    if (error || size < file.bytes) {
      throw_error(
          error && error != std::errc::no_such_file_or_directory ? ErrorKind::kExternal
                                                                 : ErrorKind::kInvalidArgument,
          "the file '{}', of which the checkpoint knows {} bytes, {}. It was removed, cut off, or "
          "finished after this checkpoint; put it back, or restore the newest checkpoint (from "
          "this one, what was finished since is written again)",
          file.hidden.string(),
          file.bytes,
          error == std::errc::no_such_file_or_directory ? "is gone"
          : error                                       ? "cannot be read: " + error.message()
                                                        : fmt::format("has only {}", size));
    }
    if (file.bytes == 0) {
      copied_.push_back(file.hidden);
      return;
    }
    PartFile part;
    part.name = file.name;
    while (parts_.contains(file.bucket) && parts_[file.bucket].name == part.name) {
      part.name = next_name(file.bucket);
    }
    create(part, folder_of(file.bucket));
    const std::unique_ptr<std::FILE, FileCloser> in(std::fopen(file.hidden.c_str(), "rbe"));
    check_file(in != nullptr, file.hidden);
    std::string buffer(kWriteBytes, '\0');
    for (std::int64_t left = file.bytes; left > 0;) {
      const auto wanted = std::min<std::size_t>(buffer.size(), static_cast<std::size_t>(left));
      check_file(std::fread(buffer.data(), 1, wanted, in.get()) == wanted, file.hidden);
      check_file(std::fwrite(buffer.data(), 1, wanted, part.file.get()) == wanted, part.hidden);
      left -= static_cast<std::int64_t>(wanted);
    }
    part.bytes = file.bytes;
    part.opened_at = opened_at;
    part.written_at = now_ms();
    new_in_buckets_.insert(file.bucket);
    copied_.push_back(file.hidden);
    if (parts_.contains(file.bucket)) {
      roll(file.bucket, part);  // of two former subtasks: one is gone on with
    } else {
      parts_[file.bucket] = std::move(part);
    }
  }

  /// Numbers go on behind the names that a checkpoint knows, even where the files have been taken
  /// away since: a name tells what becomes of what.
  void count_behind(const std::string& bucket, const std::string& name) {
    const std::string own = fmt::format("{}-{}-", options_.prefix, subtask_);
    if (name.starts_with(own)) {
      std::int64_t& next = numbers_[bucket];
      next = std::max<std::int64_t>(next, std::atoll(name.c_str() + own.size()) + 1);
    }
  }
  std::string next_name(const std::string& bucket) {
    return fmt::format(
        "{}-{}-{}{}", options_.prefix, subtask_, numbers_[bucket]++, options_.suffix);
  }

  const TextLineSinkOptions options_;
  const fs::path directory_;
  const int subtask_;
  const int parallelism_;
  const bool checkpointing_;
  const Clock* const clock_;
  const OperatorSnapshot* restored_;
  const std::string writer_id_ = random_id();  ///< in the names of hidden files
  FileCompaction compaction_;
  bool input_ended_ = false;
  bool savepoint_ = false;  ///< the next flush is for one
  const LogicalTypePtr type_;
  std::unique_ptr<Encoder> encoder_;       ///< null: the values' text
  std::map<std::string, PartFile> parts_;  ///< by bucket
  std::vector<PendingFile> pending_;
  std::set<std::string> new_in_buckets_;         ///< names that are not synced
  std::vector<fs::path> copied_;                 ///< of the checkpoint restored from, to be removed
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
  out.roll_on_checkpoint = options.get_bool("rolling.on-checkpoint", out.roll_on_checkpoint);
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
