#include "checkpoint/snapshot_file.h"

#include "base/error.h"
#include "base/random_id.h"
#include "checkpoint/files.h"

#include <filesystem>
#include <system_error>

namespace flott {

SnapshotFile settled(SnapshotFile file) {
  if (file.deferred != nullptr) {
    file.bytes = file.deferred->get();
    file.size = file.bytes->size();
    file.deferred = nullptr;
  }
  return file;
}

std::shared_ptr<const std::string> content_of(const SnapshotFile& file) {
  if (file.deferred != nullptr) {
    return file.deferred->get();
  }
  if (file.bytes != nullptr) {
    return file.bytes;
  }
  STREAM_CHECK(!file.path.empty(), "file '{}' of a snapshot has neither bytes nor path", file.name);
  return std::make_shared<const std::string>(files::read_all(file.path));
}

void place_file(const SnapshotFile& file, const std::string& path) {
  if (file.bytes != nullptr || file.deferred != nullptr) {
    files::write_new(path, *content_of(file));
    return;
  }
  STREAM_CHECK(!file.path.empty(), "file '{}' of a snapshot has neither bytes nor path", file.name);
  std::error_code error;
  std::filesystem::create_hard_link(file.path, path, error);
  if (error) {
    error.clear();
    std::filesystem::copy_file(file.path, path, error);
  }
  if (error) {
    throw_error(ErrorKind::kExternal,
                "cannot copy {} to {}: {} ({}); check both paths, and the space there",
                file.path,
                path,
                error.message(),
                error.value());
  }
}

SnapshotFile make_snapshot_file(std::string_view prefix, std::string bytes) {
  SnapshotFile file;
  file.name = fmt::format("{}-{}", prefix, random_id());
  file.size = bytes.size();
  file.bytes = std::make_shared<const std::string>(std::move(bytes));
  return file;
}

SnapshotFile make_deferred_file(std::string_view prefix,
                                std::uint64_t size,
                                std::function<std::string()> make) {
  SnapshotFile file;
  file.name = fmt::format("{}-{}", prefix, random_id());
  file.size = size;
  file.deferred = std::make_shared<DeferredBytes>(std::move(make));
  return file;
}

}  // namespace flott
