#pragma once

#include <string>
#include <string_view>

namespace flott::files {

/// File operations of checkpoints. Each throws kExternal with path, operation and the system's
/// reason.

/// Creates the file, writes all bytes and syncs it to the disk.
void write_synced(const std::string& path, std::string_view bytes);
std::string read_all(const std::string& path);
/// Syncs a folder, so that the names in it survive a power failure.
void sync_folder(const std::string& path);
/// Creates the folder and missing parents, and syncs each parent of a new one.
void make_folders(const std::string& path);
/// Puts the folder `from` at `to`; what was there before is exchanged for it in one step and then
/// removed.
void replace_folder(const std::string& from, const std::string& to);
/// Removes a file or folder with all in it; missing is fine.
void remove_all(const std::string& path);

}  // namespace flott::files
