#include "base/error.h"
#include "base/hash.h"
#include "base/log.h"
#include "checkpoint/checkpoint_path.h"
#include "checkpoint/checkpoint_storage.h"
#include "checkpoint/files.h"
#include "checkpoint/format.h"

#include <unistd.h>

#include <filesystem>
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
    const std::string job_folder = root_ + "/" + checkpoint.job_id;
    files::make_folders(job_folder);
    if (swept_.insert(job_folder).second) {
      sweep(job_folder);
    }
    const std::string final_path = job_folder + "/" + checkpoint_folder_name(checkpoint.id);
    UnfinishedFolder folder(
        fmt::format("{}/{}{}.writing-{}", job_folder, kUnfinished, checkpoint.id, ::getpid()));
    files::remove_all(folder.path());
    files::make_folders(folder.path());

    std::vector<StoredFile> stored;
    for (const OperatorCheckpoint& op : checkpoint.operators) {
      stored.push_back(write_operator(folder.path(), stored.size(), op));
    }
    files::write_synced(folder.path() + "/" + std::string(kManifestName),
                        encode_manifest(checkpoint, stored));
    files::sync_folder(folder.path());
    files::replace_folder(folder.path(), final_path);
    folder.finish();
    files::sync_folder(job_folder);
    return final_path;
  }

  void discard(const std::string& path) override {
    const fs::path folder = checkpoint_directory(path);
    if (!checkpoint_id_of(folder.filename().string()).has_value()) {
      throw_error(ErrorKind::kInvalidArgument,
                  "'{}' is no checkpoint folder (chk-<n>); nothing was removed",
                  path);
    }
    // Renamed first, so that one that is half removed is never taken for a checkpoint.
    const fs::path hidden =
        folder.parent_path() /
        fmt::format("{}{}.removing-{}", kUnfinished, folder.filename().string(), ::getpid());
    std::error_code error;
    fs::rename(folder, hidden, error);
    if (error == std::errc::no_such_file_or_directory) {
      return;
    }
    if (error) {
      throw_error(ErrorKind::kExternal,
                  "cannot remove checkpoint {}: {} ({}); remove the folder by hand",
                  folder.string(),
                  error.message(),
                  error.value());
    }
    files::remove_all(hidden.string());
  }

 private:
  static StoredFile write_operator(const std::string& folder,
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
  std::set<std::string> swept_;
};

/// The `chk-<n>` folder that a user's path means.
std::string resolve(const std::string& path) {
  fs::path folder = checkpoint_directory(path);
  std::error_code error;
  if (folder.filename() == kManifestName) {
    folder = folder.parent_path();
    return folder.empty() ? "." : folder.string();
  }
  const fs::file_status status = fs::status(folder, error);
  if (!fs::exists(status)) {
    throw_error(ErrorKind::kExternal,
                "there is no checkpoint at {}: {}; give a chk-<n> folder, its _metadata, or the "
                "folder of a job",
                folder.string(),
                error ? error.message() : "no such file or folder");
  }
  if (!fs::is_directory(status)) {
    throw_error(ErrorKind::kExternal,
                "{} is no checkpoint; give a chk-<n> folder, its _metadata, or the folder of a job",
                folder.string());
  }
  if (fs::exists(folder / kManifestName, error) ||
      checkpoint_id_of(fs::absolute(folder).filename().string()).has_value()) {
    return folder.string();
  }
  if (const auto newest = newest_checkpoint_in(folder.string())) {
    return *newest;
  }
  throw_error(ErrorKind::kExternal,
              "{} holds no complete checkpoint; give a chk-<n> folder, its _metadata, or the "
              "folder of a job",
              folder.string());
}

void read_operator(const std::string& folder, const StoredFile& file, OperatorCheckpoint& op) {
  if (file.name.empty()) {
    op.subtasks.resize(static_cast<std::size_t>(op.parallelism));
    return;
  }
  const std::string path = folder + "/" + file.name;
  std::error_code error;
  if (!fs::exists(path, error)) {
    throw_damaged(path,
                  fmt::format("it is missing (state of operator '{}', uid {})", op.name, op.uid));
  }
  const std::string bytes = files::read_all(path);
  if (bytes.size() != file.size) {
    throw_damaged(path,
                  fmt::format("it has {} bytes instead of {} (state of operator '{}', uid {})",
                              bytes.size(),
                              file.size,
                              op.name,
                              op.uid));
  }
  if (crc32c(bytes) != file.crc) {
    throw_damaged(
        path,
        fmt::format(
            "its checksum does not match (state of operator '{}', uid {})", op.name, op.uid));
  }
  decode_operator_file(path, bytes, op);
}

}  // namespace

std::unique_ptr<CheckpointStorage> make_file_checkpoint_storage(const std::string& root) {
  return std::make_unique<FileCheckpointStorage>(root);
}

CheckpointData read_checkpoint(const std::string& path) {
  if (path.starts_with(kMemoryScheme)) {
    return read_memory_checkpoint(path);
  }
  const std::string folder = resolve(path);
  const std::string manifest = folder + "/" + std::string(kManifestName);
  std::error_code error;
  if (!fs::exists(manifest, error)) {
    throw_damaged(manifest, "it is missing");
  }
  std::vector<StoredFile> stored;
  CheckpointData checkpoint = decode_manifest(manifest, files::read_all(manifest), stored);
  for (std::size_t i = 0; i < stored.size(); ++i) {
    read_operator(folder, stored[i], checkpoint.operators[i]);
  }
  return checkpoint;
}

std::optional<std::string> latest_checkpoint(const std::string& root, const std::string& job_id) {
  return newest_checkpoint_in(checkpoint_directory(root) + "/" + job_id);
}

}  // namespace flott
