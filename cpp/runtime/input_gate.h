#pragma once

#include "runtime/channel.h"
#include "runtime/task_input.h"
#include "runtime/watermark_valve.h"

#include <memory>
#include <vector>

namespace flott {

/// What happens to a channel whose barrier came while others still owe theirs.
enum class BarrierHandling {
  kAlign,  ///< it is not read until all others have theirs (exactly once)
  kCount,  ///< it is read on (at least once)
};

/// The channels of one task: round robin over them, watermarks combined over all (of both inputs),
/// barriers of all channels made one.
class InputGate final : public TaskInput {
 public:
  struct Connection {
    std::shared_ptr<Channel> channel;
    int input = 0;
  };
  InputGate(std::vector<Connection> connections,
            int input_count,
            BarrierHandling barriers = BarrierHandling::kAlign);

  Status next(Item& out) override;
  int input_count() const override { return static_cast<int>(open_channels_.size()); }
  /// No barrier can come any more, as all upstream tasks have finished: it follows what is still in
  /// the channels.
  void trigger_checkpoint(CheckpointBarrier barrier) override;
  /// Channels whose sources have dropped the barrier do not bring it: the others do not wait.
  void abort_checkpoint(CheckpointId id) override;
  std::int64_t alignment_ns() const override { return alignment_ns_; }
  void close() override;

 private:
  void begin_alignment(CheckpointBarrier barrier);
  void end_alignment();
  bool handle(std::size_t index, Element&& element, Item& out);
  bool on_barrier(std::size_t index, CheckpointBarrier barrier, Item& out);
  bool barrier_complete(Item& out);
  bool emit_change(const WatermarkValve::Change& change, Item& out);

  struct State {
    Connection connection;
    bool ended = false;
    bool has_barrier = false;  ///< of aligning_
  };
  bool is_blocked(const State& state) const {
    return state.has_barrier && barriers_ == BarrierHandling::kAlign;
  }
  const BarrierHandling barriers_;
  std::vector<State> channels_;
  std::vector<int> open_channels_;  ///< per input: channels that have not ended
  WatermarkValve valve_;
  std::size_t cursor_ = 0;
  std::optional<CheckpointBarrier> aligning_;
  CheckpointId last_barrier_ = -1;
  CheckpointId aborted_ = -1;  ///< the last that abort_checkpoint() was told of
  std::int64_t aligning_since_ns_ = 0;
  std::int64_t alignment_ns_ = 0;
  bool unblocked_ = false;    ///< channels were unblocked in the middle of a round
  std::vector<Item> queued_;  ///< a channel's end may yield several items
};

}  // namespace flott
