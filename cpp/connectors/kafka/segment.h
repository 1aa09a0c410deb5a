#pragma once

#include "base/working_directory.h"
#include "checkpoint/snapshot.h"

#include <cstdint>
#include <cstdio>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace flott::kafka {

/// One record on its way to Kafka; views of what somebody else owns.
struct OutgoingRecord {
  std::string_view topic;
  std::int32_t partition = -1;  ///< -1: the partitioner chooses
  std::optional<std::string_view> key;
  std::optional<std::string_view> value;  ///< nothing: a tombstone
  std::int64_t timestamp = 0;             ///< 0: the time of sending
};

/// Gathers the records of one epoch, compressed, in the order in which they come. What is small
/// stays in memory, the rest goes to a file below the folder `directory` (empty: the system's
/// temporary one), which goes with the last SnapshotFile of it. One thread. Throws kExternal when
/// the disk does not take it.
class SegmentWriter {
 public:
  explicit SegmentWriter(std::string directory = {});
  SegmentWriter(const SegmentWriter&) = delete;
  SegmentWriter& operator=(const SegmentWriter&) = delete;

  void append(const OutgoingRecord& record);
  std::int64_t records() const { return records_; }
  /// The file for checkpoints, if there were records; begins the next segment.
  std::optional<SnapshotFile> finish();

 private:
  struct Close {
    void operator()(std::FILE* file) const { std::fclose(file); }
  };
  void compress_block();
  void spill();

  const std::string parent_;
  std::shared_ptr<WorkingDirectory> directory_;  ///< made with the first file
  std::string block_;                            ///< records not yet compressed
  std::string bytes_;                            ///< compressed, not yet in the file
  std::string last_topic_;
  std::shared_ptr<const OwnedPath> path_;
  std::unique_ptr<std::FILE, Close> file_;
  std::uint64_t file_bytes_ = 0;
  std::int64_t records_ = 0;
};

/// Reads a segment once, from its beginning. Throws kExternal naming the file when it is damaged.
class SegmentReader {
 public:
  explicit SegmentReader(const SnapshotFile& file);
  ~SegmentReader();

  /// The next record, valid until the next call; false at the end.
  bool next(OutgoingRecord& record);

 private:
  struct Close {
    void operator()(std::FILE* file) const { std::fclose(file); }
  };
  bool next_block();
  /// Exactly `size` bytes; false at the very end.
  bool read(char* to, std::size_t size);
  [[noreturn]] void fail(std::string_view what) const;

  const std::string name_;
  std::shared_ptr<const std::string> bytes_;
  std::size_t at_ = 0;
  std::unique_ptr<std::FILE, Close> file_;
  std::string compressed_;
  std::string block_;
  std::string_view rest_;
  std::string topic_;
};

}  // namespace flott::kafka
