#include "connectors/filesystem/text_line_source.h"

#include "base/bytes.h"
#include "connectors/filesystem/local_path.h"
#include "connectors/stored_version.h"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>

namespace flott {
namespace {

namespace fs = std::filesystem;

// Position: version 1, byte offset i64, finished u8.
constexpr std::uint8_t kPositionVersion = 1;
constexpr std::size_t kReadBytes = 256 * 1024;

std::string encode_position(std::int64_t offset, bool finished) {
  std::string out;
  BytesWriter writer(out);
  writer.u8(kPositionVersion);
  writer.i64(offset);
  writer.u8(finished ? 1 : 0);
  return out;
}

struct FileCloser {
  void operator()(std::FILE* file) const { std::fclose(file); }
};
using File = std::unique_ptr<std::FILE, FileCloser>;

struct TextFile {
  std::string path;
  std::int64_t offset = 0;  ///< of the next line
  bool finished = false;
};

class TextLineReader final : public SourceReader {
 public:
  struct Settings {
    LogicalTypePtr type;
    std::unique_ptr<Decoder> decoder;  ///< null: a line is the one column
    bool bounded = true;
    std::int64_t skip_lines = 0;  ///< at the beginning of each file
  };
  TextLineReader(Settings settings, MetricGroup* metrics)
      : settings_(std::move(settings)), builder_(settings_.type) {
    bytes_in_ = metrics == nullptr ? &unused_ : &metrics->counter("numBytesIn");
  }

  void add_splits(const std::vector<SourceSplit>& splits) override {
    for (const SourceSplit& split : splits) {
      BytesReader reader = position_reader(split, kPositionVersion);
      TextFile file;
      file.path = split.id;
      file.offset = reader.i64();
      file.finished = reader.u8() != 0;
      files_.push_back(std::move(file));
    }
  }

  PollResult poll(SourceBatch& out, std::int64_t max_rows) override {
    out = {};
    while (current_ < files_.size() && files_[current_].finished) {
      ++current_;
    }
    if (current_ == files_.size()) {
      return settings_.bounded ? PollResult::kFinished : PollResult::kIdle;
    }
    TextFile& file = files_[current_];
    if (!open_) {
      start(file);
    }
    read_lines(file, std::max<std::int64_t>(max_rows, 1));
    out.split = static_cast<int>(current_);
    out.batch = builder_.finish();
    if (file.finished) {
      open_.reset();
      pending_.clear();
      scanned_ = 0;
    }
    return PollResult::kMore;
  }

  std::vector<SourceSplit> positions() override {
    std::vector<SourceSplit> splits;
    for (const TextFile& file : files_) {
      splits.push_back({file.path, encode_position(file.offset, file.finished)});
    }
    return splits;
  }

  bool split_finished(int index) const override {
    return files_[static_cast<std::size_t>(index)].finished;
  }

  void close() override { open_.reset(); }

 private:
  void start(const TextFile& file) {
    open_.reset(std::fopen(file.path.c_str(), "rb"));
    if (!open_ || fseeko(open_.get(), file.offset, SEEK_SET) != 0) {
      throw_error(
          ErrorKind::kExternal, "cannot read the file '{}': {}", file.path, std::strerror(errno));
    }
    pending_.clear();
    scanned_ = 0;
    to_skip_ = file.offset == 0 ? settings_.skip_lines : 0;
  }

  void read_lines(TextFile& file, std::int64_t max_rows) {
    std::size_t begin = 0;
    while (builder_.num_rows() < max_rows) {
      const void* const newline =
          scanned_ < pending_.size()
              ? std::memchr(pending_.data() + scanned_, '\n', pending_.size() - scanned_)
              : nullptr;
      if (newline != nullptr) {
        const std::size_t end =
            static_cast<std::size_t>(static_cast<const char*>(newline) - pending_.data());
        append_line(file, std::string_view(pending_).substr(begin, end - begin));
        file.offset += static_cast<std::int64_t>(end + 1 - begin);
        begin = end + 1;
        scanned_ = begin;
        continue;
      }
      scanned_ = pending_.size();
      // What is there goes on before the disk is asked again: a poll reads one block.
      if (builder_.num_rows() > 0 && pending_.size() - begin < kReadBytes && begin > 0) {
        break;
      }
      if (!fill(file)) {
        if (begin < pending_.size()) {
          append_line(file, std::string_view(pending_).substr(begin));
          file.offset += static_cast<std::int64_t>(pending_.size() - begin);
          begin = pending_.size();
        }
        file.finished = true;
        break;
      }
    }
    pending_.erase(0, begin);
    scanned_ -= begin;
  }

