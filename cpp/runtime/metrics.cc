#include "runtime/metrics.h"

namespace flott {

Counter& MetricGroup::counter(const std::string& name) {
  const std::lock_guard lock(mutex_);
  auto& slot = counters_[name];
  if (!slot) {
    slot = std::make_unique<Counter>();
  }
  return *slot;
}

void MetricGroup::gauge(const std::string& name, std::function<double()> read) {
  const std::lock_guard lock(mutex_);
  gauges_[name] = std::move(read);
}

void MetricGroup::settle_gauges() {
  std::map<std::string, std::function<double()>> gauges;
  {
    const std::lock_guard lock(mutex_);
    gauges.swap(gauges_);
  }
  // Outside the lock: a gauge of the host language takes the host's lock.
  for (const auto& [name, read] : gauges) {
    const double last = read();
    const std::lock_guard lock(mutex_);
    settled_[name] = last;
  }
}

std::map<std::string, double> MetricGroup::snapshot() const {
  std::map<std::string, double> out;
  std::map<std::string, std::function<double()>> gauges;
  {
    const std::lock_guard lock(mutex_);
    for (const auto& [name, counter] : counters_) {
      out[name] = static_cast<double>(counter->get());
    }
    out.insert(settled_.begin(), settled_.end());
    gauges = gauges_;
  }
  // Outside the lock: a gauge of the host language takes the host's lock.
  for (const auto& [name, read] : gauges) {
    out[name] = read();
  }
  return out;
}

}  // namespace flott
