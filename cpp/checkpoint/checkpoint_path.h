#pragma once

#include "checkpoint/snapshot.h"

#include <optional>
#include <string>
#include <string_view>

namespace flott {

/// Prefix of the paths of checkpoints that only live in this process.
inline constexpr std::string_view kMemoryScheme = "memory://";
inline constexpr std::string_view kManifestName = "_metadata";
/// Beside the `chk-<n>` of a job: files that they share.
inline constexpr std::string_view kSharedFolder = "shared";
inline constexpr std::string_view kSavepointPrefix = "savepoint-";

/// The local path that a user's checkpoint directory means: `file:///a`, `file:/a` or a plain path,
/// without a slash at its end. Throws kInvalidArgument for other schemes and for nothing at all.
std::string checkpoint_directory(const std::string& path_or_uri);

/// `chk-<n>`.
std::string checkpoint_folder_name(CheckpointId id);
/// The number in `chk-<n>`; nothing for other names.
std::optional<CheckpointId> checkpoint_id_of(std::string_view folder_name);
/// The newest `chk-<n>` with a manifest in a job's folder.
std::optional<std::string> newest_checkpoint_in(const std::string& job_folder);

/// A checkpoint kept by make_memory_checkpoint_storage(); throws kExternal when there is none at
/// `path`.
CheckpointData read_memory_checkpoint(const std::string& path);

}  // namespace flott
