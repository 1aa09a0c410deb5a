#include "base/error.h"
#include "base/random_id.h"
#include "checkpoint/checkpoint_path.h"
#include "checkpoint/checkpoint_storage.h"
#include "checkpoint/files.h"
#include "checkpoint/snapshot_file.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <filesystem>
#include <map>
#include <mutex>
#include <string_view>
#include <system_error>
#include <vector>

namespace flott {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kFolderPrefix = "flott-checkpoints-";
constexpr const char* kLockName = "in-use";

/// Descriptor of the locked file, or -1.
int try_lock(const std::string& path, int flags) {
  const int fd = ::open(path.c_str(), flags | O_RDWR | O_CLOEXEC, 0600);
  if (fd >= 0 && ::flock(fd, LOCK_EX | LOCK_NB) != 0) {
    ::close(fd);
    return -1;
  }
  return fd;
}

/// Removes the folders of processes that were killed. Never fails: it is a favour.
void sweep(const fs::path& parent) {
  std::error_code ignored;
  for (fs::directory_iterator it(parent, ignored), end; it != end; it.increment(ignored)) {
    const std::string path = it->path().string();
    if (!it->path().filename().string().starts_with(kFolderPrefix)) {
      continue;
    }
    // One without the lock's file is just being made.
    const int fd = try_lock(path + "/" + kLockName, 0);
    if (fd >= 0) {
      std::error_code stays;
      fs::remove_all(path, stays);
      ::close(fd);
    }
  }
}

/// A temporary folder for the files that came with a path: their owner may remove its own name of
/// them. Gone with the last file in it, or, when its process is killed, when another one makes its
/// own: it is locked as long as it is in use.
class FileFolder {
 public:
  FileFolder()
      : path_((fs::temp_directory_path() / fmt::format("{}{}", kFolderPrefix, random_id()))
                  .string()) {
    sweep(fs::temp_directory_path());
    files::make_folders(path_);
    lock_ = try_lock(path_ + "/" + kLockName, O_CREAT);
  }
  ~FileFolder() {
    std::error_code ignored;
    fs::remove_all(path_, ignored);
    if (lock_ >= 0) {
      ::close(lock_);
    }
  }
  FileFolder(const FileFolder&) = delete;
  FileFolder& operator=(const FileFolder&) = delete;
  const std::string& path() const { return path_; }

 private:
  const std::string path_;
  int lock_ = -1;
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
