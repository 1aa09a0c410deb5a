#pragma once

#include "connectors/options.h"
#include "connectors/source.h"

namespace flott {

/// Lines of text files as one STRING column (read_text_file). Bounded; one split a file, read in
/// the order of its bytes; the position is a byte offset. A directory means all files below it but
/// those whose names begin with `.` or `_`. Lines end with \n or \r\n; the text is UTF-8 (other
/// charsets are refused).
class TextLineSource final : public Source {
 public:
  explicit TextLineSource(std::vector<std::string> paths);
  /// Options: `path` (a list; `file://` is allowed), `charset` (UTF-8).
  static std::unique_ptr<Source> from_options(const Options& options, const LogicalTypePtr& type);

  Boundedness boundedness() const override { return Boundedness::kBounded; }
  LogicalTypePtr produced_type() const override { return type_; }
  std::vector<SourceSplit> discover_splits(const std::function<bool()>& cancelled) override;
  std::unique_ptr<SourceReader> create_reader(const SourceReaderContext& context) override;

 private:
  std::vector<std::string> paths_;
  LogicalTypePtr type_;
};

}  // namespace flott
