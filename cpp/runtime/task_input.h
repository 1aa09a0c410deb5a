#pragma once

#include "runtime/element.h"
#include "runtime/event_time_board.h"

#include <vector>

namespace flott {

/// Where a task's elements come from: channels (InputGate) or a source (connectors/source_input.h).
/// Called by the task's thread only.
class TaskInput {
 public:
  enum class Status {
    kElement,   ///< `out` holds one
    kIdle,      ///< nothing now; the task's signal is notified when there is
    kProgress,  ///< nothing for the task, but work was done: asked again at once
    kEnd,       ///< every input has ended (and said so by an EndOfInput element)
  };
  struct Item {
    int input = 0;
    Element element;
  };

  virtual ~TaskInput() = default;
  /// Before the first next(), on the task's thread.
  virtual void open() {}
  virtual Status next(Item& out) = 0;
  /// Clock time at which next() has something to do although nothing arrives, or kMaxTimestamp.
  virtual Timestamp next_time() const { return kMaxTimestamp; }
  virtual int input_count() const = 0;
  /// next() calls host-language code.
  virtual bool uses_host() const { return false; }
  /// Cut the stream here (a letter from the coordinator): sources, and channels of which every one
  /// has ended or is about to.
  virtual void trigger_checkpoint(CheckpointBarrier /*barrier*/) {}
  /// Checkpoint `id`, which was to stop the job, was given up: its barrier, where it has not come
  /// out of next() yet, does not come any more.
  virtual void abort_checkpoint(CheckpointId /*id*/) {}
  /// How long the barrier that came last out of next() waited for those of other channels.
  virtual std::int64_t alignment_ns() const { return 0; }
  virtual void snapshot(CheckpointId /*id*/, OperatorSnapshot& /*out*/) {}
  virtual void notify_checkpoint_complete(CheckpointId /*id*/) {}
  /// Sources: who makes the watermarks (asked every few seconds of the clock's `now`).
  virtual std::vector<WatermarkOrigin> watermark_origins(Timestamp /*now*/) { return {}; }
  virtual void close() {}
};

}  // namespace flott
