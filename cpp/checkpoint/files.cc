#include "checkpoint/files.h"

#include "base/crc32c.h"
#include "base/error.h"
#include "base/fault_point.h"
#include "base/in_background.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <system_error>

namespace flott::files {
namespace {

[[noreturn]] void fail(std::string_view operation, const std::string& path, int error) {
  std::string_view advice = "check that the checkpoint directory exists and may be written";
  if (error == ENOSPC || error == EDQUOT || error == EFBIG) {
    advice = "free space there, or choose another checkpoint directory";
  } else if (error == ENOENT) {
    advice = "check the path";
  }
  throw_error(ErrorKind::kExternal,
              "cannot {} {}: {} ({}); {}",
              operation,
              path,
              std::generic_category().message(error),
              error,
              advice);
}

/// A file descriptor that closes itself.
class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  ~Descriptor() {
    if (fd_ >= 0) {
      ::close(fd_);
    }
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int get() const { return fd_; }
  /// Closes with a check: a network file system may report the lack of space only here.
  void close(const std::string& path) {
    const int fd = fd_;
    fd_ = -1;
    if (::close(fd) != 0 && errno != EINTR) {
      fail("write", path, errno);
    }
  }

 private:
  int fd_;
};

/// A new file that ends up on the disk.
class NewFile {
 public:
  explicit NewFile(const std::string& path)
      : path_(path), file_(::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666)) {
    if (file_.get() < 0) {
      fail("create", path, errno);
    }
  }
  void write(std::string_view bytes) {
    while (!bytes.empty()) {
      const ssize_t written = ::write(file_.get(), bytes.data(), bytes.size());
      if (written < 0) {
        if (errno == EINTR) {
          continue;
        }
        fail("write", path_, errno);
      }
      bytes.remove_prefix(static_cast<std::size_t>(written));
    }
  }
  void sync() {
    if (::fsync(file_.get()) != 0) {
      fail("sync", path_, errno);
    }
  }
  void close() { file_.close(path_); }

 private:
  const std::string path_;
  Descriptor file_;
};

/// Calls use(bytes) with the file's content, piece by piece.
template <typename Use>
void read_pieces(const std::string& path, Use use) {
  constexpr std::size_t kPieceBytes = std::size_t{1} << 20;
  const Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (file.get() < 0) {
    fail("open", path, errno);
  }
  const std::unique_ptr<char[]> piece(new char[kPieceBytes]);
  for (;;) {
    const ssize_t got = ::read(file.get(), piece.get(), kPieceBytes);
    if (got == 0) {
      return;
    }
    if (got > 0) {
      use(std::string_view(piece.get(), static_cast<std::size_t>(got)));
    } else if (errno != EINTR) {
      fail("read", path, errno);
    }
  }
}

}  // namespace

void write_synced(const std::string& path, std::string_view bytes) {
  NewFile file(path);
  file.write(bytes);
  fault_point(FaultPoint::kDuringSnapshotWrite);
  file.sync();
  file.close();
}

void write_new(const std::string& path, std::string_view bytes) {
  NewFile file(path);
  file.write(bytes);
  file.close();
}

Sum sum_of(const std::string& path) {
  Sum sum;
  read_pieces(path, [&](std::string_view piece) {
    sum.size += piece.size();
    sum.crc = crc32c_extend(sum.crc, piece);
  });
  return sum;
}

std::optional<Sum> link_synced(const std::string& from, const std::string& to) {
  if (::link(from.c_str(), to.c_str()) != 0) {
    if (errno == EXDEV || errno == EPERM || errno == EMLINK || errno == ENOTSUP ||
        errno == ENOSYS) {
      return std::nullopt;
    }
    fail("link to", from, errno);
  }
  const Descriptor file(::open(to.c_str(), O_RDONLY | O_CLOEXEC));
  if (file.get() < 0) {
    fail("open", to, errno);
  }
  // The disk and the processor work at the same time.
  auto sum = in_background([&to] { return sum_of(to); });
  if (::fsync(file.get()) != 0) {
    fail("sync", to, errno);
  }
  return sum.get();
}

Sum copy_synced(const std::string& from, const std::string& to) {
  Sum sum;
  NewFile file(to);
  read_pieces(from, [&](std::string_view piece) {
    sum.size += piece.size();
    sum.crc = crc32c_extend(sum.crc, piece);
    file.write(piece);
  });
  file.sync();
  file.close();
  return sum;
}

bool exists(const std::string& path) {
  struct stat status{};
  if (::stat(path.c_str(), &status) == 0) {
    return true;
  }
  if (errno != ENOENT && errno != ENOTDIR) {
    fail("look at", path, errno);
  }
  return false;
}

std::string read_all(const std::string& path) {
  const Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (file.get() < 0) {
    fail("open", path, errno);
  }
  struct stat status{};
  if (::fstat(file.get(), &status) != 0) {
    fail("read", path, errno);
  }
  std::string bytes;
  bytes.resize(static_cast<std::size_t>(status.st_size) + 1);
  std::size_t size = 0;
  for (;;) {
    if (size == bytes.size()) {
      bytes.resize(bytes.size() * 2);
    }
    const ssize_t got = ::read(file.get(), bytes.data() + size, bytes.size() - size);
    if (got < 0) {
      if (errno == EINTR) {
        continue;
      }
      fail("read", path, errno);
    }
    if (got == 0) {
      break;
    }
    size += static_cast<std::size_t>(got);
  }
  bytes.resize(size);
  return bytes;
}

void sync_folder(const std::string& path) {
  const Descriptor folder(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (folder.get() < 0) {
    fail("open", path, errno);
  }
  // Some network file systems cannot sync a folder and say EINVAL; there is nothing more to be done
  // then.
  if (::fsync(folder.get()) != 0 && errno != EINVAL) {
    fail("sync", path, errno);
  }
}

void make_folders(const std::string& path) {
  if (::mkdir(path.c_str(), 0777) != 0) {
    const int error = errno;
    std::error_code ignored;
    if (error == EEXIST && std::filesystem::is_directory(path, ignored)) {
      return;
    }
    const std::string parent = std::filesystem::path(path).parent_path().string();
    if (error != ENOENT || parent.empty() || parent == path) {
      fail("create folder", path, error);
    }
    make_folders(parent);
    if (::mkdir(path.c_str(), 0777) != 0 && errno != EEXIST) {
      fail("create folder", path, errno);
    }
  }
  const std::string parent = std::filesystem::path(path).parent_path().string();
  sync_folder(parent.empty() ? "." : parent);
}

void replace_folder(const std::string& from, const std::string& to) {
  if (::rename(from.c_str(), to.c_str()) == 0) {
    return;
  }
  if (errno != ENOTEMPTY && errno != EEXIST) {
    fail("rename to", to, errno);
  }
  if (::renameat2(AT_FDCWD, from.c_str(), AT_FDCWD, to.c_str(), RENAME_EXCHANGE) != 0) {
    fail("replace", to, errno);
  }
  remove_all(from);
}

void remove_all(const std::string& path) {
  std::error_code error;
  std::filesystem::remove_all(path, error);
  if (error) {
    fail("remove", path, error.value());
  }
}

}  // namespace flott::files
