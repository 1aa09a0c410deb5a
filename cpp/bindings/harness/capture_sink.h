#pragma once

#include "bindings/python_ref.h"
#include "runtime/operator.h"

#include <memory>
#include <mutex>
#include <vector>

namespace flott::bindings {

/// What a capture sink saw: a _native.CaptureLog, read by the test between steps.
struct CaptureLog {
  enum class Kind : std::uint8_t { kElement, kWatermark, kIdle, kActive };
  struct Entry {
    Kind kind;
    Value value;
    Timestamp time;
  };
  std::mutex mutex;
  std::vector<Entry> entries;  ///< guarded by mutex

  void add(Entry entry) {
    const std::lock_guard guard(mutex);
    entries.push_back(std::move(entry));
  }
  /// A list of (kind, record or None, time or None), which are then forgotten. GIL held.
  Ref take();
};

/// Notes records with their timestamps, watermarks and idleness in the order they come.
std::unique_ptr<Operator> make_capture_sink(std::shared_ptr<CaptureLog> log);

}  // namespace flott::bindings