  /// Another block of the file; false at its end.
  bool fill(const TextFile& file) {
    const std::size_t old = pending_.size();
    pending_.resize(old + kReadBytes);
    const std::size_t got = std::fread(pending_.data() + old, 1, kReadBytes, open_.get());
    pending_.resize(old + got);
    bytes_in_->inc(static_cast<std::int64_t>(got));
    if (got == 0 && std::ferror(open_.get()) != 0) {
      throw_error(
          ErrorKind::kExternal, "cannot read the file '{}': {}", file.path, std::strerror(errno));
    }
    return got > 0;
  }

  void append_line(const TextFile& file, std::string_view line) {
    if (to_skip_ > 0) {
      --to_skip_;
      return;
    }
    if (!line.empty() && line.back() == '\r') {
      line.remove_suffix(1);
    }
    if (settings_.decoder) {
      try {
        settings_.decoder->decode(line, kNoTimestamp, builder_);
      } catch (const Error& error) {
        throw_error(error.kind(),
                    "cannot read the line at byte {} of the file '{}': {}",
                    file.offset,
                    file.path,
                    error.what());
      }
      return;
    }
    builder_.column(0).append_string(line);
    builder_.end_row();
  }

  Settings settings_;
  BatchBuilder builder_;
  std::vector<TextFile> files_;
  std::size_t current_ = 0;
  File open_;
  std::string pending_;      ///< bytes from the file's offset on
  std::size_t scanned_ = 0;  ///< of them known to have no line end after the current line's start
  std::int64_t to_skip_ = 0;
  Counter unused_;
  Counter* bytes_in_;
};

void collect(const fs::path& path, std::vector<std::string>& files) {
  std::error_code error;
  const fs::file_status status = fs::status(path, error);
  if (error || !fs::exists(status)) {
    throw_error(ErrorKind::kExternal,
                "cannot read '{}': {}",
                path.string(),
                error ? error.message() : "there is no such file or directory");
  }
  if (!fs::is_directory(status)) {
    files.push_back(path.string());
    return;
  }
  for (const fs::directory_entry& entry : fs::directory_iterator(path, error)) {
    const std::string name = entry.path().filename().string();
    if (!name.starts_with('.') && !name.starts_with('_')) {
      collect(entry.path(), files);
    }
  }
  if (error) {
    throw_error(ErrorKind::kExternal, "cannot list '{}': {}", path.string(), error.message());
  }
}

}  // namespace

TextLineSource::TextLineSource(std::vector<std::string> paths)
    : paths_(std::move(paths)), type_(LogicalType::of(TypeKind::kString)) {
  if (paths_.empty()) {
    throw_error(ErrorKind::kInvalidArgument, "a text file source needs a path");
  }
  for (const std::string& path : paths_) {
    local_path(path);
  }
}

std::unique_ptr<Source> TextLineSource::from_options(const Options& options,
                                                     const LogicalTypePtr& type) {
  options.get("path");
  const std::string name = options.get("charset", "UTF-8");
  std::string charset = name;
  for (char& c : charset) {
    c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  }
  if (charset != "UTF-8" && charset != "UTF8" && charset != "US-ASCII" && charset != "ASCII") {
    throw_error(ErrorKind::kInvalidArgument,
                "text files are read as UTF-8; the charset '{}' is not supported",
                name);
  }
  auto source = std::make_unique<TextLineSource>(options.get_list("path"));
  source->discovery_interval_ms_ = options.get_int("discovery.interval.ms", 0);
  source->skip_lines_ = options.get_int("skip-lines", 0);
  source->format_ = options.get("format", "string");
  source->format_options_ = options.sub("format").values();
  if (source->format_ != "string") {
    source->type_ = make_decoder(source->format_, source->format_options_, type)->type();
  }
  return source;
}

std::vector<SourceSplit> TextLineSource::discover_splits(
    const std::function<bool()>& /*cancelled*/) {
  std::vector<std::string> files;
  for (const std::string& path : paths_) {
    collect(local_path(path), files);
  }
  std::sort(files.begin(), files.end());
  std::vector<SourceSplit> splits;
  for (const std::string& file : files) {
    splits.push_back({file, encode_position(0, false)});
  }
  return splits;
}

std::unique_ptr<SourceReader> TextLineSource::create_reader(const SourceReaderContext& context) {
  TextLineReader::Settings settings;
  settings.type = type_;
  settings.bounded = boundedness() == Boundedness::kBounded;
  settings.skip_lines = skip_lines_;
  if (format_ != "string") {
    settings.decoder = make_decoder(format_, format_options_, type_);
  }
  return std::make_unique<TextLineReader>(std::move(settings), context.metrics);
}

}  // namespace flott
