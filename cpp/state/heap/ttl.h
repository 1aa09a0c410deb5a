#pragma once

#include "base/clock.h"
#include "base/error.h"
#include "base/time.h"
#include "state/state.h"

namespace flott::heap {

/// The time-to-live rules of one state, in one place. As in Flink: something last accessed at `t`
/// has expired once `t + ttl <= now`, reading renews it with kOnReadAndWrite only, and a read that
/// meets something expired removes it (and still returns it, that once, with
/// kReturnExpiredIfNotCleanedUp).
class Ttl {
 public:
  Ttl() = default;
  Ttl(const StateTtlConfig& config, const Clock* clock, const std::string& state)
      : config_(config) {
    if (!config.enabled()) {
      return;
    }
    if (config.ttl_ms <= 0) {
      throw_error(ErrorKind::kInvalidArgument,
                  "state '{}': a time-to-live of {} ms; give a positive duration",
                  state,
                  config.ttl_ms);
    }
    STREAM_CHECK(
        clock != nullptr, "state '{}' has a time-to-live but the backend has no clock", state);
    clock_ = clock;
  }

  bool enabled() const { return clock_ != nullptr; }
  bool renew_on_read() const {
    return config_.update_type == StateTtlConfig::UpdateType::kOnReadAndWrite;
  }
  bool return_expired() const {
    return config_.visibility == StateTtlConfig::Visibility::kReturnExpiredIfNotCleanedUp;
  }
  int cleanup_size() const { return config_.cleanup_incremental_size; }
  /// 0 without TTL, so that callers may stamp unconditionally.
  Timestamp now() const { return enabled() ? clock_->now_ms() : 0; }
  bool expired(Timestamp access, Timestamp now) const {
    if (!enabled()) {
      return false;
    }
    const Timestamp end = access > 0 && config_.ttl_ms > kMaxTimestamp - access
                              ? kMaxTimestamp
                              : access + config_.ttl_ms;
    return end <= now;
  }

 private:
  StateTtlConfig config_;
  const Clock* clock_ = nullptr;
};

}  // namespace flott::heap
