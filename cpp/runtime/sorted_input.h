#pragma once

#include "runtime/held_batches.h"
#include "runtime/row_sorter.h"
#include "runtime/task_input.h"

#include <memory>
#include <vector>

namespace flott {

/// The input of a task in BATCH mode, where everything is there before the task begins, as behind
/// Flink's blocking exchanges: keyed inputs come sorted by key and time (RowSorter), and what a
/// broadcast stream brings comes before everything else. No watermark but the last, which follows
/// the last row; idleness is not passed on.
///
/// What has to wait goes to files when it is more than the memory allows. Not reading it would
/// bound it as well, but where both inputs come from one stream, the other one would never end: its
/// producer would wait for room in the channel that nobody reads.
///
/// BATCH jobs take no checkpoints: a barrier is an error.
class SortedInput final : public TaskInput {
 public:
  enum class Order {
    kFirst,   ///< passed on as it comes
    kSorted,  ///< when all inputs have ended
    kHeld,    ///< in its own order, when those that are kFirst have ended
  };
  SortedInput(std::unique_ptr<TaskInput> inner,
              std::vector<Order> orders,
              RowSorter::Options options);

  void open() override { inner_->open(); }
  Status next(Item& out) override;
  Timestamp next_time() const override { return inner_->next_time(); }
  int input_count() const override { return inner_->input_count(); }
  bool uses_host() const override { return inner_->uses_host(); }
  void close() override { inner_->close(); }

 private:
  /// What to do with an element of `inner_`; true when `out` holds one to pass on.
  bool take(Item&& item, Item& out);
  Status drain(Item& out);

  std::unique_ptr<TaskInput> inner_;
  const std::vector<Order> orders_;
  HeldBatches held_;
  RowSorter sorter_;
  int first_open_ = 0;  ///< inputs that are kFirst and have not ended
  Timestamp watermark_ = kMinWatermark;
  bool inner_ended_ = false;
  bool rows_ended_ = false;
  std::deque<Item> last_;  ///< behind the last row
};

}  // namespace flott
