#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace flott::files {

/// File operations of checkpoints. Each throws kExternal with path, operation and the system's
/// reason.

/// Creates the file, writes all bytes and syncs it to the disk.
void write_synced(const std::string& path, std::string_view bytes);
/// As write_synced(), without the sync.
void write_new(const std::string& path, std::string_view bytes);
std::string read_all(const std::string& path);
/// False where there is nothing; throws when the system cannot tell (a disk that is away).
bool exists(const std::string& path);
/// Size and CRC-32C of a file's content.
struct Sum {
  std::uint64_t size = 0;
  std::uint32_t crc = 0;
};
/// Reads all of the file.
Sum sum_of(const std::string& path);
/// Gives `from` the second name `to`, syncs the content and reads it; nothing when the file system
/// does not do that (another one, no hard links).
std::optional<Sum> link_synced(const std::string& from, const std::string& to);
/// Copies, and syncs the copy.
Sum copy_synced(const std::string& from, const std::string& to);
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
