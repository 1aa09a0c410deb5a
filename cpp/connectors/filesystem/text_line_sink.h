#pragma once

#include "connectors/options.h"
#include "connectors/sink.h"

namespace flott {

/// Writes a STRING column as lines into a directory: each subtask into files of its own,
/// `<prefix>-<subtask>-<n>`. The file being written is hidden as `.<prefix>-<subtask>-<n>.part` and
/// gets its name when it is complete: at each checkpoint that had records, and at the end of input.
/// At least once: after a failure, lines since the last checkpoint are written again, into a new
/// file.
class TextLineSink final : public Sink {
 public:
  TextLineSink(std::string directory, std::string prefix = "part");
  /// Options: `path`, `file-prefix` (part).
  static std::unique_ptr<Sink> from_options(const Options& options, const LogicalTypePtr& type);

  LogicalTypePtr input_type() const override { return type_; }
  std::unique_ptr<SinkWriter> create_writer(const SinkWriterContext& context) override;

 private:
  std::string directory_;
  std::string prefix_;
  LogicalTypePtr type_;
};

}  // namespace flott
