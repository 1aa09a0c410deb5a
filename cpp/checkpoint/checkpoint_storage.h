#pragma once

#include "checkpoint/snapshot.h"

#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace flott {

/// Where checkpoints live. Called by the coordinator's thread only.
class CheckpointStorage {
 public:
  virtual ~CheckpointStorage() = default;
  /// Makes the checkpoint durable; returns the path that restores it. Appears whole or not at all.
  virtual std::string write(const CheckpointData& checkpoint) = 0;
  /// Removes one by the path write() returned.
  virtual void discard(const std::string& path) = 0;
};

/// `<root>/<job id>/chk-<n>/` with `_metadata` and one data file an operator; written to a
/// temporary folder, files and folder synced, then renamed. `root` may be a `file://` URI.
std::unique_ptr<CheckpointStorage> make_file_checkpoint_storage(const std::string& root);

/// Keeps nothing beyond the process: checkpoints without a directory (still restorable in it).
std::unique_ptr<CheckpointStorage> make_memory_checkpoint_storage();

/// Reads a checkpoint by path (a `chk-<n>` folder, its `_metadata`, or a job folder: the newest).
/// Every file's checksum is verified; a damaged or missing file throws kExternal naming it.
CheckpointData read_checkpoint(const std::string& path);

/// The newest complete `chk-<n>` below `<root>/<job id>`, if any.
std::optional<std::string> latest_checkpoint(const std::string& root, const std::string& job_id);

}  // namespace flott
