#pragma once

#include "connectors/options.h"
#include "connectors/sink.h"

#include <functional>
#include <string_view>

namespace flott {

/// Where printed text goes: whole lines, each with its \n. `to_stderr` tells the stream.
using PrintFunction = std::function<void(std::string_view lines, bool to_stderr)>;

/// Replaces the process's print function (bindings route to `sys.stdout`, so that pytest and
/// notebooks see it); empty = the C standard streams. Thread-safe. The function is called on task
/// threads, without engine locks.
void set_print_function(PrintFunction function);

/// `DataStream.print()`: a line a record. The prefix is `3> ` or `name:3> ` when the sink's
/// parallelism is above one, else nothing or `name> `.
class PrintSink final : public Sink {
 public:
  PrintSink(LogicalTypePtr stream_type, std::string identifier = "", bool to_stderr = false);
  /// Options: `print-identifier`, `standard-error` (false).
  static std::unique_ptr<Sink> from_options(const Options& options, const LogicalTypePtr& type);

  LogicalTypePtr input_type() const override { return type_; }
  std::unique_ptr<SinkWriter> create_writer(const SinkWriterContext& context) override;

 private:
  LogicalTypePtr type_;
  std::string identifier_;
  bool to_stderr_;
};

}  // namespace flott
