#pragma once

#include "state/keyed_state_backend.h"
#include "windows/trigger.h"

#include <memory>
#include <vector>

namespace flott {

/// What the windows of the current key hold, in state "window-contents" with the state window as
/// namespace: one accumulator (reduce, aggregate), or the elements, with their timestamps when an
/// evictor wants to see them.
class WindowContents {
 public:
  struct Options {
    std::shared_ptr<ReduceFunction> reduce;
    std::shared_ptr<AggregateFunction> aggregate;
    bool with_timestamps = false;  ///< an evictor: elements are kept, reduced when the window fires
    LogicalTypePtr element_type;
    LogicalTypePtr accumulator_type;
    bool windows_end = false;  ///< WindowAssigner::windows_end()
  };

  void open(Options options, KeyedStateBackend& backend);

  /// The state window that the next calls mean.
  void select(const Window& state_window) {
    if (appending_ != nullptr) {
      appending_->set_namespace(state_window);
    } else {
      list_->set_namespace(state_window);
    }
  }
  bool is_empty() {
    return appending_ != nullptr ? appending_->accumulator().is_null() : list_->is_empty();
  }
  void add(const Value& value, Timestamp timestamp);
  /// Incremental contents only: adds a row of a batch; returns whether they were not empty before.
  bool add_row(const Batch& batch, std::int64_t row) { return appending_->add_row(batch, row); }
  void clear() {
    if (appending_ != nullptr) {
      appending_->clear();
    } else {
      list_->clear();
    }
  }
  /// What the window function gets: the reduced value alone, or all elements; nothing when empty.
  std::vector<Value> elements();
  std::vector<TimestampedValue> timestamped_elements();
  /// The values of evicted elements as the window function gets them.
  std::vector<Value> reduced(const std::vector<TimestampedValue>& elements);
  void replace(const std::vector<TimestampedValue>& elements);
  /// Moves the contents of `sources` into `target`, which stays selected.
  void merge(const Window& target, const std::vector<Window>& sources);

 private:
  Options options_;
  AppendingState* appending_ = nullptr;
  ListState* list_ = nullptr;
};

}  // namespace flott
