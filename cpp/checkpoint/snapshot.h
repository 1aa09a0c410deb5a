#pragma once

#include "checkpoint/deferred.h"
#include "types/key.h"

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace flott {

using CheckpointId = std::int64_t;

/// What a snapshot is taken for. A checkpoint may share files with those before it; a savepoint is
/// whole, and any state backend can restore it.
enum class SnapshotKind : std::uint8_t { kCheckpoint, kSavepoint };

/// A file that belongs to checkpoints: written once, never changed, shared by all that name it. It
/// lies at `path`, or its content is in memory, perhaps still to be put together;
/// checkpoint/snapshot_file.h reads each of them.
struct SnapshotFile {
  std::string name;  ///< unique for ever (it has a random_id()); also its name in the storage
  std::string path;  ///< on this machine; after a restore: in the checkpoint's directory
  /// When there is no path; after a restore, too, of files that were small and came as bytes.
  std::shared_ptr<const std::string> bytes;
  std::uint64_t size = 0;
  /// Whoever would remove the file at `path` waits until this is let go: the task that wrote it may
  /// end before the checkpoint is stored.
  std::shared_ptr<const void> kept = nullptr;
  /// Instead of `bytes`: made by the thread that writes the checkpoint, not by the task.
  std::shared_ptr<DeferredBytes> deferred = nullptr;
};

/// Keyed state of one subtask as files, in the form of the backend that wrote them: a checkpoint
/// holds only what is new as files that no earlier checkpoint had.
struct KeyedStateFiles {
  std::string backend;              ///< who wrote them: "heap", "rocksdb"
  KeyGroupRange range{0, 0};        ///< the key groups in them
  std::string description;          ///< the backend's own
  std::vector<SnapshotFile> files;  ///< in the order in which they are to be read
};

/// A frame a key group, put together by the thread that writes the checkpoint, not by the task.
class DeferredFrames : public Deferred<std::map<KeyGroup, std::string>> {
 public:
  DeferredFrames(std::uint64_t size, std::function<std::map<KeyGroup, std::string>()> make)
      : Deferred(std::move(make)), size_(size) {}
  /// About how many bytes there will be.
  std::uint64_t size() const { return size_; }

 private:
  const std::uint64_t size_;
};

/// What one subtask of one operator contributes to a checkpoint. Pure data.
struct OperatorSnapshot {
  /// Keyed state, a frame a key group (state/keyed_state_backend.h).
  std::map<KeyGroup, std::string> keyed_state;
  /// Or keyed state as files: one entry when written; when restored, one for each old subtask whose
  /// key groups overlap this one's.
  std::vector<KeyedStateFiles> keyed_files;
  /// Timers, a frame a key group.
  std::map<KeyGroup, std::string> timers;
  /// Instead of `timers`: until they are written. A checkpoint that was read has none of these.
  std::shared_ptr<DeferredFrames> deferred_timers = nullptr;
  /// Operator state by name: entries are split over the subtasks on restore (source splits,
  /// buffers).
  std::map<std::string, std::vector<std::string>> list_state;
  /// Operator state by name of which every subtask gets all entries.
  std::map<std::string, std::vector<std::string>> union_state;
  /// Broadcast state by name: the same in every subtask, one copy is kept.
  std::map<std::string, std::string> broadcast_state;
  /// Files that entries above name (a sink's epochs that are not committed yet). After a restore
  /// every subtask has all of the operator's.
  std::vector<SnapshotFile> files;
  bool empty() const {
    return keyed_state.empty() && keyed_files.empty() && timers.empty() &&
           deferred_timers == nullptr && list_state.empty() && union_state.empty() &&
           broadcast_state.empty() && files.empty();
  }
};

/// All subtasks of one operator. `uid` is the user's uid, or one derived from the operator's
/// position in the graph.
struct OperatorCheckpoint {
  std::string uid;
  std::string name;
  int parallelism = 1;
  int max_parallelism = kDefaultMaxParallelism;
  std::vector<OperatorSnapshot> subtasks;
};

/// A whole checkpoint.
struct CheckpointData {
  CheckpointId id = 0;
  std::string job_id;
  std::string job_name;
  std::int64_t timestamp_ms = 0;
  std::vector<OperatorCheckpoint> operators;
};

/// What subtask `subtask` of `parallelism` restores from a checkpoint taken at any parallelism:
/// key-group frames of its range, an even share of list state, all of union and broadcast state.
/// Throws kInvalidArgument when max_parallelism differs, naming operator and both numbers.
OperatorSnapshot redistribute(const OperatorCheckpoint& from,
                              int subtask,
                              int parallelism,
                              int max_parallelism);
/// The same, but the frames of keyed state and timers are moved out of `from`, not copied: no two
/// subtasks want the same ones.
OperatorSnapshot take_share(OperatorCheckpoint& from,
                            int subtask,
                            int parallelism,
                            int max_parallelism);

}  // namespace flott
