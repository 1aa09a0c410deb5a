#include "job/restart_strategy.h"

#include "base/error.h"
#include "checkpoint/checkpoint_storage.h"

#include <algorithm>
#include <cmath>
#include <random>
#include <utility>

namespace flott {
namespace {

class NoRestart final : public RestartStrategy {
 public:
  std::optional<Restart> on_failure(std::int64_t /*now_ms*/) override { return std::nullopt; }
  std::string why_not() const override { return {}; }
};

/// What is shown of a limit: attempts, of which the first is no restart.
std::string of_attempts(int restarts) {
  return restarts == RestartOptions::kUnlimited
             ? ""
             : fmt::format(" of {}", static_cast<std::int64_t>(restarts) + 1);
}

class FixedDelay final : public RestartStrategy {
 public:
  FixedDelay(int attempts, std::int64_t delay_ms) : attempts_(attempts), delay_ms_(delay_ms) {}
  std::optional<Restart> on_failure(std::int64_t /*now_ms*/) override {
    if (done_ == attempts_) {
      return std::nullopt;
    }
    if (attempts_ != RestartOptions::kUnlimited) {
      ++done_;
    }
    return Restart{delay_ms_, of_attempts(attempts_)};
  }
  std::string why_not() const override {
    return fmt::format("{} restarts were allowed (restart-strategy.fixed-delay.attempts)",
                       attempts_);
  }

 private:
  const int attempts_;
  const std::int64_t delay_ms_;
  int done_ = 0;
};

class ExponentialDelay final : public RestartStrategy {
 public:
  ExponentialDelay(const RestartOptions& options, std::function<double()> chance)
      : options_(options), chance_(std::move(chance)) {}

  std::optional<Restart> on_failure(std::int64_t now_ms) override {
    // The threshold counts from the moment at which the last restart was due.
    if (done_ > 0 && now_ms - last_due_ms_ >= options_.reset_threshold_ms) {
      done_ = 0;
    }
    if (done_ == options_.attempts) {
      return std::nullopt;
    }
    const double base =
        static_cast<double>(options_.delay_ms) * std::pow(options_.multiplier, done_);
    const double jittered = base * (1 + options_.jitter * (2 * chance_() - 1));
    const double delay = std::clamp(jittered,
                                    static_cast<double>(options_.delay_ms),
                                    static_cast<double>(options_.max_delay_ms));
    ++done_;
    last_due_ms_ = now_ms + static_cast<std::int64_t>(delay);
    return Restart{static_cast<std::int64_t>(delay), of_attempts(options_.attempts)};
  }
  std::string why_not() const override {
    return fmt::format(
        "{} restarts were allowed before {} ms without a failure "
        "(restart-strategy.exponential-delay.attempts-before-reset-backoff)",
        options_.attempts,
        options_.reset_threshold_ms);
  }

 private:
  const RestartOptions options_;
  const std::function<double()> chance_;
  int done_ = 0;
  std::int64_t last_due_ms_ = 0;
};

class FailureRate final : public RestartStrategy {
 public:
  explicit FailureRate(const RestartOptions& options) : options_(options) {}
  std::optional<Restart> on_failure(std::int64_t now_ms) override {
    // As Flink: the failure itself counts, so the last one that is allowed is one too many.
    const auto most = static_cast<std::size_t>(options_.max_failures_per_interval);
    if (failures_.size() == most) {
      failures_.pop_front();
    }
    failures_.push_back(now_ms);
    if (failures_.size() == most && now_ms - failures_.front() <= options_.failure_interval_ms) {
      return std::nullopt;
    }
    return Restart{options_.delay_ms, ""};
  }
  std::string why_not() const override {
    return fmt::format(
        "fewer than {} failures were allowed within {} ms "
        "(restart-strategy.failure-rate.max-failures-per-interval)",
        options_.max_failures_per_interval,
        options_.failure_interval_ms);
  }

 private:
  const RestartOptions options_;
  std::deque<std::int64_t> failures_;
};

std::function<double()> random_chance() {
  return [generator = std::mt19937_64(std::random_device{}())]() mutable {
    return std::uniform_real_distribution<double>(0, 1)(generator);
  };
}

void require(bool holds, const char* name, double value, const char* wanted) {
  if (!holds) {
    throw_error(ErrorKind::kInvalidArgument,
                "the restart strategy's {} must be {}, not {}",
                name,
                wanted,
                value);
  }
}

}  // namespace

std::unique_ptr<RestartStrategy> make_restart_strategy(const RestartOptions& options,
                                                       std::function<double()> chance) {
  const auto number = [](auto value) { return static_cast<double>(value); };
  require(options.delay_ms >= 0, "delay", number(options.delay_ms), "0 ms or more");
  switch (options.kind) {
    case RestartOptions::Kind::kNone:
      return std::make_unique<NoRestart>();
    case RestartOptions::Kind::kFixedDelay:
      require(options.attempts >= 0, "attempts", options.attempts, "0 or more");
      return std::make_unique<FixedDelay>(options.attempts, options.delay_ms);
    case RestartOptions::Kind::kExponentialDelay:
      require(options.delay_ms >= 1, "initial back-off", number(options.delay_ms), "1 ms or more");
      require(options.max_delay_ms >= options.delay_ms,
              "longest back-off",
              number(options.max_delay_ms),
              "at least the first");
      require(options.multiplier > 1, "multiplier", options.multiplier, "above 1");
      require(options.jitter >= 0 && options.jitter <= 1, "jitter", options.jitter, "from 0 to 1");
      require(options.attempts >= 1, "attempts", options.attempts, "1 or more");
      return std::make_unique<ExponentialDelay>(options,
                                                chance ? std::move(chance) : random_chance());
    case RestartOptions::Kind::kFailureRate:
      require(options.max_failures_per_interval >= 1,
              "number of failures",
              options.max_failures_per_interval,
              "1 or more");
      require(options.failure_interval_ms >= 1,
              "failure interval",
              number(options.failure_interval_ms),
              "1 ms or more");
      return std::make_unique<FailureRate>(options);
  }
  return std::make_unique<NoRestart>();
}

bool certain_to_repeat(const std::exception_ptr& error) {
  try {
    std::rethrow_exception(error);
  } catch (const DamagedCheckpoint&) {
    return true;
  } catch (const Error& e) {
    return e.kind() == ErrorKind::kInvalidArgument && !e.retryable();
  } catch (...) {
    return false;
  }
}

}  // namespace flott
