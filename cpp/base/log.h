#pragma once

#include <fmt/format.h>

#include <functional>
#include <string>
#include <string_view>
#include <utility>

namespace flott {

enum class LogLevel { kDebug, kInfo, kWarn, kError };

/// Where log lines go: standard error until bindings send them to Python's `logging`.
/// Thread-safe; the sink is called without any engine lock held.
using LogSink = std::function<void(LogLevel, std::string_view logger, std::string_view message)>;

void set_log_sink(LogSink sink);
void set_log_level(LogLevel level);
bool log_enabled(LogLevel level);
void log_message(LogLevel level, std::string_view logger, const std::string& message);

template <typename... Args>
void log(LogLevel level,
         std::string_view logger,
         fmt::format_string<Args...> format,
         Args&&... args) {
  if (log_enabled(level)) {
    log_message(level, logger, fmt::format(format, std::forward<Args>(args)...));
  }
}

}  // namespace flott
