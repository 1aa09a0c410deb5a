#pragma once

#include "types/key.h"

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace flott::heap {

/// A segment's keys of one group.
struct SegmentGroup {
  std::uint64_t records = 0;
  std::string_view bytes;  ///< of the segment
};

/// Part of a backend's state as bytes: of all keys (a base), or of those that changed since the
/// segment before (a delta), where one that is gone has a record without slots. Keys lie together
/// by key group. Immutable; the same thread or another may read it.
class Segment {
 public:
  /// Throws kExternal when the bytes are damaged.
  explicit Segment(std::shared_ptr<const std::string> bytes);

  /// It holds all there is: what came before does not matter.
  bool is_base() const { return is_base_; }
  std::string_view header() const { return header_; }  ///< as of a frame
  const std::map<KeyGroup, SegmentGroup>& groups() const { return groups_; }
  std::size_t size() const { return bytes_->size(); }

 private:
  std::shared_ptr<const std::string> bytes_;
  bool is_base_ = false;
  std::string_view header_;
  std::map<KeyGroup, SegmentGroup> groups_;
};

/// Collects the records of a segment: one after the other as they come, which is quick. Sorting
/// them by key group is left to build().
class SegmentBuilder {
 public:
  SegmentBuilder(bool is_base, std::string header)
      : is_base_(is_base), header_(std::move(header)) {}

  /// For the record that begins: a key as in a frame (bytes, value, slots) is to be appended, then
  /// end_record() called.
  std::string& record() { return bytes_; }
  void end_record(KeyGroup group);
  void add_removed(KeyGroup group, std::string_view key_bytes);

  void reserve(std::size_t records, std::size_t bytes);
  bool is_base() const { return is_base_; }
  std::size_t record_count() const { return records_.size(); }
  std::size_t record_bytes() const { return bytes_.size(); }
  /// How many bytes build() gives.
  std::size_t size() const;
  std::string build() const;

 private:
  struct Group {
    std::uint64_t records = 0;
    std::uint64_t bytes = 0;  ///< with the length before each
  };
  struct Record {
    std::uint32_t group;
    std::uint32_t size;
  };
  std::string head() const;

  bool is_base_;
  std::string header_;
  std::string bytes_;
  std::size_t done_ = 0;  ///< where the present record begins
  std::vector<Record> records_;
  std::vector<Group> groups_;  ///< by number
};

/// Calls visit(record) with each key of the group as the newest of `segments` (oldest first) that
/// has it holds it: in the order of the first segment, then of those after it. Removed keys are
/// visited, as records without slots, only with `keep_removed`.
void for_each_record(const std::vector<const Segment*>& segments,
                     KeyGroup group,
                     bool keep_removed,
                     const std::function<void(std::string_view record)>& visit);

/// One segment for many (oldest first), with the header of the newest; a base if the first is one.
/// Nothing when `stop` said so in between.
std::string merge_segments(const std::vector<const Segment*>& segments,
                           const std::function<bool()>& stop);

}  // namespace flott::heap
