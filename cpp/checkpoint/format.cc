#include "checkpoint/format.h"

#include "base/bytes.h"
#include "base/error.h"
#include "base/hash.h"
#include "checkpoint/checkpoint_storage.h"

#include <date/date.h>

#include <charconv>
#include <chrono>

// Grammar of a checkpoint's files. Numbers little-endian; string, varint: base/bytes.h.
//
//   _metadata     := headline '\n' manifest crc32c:u32 (of all bytes before it)
//   headline      := "flott-checkpoint " version:decimal " | " text for people
//   manifest      := id:i64  job id:string  job name:string  timestamp_ms:i64
//                    operators:varint operator*
//                    files:varint snapshot file*
//   operator      := uid:string  name:string  parallelism:varint  max parallelism:varint  file
//   file          := name:string (empty: no state)  size:u64  crc32c:u32
//   snapshot file := name:string  size:u64  crc32c:u32  place:u8 (FilePlace)
//                    [bytes:string, kInline only]
//
//   op-<n>.state  := "flott-operator-state " version:decimal '\n' subtasks:varint subtask*
//   subtask       := frames (keyed state)  frames (timers)  lists (split)  lists (union)
//                    broadcast:varint (name:string bytes:string)*
//                    keyed files:varint keyed*  files:varint name:string*
//   frames        := count:varint (key group:varint frame:string)*
//   lists         := count:varint (name:string entries:varint entry:string*)*
//   keyed         := backend:string  begin:varint  end:varint (key groups)  description:string
//                    files:varint name:string*
//
// Version 1 had no files: neither `files` of the manifest, nor `keyed files` and `files` of a
// subtask. The two kinds of file of one checkpoint have the same version.
//
// A change of this grammar raises kVersion; the decoder keeps reading the older ones.

namespace flott {
namespace {

constexpr int kVersion = 2;
constexpr std::string_view kManifestMagic = "flott-checkpoint ";
constexpr std::string_view kStateMagic = "flott-operator-state ";

void encode_frames(const std::map<KeyGroup, std::string>& frames, BytesWriter& out) {
  out.varint(frames.size());
  for (const auto& [group, frame] : frames) {
    out.varint(group);
    out.string(frame);
  }
}

std::map<KeyGroup, std::string> decode_frames(BytesReader& in) {
  std::map<KeyGroup, std::string> frames;
  for (std::uint64_t left = in.varint(); left > 0; --left) {
    const auto group = static_cast<KeyGroup>(in.varint());
    frames.emplace(group, in.string());
  }
  return frames;
}

void encode_lists(const std::map<std::string, std::vector<std::string>>& lists, BytesWriter& out) {
  out.varint(lists.size());
  for (const auto& [name, entries] : lists) {
    out.string(name);
    out.varint(entries.size());
    for (const std::string& entry : entries) {
      out.string(entry);
    }
  }
}

std::map<std::string, std::vector<std::string>> decode_lists(BytesReader& in) {
  std::map<std::string, std::vector<std::string>> lists;
  for (std::uint64_t left = in.varint(); left > 0; --left) {
    auto& entries = lists[std::string(in.string())];
    for (std::uint64_t entries_left = in.varint(); entries_left > 0; --entries_left) {
      entries.emplace_back(in.string());
    }
  }
  return lists;
}

void encode_names(const std::vector<SnapshotFile>& files, BytesWriter& out) {
  out.varint(files.size());
  for (const SnapshotFile& file : files) {
    out.string(file.name);
  }
}

std::vector<SnapshotFile> decode_names(BytesReader& in) {
  std::vector<SnapshotFile> files(in.count());
  for (SnapshotFile& file : files) {
    file.name = std::string(in.string());
  }
  return files;
}

/// Cuts "<magic><version>" and what follows up to and with the line's end; returns the version.
int take_headline(const std::string& path, std::string_view magic, std::string_view& bytes) {
  if (!bytes.starts_with(magic)) {
    throw_damaged(path, fmt::format("it does not begin with '{}'", magic));
  }
  int version = 0;
  const char* begin = bytes.data() + magic.size();
  const auto parsed = std::from_chars(begin, bytes.data() + bytes.size(), version);
  const std::size_t end = bytes.find('\n');
  if (parsed.ec != std::errc() || end == std::string_view::npos) {
    throw_damaged(path, "its first line is damaged");
  }
  bytes.remove_prefix(end + 1);
  return version;
}

void require_version(const std::string& path, int version) {
  if (version < 1 || version > kVersion) {
    throw DamagedCheckpoint(
        path,
        fmt::format("checkpoint file {} has format version {}, and this version of Flott reads up "
                    "to {}: restore it with the version of Flott that wrote it, or restore another "
                    "checkpoint",
                    path,
                    version,
                    kVersion));
  }
}

/// One line without control characters.
std::string printable(std::string_view text) {
  std::string out(text.substr(0, 200));
  for (char& c : out) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) {
      c = ' ';
    }
  }
  return out;
}

}  // namespace

