#include "connectors/filesystem/text_line_sink.h"

#include "connectors/filesystem/local_path.h"

#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>

namespace flott {
namespace {

namespace fs = std::filesystem;

struct FileCloser {
  void operator()(std::FILE* file) const { std::fclose(file); }
};

class TextLineWriter final : public SinkWriter {
 public:
  TextLineWriter(fs::path directory, std::string prefix, int subtask, MetricGroup* metrics)
      : directory_(std::move(directory)), prefix_(std::move(prefix)), subtask_(subtask) {
    if (metrics != nullptr) {
      records_ = &metrics->counter("numRecordsSend");
      bytes_ = &metrics->counter("numBytesOut");
    }
  }

  void open() override {
    std::error_code error;
    fs::create_directories(directory_, error);
    if (error) {
      throw_error(ErrorKind::kExternal,
                  "cannot make the directory '{}': {}",
                  directory_.string(),
                  error.message());
    }
    // Numbers go on after the files of an earlier run, so that none is replaced.
    while (fs::exists(final_path())) {
      ++number_;
    }
  }

  void write(const BatchPtr& batch) override {
    if (!file_) {
      file_.reset(std::fopen(part_path().c_str(), "wb"));
      check(file_ != nullptr, part_path());
    }
    const Column& column = batch->column(0);
    text_.clear();
    for (std::int64_t i = 0; i < batch->num_rows(); ++i) {
      if (column.is_null(i)) {
        text_ += "null";
      } else {
        text_ += column.string_at(i);
      }
      text_.push_back('\n');
    }
    check(std::fwrite(text_.data(), 1, text_.size(), file_.get()) == text_.size(), part_path());
    records_->inc(batch->num_rows());
    bytes_->inc(static_cast<std::int64_t>(text_.size()));
  }

  void start_flush() override {
    if (!file_) {
      return;
    }
    check(std::fflush(file_.get()) == 0 && ::fsync(fileno(file_.get())) == 0, part_path());
    file_.reset();
    std::error_code error;
    fs::rename(part_path(), final_path(), error);
    if (error) {
      throw_error(ErrorKind::kExternal,
                  "cannot rename '{}' to '{}': {}",
                  part_path().string(),
                  final_path().string(),
                  error.message());
    }
    ++number_;
  }
  bool flushed() override { return true; }
  void close() override { file_.reset(); }

 private:
  fs::path final_path() const {
    return directory_ / fmt::format("{}-{}-{}", prefix_, subtask_, number_);
  }
  fs::path part_path() const {
    return directory_ / fmt::format(".{}-{}-{}.part", prefix_, subtask_, number_);
  }
  static void check(bool ok, const fs::path& path) {
    if (!ok) {
      throw_error(ErrorKind::kExternal,
                  "cannot write the file '{}': {}",
                  path.string(),
                  std::strerror(errno));
    }
  }

  fs::path directory_;
  std::string prefix_;
  int subtask_;
  std::int64_t number_ = 0;
  std::unique_ptr<std::FILE, FileCloser> file_;
  std::string text_;
  Counter unused_records_;
  Counter unused_bytes_;
  Counter* records_ = &unused_records_;
  Counter* bytes_ = &unused_bytes_;
};

}  // namespace

TextLineSink::TextLineSink(std::string directory, std::string prefix)
    : directory_(std::move(directory)),
      prefix_(std::move(prefix)),
      type_(LogicalType::of(TypeKind::kString)) {
  local_path(directory_);
}

std::unique_ptr<Sink> TextLineSink::from_options(const Options& options,
                                                 const LogicalTypePtr& /*type*/) {
  return std::make_unique<TextLineSink>(options.get("path"), options.get("file-prefix", "part"));
}

std::unique_ptr<SinkWriter> TextLineSink::create_writer(const SinkWriterContext& context) {
  return std::make_unique<TextLineWriter>(
      local_path(directory_), prefix_, context.subtask, context.metrics);
}

}  // namespace flott
