#include "base/error.h"
#include "base/random_id.h"
#include "checkpoint/checkpoint_path.h"
#include "checkpoint/checkpoint_storage.h"
#include "checkpoint/files.h"
#include "checkpoint/snapshot_file.h"

#include <filesystem>
#include <map>
#include <mutex>
#include <system_error>
#include <vector>

namespace flott {
namespace {

namespace fs = std::filesystem;

/// A temporary folder for the files that came with a path: their owner may remove its own name of
/// them. Gone with the last file in it.
class FileFolder {
 public:
  FileFolder()
      : path_((fs::temp_directory_path() / fmt::format("flott-checkpoints-{}", random_id()))
                  .string()) {
    files::make_folders(path_);
  }
  ~FileFolder() {
    std::error_code ignored;
    fs::remove_all(path_, ignored);
  }
  FileFolder(const FileFolder&) = delete;
  FileFolder& operator=(const FileFolder&) = delete;
  const std::string& path() const { return path_; }

 private:
  const std::string path_;
};

/// One file in it, as long as a checkpoint needs it.
class OwnedFile {
 public:
  OwnedFile(std::shared_ptr<FileFolder> folder, const SnapshotFile& file)
      : folder_(std::move(folder)), path_(folder_->path() + "/" + file.name) {
    place_file(file, path_);
  }
  ~OwnedFile() {
    std::error_code ignored;
    fs::remove(path_, ignored);
  }
  OwnedFile(const OwnedFile&) = delete;
  OwnedFile& operator=(const OwnedFile&) = delete;
  const std::string& path() const { return path_; }

 private:
  const std::shared_ptr<FileFolder> folder_;
  const std::string path_;
};

struct MemoryCheckpoint {
  CheckpointData data;
  std::vector<std::shared_ptr<const OwnedFile>> files;
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
    std::weak_ptr<const OwnedFile> file;
  };

  void keep(SnapshotFile& file, std::vector<std::shared_ptr<const OwnedFile>>& files) {
    file = settled(std::move(file));
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
      std::shared_ptr<FileFolder> folder = folder_.lock();
      if (folder == nullptr) {
        folder = std::make_shared<FileFolder>();
        folder_ = folder;
      }
      auto owned_now = std::make_shared<const OwnedFile>(folder, file);
      known.file = owned_now;
      file.path = owned_now->path();
      files.push_back(std::move(owned_now));
    }
  }

  std::mutex mutex_;
  std::map<std::string, Known> known_;
  std::weak_ptr<FileFolder> folder_;  ///< kept by the files in it
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
