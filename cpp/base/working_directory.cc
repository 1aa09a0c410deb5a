#include "base/working_directory.h"

#include "base/error.h"
#include "base/random_id.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <functional>
#include <system_error>
#include <utility>

namespace flott {
namespace {

namespace fs = std::filesystem;

constexpr const char* kLockName = "in-use";

/// Descriptor of the locked file, or -1.
int try_lock(const std::string& path, int flags) {
  const int fd = ::open(path.c_str(), flags | O_RDWR | O_CLOEXEC, 0600);
  if (fd >= 0 && ::flock(fd, LOCK_EX | LOCK_NB) != 0) {
    ::close(fd);
    return -1;
  }
  return fd;
}

/// Removes what processes left that are gone. Never fails: it is a favour.
void sweep(const std::string& parent, std::string_view prefix) {
  std::error_code ignored;
  for (fs::directory_iterator it(parent, ignored), end; it != end; it.increment(ignored)) {
    const std::string path = it->path().string();
    if (!it->path().filename().string().starts_with(prefix)) {
      continue;
    }
    // One without the file is just being made.
    const int fd = try_lock(path + "/" + kLockName, 0);
    if (fd >= 0) {
      std::error_code ignored_too;
      fs::remove_all(path, ignored_too);
      ::close(fd);
    }
  }
}

/// Not what a forked child has a copy of. Never fails: whoever is left behind sweeps.
void remove_own(const std::string& path, int process) {
  if (::getpid() == process) {
    std::error_code ignored;
    fs::remove_all(path, ignored);
  }
}

}  // namespace

WorkingDirectory::WorkingDirectory(std::string_view prefix,
                                   const std::vector<std::string>& parents,
                                   std::string_view advice)
    : process_(::getpid()) {
  std::error_code error;
  const std::string id = random_id();
  const std::string parent = parents.empty()
                                 ? fs::temp_directory_path(error).string()
                                 : parents[std::hash<std::string>{}(id) % parents.size()];
  fs::create_directories(parent, error);
  sweep(parent, prefix);
  path_ = parent + "/" + std::string(prefix) + id;
  // Owner only: state may be anybody's data.
  if (!error && fs::create_directory(path_, error)) {
    fs::permissions(path_, fs::perms::owner_all, error);
    // Locked before it has the name that others look for: they would take it for a dead one's.
    const std::string lock_path = path_ + "/" + kLockName;
    lock_ = try_lock(lock_path + ".new", O_CREAT | O_EXCL);
    if (lock_ < 0 && !error) {
      error = std::error_code(errno, std::generic_category());
    }
    if (!error) {
      fs::rename(lock_path + ".new", lock_path, error);
    }
  }
  if (error) {
    throw_error(ErrorKind::kExternal,
                "the working directory '{}' cannot be made: {}; {}",
                path_,
                error.message(),
                advice);
  }
}

WorkingDirectory::~WorkingDirectory() {
  remove_own(path_, process_);
  if (lock_ >= 0) {
    ::close(lock_);
  }
}

std::string WorkingDirectory::fresh(std::string_view name) {
  return fmt::format("{}/{}-{}", path_, name, next_++);
}

OwnedPath::OwnedPath(std::string path, std::shared_ptr<const void> in)
    : in_(std::move(in)), path_(std::move(path)), process_(::getpid()) {}

OwnedPath::~OwnedPath() {
  remove_own(path_, process_);
}

}  // namespace flott
