#pragma once

#include "checkpoint/checkpoint_storage.h"

#include <deque>
#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace flott {

/// What a job that restarts may go back to.
struct RestoreChoices {
  std::string job_name;
  std::deque<std::string> completed;  ///< paths of its completed checkpoints, the newest last
  std::string restore_path;           ///< what it was started from, or empty
  /// Sinks that publish results when a checkpoint completes: they have done so up to the newest.
  std::vector<std::string> committing_sinks;
};

/// Reads the newest completed checkpoint, or what the job was started from when there is none;
/// nothing when it began from nothing.
///
/// A damaged checkpoint is passed over for an older one, with a warning, if no sink has published
/// results beyond that one. Otherwise throws kInvalidArgument (no restart helps): which file is
/// damaged, and which choice loses or doubles what. What else goes wrong while it is read - too
/// many open files, a disk that is away - may be better the next time: it is thrown as it is.
/// `read` is read_checkpoint, until the job is cancelled.
std::optional<CheckpointData> choose_restore_point(
    const RestoreChoices& choices,
    const std::function<CheckpointData(const std::string& path)>& read);

}  // namespace flott
