#include "base/error.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/random_id.h"
#include "checkpoint/checkpoint_path.h"
#include "checkpoint/checkpoint_storage.h"
#include "checkpoint/files.h"
#include "checkpoint/format.h"
#include "checkpoint/snapshot_file.h"

#include <unistd.h>

#include <filesystem>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <system_error>
#include <vector>

namespace flott {
namespace {

namespace fs = std::filesystem;

/// Folders that are being written or removed; a crash may leave them, and nobody reads them.
constexpr std::string_view kUnfinished = ".chk-";

/// Removes the folder unless told that it is finished.
class UnfinishedFolder {
 public:
  explicit UnfinishedFolder(std::string path) : path_(std::move(path)) {}
  ~UnfinishedFolder() {
    if (!finished_) {
      std::error_code ignored;  // the error that brings us here is the one to report
      fs::remove_all(path_, ignored);
    }
  }
  UnfinishedFolder(const UnfinishedFolder&) = delete;
  UnfinishedFolder& operator=(const UnfinishedFolder&) = delete;
  const std::string& path() const { return path_; }
  void finish() { finished_ = true; }

 private:
  std::string path_;
  bool finished_ = false;
};

/// Files of less than this lie in the manifest: the default of Flink's
/// `state.storage.fs.memory-threshold`.
constexpr std::uint64_t kInlineBytes = 20'480;

/// Files that one write() brings; removes them again unless told that they are needed.
class NewFiles {
 public:
  NewFiles() = default;
  ~NewFiles() {
    for (const std::string& path : paths_) {
      std::error_code ignored;
      fs::remove(path, ignored);
    }
  }
  NewFiles(const NewFiles&) = delete;
  NewFiles& operator=(const NewFiles&) = delete;
  void add(const std::string& path) { paths_.push_back(path); }
  void keep() { paths_.clear(); }

 private:
  std::vector<std::string> paths_;
};

StoredSnapshotFile store_inline(const SnapshotFile& file) {
  return {file.name, file.bytes->size(), crc32c(*file.bytes), FilePlace::kInline, file.bytes};
}

enum class Linking { kAllowed, kNever };

/// Writes the file to `path` and syncs it.
StoredSnapshotFile store_file(const SnapshotFile& file,
                              const std::string& path,
                              FilePlace place,
                              Linking linking) {
  files::Sum sum;
  if (file.bytes != nullptr) {
    files::write_synced(path, *file.bytes);
    sum = {file.bytes->size(), crc32c(*file.bytes)};
  } else if (file.path.empty()) {
    throw_error(ErrorKind::kInternal,
                "file '{}' of a checkpoint has neither bytes nor path, and no earlier checkpoint "
                "brought it",
                file.name);
  } else {
    const auto linked = linking == Linking::kAllowed ? files::link_synced(file.path, path)
                                                     : std::optional<files::Sum>();
    sum = linked ? *linked : files::copy_synced(file.path, path);
  }
  if (file.bytes == nullptr && sum.size != file.size) {
    throw_error(ErrorKind::kExternal,
                "file {} of a checkpoint has {} bytes instead of {}: it was changed or cut off "
                "after it had been written; look for what else writes to its folder",
                file.path,
                sum.size,
                file.size);
  }
  return {file.name, sum.size, sum.crc, place, nullptr};
}

void require_file_name(const SnapshotFile& file) {
  if (!is_plain_file_name(file.name)) {
    throw_error(ErrorKind::kInternal, "'{}' cannot name a file of a checkpoint", file.name);
  }
}

StoredFile write_operator(const std::string& folder,
                          std::size_t index,
                          const OperatorCheckpoint& op) {
  StoredFile file;
  bool empty = true;
  for (const OperatorSnapshot& subtask : op.subtasks) {
    empty = empty && subtask.empty();
  }
  if (!empty) {  // most operators have no state: no file to sync for those
    const std::string bytes = encode_operator_file(op);
    file.name = fmt::format("op-{}.state", index);
    file.size = bytes.size();
    file.crc = crc32c(bytes);
    files::write_synced(folder + "/" + file.name, bytes);
  }
  return file;
}

/// Fills the new folder: data files and, last, the manifest.
void write_folder(const std::string& folder, const CheckpointData& checkpoint, StoredFiles stored) {
  for (const OperatorCheckpoint& op : checkpoint.operators) {
    stored.operators.push_back(write_operator(folder, stored.operators.size(), op));
  }
  files::write_synced(folder + "/" + std::string(kManifestName),
                      encode_manifest(checkpoint, stored));
  files::sync_folder(folder);
}

class FileCheckpointStorage final : public CheckpointStorage {
 public:
  explicit FileCheckpointStorage(const std::string& root)
      : root_(fs::absolute(checkpoint_directory(root)).lexically_normal().string()) {}

