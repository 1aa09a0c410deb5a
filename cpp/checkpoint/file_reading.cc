#include "base/cancelled_exception.h"
#include "base/error.h"
#include "base/hash.h"
#include "checkpoint/checkpoint_path.h"
#include "checkpoint/checkpoint_storage.h"
#include "checkpoint/files.h"
#include "checkpoint/format.h"
#include "checkpoint/snapshot_file.h"

#include <filesystem>
#include <functional>
#include <map>
#include <system_error>
#include <vector>

namespace flott {
namespace {

namespace fs = std::filesystem;

/// The `chk-<n>` folder that a user's path means.
std::string resolve(const std::string& path) {
  fs::path folder = checkpoint_directory(path);
  std::error_code error;
  if (folder.filename() == kManifestName) {
    folder = folder.parent_path();
    return folder.empty() ? "." : folder.string();
  }
  const auto refuse = [&](std::string_view what) {
    throw DamagedCheckpoint(
        folder.string(),
        fmt::format("{}; give a chk-<n> folder, its _metadata, or the folder of a job", what));
  };
  if (!files::exists(folder.string())) {
    refuse(fmt::format("there is no checkpoint at {}: no such file or folder", folder.string()));
  }
  if (!fs::is_directory(folder, error)) {
    refuse(fmt::format("{} is no checkpoint", folder.string()));
  }
  if (fs::exists(folder / kManifestName, error) ||
      checkpoint_id_of(fs::absolute(folder).filename().string()).has_value()) {
    return folder.string();
  }
  const auto newest = newest_checkpoint_in(folder.string());
  if (!newest) {
    refuse(fmt::format("{} holds no complete checkpoint", folder.string()));
  }
  return *newest;
}

void read_operator(const std::string& folder, const StoredFile& file, OperatorCheckpoint& op) {
  if (file.name.empty()) {
    op.subtasks.resize(static_cast<std::size_t>(op.parallelism));
    return;
  }
  const std::string path = folder + "/" + file.name;
  if (!files::exists(path)) {
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

fs::path full_path(const std::string& folder) {
  const fs::path path = fs::absolute(folder).lexically_normal();
  return path.has_filename() ? path : path.parent_path();
}

/// Where a file of the checkpoint in `folder` lies; nothing for one in the manifest.
std::string path_of(const std::string& folder, const StoredSnapshotFile& file) {
  switch (file.place) {
    case FilePlace::kShared:
      return (full_path(folder).parent_path() / kSharedFolder / file.name).string();
    case FilePlace::kFolder:
      return (full_path(folder) / file.name).string();
    case FilePlace::kInline:
      break;
  }
  return {};
}

void check(const std::function<bool()>& stopping) {
  if (stopping && stopping()) {
    throw CancelledException{};
  }
}

/// Verifies the snapshot files, and tells the checkpoint where they are.
void find_files(const std::string& folder,
                const std::vector<StoredSnapshotFile>& stored,
                const std::function<bool()>& stopping,
                CheckpointData& checkpoint) {
  std::map<std::string, SnapshotFile> by_name;
  for (const StoredSnapshotFile& entry : stored) {
    check(stopping);
    SnapshotFile file{entry.name, path_of(folder, entry), entry.bytes, entry.size};
    files::Sum sum;
    if (file.bytes != nullptr) {
      sum = {file.bytes->size(), crc32c(*file.bytes)};
    } else {
      if (!files::exists(file.path)) {
        throw_damaged(
            file.path,
            fmt::format("it is missing ({} needs it{})",
                        folder,
                        entry.place == FilePlace::kShared
                            ? "; a checkpoint can only be moved with its job's whole folder, a "
                              "savepoint by itself"
                            : ""));
      }
      sum = files::sum_of(file.path);
    }
    if (sum.size != entry.size) {
      throw_damaged(
          file.path,
          fmt::format("it has {} bytes instead of {} ({} needs it)", sum.size, entry.size, folder));
    }
    if (sum.crc != entry.crc) {
      throw_damaged(file.path, fmt::format("its checksum does not match ({} needs it)", folder));
    }
    by_name.emplace(entry.name, std::move(file));
  }
  for_each_file(checkpoint, [&](SnapshotFile& file) {
    const auto found = by_name.find(file.name);
    if (found == by_name.end()) {
      throw_damaged(folder + "/" + std::string(kManifestName),
                    fmt::format("it does not list the file '{}'", file.name));
    }
    file = found->second;
  });
}

}  // namespace

CheckpointData read_checkpoint(const std::string& path, const std::function<bool()>& stopping) {
  if (path.starts_with(kMemoryScheme)) {
    return read_memory_checkpoint(path);
  }
  const std::string folder = resolve(path);
  const std::string manifest = folder + "/" + std::string(kManifestName);
  if (!files::exists(manifest)) {
    throw_damaged(manifest, "it is missing");
  }
  StoredFiles stored;
  CheckpointData checkpoint = decode_manifest(manifest, files::read_all(manifest), stored);
  for (std::size_t i = 0; i < stored.operators.size(); ++i) {
    check(stopping);
    read_operator(folder, stored.operators[i], checkpoint.operators[i]);
  }
  find_files(folder, stored.snapshot_files, stopping, checkpoint);
  return checkpoint;
}

std::optional<std::string> latest_checkpoint(const std::string& root, const std::string& job_id) {
  return newest_checkpoint_in(checkpoint_directory(root) + "/" + job_id);
}

}  // namespace flott
