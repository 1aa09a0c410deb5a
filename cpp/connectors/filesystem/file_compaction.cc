#include "connectors/filesystem/file_compaction.h"

#include "base/bytes.h"
#include "base/error.h"
#include "base/fault_point.h"
#include "base/log.h"
#include "connectors/filesystem/finished_file.h"
#include "connectors/stored_version.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <memory>
#include <set>
#include <utility>

// An entry of the operator state "files-to-compact", which is union state: the files of subtask n
// go to subtask n mod parallelism.
//
//   entry := version:u8  subtask:varint  closed:u8  bucket:string  hidden path:string  name:string
//            bytes:i64  merged:string  leader:string
//
// `merged` is the file that this writer gathers the bucket's parts in and `leader` the name that is
// derived from; they tell after a crash whether the part was published. `closed`: the parts of the
// leader are enough, so the next complete checkpoint publishes them.
//
// Earlier versions had list state of the same name, from the bucket on, and the first of them
// neither of the last two.

namespace flott {
namespace {

namespace fs = std::filesystem;

constexpr std::uint8_t kVersion = 1;
constexpr const char* kPrefix = "compacted-";

struct CloseFile {
  void operator()(std::FILE* file) const { std::fclose(file); }
};
using File = std::unique_ptr<std::FILE, CloseFile>;

void append_file(const fs::path& from, std::FILE* out, const fs::path& to) {
  const File in(std::fopen(from.c_str(), "rbe"));
  if (in == nullptr) {
    throw_error(ErrorKind::kExternal,
                "cannot read the finished file '{}', which is to be compacted: {}",
                from.string(),
                std::strerror(errno));
  }
  std::array<char, 64 * 1024> buffer;
  while (const std::size_t size = std::fread(buffer.data(), 1, buffer.size(), in.get())) {
    check_file(std::fwrite(buffer.data(), 1, size, out) == size, to);
  }
  check_file(std::ferror(in.get()) == 0, from);
}

}  // namespace

FileCompaction::FileCompaction(FileCompactionOptions options,
                               std::string writer_id,
                               int subtask,
                               int parallelism,
                               bool checkpointing)
    : options_(std::move(options)),
      writer_id_(std::move(writer_id)),
      subtask_(subtask),
      parallelism_(parallelism),
      checkpointing_(checkpointing) {}

struct FileCompaction::StoredPart {
  std::string bucket;
  Part part;
  std::int64_t bytes = 0;
  fs::path merged;
  std::string leader;
  bool closed = false;

