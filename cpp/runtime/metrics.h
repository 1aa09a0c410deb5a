#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

namespace flott {

/// A number that only its owner's thread changes and anybody may read.
class Counter {
 public:
  // A load and a store, not fetch_add: one writer needs no locked instruction.
  void inc(std::int64_t by = 1) { set(get() + by); }
  std::int64_t get() const { return value_.load(std::memory_order_relaxed); }
  void set(std::int64_t v) { value_.store(v, std::memory_order_relaxed); }

 private:
  std::atomic<std::int64_t> value_{0};
};

/// Named metrics of one operator in one subtask, with Flink's names (numRecordsIn, numRecordsOut,
/// numLateRecordsDropped, currentInputWatermark, ...). Registering is thread-safe; counters live as
/// long as the group.
class MetricGroup {
 public:
  /// The counter of that name; made on first use.
  Counter& counter(const std::string& name);
  /// A value read when asked for, from any thread.
  void gauge(const std::string& name, std::function<double()> read);
  /// Reads the gauges a last time and keeps their values: what they read is about to go away.
  void settle_gauges();
  /// Name and value of everything.
  std::map<std::string, double> snapshot() const;

 private:
  mutable std::mutex mutex_;
  std::map<std::string, std::unique_ptr<Counter>> counters_;
  std::map<std::string, std::function<double()>> gauges_;
  std::map<std::string, double> settled_;  ///< last values of gauges that are gone
};

}  // namespace flott
