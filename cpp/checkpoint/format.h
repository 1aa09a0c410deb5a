#pragma once

#include "checkpoint/snapshot.h"

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace flott {

/// A data file as its manifest describes it.
struct StoredFile {
  std::string name;  ///< within the checkpoint's folder; empty: the operator has no state
  std::uint64_t size = 0;
  std::uint32_t crc = 0;
};

/// Where the content of a SnapshotFile is.
enum class FilePlace : std::uint8_t {
  kShared = 0,  ///< in the job's folder `shared`, for all checkpoints of the job
  kFolder = 1,  ///< beside `_metadata`: a savepoint has its files to itself
  kInline = 2,  ///< in `_metadata`: a small one is not worth a file
};

/// A SnapshotFile as the manifest describes it.
struct StoredSnapshotFile {
  std::string name;
  std::uint64_t size = 0;
  std::uint32_t crc = 0;
  FilePlace place = FilePlace::kShared;
  std::shared_ptr<const std::string> bytes;  ///< kInline only
};

/// What `_metadata` says about files.
struct StoredFiles {
  std::vector<StoredFile> operators;               ///< one an operator of the checkpoint
  std::vector<StoredSnapshotFile> snapshot_files;  ///< each name once
};

/// Bytes of an operator's data file and back. `path` is for error messages. Of files the name is
/// all that is stored here.
std::string encode_operator_file(const OperatorCheckpoint& op);
/// Fills `op.subtasks`.
void decode_operator_file(const std::string& path, std::string_view bytes, OperatorCheckpoint& op);

/// Bytes of `_metadata`: everything but the subtasks' snapshots.
std::string encode_manifest(const CheckpointData& checkpoint, const StoredFiles& files);
/// Throws kExternal, naming `path`, when the bytes are no manifest, damaged, or of an unknown
/// version.
CheckpointData decode_manifest(const std::string& path, std::string_view bytes, StoredFiles& files);

/// Whether a file of a checkpoint may have this name: one part, and not hidden.
bool is_plain_file_name(std::string_view name);

/// Throws DamagedCheckpoint: file, what is wrong, and what to do.
[[noreturn]] void throw_damaged(const std::string& path, const std::string& what);

}  // namespace flott