void throw_damaged(const std::string& path, const std::string& what) {
  throw DamagedCheckpoint(
      path,
      fmt::format("checkpoint file {} is damaged: {}. Nothing was restored; put back an intact "
                  "copy of the file, or restore an older checkpoint",
                  path,
                  what));
}

std::string encode_operator_file(const OperatorCheckpoint& op) {
  std::string bytes = fmt::format("{}{}\n", kStateMagic, kVersion);
  BytesWriter out(bytes);
  out.varint(op.subtasks.size());
  for (const OperatorSnapshot& subtask : op.subtasks) {
    encode_frames(subtask.keyed_state, out);
    if (subtask.deferred_timers != nullptr) {
      encode_frames(*subtask.deferred_timers->get(), out);
    } else {
      encode_frames(subtask.timers, out);
    }
    encode_lists(subtask.list_state, out);
    encode_lists(subtask.union_state, out);
    out.varint(subtask.broadcast_state.size());
    for (const auto& [name, state] : subtask.broadcast_state) {
      out.string(name);
      out.string(state);
    }
    out.varint(subtask.keyed_files.size());
    for (const KeyedStateFiles& keyed : subtask.keyed_files) {
      out.string(keyed.backend);
      out.varint(keyed.range.begin);
      out.varint(keyed.range.end);
      out.string(keyed.description);
      encode_names(keyed.files, out);
    }
    encode_names(subtask.files, out);
  }
  return bytes;
}

void decode_operator_file(const std::string& path, std::string_view bytes, OperatorCheckpoint& op) {
  const int version = take_headline(path, kStateMagic, bytes);
  require_version(path, version);
  try {
    BytesReader in(bytes);
    for (std::uint64_t left = in.varint(); left > 0; --left) {
      OperatorSnapshot subtask;
      subtask.keyed_state = decode_frames(in);
      subtask.timers = decode_frames(in);
      subtask.list_state = decode_lists(in);
      subtask.union_state = decode_lists(in);
      for (std::uint64_t broadcast = in.varint(); broadcast > 0; --broadcast) {
        std::string name(in.string());
        subtask.broadcast_state.emplace(std::move(name), in.string());
      }
      for (std::uint64_t keyed = version > 1 ? in.varint() : 0; keyed > 0; --keyed) {
        KeyedStateFiles files;
        files.backend = std::string(in.string());
        files.range.begin = static_cast<KeyGroup>(in.varint());
        files.range.end = static_cast<KeyGroup>(in.varint());
        files.description = std::string(in.string());
        files.files = decode_names(in);
        subtask.keyed_files.push_back(std::move(files));
      }
      if (version > 1) {
        subtask.files = decode_names(in);
      }
      op.subtasks.push_back(std::move(subtask));
    }
    if (!in.empty()) {
      throw Error(ErrorKind::kExternal, "bytes follow the last subtask");
    }
  } catch (const Error& error) {
    throw_damaged(path, error.what());
  }
}

