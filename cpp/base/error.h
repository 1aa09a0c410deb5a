#pragma once

#include <fmt/format.h>

#include <stdexcept>
#include <string>
#include <utility>

namespace flott {

/// Who has to act on an error. Restart strategies and the Python exception map read it.
enum class ErrorKind {
  kUserCode,         ///< a user's function failed or returned something it must not
  kInvalidArgument,  ///< the API was used wrongly; found when the graph is built where possible
  kExternal,         ///< a broker, server, disk or input record misbehaved
  kInternal,         ///< a bug of ours: an invariant does not hold
};

enum class Retryable { kNo, kYes };

/// The one exception type that crosses module boundaries. Thrown for what must fail the task;
/// outcomes a caller expects are return values instead.
class Error : public std::runtime_error {
 public:
  Error(ErrorKind kind, std::string message, Retryable retryable = Retryable::kNo)
      : std::runtime_error(std::move(message)), kind_(kind), retryable_(retryable) {}

  ErrorKind kind() const { return kind_; }
  bool retryable() const { return retryable_ == Retryable::kYes; }

 private:
  ErrorKind kind_;
  Retryable retryable_;
};

template <typename... Args>
[[noreturn]] void throw_error(ErrorKind kind, fmt::format_string<Args...> format, Args&&... args) {
  throw Error(kind, fmt::format(format, std::forward<Args>(args)...));
}

namespace detail {
[[noreturn]] void check_failed(const char* file,
                               int line,
                               const char* condition,
                               const std::string& message);
}  // namespace detail

}  // namespace flott

/// Invariant that holds in every build; a failure is an ErrorKind::kInternal with file and line.
#define STREAM_CHECK(condition, ...)                                                             \
  do {                                                                                           \
    if (!(condition)) [[unlikely]] {                                                             \
      ::flott::detail::check_failed(__FILE__, __LINE__, #condition, ::fmt::format(__VA_ARGS__)); \
    }                                                                                            \
  } while (false)

/// Invariant for hot loops: checked in every preset but `release`.
#ifdef FLOTT_DEBUG_CHECKS
#define STREAM_DCHECK(condition, ...) STREAM_CHECK(condition, __VA_ARGS__)
#else
#define STREAM_DCHECK(condition, ...) \
  do {                                \
  } while (false)
#endif
