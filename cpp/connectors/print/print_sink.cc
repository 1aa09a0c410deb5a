#include "connectors/print/print_sink.h"

#include "connectors/print/value_text.h"
#include "types/host.h"

#include <cstdio>
#include <mutex>

namespace flott {
namespace {

std::mutex g_function_mutex;                      // NOLINT: process-wide by nature
std::shared_ptr<const PrintFunction> g_function;  // NOLINT

void print(std::string_view lines, bool to_stderr) {
  std::shared_ptr<const PrintFunction> function;
  {
    const std::lock_guard lock(g_function_mutex);
    function = g_function;
  }
  if (function) {
    (*function)(lines, to_stderr);
    return;
  }
  std::FILE* const stream = to_stderr ? stderr : stdout;
  std::fwrite(lines.data(), 1, lines.size(), stream);
  std::fflush(stream);
}

std::string prefix_of(const std::string& identifier, const SinkWriterContext& context) {
  if (context.parallelism > 1) {
    const std::string number = std::to_string(context.subtask + 1);
    return (identifier.empty() ? number : identifier + ":" + number) + "> ";
  }
  return identifier.empty() ? std::string() : identifier + "> ";
}

class PrintWriter final : public SinkWriter {
 public:
  PrintWriter(LogicalTypePtr type, std::string prefix, bool to_stderr)
      : type_(std::move(type)), prefix_(std::move(prefix)), to_stderr_(to_stderr) {}

  void write(const BatchPtr& batch) override {
    lines_.clear();
    {
      const HostScope scope;
      for (std::int64_t i = 0; i < batch->num_rows(); ++i) {
        lines_ += prefix_;
        append_printed(batch->value_at(i), *type_, lines_);
        lines_.push_back('\n');
      }
    }
    print(lines_, to_stderr_);
  }
  void start_flush() override {}
  bool flushed() override { return true; }

 private:
  LogicalTypePtr type_;
  std::string prefix_;
  bool to_stderr_;
  std::string lines_;
};

}  // namespace

void set_print_function(PrintFunction function) {
  auto shared = function ? std::make_shared<const PrintFunction>(std::move(function)) : nullptr;
  const std::lock_guard lock(g_function_mutex);
  g_function = std::move(shared);
}

PrintSink::PrintSink(LogicalTypePtr stream_type, std::string identifier, bool to_stderr)
    : type_(std::move(stream_type)), identifier_(std::move(identifier)), to_stderr_(to_stderr) {}

std::unique_ptr<Sink> PrintSink::from_options(const Options& options, const LogicalTypePtr& type) {
  return std::make_unique<PrintSink>(
      type, options.get("print-identifier", ""), options.get_bool("standard-error", false));
}

std::unique_ptr<SinkWriter> PrintSink::create_writer(const SinkWriterContext& context) {
  return std::make_unique<PrintWriter>(type_, prefix_of(identifier_, context), to_stderr_);
}

}  // namespace flott