std::string encode_manifest(const CheckpointData& checkpoint, const StoredFiles& files) {
  const date::sys_time<std::chrono::milliseconds> time{
      std::chrono::milliseconds(checkpoint.timestamp_ms)};
  std::string bytes = fmt::format("{}{} | checkpoint {} of job '{}' ({}), {}, operators: {}\n",
                                  kManifestMagic,
                                  kVersion,
                                  checkpoint.id,
                                  printable(checkpoint.job_name),
                                  printable(checkpoint.job_id),
                                  date::format("%FT%TZ", time),
                                  checkpoint.operators.size());
  BytesWriter out(bytes);
  out.i64(checkpoint.id);
  out.string(checkpoint.job_id);
  out.string(checkpoint.job_name);
  out.i64(checkpoint.timestamp_ms);
  out.varint(checkpoint.operators.size());
  for (std::size_t i = 0; i < checkpoint.operators.size(); ++i) {
    const OperatorCheckpoint& op = checkpoint.operators[i];
    out.string(op.uid);
    out.string(op.name);
    out.varint(static_cast<std::uint64_t>(op.parallelism));
    out.varint(static_cast<std::uint64_t>(op.max_parallelism));
    out.string(files.operators[i].name);
    out.u64(files.operators[i].size);
    out.u32(files.operators[i].crc);
  }
  out.varint(files.snapshot_files.size());
  for (const StoredSnapshotFile& file : files.snapshot_files) {
    out.string(file.name);
    out.u64(file.size);
    out.u32(file.crc);
    out.u8(static_cast<std::uint8_t>(file.place));
    if (file.place == FilePlace::kInline) {
      out.string(*file.bytes);
    }
  }
  out.u32(crc32c(bytes));
  return bytes;
}

bool is_plain_file_name(std::string_view name) {
  return !name.empty() && name.front() != '.' && name.find('/') == std::string_view::npos;
}

CheckpointData decode_manifest(const std::string& path,
                               std::string_view bytes,
                               StoredFiles& files) {
  const std::string_view all = bytes;
  const int version = take_headline(path, kManifestMagic, bytes);
  require_version(path, version);
  if (bytes.size() < sizeof(std::uint32_t)) {
    throw_damaged(path, "it is cut off");
  }
  const std::size_t checked = all.size() - sizeof(std::uint32_t);
  if (BytesReader(all.substr(checked)).u32() != crc32c(all.substr(0, checked))) {
    throw_damaged(path, "its checksum does not match");
  }
  bytes.remove_suffix(sizeof(std::uint32_t));
  CheckpointData checkpoint;
  try {
    BytesReader in(bytes);
    checkpoint.id = in.i64();
    checkpoint.job_id = std::string(in.string());
    checkpoint.job_name = std::string(in.string());
    checkpoint.timestamp_ms = in.i64();
    for (std::uint64_t left = in.varint(); left > 0; --left) {
      OperatorCheckpoint op;
      op.uid = std::string(in.string());
      op.name = std::string(in.string());
      op.parallelism = static_cast<int>(in.varint());
      op.max_parallelism = static_cast<int>(in.varint());
      StoredFile file;
      file.name = std::string(in.string());
      file.size = in.u64();
      file.crc = in.u32();
      if (!file.name.empty() && !is_plain_file_name(file.name)) {
        throw_error(ErrorKind::kExternal, "'{}' is no name of a data file", file.name);
      }
      checkpoint.operators.push_back(std::move(op));
      files.operators.push_back(std::move(file));
    }
    if (version > 1) {
      for (std::uint64_t left = in.varint(); left > 0; --left) {
        StoredSnapshotFile file;
        file.name = std::string(in.string());
        file.size = in.u64();
        file.crc = in.u32();
        file.place = static_cast<FilePlace>(in.u8());
        if (file.place > FilePlace::kInline) {
          throw_error(ErrorKind::kExternal, "file '{}' is at an unknown place", file.name);
        }
        if (file.place == FilePlace::kInline) {
          file.bytes = std::make_shared<const std::string>(in.string());
        }
        if (!is_plain_file_name(file.name)) {
          throw_error(ErrorKind::kExternal, "'{}' is no name of a data file", file.name);
        }
        files.snapshot_files.push_back(std::move(file));
      }
    }
    if (!in.empty()) {
      throw Error(ErrorKind::kExternal, "bytes follow the last entry");
    }
  } catch (const Error& error) {
    throw_damaged(path, error.what());
  }
  return checkpoint;
}

}  // namespace flott
