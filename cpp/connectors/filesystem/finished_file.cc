#include "connectors/filesystem/finished_file.h"

#include "base/error.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace flott {

namespace fs = std::filesystem;

void check_file(bool ok, const fs::path& path) {
  if (!ok) {
    throw_error(ErrorKind::kExternal,
                "cannot write the file '{}': {}",
                path.string(),
                std::strerror(errno));
  }
}

void make_directory(const fs::path& directory) {
  std::error_code error;
  fs::create_directories(directory, error);
  if (error) {
    throw_error(ErrorKind::kExternal,
                "cannot make the directory '{}': {}",
                directory.string(),
                error.message());
  }
}

void sync_directory(const fs::path& directory) {
  const int descriptor = ::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  check_file(descriptor >= 0, directory);
  // Network disks that cannot sync a folder (EINVAL) write its names through.
  const int error = ::fsync(descriptor) == 0 || errno == EINVAL ? 0 : errno;
  ::close(descriptor);
  errno = error;
  check_file(error == 0, directory);
}

void sync_directories(const fs::path& root, const fs::path& below) {
  for (fs::path path = below; path.has_relative_path(); path = path.parent_path()) {
    sync_directory(root / path);
  }
  sync_directory(root);
}

void remove_file(const fs::path& path) {
  if (::unlink(path.c_str()) != 0 && errno != ENOENT) {
    throw_error(ErrorKind::kExternal,
                "cannot remove the file '{}': {}",
                path.string(),
                std::strerror(errno));
  }
}

bool add_name(const fs::path& hidden, const fs::path& name) {
  if (::link(hidden.c_str(), name.c_str()) != 0) {
    if (errno == EEXIST) {
      return false;
    }
    throw_error(ErrorKind::kExternal,
                "cannot give '{}' its name '{}': {}",
                hidden.string(),
                name.string(),
                std::strerror(errno));
  }
  return true;
}

}  // namespace flott
