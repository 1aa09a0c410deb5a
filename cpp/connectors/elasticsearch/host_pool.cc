#include "connectors/elasticsearch/host_pool.h"

#include <algorithm>
#include <utility>

namespace flott {

namespace {
constexpr std::int64_t kFirstPauseNs = 1'000'000'000;
constexpr std::int64_t kLongestPauseNs = 60 * kFirstPauseNs;
}  // namespace

HostPool::HostPool(std::vector<std::string> hosts) {
  for (std::string& url : hosts) {
    hosts_.push_back({std::move(url), 0, 0});
  }
}

std::size_t HostPool::pick(std::int64_t now_ns) {
  std::size_t best = next_;
  for (std::size_t i = 0; i < hosts_.size(); ++i) {
    const std::size_t candidate = (next_ + i) % hosts_.size();
    if (hosts_[candidate].failures == 0 || hosts_[candidate].dead_until_ns <= now_ns) {
      best = candidate;
      break;
    }
    if (hosts_[candidate].dead_until_ns < hosts_[best].dead_until_ns) {
      best = candidate;
    }
  }
  next_ = (best + 1) % hosts_.size();
  return best;
}

void HostPool::mark_dead(std::size_t host, std::int64_t now_ns) {
  Host& dead = hosts_[host];
  const int doublings = std::min(dead.failures, 6);
  dead.dead_until_ns = now_ns + std::min(kFirstPauseNs << doublings, kLongestPauseNs);
  ++dead.failures;
}

void HostPool::mark_alive(std::size_t host) {
  hosts_[host].failures = 0;
}

bool HostPool::all_dead() const {
  return std::all_of(
      hosts_.begin(), hosts_.end(), [](const Host& host) { return host.failures > 0; });
}

}  // namespace flott
