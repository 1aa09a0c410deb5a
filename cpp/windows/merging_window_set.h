#pragma once

#include "state/keyed_state_backend.h"
#include "types/window.h"
#include "windows/assigner.h"

#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

namespace flott {

/// Flink's MergingWindowSet: the windows in flight of the current key, each with the window whose
/// namespace holds its contents, so that growing a session moves no state. Stored in ValueState
/// "merging-window-set"; the sets of the keys last seen are held open, in order of time, because a
/// key may have thousands of sessions in flight: they are stored by flush().
///
/// For assigners that do not merge it is the identity: every window is in flight and its own state
/// window, and nothing is stored. The operator therefore has one code path.
class MergingWindowSet {
 public:
  /// Windows were merged into `result`: `merged` are gone (the new window is not among them), and
  /// the contents of `merged_state_windows` belong into `state_window`.
  using OnMerge = std::function<void(const Window& result,
                                     const std::vector<Window>& merged,
                                     const Window& state_window,
                                     const std::vector<Window>& merged_state_windows)>;

  /// Both are borrowed.
  void open(WindowAssigner& assigner, KeyedStateBackend& backend);
  bool is_merging() const { return merging_; }

  /// Opens the set of the current key; before anything else for a record or timer.
  void load() {
    if (merging_) {
      open_current();
    }
  }
  /// The window the new one has become: itself, or what it was merged into.
  Window add_window(const Window& window, const OnMerge& on_merge) {
    return merging_ ? merge_in(window, on_merge) : window;
  }
  /// Where the contents lie; null when the window is not in flight. Valid until the set changes.
  const Window* state_window(const Window& window) const {
    return merging_ ? find_state_window(window) : &window;
  }
  void retire(const Window& window);
  /// After the last change for a record or timer: forgets the set when it has become empty.
  void persist() {
    if (current_ != nullptr && current_->second.in_flight.empty()) {
      drop_current();
    }
  }
  /// Stores what has changed; before a snapshot of keyed state. Leaves another current key behind.
  void flush();

 private:
  struct Set {
    Value key;
    bool is_stored = false;              ///< the state holds something
    bool has_changed = false;            ///< since it was stored
    std::map<Window, Window> in_flight;  ///< to state windows
    std::size_t counted = 0;             ///< of them, in `windows_`
  };
  struct Hash {
    using is_transparent = void;
    std::size_t operator()(std::string_view key) const { return hash_bytes(key); }
  };
  using Sets = std::unordered_map<std::string, Set, Hash, std::equal_to<>>;

  void open_current();
  void drop_current();
  /// Notes how many windows it has now.
  void count(Set& set);
  void store(const Set& set);
  Window merge_in(const Window& window, const OnMerge& on_merge);
  std::vector<WindowAssigner::Merge> merges_with(const Window& window) const;
  const Window* find_state_window(const Window& window) const;

  WindowAssigner* assigner_ = nullptr;
  KeyedStateBackend* backend_ = nullptr;
  ValueState* state_ = nullptr;
  bool merging_ = false;
  Sets sets_;
  std::size_t windows_ = 0;  ///< of all sets but what has changed in the current one
  Sets::value_type* current_ = nullptr;
};

}  // namespace flott
