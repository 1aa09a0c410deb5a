#include "state/frame_files.h"

#include "base/error.h"
#include "base/random_id.h"
#include "base/working_directory.h"
#include "checkpoint/checkpoint_storage.h"
#include "types/host.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <system_error>
#include <utility>

namespace flott {
namespace {

constexpr std::uint8_t kVersion = 1;
constexpr std::size_t kCountBytes = 10;

/// A varint that takes `kCountBytes` whatever it is: it is known last and written first.
std::string wide_varint(std::uint64_t v) {
  std::string out;
  for (std::size_t i = 0; i + 1 < kCountBytes; ++i, v >>= 7) {
    out.push_back(static_cast<char>(v | 0x80));
  }
  out.push_back(static_cast<char>(v));
  return out;
}

/// A file in memory without being read at once.
class MappedFile {
 public:
  explicit MappedFile(const std::string& path) {
    const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
    struct stat status{};
    if (file >= 0 && ::fstat(file, &status) == 0 && status.st_size > 0) {
      size_ = static_cast<std::size_t>(status.st_size);
      data_ = ::mmap(nullptr, size_, PROT_READ, MAP_PRIVATE, file, 0);
    }
    const int error = errno;
    if (file >= 0) {
      ::close(file);
    }
    if (data_ == MAP_FAILED) {
      throw_error(ErrorKind::kExternal,
                  "{} cannot be read: {}; see whether it is there and not empty",
                  path,
                  std::generic_category().message(error));
    }
    ::madvise(data_, size_, MADV_SEQUENTIAL);
  }
  ~MappedFile() { ::munmap(data_, size_); }
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;

  std::string_view bytes() const { return {static_cast<const char*>(data_), size_}; }

 private:
  void* data_ = MAP_FAILED;
  std::size_t size_ = 0;
};

}  // namespace

FrameFileWriter::FrameFileWriter(std::string path, std::shared_ptr<const void> keep)
    : file_(std::make_shared<const OwnedPath>(std::move(path), std::move(keep))),
      out_(file_->path(), std::ios::binary) {
  check();
}

void FrameFileWriter::check() {
  if (!out_) {
    throw Error(ErrorKind::kExternal,
                fmt::format("'{}' cannot be written; see whether the disk is full", file_->path()),
                Retryable::kYes);
  }
}

void FrameFileWriter::write_content() {
  const HostRelease without_host_lock;
  out_.write(content_.data(), static_cast<std::streamsize>(content_.size()));
  check();
  written_ += content_.size();
  content_.clear();
}

void FrameFileWriter::begin(KeyGroup group, std::string_view header) {
  group_ = group;
  keys_ = 0;
  frame_at_ = written_;
  count_at_ = written_ + header.size();
  content_.append(header);
  content_.append(kCountBytes, '\0');
}

void FrameFileWriter::end() {
  write_content();
  out_.seekp(static_cast<std::streamoff>(count_at_));
  out_ << wide_varint(keys_);
  out_.seekp(static_cast<std::streamoff>(written_));
  check();
  BytesWriter frames(frames_);
  frames.varint(group_);
  frames.u64(frame_at_);
  frames.u64(written_ - frame_at_);
  ++frame_count_;
}

KeyedStateFiles FrameFileWriter::finish(KeyGroupRange range) {
  out_.close();
  check();
  KeyedStateFiles out;
  out.backend = kFrameFiles;
  out.range = range;
  BytesWriter description(out.description);
  description.u8(kVersion);
  description.varint(frame_count_);
  out.description += frames_;
  if (frame_count_ > 0) {
    out.files.push_back(
        {fmt::format("frames-{}", random_id()), file_->path(), nullptr, written_, file_});
  }
  return out;
}

void each_frame(const KeyedStateFiles& files,
                KeyGroupRange range,
                const std::function<void(KeyGroup, std::string_view)>& visit) {
  BytesReader in(files.description);
  const std::uint8_t version = in.u8();
  if (version != kVersion) {
    throw DamagedCheckpoint(
        {},
        fmt::format(
            "keyed state of key groups {} to {} cannot be restored: its format version is {}, "
            "and this version of Flott reads {} (was it written by a newer one?)",
            files.range.begin,
            files.range.end,
            version,
            kVersion));
  }
  std::uint64_t left = in.count();
  if (left == 0) {
    return;
  }
  if (files.files.size() != 1) {
    throw DamagedCheckpoint(
        {},
        fmt::format("keyed state of key groups {} to {} cannot be restored: stored bytes are "
                    "damaged: {} files instead of one; restore an older checkpoint",
                    files.range.begin,
                    files.range.end,
                    files.files.size()));
  }
  const SnapshotFile& file = files.files[0];
  std::unique_ptr<const MappedFile> mapped;
  if (file.bytes == nullptr) {
    mapped = std::make_unique<const MappedFile>(file.path);
  }
  const std::string_view all = mapped != nullptr ? mapped->bytes() : *file.bytes;
  for (; left > 0; --left) {
    const auto group = static_cast<KeyGroup>(in.varint());
    const std::uint64_t at = in.u64();
    const std::uint64_t size = in.u64();
    if (at > all.size() || size > all.size() - at) {
      throw DamagedCheckpoint(
          {},
          fmt::format("keyed state of key group {} cannot be restored: stored bytes are damaged: "
                      "{} bytes at {} of {}; restore an older checkpoint",
                      group,
                      size,
                      at,
                      all.size()));
    }
    if (range.contains(group)) {
      visit(group, all.substr(at, size));
    }
  }
}

}  // namespace flott
