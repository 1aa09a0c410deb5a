#pragma once

#include "base/time.h"
#include "connectors/filesystem/file_compaction.h"
#include "connectors/options.h"
#include "connectors/sink.h"
#include "formats/format.h"

#include <limits>
#include <utility>
#include <vector>

namespace flott {

/// Writes lines into a directory: each subtask into files of its own,
/// `<bucket>/<prefix>-<subtask>-<n><suffix>`, in two phases. The file being written is *in
/// progress*, hidden as `.<name>.inprogress.<id>`. When it is rolled it is *pending*: complete, but
/// still hidden. When a checkpoint that knows of it is durable it is *finished* and gets its name;
/// so what is visible is complete, and there once. A restore finishes what was pending, and goes on
/// with a copy of what was in progress, cut off where the checkpoint was.
///
/// Without checkpoints a file is finished when it is rolled, and at the end of input.
struct TextLineSinkOptions {
  std::string directory;
  std::string prefix = "part";
  std::string suffix;
  /// A pattern for std::strftime of the wall clock when a record is written, or nothing: all files
  /// lie in the directory itself.
  std::string bucket_pattern;
  /// (first second since 1970, offset from UTC in seconds), ascending, for the pattern's time zone;
  /// empty: this machine's.
  std::vector<std::pair<std::int64_t, std::int64_t>> utc_offsets;
  /// A file is rolled once it has more bytes, is older, or got nothing for so long, at every
  /// checkpoint if that is wanted, and at the end of input.
  bool roll_on_checkpoint = false;
  std::int64_t max_bytes = std::numeric_limits<std::int64_t>::max();
  std::int64_t rollover_interval_ms = std::numeric_limits<std::int64_t>::max();
  std::int64_t inactivity_interval_ms = std::numeric_limits<std::int64_t>::max();
  /// How often ages are looked at.
  std::int64_t bucket_check_interval_ms = 60'000;
  /// Finished files become larger ones before they get a name.
  FileCompactionOptions compaction;
  /// `string`: a value's text, as Java shows it (opaque ones: as the host does); otherwise the
  /// format of the rows. A line each.
  std::string format = "string";
  FormatOptions format_options;
};

class TextLineSink final : public Sink {
 public:
  explicit TextLineSink(std::string directory, std::string prefix = "part");
  TextLineSink(TextLineSinkOptions options, LogicalTypePtr type);
  /// Options: `path`, `file-prefix` (part), `file-suffix`, `bucket.pattern`, `bucket.utc-offsets`
  /// (`second:offset,...`), `rolling.on-checkpoint`, `rolling.max-bytes`, `rolling.interval.ms`,
  /// `rolling.inactivity.ms`, `bucket-check.interval.ms`, `compact` (concat, identical),
  /// `compact.size`, `compact.checkpoints`, `compact.delimiter` (hexadecimal), `format` with its
  /// own options below `format.`.
  static std::unique_ptr<Sink> from_options(const Options& options, const LogicalTypePtr& type);

  LogicalTypePtr input_type() const override { return type_; }
  std::unique_ptr<SinkWriter> create_writer(const SinkWriterContext& context) override;
  bool has_two_phases() const override { return true; }

 private:
  TextLineSinkOptions options_;
  LogicalTypePtr type_;
};

}  // namespace flott
