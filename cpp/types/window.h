#pragma once

#include "base/time.h"

#include <cstdint>
#include <string>

namespace flott {

/// A window, and the namespace of state and timers. Time windows are [start, end); a count window
/// has its id in `start` and `end == kMaxTimestamp`; the global window is [kMinTimestamp,
/// kMaxTimestamp). A user's own window class has its serialized form in `custom` and its maximum
/// timestamp + 1 in `end`. The default-constructed Window is the void namespace.
struct Window {
  std::int64_t start = 0;
  std::int64_t end = 0;
  std::string custom;

  /// Largest timestamp that belongs to the window.
  Timestamp max_timestamp() const { return end == kMaxTimestamp ? kMaxTimestamp : end - 1; }
  bool is_void() const { return start == 0 && end == 0 && custom.empty(); }
  bool intersects(const Window& other) const { return start <= other.end && end >= other.start; }
  Window cover(const Window& other) const {
    return {start < other.start ? start : other.start, end > other.end ? end : other.end, {}};
  }
  auto operator<=>(const Window&) const = default;

  static Window global() { return {kMinTimestamp, kMaxTimestamp, {}}; }
};

}  // namespace flott
