#pragma once

#include "connectors/options.h"
#include "connectors/sink.h"

namespace flott {

/// Upserts rows into a table of a SQLite file.
///
/// Options: `path`, `table`, `key` (list of columns: the primary key; without, rows are appended),
/// `flush.rows` (1000), `flush.interval.ms` (200), `busy.timeout.ms` (5000). The table is made when
/// it is missing, with the stream's columns. -D rows delete, -U rows are skipped. Rows of one flush
/// are one transaction; a checkpoint flushes. The file is in WAL mode, so that others read while we
/// write.
class SqliteSink final : public Sink {
 public:
  SqliteSink(const Options& options, LogicalTypePtr type);
  static std::unique_ptr<Sink> from_options(const Options& options, const LogicalTypePtr& type);

  LogicalTypePtr input_type() const override { return type_; }
  std::unique_ptr<SinkWriter> create_writer(const SinkWriterContext& context) override;

 private:
  Options options_;
  LogicalTypePtr type_;
};

}  // namespace flott
