#include "base/error.h"
#include "checkpoint/checkpoint_path.h"
#include "checkpoint/checkpoint_storage.h"

#include <map>
#include <mutex>

namespace flott {
namespace {

/// Checkpoints of this process by path; an entry lives until it is discarded, so that a job can be
/// restored after the coordinator that wrote it is gone.
class MemoryCheckpoints {
 public:
  static MemoryCheckpoints& instance() {
    static MemoryCheckpoints all;
    return all;
  }
  void put(const std::string& path, std::shared_ptr<const CheckpointData> checkpoint) {
    const std::lock_guard lock(mutex_);
    by_path_[path].swap(checkpoint);
  }
  std::shared_ptr<const CheckpointData> get(const std::string& path) const {
    const std::lock_guard lock(mutex_);
    const auto it = by_path_.find(path);
    return it == by_path_.end() ? nullptr : it->second;
  }
  void erase(const std::string& path) {
    const std::lock_guard lock(mutex_);
    by_path_.erase(path);
  }

 private:
  mutable std::mutex mutex_;
  std::map<std::string, std::shared_ptr<const CheckpointData>> by_path_;
};

class MemoryCheckpointStorage final : public CheckpointStorage {
 public:
  std::string write(const CheckpointData& checkpoint) override {
    const std::string path = fmt::format(
        "{}{}/{}", kMemoryScheme, checkpoint.job_id, checkpoint_folder_name(checkpoint.id));
    MemoryCheckpoints::instance().put(path, std::make_shared<const CheckpointData>(checkpoint));
    return path;
  }
  void discard(const std::string& path) override { MemoryCheckpoints::instance().erase(path); }
};

}  // namespace

std::unique_ptr<CheckpointStorage> make_memory_checkpoint_storage() {
  return std::make_unique<MemoryCheckpointStorage>();
}

CheckpointData read_memory_checkpoint(const std::string& path) {
  const auto checkpoint = MemoryCheckpoints::instance().get(path);
  if (checkpoint == nullptr) {
    throw_error(ErrorKind::kExternal,
                "there is no checkpoint at {}: checkpoints without a directory live in the process "
                "that wrote them, "
                "until newer ones replace them; set a checkpoint directory to keep them",
                path);
  }
  return *checkpoint;
}

}  // namespace flott