  std::string write(const CheckpointData& checkpoint) override {
    if (checkpoint.job_id.empty() || checkpoint.job_id.front() == '.' ||
        checkpoint.job_id.find('/') != std::string::npos) {
      throw_error(ErrorKind::kInvalidArgument,
                  "job id '{}' cannot name a checkpoint folder",
                  checkpoint.job_id);
    }
    const std::lock_guard lock(mutex_);
    const std::string job_folder = root_ + "/" + checkpoint.job_id;
    files::make_folders(job_folder);
    JobFolder& job = learn(job_folder);
    const std::string final_path = job_folder + "/" + checkpoint_folder_name(checkpoint.id);
    UnfinishedFolder folder(
        fmt::format("{}/{}{}.writing-{}", job_folder, kUnfinished, checkpoint.id, ::getpid()));
    files::remove_all(folder.path());
    files::make_folders(folder.path());

    NewFiles added;
    StoredFiles stored;
    stored.snapshot_files = write_files(job_folder, job, checkpoint, added);
    std::map<std::string, StoredSnapshotFile> used;
    for (const StoredSnapshotFile& file : stored.snapshot_files) {
      used.emplace(file.name, file);
    }
    write_folder(folder.path(), checkpoint, std::move(stored));
    files::replace_folder(folder.path(), final_path);
    folder.finish();
    added.keep();
    job.checkpoints[fs::path(final_path).filename().string()] = std::move(used);
    files::sync_folder(job_folder);
    remove_unused(job_folder, job);  // of the one of that number that was there before
    return final_path;
  }

  void discard(const std::string& path) override {
    const std::lock_guard lock(mutex_);
    const fs::path folder = checkpoint_directory(path);
    const std::string name = folder.filename().string();
    if (!checkpoint_id_of(name).has_value()) {
      throw_error(ErrorKind::kInvalidArgument,
                  "'{}' is no checkpoint folder (chk-<n>); nothing was removed",
                  path);
    }
    const std::string job_folder = folder.parent_path().string();
    JobFolder* job = nullptr;
    std::error_code error;
    if (fs::exists(folder.parent_path() / kSharedFolder, error)) {
      job = &learn(job_folder);
    }
    // Renamed first, so that one that is half removed is never taken for a checkpoint.
    const fs::path hidden =
        folder.parent_path() / fmt::format("{}{}.removing-{}", kUnfinished, name, ::getpid());
    fs::rename(folder, hidden, error);
    if (error && error != std::errc::no_such_file_or_directory) {
      throw_error(ErrorKind::kExternal,
                  "cannot remove checkpoint {}: {} ({}); remove the folder by hand",
                  folder.string(),
                  error.message(),
                  error.value());
    }
    if (job != nullptr) {
      job->checkpoints.erase(name);
      remove_unused(job_folder, *job);
    }
    if (!error) {
      files::remove_all(hidden.string());
    }
  }

 private:
  /// What is known of one job's folder.
  struct JobFolder {
    /// Each complete checkpoint's files, by the name of its folder.
    std::map<std::string, std::map<std::string, StoredSnapshotFile>> checkpoints;
    /// Files in `shared`, some of them of checkpoints that are gone, until remove_unused().
    std::set<std::string> shared;
    /// A manifest cannot be read: nobody knows what it needs, so nothing is removed.
    bool unsure = false;

    const StoredSnapshotFile* find(const std::string& name) const {
      for (auto it = checkpoints.rbegin(); it != checkpoints.rend(); ++it) {
        if (const auto found = it->second.find(name); found != it->second.end()) {
          return &found->second;
        }
      }
      return nullptr;
    }
  };

  static std::string shared_path(const std::string& job_folder, const std::string& name) {
    return fmt::format("{}/{}/{}", job_folder, kSharedFolder, name);
  }

  /// Stores what no checkpoint of the job has brought yet.
  static std::vector<StoredSnapshotFile> write_files(const std::string& job_folder,
                                                     JobFolder& job,
                                                     const CheckpointData& checkpoint,
                                                     NewFiles& added) {
    std::vector<StoredSnapshotFile> out;
    std::set<std::string> seen;
    bool any_new = false;
    for_each_file(checkpoint, [&](const SnapshotFile& given) {
      require_file_name(given);
      if (!seen.insert(given.name).second) {
        return;
      }
      const StoredSnapshotFile* known = job.find(given.name);
      const std::string path = shared_path(job_folder, given.name);
      std::error_code error;
      if (known != nullptr &&
          (known->place == FilePlace::kInline || fs::file_size(path, error) == known->size)) {
        out.push_back(*known);
        return;
      }
      const SnapshotFile file = settled(given);
      if (file.bytes != nullptr && file.bytes->size() < kInlineBytes) {
        out.push_back(store_inline(file));
      } else {
        if (!any_new) {
          files::make_folders(fmt::format("{}/{}", job_folder, kSharedFolder));
          any_new = true;
        }
        files::remove_all(path);  // the rest of a write that failed
        added.add(path);
        out.push_back(store_file(file, path, FilePlace::kShared, Linking::kAllowed));
        job.shared.insert(file.name);
      }
    });
    if (any_new) {
      files::sync_folder(fmt::format("{}/{}", job_folder, kSharedFolder));
    }
    return out;
  }

