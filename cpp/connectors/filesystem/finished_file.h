#pragma once

#include <filesystem>

namespace flott {

/// Throws kExternal with errno's text when a call on `path` failed.
void check_file(bool ok, const std::filesystem::path& path);

/// Makes a directory and those above it.
void make_directory(const std::filesystem::path& directory);

/// What was written or renamed in the directory survives a power loss.
void sync_directory(const std::filesystem::path& directory);

/// Likewise in `root / below` and the directories from there up to `root`, which may be new.
void sync_directories(const std::filesystem::path& root, const std::filesystem::path& below);

/// Gives a complete, hidden file a second name; false when there is a file of that name already.
/// By a link, because a rename would silently replace what another sink made meanwhile.
bool add_name(const std::filesystem::path& hidden, const std::filesystem::path& name);

/// Removes a file's name; no error when it has gone before.
void remove_file(const std::filesystem::path& path);

}  // namespace flott
