#include "windows/merging_window_set.h"

#include "base/error.h"
#include "types/host.h"
#include "types/key.h"

#include <algorithm>
#include <iterator>
#include <string>

// Stored value: an array. First item: 2 or 3, the fields of a window (start, end and, when any
// window has one, its custom form); then window and state window of each entry.

namespace flott {
namespace {

/// Sets held open, and their windows (some 100 bytes each); keys of more than that take turns. A
/// few keys do not, however many windows they have: each turn stores and reads all of them.
constexpr std::size_t kMostSets = 16 * 1024;
constexpr std::size_t kMostWindows = 256 * 1024;
constexpr std::size_t kAlwaysSets = 64;
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
  backend_ = &backend;
  merging_ = assigner.is_merging();
  if (merging_) {
    StateDescriptor descriptor;
    descriptor.name = "merging-window-set";
    descriptor.ends_by_itself = true;
    state_ = &backend.value_state(descriptor);
  }
}

void MergingWindowSet::open_current() {
  const Key key = backend_->current();
  if (current_ != nullptr && current_->first == key.bytes) {
    return;
  }
  if (current_ != nullptr) {
    count(current_->second);
  }
  if (const auto known = sets_.find(key.bytes); known != sets_.end()) {
    current_ = &*known;
    return;
  }
  if (sets_.size() >= kMostSets || (windows_ >= kMostWindows && sets_.size() >= kAlwaysSets)) {
    const std::string bytes(key.bytes);
    const Value value = backend_->current_key();
    flush();
    sets_.clear();
    windows_ = 0;
    backend_->set_current_key(Key::of(bytes, value));
  }
  current_ = &*sets_.try_emplace(std::string(backend_->current().bytes)).first;
  Set& set = current_->second;
  set.key = backend_->current_key();
  const Value stored = state_->value();
  set.is_stored = !stored.is_null();
  if (!set.is_stored) {
    return;
  }
  const std::vector<Value>& items = stored.as_array();
  const std::int64_t fields = items[0].as_int();
  const auto step = static_cast<std::size_t>(fields);
  for (std::size_t at = 1; at + 2 * step <= items.size(); at += 2 * step) {
    set.in_flight.emplace(read_window(items, at, fields), read_window(items, at + step, fields));
  }
}

void MergingWindowSet::count(Set& set) {
  windows_ += set.in_flight.size() - set.counted;
  set.counted = set.in_flight.size();
}

void MergingWindowSet::drop_current() {
  if (current_->second.is_stored) {
    state_->clear();
  }
  count(current_->second);
  sets_.erase(sets_.find(current_->first));
  current_ = nullptr;
}

void MergingWindowSet::flush() {
  const HostScope host_scope;  // keys may be the host's
  if (current_ != nullptr) {
    count(current_->second);
    current_ = nullptr;
  }
  for (auto& [bytes, set] : sets_) {
    if (set.has_changed) {
      backend_->set_current_key(Key::of(bytes, set.key));
      store(set);
      set.is_stored = true;
      set.has_changed = false;
    }
  }
}

void MergingWindowSet::store(const Set& set) {
  const bool custom =
      std::any_of(set.in_flight.begin(), set.in_flight.end(), [](const auto& entry) {
        return !entry.first.custom.empty() || !entry.second.custom.empty();
      });
  const std::int64_t fields = custom ? kCustomFields : kPlainFields;
  std::vector<Value> items;
  items.reserve(1 + set.in_flight.size() * 2 * static_cast<std::size_t>(fields));
  items.push_back(Value::integer(fields));
  for (const auto& [window, state_window] : set.in_flight) {
    append_window(window, fields, items);
    append_window(state_window, fields, items);
  }
  state_->update(Value::array(std::move(items)));
}

const Window* MergingWindowSet::find_state_window(const Window& window) const {
  const auto it = current_->second.in_flight.find(window);
  return it == current_->second.in_flight.end() ? nullptr : &it->second;
}

void MergingWindowSet::retire(const Window& window) {
  if (!merging_) {
    return;
  }
  Set& set = current_->second;
  STREAM_CHECK(set.in_flight.erase(window) > 0,
               "window [{}, {}) is not in flight",
               window.start,
               window.end);
  set.has_changed = true;
}

std::vector<WindowAssigner::Merge> MergingWindowSet::merges_with(const Window& window) const {
  const std::map<Window, Window>& in_flight = current_->second.in_flight;
  if (!assigner_->merges_intersecting()) {
    std::vector<Window> windows;
    windows.reserve(in_flight.size() + 1);
    for (const auto& [known, state_window] : in_flight) {
      windows.push_back(known);
    }
    windows.push_back(window);
    return assigner_->merge(std::move(windows));
  }
  // Windows in flight never intersect each other: those the new one meets lie next to it.
  WindowAssigner::Merge merge{window, {}};
  auto it = in_flight.upper_bound(window);
  while (it != in_flight.begin() && std::prev(it)->first.end >= window.start) {
    --it;
  }
  for (; it != in_flight.end() && it->first.start <= window.end; ++it) {
    merge.result = merge.result.cover(it->first);
    merge.merged.push_back(it->first);
  }
  if (merge.merged.empty()) {
    return {};
  }
  merge.merged.push_back(window);
  return {std::move(merge)};
}

Window MergingWindowSet::merge_in(const Window& window, const OnMerge& on_merge) {
  if (find_state_window(window) != nullptr) {
    return window;  // exactly a window in flight: nothing moves
  }
  Set& set = current_->second;
  set.has_changed = true;
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
      const auto it = set.in_flight.find(merged);
      STREAM_CHECK(it != set.in_flight.end(),
                   "a window assigner merged window [{}, {}), not in flight",
                   merged.start,
                   merged.end);
      state_windows.push_back(it->second);
      set.in_flight.erase(it);
    }
    if (state_windows.empty()) {
      set.in_flight.emplace(merge.result, merge.result);
      continue;
    }
    const Window state_window = state_windows.front();
    state_windows.erase(state_windows.begin());
    set.in_flight.insert_or_assign(merge.result, state_window);
    const bool nothing_grew = merge.merged.size() == 1 && merge.merged.front() == merge.result;
    if (!nothing_grew) {
      on_merge(merge.result, merge.merged, state_window, state_windows);
    }
  }
  if (!merged_new_window) {
    set.in_flight.emplace(window, window);
  }
  return result;
}

}  // namespace flott
