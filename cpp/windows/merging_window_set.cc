#include "windows/merging_window_set.h"

#include "base/error.h"

#include <algorithm>
#include <string>

// Stored value: an array. First item: 2 or 3, the fields of a window (start, end and, when any
// window has one, its custom form); then window and state window of each entry.

namespace flott {
namespace {

constexpr std::int64_t kPlainFields = 2;
constexpr std::int64_t kCustomFields = 3;

void append_window(const Window& window, std::int64_t fields, std::vector<Value>& out) {
  out.push_back(Value::integer(window.start));
  out.push_back(Value::integer(window.end));
  if (fields == kCustomFields) {
    out.push_back(Value::bytes(window.custom));
  }
}

Window read_window(const std::vector<Value>& items, std::size_t at, std::int64_t fields) {
  Window window{items[at].as_int(), items[at + 1].as_int(), {}};
  if (fields == kCustomFields) {
    window.custom = items[at + 2].as_string();
  }
  return window;
}

}  // namespace

void MergingWindowSet::open(WindowAssigner& assigner, KeyedStateBackend& backend) {
  assigner_ = &assigner;
  merging_ = assigner.is_merging();
  if (merging_) {
    StateDescriptor descriptor;
    descriptor.name = "merging-window-set";
    state_ = &backend.value_state(descriptor);
  }
}

void MergingWindowSet::read_state() {
  entries_.clear();
  changed_ = false;
  const Value stored = state_->value();
  if (stored.is_null()) {
    return;
  }
  const std::vector<Value>& items = stored.as_array();
  const std::int64_t fields = items[0].as_int();
  const auto step = static_cast<std::size_t>(fields);
  for (std::size_t at = 1; at + 2 * step <= items.size(); at += 2 * step) {
    entries_.push_back({read_window(items, at, fields), read_window(items, at + step, fields)});
  }
}

void MergingWindowSet::write_state() {
  changed_ = false;
  if (entries_.empty()) {
    state_->clear();
    return;
  }
  const bool custom = std::any_of(entries_.begin(), entries_.end(), [](const Entry& entry) {
    return !entry.window.custom.empty() || !entry.state_window.custom.empty();
  });
  const std::int64_t fields = custom ? kCustomFields : kPlainFields;
  std::vector<Value> items;
  items.reserve(1 + entries_.size() * 2 * static_cast<std::size_t>(fields));
  items.push_back(Value::integer(fields));
  for (const Entry& entry : entries_) {
    append_window(entry.window, fields, items);
    append_window(entry.state_window, fields, items);
  }
  state_->update(Value::array(std::move(items)));
}

const Window* MergingWindowSet::find_state_window(const Window& window) const {
  for (const Entry& entry : entries_) {
    if (entry.window == window) {
      return &entry.state_window;
    }
  }
  return nullptr;
}

void MergingWindowSet::retire(const Window& window) {
  if (!merging_) {
    return;
  }
  const auto it = std::find_if(
      entries_.begin(), entries_.end(), [&](const Entry& entry) { return entry.window == window; });
  STREAM_CHECK(it != entries_.end(), "window [{}, {}) is not in flight", window.start, window.end);
  entries_.erase(it);
  changed_ = true;
}

std::vector<WindowAssigner::Merge> MergingWindowSet::merges_with(const Window& window) const {
  if (!assigner_->merges_intersecting()) {
    std::vector<Window> windows;
    windows.reserve(entries_.size() + 1);
    for (const Entry& entry : entries_) {
      windows.push_back(entry.window);
    }
    windows.push_back(window);
    return assigner_->merge(std::move(windows));
  }
  WindowAssigner::Merge merge{window, {}};
  for (const Entry& entry : entries_) {
    if (window.intersects(entry.window)) {
      merge.result = merge.result.cover(entry.window);
      merge.merged.push_back(entry.window);
    }
  }
  if (merge.merged.empty()) {
    return {};
  }
  std::sort(merge.merged.begin(), merge.merged.end());
  merge.merged.push_back(window);
  return {std::move(merge)};
}

Window MergingWindowSet::merge_in(const Window& window, const OnMerge& on_merge) {
  if (find_state_window(window) != nullptr) {
    return window;  // exactly a window in flight: nothing moves
  }
  Window result = window;
  bool merged_new_window = false;
  for (WindowAssigner::Merge& merge : merges_with(window)) {
    if (std::erase(merge.merged, window) > 0) {
      merged_new_window = true;
      result = merge.result;
    }
    // The first merged window keeps its state window; the contents of the others move there.
    std::vector<Window> state_windows;
    for (const Window& merged : merge.merged) {
      const auto it = std::find_if(entries_.begin(), entries_.end(), [&](const Entry& entry) {
        return entry.window == merged;
      });
      STREAM_CHECK(it != entries_.end(),
                   "a window assigner merged window [{}, {}), not in flight",
                   merged.start,
                   merged.end);
      state_windows.push_back(it->state_window);
      entries_.erase(it);
    }
    if (state_windows.empty()) {
      entries_.push_back({merge.result, merge.result});
      changed_ = true;
      continue;
    }
    const Window state_window = state_windows.front();
    state_windows.erase(state_windows.begin());
    entries_.push_back({merge.result, state_window});
    const bool nothing_grew = merge.merged.size() == 1 && merge.merged.front() == merge.result;
    if (!nothing_grew) {
      changed_ = true;
      on_merge(merge.result, merge.merged, state_window, state_windows);
    }
  }
  if (!merged_new_window) {
    entries_.push_back({window, window});
    changed_ = true;
  }
  return result;
}

}  // namespace flott
