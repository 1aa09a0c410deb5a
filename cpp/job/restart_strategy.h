#pragma once

#include <cstdint>
#include <deque>
#include <exception>
#include <functional>
#include <limits>
#include <memory>
#include <optional>
#include <string>

namespace flott {

/// What happens when a job fails, with Flink's names and defaults (`restart-strategy.*`).
struct RestartOptions {
  enum class Kind { kNone, kFixedDelay, kExponentialDelay, kFailureRate };
  static constexpr int kUnlimited = std::numeric_limits<int>::max();

  Kind kind = Kind::kNone;
  /// kFixedDelay: restarts in all. kExponentialDelay: restarts until the back-off is reset.
  int attempts = kUnlimited;
  std::int64_t delay_ms = 1'000;  ///< kFixedDelay and kFailureRate; kExponentialDelay: the first
  // kExponentialDelay
  std::int64_t max_delay_ms = 60'000;
  double multiplier = 1.5;
  double jitter = 0.1;                          ///< share of the delay that is left to chance
  std::int64_t reset_threshold_ms = 3'600'000;  ///< so long without a failure: as new
  // kFailureRate
  int max_failures_per_interval = 1;
  std::int64_t failure_interval_ms = 60'000;
};

/// Says after each failure whether and when the job starts again, as Flink's
/// RestartBackoffTimeStrategy. A plain object of the coordinator's thread.
class RestartStrategy {
 public:
  virtual ~RestartStrategy() = default;
  struct Restart {
    std::int64_t delay_ms = 0;
    std::string of;  ///< " of 4", where attempts are counted; else empty
  };
  /// A failure at `now_ms` of any clock that never goes back. Nothing: the job has failed.
  virtual std::optional<Restart> on_failure(std::int64_t now_ms) = 0;
  /// Why on_failure() gave nothing: "3 restarts were allowed (restart-strategy.fixed-delay...)".
  virtual std::string why_not() const = 0;
};

/// `chance`: numbers from 0 to 1, for the jitter; empty: random ones. Throws kInvalidArgument for
/// numbers that make no sense.
std::unique_ptr<RestartStrategy> make_restart_strategy(const RestartOptions& options,
                                                       std::function<double()> chance = {});

/// The same failure would come again at once. The rule: what is refused - a program, a setting, a
/// checkpoint or what it needs - is kInvalidArgument, what of a checkpoint cannot be read however
/// often one tries a DamagedCheckpoint. Everything else is tried again, as in Flink: functions,
/// disks and servers may behave the next time. (Retryable::kNo is Error's default and says nothing;
/// kYes excepts a kInvalidArgument.)
bool certain_to_repeat(const std::exception_ptr& error);

}  // namespace flott
