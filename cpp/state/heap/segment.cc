#include "state/heap/segment.h"

#include "base/bytes.h"
#include "base/error.h"
#include "base/hash.h"
#include "base/varint.h"

#include <boost/unordered/unordered_flat_map.hpp>
#include <sys/mman.h>

#include <algorithm>
#include <cstring>
#include <exception>
#include <limits>
#include <utility>

// Grammar of a segment. Numbers little-endian; string, varint: base/bytes.h.
//
//   segment := version:u8 (1)  is_base:u8  header:string (a frame's: state/frame_format.h)
//              groups:varint (key group:varint records:varint size:varint)*  records of each group
//   records := record:string*
//   record  := key, as in a frame; one that is gone: canonical bytes:string  empty string  0:varint
//
// The length before each record lets segments be merged without looking into the state. All
// segments of one chain have the same states at the same positions of their headers; later ones may
// have more. A change of this grammar raises the version; older versions stay readable.

namespace flott::heap {
namespace {

constexpr std::uint8_t kSegmentVersion = 1;

struct BytesHash {
  using is_avalanching = void;
  std::size_t operator()(std::string_view bytes) const { return hash_bytes(bytes); }
};

std::string_view key_of(std::string_view record) {
  return BytesReader(record).string();
}

bool is_removed(std::string_view record) {
  // The count of slots comes last and is the only thing after the (empty) value.
  BytesReader in(record);
  in.string();
  return in.string().empty() && in.varint() == 0;
}

}  // namespace

Segment::Segment(std::shared_ptr<const std::string> bytes) : bytes_(std::move(bytes)) {
  BytesReader in(*bytes_);
  const std::uint8_t version = in.u8();
  if (version != kSegmentVersion) {
    throw_error(ErrorKind::kExternal,
                "its format version is {}, and this version of Flott reads {} (was it written by a "
                "newer one?)",
                version,
                kSegmentVersion);
  }
  is_base_ = in.u8() != 0;
  header_ = in.string();
  struct Entry {
    KeyGroup group;
    std::uint64_t records;
    std::uint64_t size;
  };
  std::vector<Entry> entries(in.count());
  for (Entry& entry : entries) {
    entry.group = static_cast<KeyGroup>(in.varint());
    entry.records = in.varint();
    entry.size = in.varint();
  }
  for (const Entry& entry : entries) {
    groups_[entry.group] = {entry.records, in.take(entry.size)};
  }
  if (!in.empty()) {
    throw Error(ErrorKind::kExternal, "stored bytes are damaged: bytes after the last key group");
  }
}

void SegmentBuilder::reserve(std::size_t records, std::size_t bytes) {
  // A guess at most, and one large key may have been its measure.
  constexpr std::size_t kMostReserved = 256 << 20;
  try {
    records_.reserve(records);
    bytes_.reserve(std::min(bytes, kMostReserved));
  } catch (const std::exception&) {
    return;  // it grows as it is needed
  }
  // New memory comes page by page while the task stands still: rather in large ones.
  constexpr std::uintptr_t kHugePage = 2 << 20;
  const auto begin = reinterpret_cast<std::uintptr_t>(bytes_.data());
  const std::uintptr_t first = (begin + kHugePage - 1) / kHugePage * kHugePage;
  if (first + kHugePage <= begin + bytes_.capacity()) {
    // NOLINTNEXTLINE(performance-no-int-to-ptr)
    ::madvise(reinterpret_cast<void*>(first), begin + bytes_.capacity() - first, MADV_HUGEPAGE);
  }
}

void SegmentBuilder::end_record(KeyGroup group) {
  const std::size_t size = bytes_.size() - done_;
  if (size > std::numeric_limits<std::uint32_t>::max()) [[unlikely]] {
    throw_error(ErrorKind::kInvalidArgument,
                "the state of one key takes {} bytes, more than the 4 GB that a checkpoint stores; "
                "use map state with the RocksDB backend, or finer keys",
                size);
  }
  const auto number = static_cast<std::size_t>(group);
  if (number >= groups_.size()) [[unlikely]] {
    groups_.resize(number + 1);
  }
  ++groups_[number].records;
  groups_[number].bytes += varint_size(size) + size;
  records_.push_back({static_cast<std::uint32_t>(group), static_cast<std::uint32_t>(size)});
  done_ = bytes_.size();
}

void SegmentBuilder::add_removed(KeyGroup group, std::string_view key_bytes) {
  BytesWriter out(bytes_);
  out.string(key_bytes);
  out.string({});
  out.varint(0);
  end_record(group);
}

std::string SegmentBuilder::head() const {
  std::string bytes;
  BytesWriter out(bytes);
  out.u8(kSegmentVersion);
  out.u8(is_base_ ? 1 : 0);
  out.string(header_);
  out.varint(static_cast<std::uint64_t>(
      std::count_if(groups_.begin(), groups_.end(), [](const Group& g) { return g.records > 0; })));
  for (std::size_t group = 0; group < groups_.size(); ++group) {
    if (groups_[group].records > 0) {
      out.varint(group);
      out.varint(groups_[group].records);
      out.varint(groups_[group].bytes);
    }
  }
  return bytes;
}

std::size_t SegmentBuilder::size() const {
  std::size_t size = head().size();
  for (const Group& group : groups_) {
    size += group.bytes;
  }
  return size;
}

std::string SegmentBuilder::build() const {
  std::string bytes = head();
  std::vector<std::size_t> at(groups_.size());  // where each group's next record goes
  std::size_t end = bytes.size();
  for (std::size_t group = 0; group < groups_.size(); ++group) {
    at[group] = end;
    end += groups_[group].bytes;
  }
  bytes.resize(end);
  const char* from = bytes_.data();
  for (const Record& record : records_) {
    char* const to = put_varint(record.size, bytes.data() + at[record.group]);
    std::memcpy(to, from, record.size);
    at[record.group] = static_cast<std::size_t>(to - bytes.data()) + record.size;
    from += record.size;
  }
  return bytes;
}

void for_each_record(const std::vector<const Segment*>& segments,
                     KeyGroup group,
                     bool keep_removed,
                     const std::function<void(std::string_view record)>& visit) {
  std::vector<const SegmentGroup*> parts;
  for (const Segment* segment : segments) {
    if (segment->is_base()) {
      parts.clear();
    }
    if (const auto found = segment->groups().find(group); found != segment->groups().end()) {
      parts.push_back(&found->second);
    }
  }
  const auto each = [](const SegmentGroup& part, auto&& use) {
    BytesReader in(part.bytes);
    for (std::uint64_t left = part.records; left > 0; --left) {
      use(in.string());
    }
    if (!in.empty()) {
      throw Error(ErrorKind::kExternal, "stored bytes are damaged: bytes after the last key");
    }
  };
  const auto show = [&](std::string_view record) {
    if (keep_removed || !is_removed(record)) {
      visit(record);
    }
  };
  if (parts.empty()) {
    return;
  }
  if (parts.size() == 1) {
    each(*parts.front(), show);
    return;
  }
  // The first part is the large one: only the keys of the others are remembered.
  struct Newest {
    std::string_view record;
    bool shown = false;
  };
  boost::unordered_flat_map<std::string_view, std::size_t, BytesHash> by_key;
  std::vector<Newest> changed;
  for (std::size_t i = 1; i < parts.size(); ++i) {
    each(*parts[i], [&](std::string_view record) {
      const auto [it, is_new] = by_key.emplace(key_of(record), changed.size());
      if (is_new) {
        changed.push_back({record});
      } else {
        changed[it->second].record = record;
      }
    });
  }
  each(*parts.front(), [&](std::string_view record) {
    const auto found = by_key.find(key_of(record));
    if (found == by_key.end()) {
      show(record);
      return;
    }
    changed[found->second].shown = true;
    show(changed[found->second].record);
  });
  for (const Newest& newest : changed) {
    if (!newest.shown) {
      show(newest.record);
    }
  }
}

std::string merge_segments(const std::vector<const Segment*>& segments,
                           const std::function<bool()>& stop) {
  const bool is_base = segments.front()->is_base();
  std::map<KeyGroup, bool> groups;
  for (const Segment* segment : segments) {
    for (const auto& [group, part] : segment->groups()) {
      groups[group] = true;
    }
  }
  SegmentBuilder builder(is_base, std::string(segments.back()->header()));
  for (const auto& [group, used] : groups) {
    if (stop()) {
      return {};
    }
    for_each_record(segments, group, !is_base, [&, to = group](std::string_view record) {
      builder.record().append(record);
      builder.end_record(to);
    });
  }
  return builder.build();
}

}  // namespace flott::heap
