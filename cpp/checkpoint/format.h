#pragma once

#include "checkpoint/snapshot.h"

#include <cstdint>
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

/// Bytes of an operator's data file and back. `path` is for error messages.
std::string encode_operator_file(const OperatorCheckpoint& op);
/// Fills `op.subtasks`.
void decode_operator_file(const std::string& path, std::string_view bytes, OperatorCheckpoint& op);

/// Bytes of `_metadata`: everything but the subtasks' snapshots; `files[i]` belongs to operator i.
std::string encode_manifest(const CheckpointData& checkpoint, const std::vector<StoredFile>& files);
/// Throws kExternal, naming `path`, when the bytes are no manifest, damaged, or of an unknown
/// version.
CheckpointData decode_manifest(const std::string& path,
                               std::string_view bytes,
                               std::vector<StoredFile>& files);

/// Throws kExternal: file, what is wrong, and what to do.
[[noreturn]] void throw_damaged(const std::string& path, const std::string& what);

}  // namespace flott
