#pragma once

#include "runtime/task_input.h"

#include <memory>
#include <vector>

namespace flott {

/// The input of a keyed operator in BATCH: records come in the order of their timestamps, those
/// with equal ones in the order in which they arrived, and both inputs of a two-input operator are
/// merged. (Flink sorts by key first; which key comes when is not defined.) Records without
/// timestamps pass as they come; from the first one with a timestamp on everything is held in
/// memory until the input has ended. Unkeyed inputs of a keyed operator (the broadcast side) come
/// before all else. Watermarks and the ends of inputs follow the records.
class SortedInput final : public TaskInput {
 public:
  /// `is_keyed`: by input.
  SortedInput(std::unique_ptr<TaskInput> input, std::vector<bool> is_keyed);

  void open() override { input_->open(); }
  Status next(Item& out) override;
  Timestamp next_time() const override { return input_->next_time(); }
  int input_count() const override { return input_->input_count(); }
  /// Sorting takes rows of opaque values apart.
  bool uses_host() const override { return true; }
  void snapshot(CheckpointId id, OperatorSnapshot& out) override { input_->snapshot(id, out); }
  void notify_checkpoint_complete(CheckpointId id) override {
    input_->notify_checkpoint_complete(id);
  }
  void close() override { input_->close(); }

 private:
  bool take(Item&& item, Item& out);
  void sort();

  std::unique_ptr<TaskInput> input_;
  const std::vector<bool> is_keyed_;
  std::vector<Item> unkeyed_, held_, control_;
  std::vector<Item> sorted_;  ///< what next() gives out, from `position_` on
  std::size_t position_ = 0;
  bool ended_ = false;
};

}  // namespace flott
