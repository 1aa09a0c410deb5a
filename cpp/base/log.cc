#include "base/log.h"

#include <atomic>
#include <cstdio>
#include <memory>
#include <mutex>

namespace flott {
namespace {

std::atomic<LogLevel> g_level{LogLevel::kWarn};  // NOLINT: process-wide by nature
std::mutex g_sink_mutex;                         // NOLINT
std::shared_ptr<const LogSink> g_sink;           // NOLINT

const char* level_name(LogLevel level) {
  switch (level) {
    case LogLevel::kDebug:
      return "DEBUG";
    case LogLevel::kInfo:
      return "INFO";
    case LogLevel::kWarn:
      return "WARNING";
    case LogLevel::kError:
      return "ERROR";
  }
  return "?";
}

}  // namespace

void set_log_sink(LogSink sink) {
  auto shared = sink ? std::make_shared<const LogSink>(std::move(sink)) : nullptr;
  const std::lock_guard lock(g_sink_mutex);
  g_sink = std::move(shared);
}

void set_log_level(LogLevel level) {
  g_level.store(level, std::memory_order_relaxed);
}

bool log_enabled(LogLevel level) {
  return level >= g_level.load(std::memory_order_relaxed);
}

void log_message(LogLevel level, std::string_view logger, const std::string& message) {
  std::shared_ptr<const LogSink> sink;
  {
    const std::lock_guard lock(g_sink_mutex);
    sink = g_sink;
  }
  if (sink) {
    (*sink)(level, logger, message);
    return;
  }
  const std::string line = fmt::format("{} {}: {}\n", level_name(level), logger, message);
  std::fwrite(line.data(), 1, line.size(), stderr);
}

}  // namespace flott
