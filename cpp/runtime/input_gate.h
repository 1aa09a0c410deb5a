#pragma once

#include "runtime/channel.h"
#include "runtime/task_input.h"
#include "runtime/watermark_valve.h"

#include <memory>
#include <vector>

namespace flott {

/// The channels of one task: round robin over them, watermarks combined over all (of both inputs),
/// barriers aligned (a channel whose barrier came is not read until all others have theirs).
class InputGate final : public TaskInput {
 public:
  struct Connection {
    std::shared_ptr<Channel> channel;
    int input = 0;
  };
  InputGate(std::vector<Connection> connections, int input_count);

  Status next(Item& out) override;
  int input_count() const override { return static_cast<int>(open_channels_.size()); }
  void close() override;

 private:
  bool handle(std::size_t index, Element&& element, Item& out);
  bool on_barrier(std::size_t index, CheckpointBarrier barrier, Item& out);
  bool barrier_complete(Item& out);
  bool emit_change(const WatermarkValve::Change& change, Item& out);

  struct State {
    Connection connection;
    bool ended = false;
    bool blocked = false;
  };
  std::vector<State> channels_;
  std::vector<int> open_channels_;  ///< per input: channels that have not ended
  WatermarkValve valve_;
  std::size_t cursor_ = 0;
  std::optional<CheckpointBarrier> aligning_;
  CheckpointId last_barrier_ = -1;
  bool unblocked_ = false;    ///< channels were unblocked in the middle of a round
  std::vector<Item> queued_;  ///< a channel's end may yield several items
};

}  // namespace flott
