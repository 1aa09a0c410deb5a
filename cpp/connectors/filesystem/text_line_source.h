#pragma once

#include "connectors/options.h"
#include "connectors/source.h"
#include "formats/format.h"

namespace flott {

/// Lines of text files (read_text_file, FileSource): one STRING column, or rows by a format whose
/// records are lines. One split a file, read in the order of its bytes; the position is a byte
/// offset. A directory means all files below it but those whose names begin with `.` or `_`. Lines
/// end with \n or \r\n; the text is UTF-8 (other charsets are refused). Bounded, unless directories
/// are looked at again: then files that appear later are read, each once.
class TextLineSource final : public Source {
 public:
  explicit TextLineSource(std::vector<std::string> paths);
  /// Options: `path` (a list; `file://` is allowed), `charset` (UTF-8), `discovery.interval.ms` (0:
  /// once), `format` (string) with its own options below `format.`, `skip-lines` of each file (0).
  static std::unique_ptr<Source> from_options(const Options& options, const LogicalTypePtr& type);

  Boundedness boundedness() const override {
    return discovery_interval_ms_ > 0 ? Boundedness::kUnbounded : Boundedness::kBounded;
  }
  LogicalTypePtr produced_type() const override { return type_; }
  std::vector<SourceSplit> discover_splits(const std::function<bool()>& cancelled) override;
  std::int64_t discovery_interval_ms() const override { return discovery_interval_ms_; }
  std::unique_ptr<SourceReader> create_reader(const SourceReaderContext& context) override;

 private:
  std::vector<std::string> paths_;
  LogicalTypePtr type_;
  std::string format_ = "string";
  FormatOptions format_options_;
  std::int64_t discovery_interval_ms_ = 0;
  std::int64_t skip_lines_ = 0;
};

}  // namespace flott
