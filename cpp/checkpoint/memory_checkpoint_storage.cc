#include "base/error.h"
#include "base/working_directory.h"
#include "checkpoint/checkpoint_path.h"
#include "checkpoint/checkpoint_storage.h"
#include "checkpoint/snapshot_file.h"

#include <map>
#include <mutex>
#include <utility>
#include <vector>

namespace flott {
namespace {

struct MemoryCheckpoint {
  CheckpointData data;
  std::vector<std::shared_ptr<const OwnedPath>> files;
};

/// Checkpoints of this process by path; an entry lives until it is discarded, so that a job can be
/// restored after the coordinator that wrote it is gone.
class MemoryCheckpoints {
 public:
  static MemoryCheckpoints& instance() {
    static MemoryCheckpoints all;
    return all;
  }
  void put(const std::string& path, std::shared_ptr<const MemoryCheckpoint> checkpoint) {
    const std::lock_guard lock(mutex_);
    by_path_[path].swap(checkpoint);
  }
  std::shared_ptr<const MemoryCheckpoint> get(const std::string& path) const {
    const std::lock_guard lock(mutex_);
    const auto it = by_path_.find(path);
    return it == by_path_.end() ? nullptr : it->second;
  }
  void erase(const std::string& path) {
    std::shared_ptr<const MemoryCheckpoint> gone;
    const std::lock_guard lock(mutex_);
    if (const auto it = by_path_.find(path); it != by_path_.end()) {
      gone.swap(it->second);
      by_path_.erase(it);
    }
  }

 private:
  mutable std::mutex mutex_;
  std::map<std::string, std::shared_ptr<const MemoryCheckpoint>> by_path_;
};

class MemoryCheckpointStorage final : public CheckpointStorage {
 public:
  std::string write(const CheckpointData& checkpoint) override {
    const std::lock_guard lock(mutex_);
    const std::string path = fmt::format(
        "{}{}/{}", kMemoryScheme, checkpoint.job_id, checkpoint_folder_name(checkpoint.id));
    auto stored = std::make_shared<MemoryCheckpoint>();
    stored->data = checkpoint;
    for_each_file(stored->data, [&](SnapshotFile& file) { keep(file, stored->files); });
    for (OperatorCheckpoint& op : stored->data.operators) {
      for (OperatorSnapshot& subtask : op.subtasks) {
        if (subtask.deferred_timers != nullptr) {
          subtask.timers = *std::exchange(subtask.deferred_timers, nullptr)->get();
        }
      }
    }
    std::erase_if(known_, [](const auto& entry) {
      return entry.second.bytes.expired() && entry.second.file.expired();
    });
    MemoryCheckpoints::instance().put(path, std::move(stored));
    return path;
  }
  void discard(const std::string& path) override { MemoryCheckpoints::instance().erase(path); }

 private:
  /// A file as some checkpoint of this storage has it.
  struct Known {
    std::weak_ptr<const std::string> bytes;
    std::weak_ptr<const OwnedPath> file;
  };

  void keep(SnapshotFile& file, std::vector<std::shared_ptr<const OwnedPath>>& files) {
    file = settled(std::move(file));
    file.kept = nullptr;  // the file at its path is not needed any more: it has one of its own
    Known& known = known_[file.name];
    if (auto owned = known.file.lock()) {
      file.path = owned->path();
      file.bytes = nullptr;
      files.push_back(std::move(owned));
    } else if (auto bytes = known.bytes.lock()) {
      file.bytes = std::move(bytes);
    } else if (file.bytes != nullptr) {
      known.bytes = file.bytes;
    } else {
      if (file.path.empty()) {
        throw_error(ErrorKind::kInternal,
                    "file '{}' of a checkpoint has neither bytes nor path, and no earlier "
                    "checkpoint brought it",
                    file.name);
      }
      std::shared_ptr<WorkingDirectory> folder = folder_.lock();
      if (folder == nullptr) {
        folder = std::make_shared<WorkingDirectory>(
            "flott-checkpoints-",
            std::vector<std::string>{},
            "set TMPDIR to a folder that can be written to, or execution.checkpointing.dir");
        folder_ = folder;
      }
      auto owned_now = std::make_shared<const OwnedPath>(folder->path() + "/" + file.name, folder);
      place_file(file, owned_now->path());
      known.file = owned_now;
      file.path = owned_now->path();
      files.push_back(std::move(owned_now));
    }
  }

  std::mutex mutex_;
  std::map<std::string, Known> known_;
  /// For the files that came with a path: their owner may remove its own name of them. Kept by the
  /// files in it.
  std::weak_ptr<WorkingDirectory> folder_;
};

}  // namespace

std::unique_ptr<CheckpointStorage> make_memory_checkpoint_storage() {
  return std::make_unique<MemoryCheckpointStorage>();
}

CheckpointData read_memory_checkpoint(const std::string& path) {
  const auto checkpoint = MemoryCheckpoints::instance().get(path);
  if (checkpoint == nullptr) {
    throw DamagedCheckpoint(
        path,
        fmt::format("there is no checkpoint at {}: checkpoints without a directory live in the "
                    "process that wrote them, until newer ones replace them; set a checkpoint "
                    "directory to keep them",
                    path));
  }
  return checkpoint->data;
}

}  // namespace flott
