#pragma once

#include "base/error.h"
#include "checkpoint/snapshot.h"

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace flott {

/// A checkpoint is not there, or cannot be read however often one tries: a file of it is damaged,
/// cut off, missing or of a newer format. An error of the disk is a plain Error; both are
/// kExternal.
class DamagedCheckpoint : public Error {
 public:
  DamagedCheckpoint(std::string file, std::string message)
      : Error(ErrorKind::kExternal, std::move(message)), file_(std::move(file)) {}
  /// Its path.
  const std::string& file() const { return file_; }

 private:
  std::string file_;
};

/// Where checkpoints live. One call at a time, on any thread.
class CheckpointStorage {
 public:
  virtual ~CheckpointStorage() = default;
  /// Makes the checkpoint durable; returns the path that restores it. Appears whole or not at all.
  /// Files that an earlier checkpoint of the job brought are not read or written again: neither
  /// their path nor their bytes need to be there.
  virtual std::string write(const CheckpointData& checkpoint) = 0;
  /// Removes one by the path write() returned, with the files that no other one uses.
  virtual void discard(const std::string& path) = 0;
};

/// `<root>/<job id>/chk-<n>/` with `_metadata` and one data file an operator; written to a
/// temporary folder, files and folder synced, then renamed. SnapshotFiles go to
/// `<root>/<job id>/shared/`. `root` may be a `file://` URI.
std::unique_ptr<CheckpointStorage> make_file_checkpoint_storage(const std::string& root);

/// Keeps nothing beyond the process: checkpoints without a directory (still restorable in it).
std::unique_ptr<CheckpointStorage> make_memory_checkpoint_storage();

/// Writes `<directory>/savepoint-<start of the job id>-<random>/`, which has all it needs in it and
/// may be moved; returns its path. It belongs to the user: nothing of ours discards it.
std::string write_savepoint(const std::string& directory, const CheckpointData& checkpoint);

/// Removes a savepoint, as write_savepoint() gave its path, that was given up before anybody was
/// told of it.
void remove_savepoint(const std::string& path);

/// Reads a checkpoint or savepoint by path (a `chk-<n>` folder, its `_metadata`, or a job folder:
/// the newest). Every file's checksum is verified; the first that is damaged or missing is thrown
/// as DamagedCheckpoint. Throws CancelledException between two files when `stopping` says so.
CheckpointData read_checkpoint(const std::string& path, const std::function<bool()>& stopping = {});

/// The newest complete `chk-<n>` below `<root>/<job id>`, if any.
std::optional<std::string> latest_checkpoint(const std::string& root, const std::string& job_id);

}  // namespace flott
