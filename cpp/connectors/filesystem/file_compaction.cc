#include "connectors/filesystem/file_compaction.h"

#include "base/bytes.h"
#include "base/error.h"
#include "connectors/filesystem/finished_file.h"

#include <unistd.h>

#include <array>
#include <cstdio>
#include <memory>
#include <utility>

// An entry of the operator state "files-to-compact":
//
//   entry := bucket:string  hidden path:string  name:string  bytes:i64

namespace flott {
namespace {

namespace fs = std::filesystem;

constexpr const char* kStateName = "files-to-compact";
constexpr const char* kPrefix = "compacted-";

struct CloseFile {
  void operator()(std::FILE* file) const { std::fclose(file); }
};
using File = std::unique_ptr<std::FILE, CloseFile>;

void append_file(const fs::path& from, std::FILE* out, const fs::path& to) {
  const File in(std::fopen(from.c_str(), "rb"));
  check_file(in != nullptr, from);
  std::array<char, 64 * 1024> buffer;
  while (const std::size_t size = std::fread(buffer.data(), 1, buffer.size(), in.get())) {
    check_file(std::fwrite(buffer.data(), 1, size, out) == size, to);
  }
  check_file(std::ferror(in.get()) == 0, from);
}

}  // namespace

FileCompaction::FileCompaction(FileCompactionOptions options, fs::path directory)
    : options_(std::move(options)), directory_(std::move(directory)) {}

void FileCompaction::restore(const OperatorSnapshot& snapshot) {
  const auto stored = snapshot.list_state.find(kStateName);
  if (stored == snapshot.list_state.end()) {
    return;
  }
  for (const std::string& entry : stored->second) {
    BytesReader in(entry);
    const std::string bucket(in.string());
    const fs::path hidden(in.string());
    const std::string name(in.string());
    const std::int64_t bytes = in.i64();
    if (fs::exists(hidden)) {
      Bucket& files = buckets_[bucket];
      files.parts.push_back({hidden, name});
      files.bytes += bytes;
    }
  }
  if (!is_enabled()) {
    finish();  // compaction was switched off since: the files get their names
  }
}

void FileCompaction::add(const std::string& bucket,
                         const fs::path& hidden,
                         const std::string& name,
                         std::int64_t bytes) {
  Bucket& files = buckets_[bucket];
  files.parts.push_back({hidden, name});
  files.bytes += bytes;
  if (options_.size_threshold > 0 && files.bytes >= options_.size_threshold) {
    compact(bucket, files);
    buckets_.erase(bucket);
  }
}

void FileCompaction::on_checkpoint() {
  if (options_.checkpoints > 0 && ++checkpoints_ >= options_.checkpoints) {
    finish();
  }
}

void FileCompaction::finish() {
  checkpoints_ = 0;
  for (auto& [name, bucket] : buckets_) {
    compact(name, bucket);
  }
  buckets_.clear();
}

void FileCompaction::compact(const std::string& name, Bucket& bucket) {
  const fs::path folder = name.empty() ? directory_ : directory_ / name;
  if (options_.kind == FileCompactionOptions::Kind::kConcat) {
    merge(folder, bucket.parts);
  } else {
    for (const Part& part : bucket.parts) {
      merge(folder, {part});
    }
  }
  sync_directory(folder);
}

void FileCompaction::merge(const fs::path& folder, const std::vector<Part>& parts) const {
  const Part& first = parts.front();
  fs::path complete = first.hidden;
  if (parts.size() > 1 || !options_.delimiter.empty()) {
    complete += ".compacting";
    // Over what a run left behind that ended in the middle.
    const File out(std::fopen(complete.c_str(), "wb"));
    check_file(out != nullptr, complete);
    for (const Part& part : parts) {
      append_file(part.hidden, out.get(), complete);
      check_file(std::fwrite(options_.delimiter.data(), 1, options_.delimiter.size(), out.get()) ==
                     options_.delimiter.size(),
                 complete);
    }
    check_file(std::fflush(out.get()) == 0 && ::fsync(fileno(out.get())) == 0, complete);
  }
  const std::string prefix = is_enabled() ? kPrefix : "";
  fs::path name = folder / (prefix + first.name);
  for (int number = 1; !give_name(complete, name); ++number) {
    name = folder / fmt::format("{}{}.{}", prefix, first.name, number);
  }
  if (complete != first.hidden) {
    for (const Part& part : parts) {
      check_file(::unlink(part.hidden.c_str()) == 0, part.hidden);
    }
  }
}

void FileCompaction::snapshot(OperatorSnapshot& snapshot) const {
  std::vector<std::string>& entries = snapshot.list_state[kStateName];
  for (const auto& [name, bucket] : buckets_) {
    const auto share = bucket.bytes / static_cast<std::int64_t>(bucket.parts.size());
    for (const Part& part : bucket.parts) {
      BytesWriter writer(entries.emplace_back());
      writer.string(name);
      writer.string(part.hidden.string());
      writer.string(part.name);
      writer.i64(share);
    }
  }
}

}  // namespace flott
