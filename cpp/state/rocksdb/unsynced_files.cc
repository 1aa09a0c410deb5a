#include "state/rocksdb/unsynced_files.h"

#include <rocksdb/env.h>
#include <rocksdb/file_system.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstdarg>
#include <cstdio>
#include <cstring>
#include <memory>
#include <string>
#include <utility>

namespace flott::rocks {
namespace {

using rocksdb::FSDirectory;
using rocksdb::FSWritableFile;
using rocksdb::IODebugContext;
using rocksdb::IOOptions;
using rocksdb::IOStatus;

class UnsyncedFile final : public rocksdb::FSWritableFileOwnerWrapper {
 public:
  using FSWritableFileOwnerWrapper::FSWritableFileOwnerWrapper;
  IOStatus Sync(const IOOptions& /*options*/, IODebugContext* /*context*/) override {
    return IOStatus::OK();
  }
  IOStatus Fsync(const IOOptions& /*options*/, IODebugContext* /*context*/) override {
    return IOStatus::OK();
  }
};

class UnsyncedFolder final : public rocksdb::FSDirectoryWrapper {
 public:
  using FSDirectoryWrapper::FSDirectoryWrapper;
  IOStatus Fsync(const IOOptions& /*options*/, IODebugContext* /*context*/) override {
    return IOStatus::OK();
  }
  IOStatus FsyncWithDirOptions(const IOOptions& /*options*/,
                               IODebugContext* /*context*/,
                               const rocksdb::DirFsyncOptions& /*what*/) override {
    return IOStatus::OK();
  }
};

/// RocksDB's own ends the process (in builds that check assertions, as Debian's) when it is to
/// write behind a write that failed. Nobody needs what a full disk keeps out of it.
class ForgivingLog final : public rocksdb::Logger {
 public:
  explicit ForgivingLog(std::FILE* file) : file_(file, &std::fclose) {}

  using Logger::Logv;
  void Logv(const char* format, va_list arguments) override {
    rocksdb::Env& env = *rocksdb::Env::Default();
    const std::string time = env.TimeToString(env.NowMicros() / 1'000'000);
    char line[1 << 15];
    const int size = std::vsnprintf(line, sizeof line, format, arguments);
    std::fprintf(file_.get(), "%s %s\n", time.c_str(), size < 0 ? format : line);
    if (std::fflush(file_.get()) == 0) {
      bytes_ += time.size() + std::min<std::size_t>(std::max(size, 0), sizeof line);
    }
  }
  std::size_t GetLogFileSize() const override { return bytes_; }

 private:
  std::unique_ptr<std::FILE, int (*)(std::FILE*)> file_;
  std::atomic<std::size_t> bytes_{0};
};

class UnsyncedFiles final : public rocksdb::FileSystemWrapper {
 public:
  using FileSystemWrapper::FileSystemWrapper;
  const char* Name() const override { return "flott.unsynced"; }

  IOStatus NewWritableFile(const std::string& path,
                           const rocksdb::FileOptions& options,
                           std::unique_ptr<FSWritableFile>* file,
                           IODebugContext* context) override {
    return wrapped(target()->NewWritableFile(path, options, file, context), file);
  }
  IOStatus ReopenWritableFile(const std::string& path,
                              const rocksdb::FileOptions& options,
                              std::unique_ptr<FSWritableFile>* file,
                              IODebugContext* context) override {
    return wrapped(target()->ReopenWritableFile(path, options, file, context), file);
  }
  IOStatus ReuseWritableFile(const std::string& path,
                             const std::string& old_path,
                             const rocksdb::FileOptions& options,
                             std::unique_ptr<FSWritableFile>* file,
                             IODebugContext* context) override {
    return wrapped(target()->ReuseWritableFile(path, old_path, options, file, context), file);
  }
  IOStatus NewDirectory(const std::string& path,
                        const IOOptions& options,
                        std::unique_ptr<FSDirectory>* folder,
                        IODebugContext* context) override {
    const IOStatus status = target()->NewDirectory(path, options, folder, context);
    if (status.ok()) {
      *folder = std::make_unique<UnsyncedFolder>(std::move(*folder));
    }
    return status;
  }
  IOStatus NewLogger(const std::string& path,
                     const IOOptions& /*options*/,
                     std::shared_ptr<rocksdb::Logger>* log,
                     IODebugContext* /*context*/) override {
    std::FILE* const file = std::fopen(path.c_str(), "we");
    if (file == nullptr) {
      return IOStatus::IOError("cannot make the log " + path, std::strerror(errno));
    }
    *log = std::make_shared<ForgivingLog>(file);
    return IOStatus::OK();
  }

 private:
  static IOStatus wrapped(const IOStatus& status, std::unique_ptr<FSWritableFile>* file) {
    if (status.ok()) {
      *file = std::make_unique<UnsyncedFile>(std::move(*file));
    }
    return status;
  }
};

}  // namespace

rocksdb::Env* unsynced_files() {
  static rocksdb::Env* const files =
      rocksdb::NewCompositeEnv(std::make_shared<UnsyncedFiles>(rocksdb::FileSystem::Default()))
          .release();
  return files;
}

}  // namespace flott::rocks
