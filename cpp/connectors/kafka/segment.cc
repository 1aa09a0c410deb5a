#include "connectors/kafka/segment.h"

#include "base/bytes.h"
#include "base/error.h"
#include "base/random_id.h"
#include "base/working_directory.h"
#include "checkpoint/snapshot_file.h"
#include "connectors/stored_version.h"

#include <lz4.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <memory>
#include <utility>
#include <vector>

// Grammar of a segment (checkpoints hold it, so it must stay readable):
//
//   segment := magic version:u8 block*
//   block   := raw size:u32  size:u32  LZ4 block of `size` bytes
//   raw     := record*
//   record  := flags:u8  [topic:string]  [partition:u32]  [key:string]  [value:string]
//              [timestamp:i64]
//              flags: what of these is there; a record without topic has that of the one before it
//              in the segment

namespace flott::kafka {
namespace {

constexpr std::string_view kMagic = "FLKS";
constexpr std::uint8_t kVersion = 1;
constexpr std::size_t kBlockBytes = 256 * 1024;
constexpr std::size_t kMemoryBytes = 4 << 20;
/// No block of ours comes near: a larger number is damage, not a reason to allocate.
constexpr std::uint32_t kMaxBlockBytes = 1U << 30;

constexpr std::uint8_t kTopic = 1;
constexpr std::uint8_t kPartition = 2;
constexpr std::uint8_t kKey = 4;
constexpr std::uint8_t kValue = 8;
constexpr std::uint8_t kTimestamp = 16;

}  // namespace

SegmentWriter::SegmentWriter(std::string directory) : parent_(std::move(directory)) {}

void SegmentWriter::append(const OutgoingRecord& record) {
  const bool new_topic = records_ == 0 || record.topic != last_topic_;
  BytesWriter out(block_);
  out.u8(static_cast<std::uint8_t>((new_topic ? kTopic : 0) |
                                   (record.partition >= 0 ? kPartition : 0) |
                                   (record.key ? kKey : 0) | (record.value ? kValue : 0) |
                                   (record.timestamp != 0 ? kTimestamp : 0)));
  if (new_topic) {
    last_topic_ = record.topic;
    out.string(record.topic);
  }
  if (record.partition >= 0) {
    out.u32(static_cast<std::uint32_t>(record.partition));
  }
  if (record.key) {
    out.string(*record.key);
  }
  if (record.value) {
    out.string(*record.value);
  }
  if (record.timestamp != 0) {
    out.i64(record.timestamp);
  }
  ++records_;
  if (block_.size() >= kBlockBytes) {
    compress_block();
    if (bytes_.size() >= kMemoryBytes) {
      spill();
    }
  }
}

void SegmentWriter::compress_block() {
  if (bytes_.empty() && !file_) {
    bytes_.append(kMagic);
    bytes_.push_back(static_cast<char>(kVersion));
  }
  STREAM_CHECK(block_.size() <= LZ4_MAX_INPUT_SIZE, "a record of {} bytes", block_.size());
  const int raw = static_cast<int>(block_.size());
  const std::size_t begin = bytes_.size();
  const int room = LZ4_compressBound(raw);
  bytes_.resize(begin + 8 + static_cast<std::size_t>(room));
  const int size = LZ4_compress_default(block_.data(), bytes_.data() + begin + 8, raw, room);
  STREAM_CHECK(size > 0, "LZ4 compresses {} bytes", raw);
  const auto sizes = {static_cast<std::uint32_t>(raw), static_cast<std::uint32_t>(size)};
  std::memcpy(bytes_.data() + begin, sizes.begin(), 8);
  bytes_.resize(begin + 8 + static_cast<std::size_t>(size));
  block_.clear();
}

void SegmentWriter::spill() {
  if (!file_) {
    if (directory_ == nullptr || ::access(directory_->path().c_str(), F_OK) != 0) {
      // The first, or somebody has removed it.
      directory_ = std::make_shared<WorkingDirectory>(
          "flott-kafka-",
          parent_.empty() ? std::vector<std::string>{} : std::vector<std::string>{parent_},
          "set TMPDIR to a folder that can be written to");
    }
    path_ = std::make_shared<const OwnedPath>(directory_->fresh("segment"), directory_);
    file_.reset(std::fopen(path_->path().c_str(), "wbxe"));
  }
  if (!file_ || std::fwrite(bytes_.data(), 1, bytes_.size(), file_.get()) != bytes_.size()) {
    throw_error(
        ErrorKind::kExternal,
        "the records for Kafka since the last checkpoint cannot be written to '{}': {}; make "
        "room there, or set TMPDIR to another folder",
        path_->path(),
        std::strerror(errno));
  }
  file_bytes_ += bytes_.size();
  bytes_.clear();
}

std::optional<SnapshotFile> SegmentWriter::finish() {
  if (records_ == 0) {
    return std::nullopt;
  }
  if (!block_.empty()) {
    compress_block();
  }
  SnapshotFile out;
  if (file_) {
    spill();
    if (std::fflush(file_.get()) != 0) {
      throw_error(ErrorKind::kExternal,
                  "the records for Kafka since the last checkpoint cannot be written to '{}': {}",
                  path_->path(),
                  std::strerror(errno));
    }
    out.name = "kafka-" + random_id();
    out.path = path_->path();
    out.size = file_bytes_;
    file_.reset();
    out.kept = std::exchange(path_, nullptr);
  } else {
    out = make_snapshot_file("kafka", std::move(bytes_));
  }
  bytes_.clear();
  last_topic_.clear();
  records_ = 0;
  file_bytes_ = 0;
  return out;
}

SegmentReader::SegmentReader(const SnapshotFile& file)
    : name_(file.path.empty() ? file.name : file.path), bytes_(file.bytes) {
  if (!bytes_) {
    file_.reset(std::fopen(file.path.c_str(), "rbe"));
    if (!file_) {
      fail(std::strerror(errno));
    }
  }
  char head[5];
  if (!read(head, sizeof head) || std::string_view(head, 4) != kMagic) {
    fail("it does not begin as one");
  }
  BytesReader version(std::string_view(head + 4, 1));
  check_stored_version(version, kVersion, fmt::format("the file '{}' of records for Kafka", name_));
}

SegmentReader::~SegmentReader() = default;

bool SegmentReader::read(char* to, std::size_t size) {
  std::size_t got = 0;
  if (file_) {
    got = std::fread(to, 1, size, file_.get());
    if (std::ferror(file_.get()) != 0) {
      fail(std::strerror(errno));
    }
  } else {
    got = std::min(size, bytes_->size() - at_);
    std::memcpy(to, bytes_->data() + at_, got);
    at_ += got;
  }
  if (got != 0 && got != size) {
    fail("it is cut off");
  }
  return got == size;
}

bool SegmentReader::next_block() {
  std::uint32_t sizes[2];
  char head[sizeof sizes];
  if (!read(head, sizeof head)) {
    return false;
  }
  std::memcpy(sizes, head, sizeof head);
  if (sizes[0] > kMaxBlockBytes || sizes[1] > kMaxBlockBytes) {
    fail("a block has an impossible size");
  }
  compressed_.resize(sizes[1]);
  block_.resize(sizes[0]);
  if (!read(compressed_.data(), compressed_.size()) ||
      LZ4_decompress_safe(compressed_.data(),
                          block_.data(),
                          static_cast<int>(sizes[1]),
                          static_cast<int>(sizes[0])) != static_cast<int>(sizes[0])) {
    fail("a block cannot be unpacked");
  }
  rest_ = block_;
  return true;
}

bool SegmentReader::next(OutgoingRecord& record) {
  if (rest_.empty() && !next_block()) {
    return false;
  }
  BytesReader in(rest_);
  const std::uint8_t flags = in.u8();
  if ((flags & kTopic) != 0) {
    topic_ = in.string();
  }
  record = {};
  record.topic = topic_;
  if ((flags & kPartition) != 0) {
    record.partition = static_cast<std::int32_t>(in.u32());
  }
  if ((flags & kKey) != 0) {
    record.key = in.string();
  }
  if ((flags & kValue) != 0) {
    record.value = in.string();
  }
  if ((flags & kTimestamp) != 0) {
    record.timestamp = in.i64();
  }
  rest_ = rest_.substr(rest_.size() - in.remaining());
  return true;
}

void SegmentReader::fail(std::string_view what) const {
  throw_error(ErrorKind::kExternal,
              "the records for Kafka in '{}' cannot be read: {}; restore an older checkpoint",
              name_,
              what);
}

}  // namespace flott::kafka
