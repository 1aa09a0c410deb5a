#pragma once

#include "base/clock.h"
#include "checkpoint/checkpoint_storage.h"
#include "job/restart_strategy.h"
#include "job/state_growth.h"
#include "state/keyed_state_backend.h"

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

namespace flott {

/// What a checkpoint's barriers do where channels meet.
enum class CheckpointMode {
  kExactlyOnce,  ///< a channel whose barrier came waits for the others
  kAtLeastOnce,  ///< it goes on; what it brings is in the checkpoint and comes again after a
                 ///< restore
};

/// Which checkpoints outlive a job that did not finish (Flink's ExternalizedCheckpointRetention).
enum class CheckpointRetention {
  kNever,           ///< they serve restarts of the job only
  kOnFailure,       ///< a failed job's
  kOnCancellation,  ///< also a cancelled job's
};

struct JobOptions {
  std::string name = "Flink Streaming Job";
  bool batch_mode = false;
  /// BATCH: keyed operators get their input sorted by key and time, one key after the other.
  bool sort_inputs = true;
  std::size_t sort_memory_bytes = 128 << 20;  ///< a sorted input's; what is more goes to files
  bool chaining = true;
  bool object_reuse = false;
  std::shared_ptr<const StateBackendOptions> state_backend;  ///< null: the heap
  std::int64_t auto_watermark_interval_ms = 200;
  std::int64_t buffer_timeout_ms = 100;  ///< accepted; batches close when the source has no more
  std::size_t channel_capacity_bytes = 4 << 20;
  /// A call of an operator that emits several times a channel's capacity waits for the reader, as
  /// in Flink; off where all tasks share one thread.
  bool emit_waits_for_room = true;
  RestartOptions restart;
  std::int64_t checkpoint_interval_ms = 0;  ///< 0: no periodic checkpoints
  /// Snapshots may be asked for; an interval or a directory implies it. Off: trigger_checkpoint()
  /// is refused, and ended tasks do not keep their state.
  bool checkpointing = false;
  std::int64_t checkpoint_timeout_ms = 600'000;
  CheckpointMode checkpoint_mode = CheckpointMode::kExactlyOnce;
  /// From the end of one checkpoint to the next periodic one.
  std::int64_t min_pause_between_checkpoints_ms = 0;
  /// The next one may begin while so many less one are being written; a pause makes it 1.
  int max_concurrent_checkpoints = 1;
  bool unaligned_checkpoints = false;  ///< accepted: barriers are aligned
  /// Periodic checkpoints go on when some of the tasks have ended.
  bool checkpoints_after_tasks_finish = true;
  int tolerable_checkpoint_failures = 0;  ///< in a row, before they fail the job
  std::string checkpoint_directory;       ///< empty: kept in memory
  int retained_checkpoints = 1;
  CheckpointRetention checkpoint_retention = CheckpointRetention::kOnCancellation;
  std::string savepoint_directory;  ///< of savepoints that name none; or empty
  /// State of operators that the job does not have is left behind, with a warning.
  bool allow_unclaimed_state = false;
  std::string restore_path;  ///< a checkpoint to start from, or empty
  StateGrowthLimits state_growth;
  /// Instead of what checkpoint_directory says, for tests; null: that.
  std::shared_ptr<CheckpointStorage> checkpoint_storage;
  bool detached = false;  ///< nobody waits for its end: a failure is logged as an error
  /// Not owned; null: the system clock.
  const Clock* clock = nullptr;
  /// Copies the caller's context (contextvars) onto each task thread; may be empty. Called with
  /// host's lock held.
  std::function<void()> on_thread_start;
  /// The end of what on_thread_start began, before functions are closed; also with the lock held.
  std::function<void()> on_thread_end;
  /// Ends calls of functions that run for long in the host language. Called by the coordinator,
  /// again and again from a moment after the tasks were told to stop until they have ended.
  std::function<void()> interrupt_calls;
};

}  // namespace flott