  /// Removes the shared files that no checkpoint needs. Never throws: what stays is only space.
  static void remove_unused(const std::string& job_folder, JobFolder& job) {
    if (job.unsure) {
      return;
    }
    std::set<std::string> used;
    for (const auto& [checkpoint, stored] : job.checkpoints) {
      for (const auto& [name, file] : stored) {
        used.insert(name);
      }
    }
    std::erase_if(job.shared, [&](const std::string& name) {
      if (used.contains(name)) {
        return false;
      }
      std::error_code error;
      fs::remove(shared_path(job_folder, name), error);
      if (error) {
        log(LogLevel::kWarn,
            "checkpoint",
            "the file {}, which no checkpoint needs any more, could not be removed, it stays: {}",
            shared_path(job_folder, name),
            error.message());
      }
      return !error;
    });
  }

  /// What is in the job's folder, read when it is used for the first time: what earlier processes
  /// left complete, and nothing that one left unfinished.
  JobFolder& learn(const std::string& job_folder) {
    const auto [it, is_new] = jobs_.try_emplace(job_folder);
    if (!is_new) {
      return it->second;
    }
    JobFolder& job = it->second;
    sweep(job_folder);
    std::error_code error;
    for (fs::directory_iterator f(fs::path(job_folder) / kSharedFolder, error);
         !error && f != fs::directory_iterator();
         f.increment(error)) {
      job.shared.insert(f->path().filename().string());
    }
    for (fs::directory_iterator f(job_folder, error); !error && f != fs::directory_iterator();
         f.increment(error)) {
      const std::string name = f->path().filename().string();
      const std::string manifest = (f->path() / kManifestName).string();
      std::error_code missing;
      if (!checkpoint_id_of(name).has_value() || !fs::exists(manifest, missing)) {
        continue;
      }
      try {
        StoredFiles stored;
        decode_manifest(manifest, files::read_all(manifest), stored);
        auto& known = job.checkpoints[name];
        for (StoredSnapshotFile& file : stored.snapshot_files) {
          known.emplace(file.name, std::move(file));
        }
      } catch (const Error& e) {
        job.unsure = true;
        log(LogLevel::kWarn,
            "checkpoint",
            "nothing in {}/{} will be removed, as it is not known what the checkpoint {} needs: {}",
            job_folder,
            kSharedFolder,
            name,
            e.what());
      }
    }
    remove_unused(job_folder, job);
    return job;
  }

  /// Removes what a process that died left unfinished.
  static void sweep(const std::string& job_folder) {
    std::error_code error;
    std::vector<fs::path> left;
    for (fs::directory_iterator it(job_folder, error); !error && it != fs::directory_iterator();
         it.increment(error)) {
      if (it->path().filename().string().starts_with(kUnfinished)) {
        left.push_back(it->path());
      }
    }
    for (const fs::path& path : left) {
      fs::remove_all(path, error);
      log(LogLevel::kInfo,
          "checkpoint",
          "removed {}: an unfinished checkpoint of a process that ended",
          path.string());
    }
  }

  const std::string root_;
  std::mutex mutex_;
  std::map<std::string, JobFolder> jobs_;
};

}  // namespace

std::unique_ptr<CheckpointStorage> make_file_checkpoint_storage(const std::string& root) {
  return std::make_unique<FileCheckpointStorage>(root);
}

std::string write_savepoint(const std::string& directory, const CheckpointData& checkpoint) {
  const std::string parent = fs::absolute(checkpoint_directory(directory)).lexically_normal();
  files::make_folders(parent);
  const std::string name = fmt::format(
      "{}{}-{}", kSavepointPrefix, checkpoint.job_id.substr(0, 6), random_id().substr(0, 12));
  const std::string path = parent + "/" + name;
  UnfinishedFolder folder(parent + "/." + name + ".writing");
  files::make_folders(folder.path());
  StoredFiles stored;
  std::set<std::string> seen;
  for_each_file(checkpoint, [&](const SnapshotFile& given) {
    require_file_name(given);
    if (!seen.insert(given.name).second) {
      return;
    }
    const SnapshotFile file = settled(given);
    stored.snapshot_files.push_back(
        file.bytes != nullptr && file.bytes->size() < kInlineBytes
            ? store_inline(file)
            : store_file(
                  file, folder.path() + "/" + file.name, FilePlace::kFolder, Linking::kNever));
  });
  write_folder(folder.path(), checkpoint, std::move(stored));
  files::replace_folder(folder.path(), path);
  folder.finish();
  files::sync_folder(parent);
  return path;
}

void remove_savepoint(const std::string& path) {
  const fs::path folder(path);
  const std::string name = folder.filename().string();
  if (!name.starts_with(kSavepointPrefix)) {
    throw_error(ErrorKind::kInvalidArgument, "'{}' is no savepoint; nothing was removed", path);
  }
  // Renamed first, so that one that is half removed is never taken for a savepoint.
  const fs::path hidden = folder.parent_path() / ("." + name + ".removing");
  std::error_code error;
  fs::rename(folder, hidden, error);
  if (error == std::errc::no_such_file_or_directory) {
    return;
  }
  if (error) {
    throw_error(ErrorKind::kExternal,
                "cannot remove {}: {} ({}); remove the folder by hand",
                path,
                error.message(),
                error.value());
  }
  files::remove_all(hidden.string());
}

}  // namespace flott
