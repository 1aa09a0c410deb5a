#pragma once

#include "state/keyed_state_backend.h"
#include "types/window.h"
#include "windows/assigner.h"

#include <functional>
#include <utility>
#include <vector>

namespace flott {

/// Flink's MergingWindowSet: the windows in flight of the current key, each with the window whose
/// namespace holds its contents, so that growing a session moves no state. Kept in ValueState
/// "merging-window-set".
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

  /// `assigner` is borrowed.
  void open(WindowAssigner& assigner, KeyedStateBackend& backend);
  bool is_merging() const { return merging_; }

  /// Reads the set of the current key; before anything else for a record or timer.
  void load() {
    if (merging_) {
      read_state();
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
  /// Writes the set back if it has changed since load().
  void persist() {
    if (changed_) {
      write_state();
    }
  }

 private:
  struct Entry {
    Window window;
    Window state_window;
  };
  void read_state();
  void write_state();
  Window merge_in(const Window& window, const OnMerge& on_merge);
  std::vector<WindowAssigner::Merge> merges_with(const Window& window) const;
  const Window* find_state_window(const Window& window) const;

  WindowAssigner* assigner_ = nullptr;
  ValueState* state_ = nullptr;
  bool merging_ = false;
  bool changed_ = false;
  std::vector<Entry> entries_;
};

}  // namespace flott