  void read(BytesReader& in) {
    bucket = in.string();
    part.hidden = fs::path(in.string());
    part.name = in.string();
    bytes = in.i64();
    merged = in.empty() ? fs::path() : fs::path(in.string());
    leader = in.empty() ? part.name : std::string(in.string());
  }
};

std::vector<FileCompaction::StoredPart> FileCompaction::stored_parts(
    const OperatorSnapshot& snapshot) const {
  std::vector<StoredPart> out;
  if (const auto old = snapshot.list_state.find(kStateName); old != snapshot.list_state.end()) {
    for (const std::string& entry : old->second) {
      BytesReader in(entry);
      out.emplace_back().read(in);
    }
  }
  const auto stored = snapshot.union_state.find(kStateName);
  if (stored == snapshot.union_state.end()) {
    return out;
  }
  for (const std::string& entry : stored->second) {
    BytesReader in(entry);
    check_stored_version(in, kVersion, "what is stored of the files to be compacted");
    if (static_cast<int>(in.varint()) % parallelism_ == subtask_) {
      StoredPart& part = out.emplace_back();
      part.closed = in.u8() != 0;
      part.read(in);
    }
  }
  return out;
}

void FileCompaction::restore(const OperatorSnapshot& snapshot) {
  take_over(stored_parts(snapshot));
  if (!is_enabled()) {
    // Compaction was switched off since: the files get their names. The checkpoint has them.
    close_all();
    commit(std::numeric_limits<CheckpointId>::max());
  }
}

void FileCompaction::take_over(const std::vector<StoredPart>& parts) {
  using GroupName = std::pair<std::string, std::string>;  // bucket and leader
  std::set<GroupName> present;
  for (const StoredPart& stored : parts) {
    if (fs::exists(stored.part.hidden)) {
      present.insert({stored.bucket, stored.leader});
    }
  }
  std::vector<fs::path> leftovers;
  std::set<fs::path> merged;
  std::map<GroupName, Group> closed;
  std::vector<const StoredPart*> open;
  for (const StoredPart& stored : parts) {
    const Part& part = stored.part;
    const fs::path own_folder = part.hidden.parent_path();
    const fs::path folder = stored.merged.empty() ? own_folder : stored.merged.parent_path();
    // Published after the checkpoint, and the end of the process came before the parts' removal.
    if (is_published(folder, stored.leader, stored.merged) ||
        is_published(own_folder, part.name, part.hidden)) {
      leftovers.push_back(part.hidden);
      merged.insert(stored.merged);
    } else if (fs::exists(part.hidden)) {
      if (stored.closed) {
        Group& group = closed[{stored.bucket, stored.leader}];
        group.parts.push_back(part);
        group.bytes += stored.bytes;
      } else {
        open.push_back(&stored);
      }
    } else if (is_published(folder, stored.leader, {}) || is_published(own_folder, part.name, {})) {
      continue;
    } else if (stored.closed && !present.contains({stored.bucket, stored.leader})) {
      // Parts go when the file that they went into has its name.
      log(LogLevel::kWarn,
          "flott.filesystem",
          "'{}', into which the checkpoint says '{}' goes, is not there, nor is that; if it was "
          "not "
          "taken away since it was finished, its lines are lost (is the folder mounted?)",
          (folder / (kPrefix + stored.leader)).string(),
          part.hidden.filename().string());
    } else {
      throw_error(
          ErrorKind::kInvalidArgument,
          "the finished file '{}' is gone, which a checkpoint says is still to be compacted, "
          "and there is no '{}' that it could have gone into; put one of them back, or "
          "restore another checkpoint",
          part.hidden.string(),
          (folder / (kPrefix + stored.leader)).string());
    }
  }
  // What tells that the parts were published goes last.
  for (const fs::path& path : leftovers) {
    remove_file(path);
  }
  for (const fs::path& path : merged) {
    if (!path.empty()) {
      remove_file(path);
    }
  }
  for (auto& [name, group] : closed) {
    group.closed = true;
    group.checkpoint = 0;  // the one restored from knows it
    buckets_[name.first].push_back(std::move(group));
  }
  for (const StoredPart* stored : open) {
    Group& group = open_group(stored->bucket);
    group.parts.push_back(stored->part);
    group.bytes += stored->bytes;
  }
}

fs::path FileCompaction::merged_path(const Part& leader) const {
  return leader.hidden.parent_path() / fmt::format(".{}.{}.compacting", leader.name, writer_id_);
}

fs::path FileCompaction::numbered(const fs::path& folder, const std::string& name, int number) {
  return folder / (number == 0 ? name : fmt::format("{}.{}", name, number));
}

bool FileCompaction::is_published(const fs::path& folder,
                                  const std::string& name,
                                  const std::optional<fs::path>& file) {
  if (file && !fs::exists(*file)) {
    return false;
  }
  for (const char* prefix : {kPrefix, ""}) {
    fs::path path;
    for (int number = 0; fs::exists(path = numbered(folder, prefix + name, number)); ++number) {
      if (!file || fs::equivalent(path, *file)) {
        return true;
      }
    }
  }
  return false;
}

FileCompaction::Group& FileCompaction::open_group(const std::string& bucket) {
  std::vector<Group>& groups = buckets_[bucket];
  if (groups.empty() || groups.back().closed) {
    groups.emplace_back();
  }
  return groups.back();
}

void FileCompaction::add(const std::string& bucket,
                         const fs::path& hidden,
                         const std::string& name,
                         std::int64_t bytes) {
  Group& group = open_group(bucket);
  group.parts.push_back({hidden, name});
  group.bytes += bytes;
  if (options_.size_threshold > 0 && group.bytes >= options_.size_threshold) {
    group.closed = true;
    if (!checkpointing_) {
      commit(std::numeric_limits<CheckpointId>::max());
    }
  }
}

void FileCompaction::on_checkpoint() {
  if (options_.checkpoints > 0 && ++checkpoints_ >= options_.checkpoints) {
    finish();
  }
}

void FileCompaction::close_all() {
  checkpoints_ = 0;
  for (auto& [name, groups] : buckets_) {
    groups.back().closed = true;
  }
}

void FileCompaction::finish() {
  close_all();
  if (!checkpointing_) {
    commit(std::numeric_limits<CheckpointId>::max());
  }
}

void FileCompaction::commit(CheckpointId id) {
  for (auto bucket = buckets_.begin(); bucket != buckets_.end();) {
    std::erase_if(bucket->second, [&](Group& group) {
      const bool due = group.closed && group.checkpoint <= id;
      if (due) {
        compact(group);
      }
      return due;
    });
    bucket = bucket->second.empty() ? buckets_.erase(bucket) : std::next(bucket);
  }
}

void FileCompaction::compact(const Group& group) const {
  if (options_.kind == FileCompactionOptions::Kind::kConcat) {
    merge(group.parts);
    return;
  }
  for (const Part& part : group.parts) {
    merge({part});
  }
}

void FileCompaction::merge(const std::vector<Part>& parts) const {
  const Part& first = parts.front();
  const fs::path folder = first.hidden.parent_path();
  fs::path complete = first.hidden;
  if (parts.size() > 1 || !options_.delimiter.empty()) {
    complete = merged_path(first);
    // Never into a file that is there already: it may be published, by a process that ended then.
    remove_file(complete);
    const File out(std::fopen(complete.c_str(), "wbxe"));
    check_file(out != nullptr, complete);
    for (const Part& part : parts) {
      append_file(part.hidden, out.get(), complete);
      check_file(std::fwrite(options_.delimiter.data(), 1, options_.delimiter.size(), out.get()) ==
                     options_.delimiter.size(),
                 complete);
    }
    check_file(std::fflush(out.get()) == 0 && ::fsync(fileno(out.get())) == 0, complete);
  }
  const std::string name = (is_enabled() ? kPrefix : "") + first.name;
  int number = 0;
  while (!add_name(complete, numbered(folder, name, number))) {
    ++number;
  }
  // The name must be there for good before the parts are not; and `complete` goes last, because it
  // says that they were published.
  sync_directory(folder);
  fault_point(FaultPoint::kDuringCompaction);
  for (const Part& part : parts) {
    remove_hidden(part);
    fault_point(FaultPoint::kDuringCompaction);
  }
  remove_file(complete);
  sync_directory(folder);
}

void FileCompaction::visit(const std::function<void(const std::string&, HiddenFile&)>& visit_part) {
  for (auto& [name, groups] : buckets_) {
    for (Group& group : groups) {
      for (Part& part : group.parts) {
        visit_part(name, part);
      }
    }
  }
}

void FileCompaction::snapshot(CheckpointId id, OperatorSnapshot& snapshot) {
  for (auto& [name, groups] : buckets_) {
    for (Group& group : groups) {
      if (group.closed) {
        group.checkpoint = std::min(group.checkpoint, id);
      }
      const auto share = group.bytes / static_cast<std::int64_t>(group.parts.size());
      for (const Part& part : group.parts) {
        const Part& leader =
            options_.kind == FileCompactionOptions::Kind::kIdentical ? part : group.parts.front();
        BytesWriter writer(snapshot.union_state[kStateName].emplace_back());
        writer.u8(kVersion);
        writer.varint(static_cast<std::uint64_t>(subtask_));
        writer.u8(group.closed ? 1 : 0);
        writer.string(name);
        writer.string(part.hidden.string());
        writer.string(part.name);
        writer.i64(share);
        writer.string(merged_path(leader).string());
        writer.string(leader.name);
      }
    }
  }
}

}  // namespace flott
