#pragma once

#include <cstdint>

namespace flott {

/// The places where a test may end the process, in the order in which one checkpoint passes them.
/// fault_point.cc has the name of each.
enum class FaultPoint : std::uint8_t {
  kBeforeBarrier,             ///< a task has read a barrier and not yet done anything about it
  kAfterPrepare,              ///< a sink has prepared its part, the task has not acknowledged it
  kAfterBarrier,              ///< a task has acknowledged its part
  kDuringSnapshotWrite,       ///< a file of a checkpoint is written, but not synced
  kBetweenManifestAndCommit,  ///< the checkpoint is durable, no task knows it
  kDuringCommit,              ///< a sink's results have been sent but not published
  kDuringCompaction,          ///< a compacted file is published, the files in it are not all gone
  kBetweenCommitAndNotify,    ///< a sink's results are published, the sink has not noted it
  kDuringRestore,             ///< the checkpoint restored from was read, nothing else done
  kDuringRecovery,  ///< a restored sink has fenced its predecessor and finished nothing yet
};

/// Ends the process by SIGKILL when the environment variable FLOTT_FAULT says so: "name", or
/// "name:n" for the n-th time that any thread gets there; with ":stop" behind it is stopped
/// (SIGSTOP) and goes on when somebody lets it. Several are parted by commas. Without the variable
/// it costs a look at a flag. Throws kInvalidArgument when the variable names no point.
void fault_point(FaultPoint point);

}  // namespace flott
