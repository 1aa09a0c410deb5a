#pragma once

#include "checkpoint/snapshot.h"
#include "connectors/filesystem/hidden_file.h"

#include <cstdint>
#include <filesystem>
#include <functional>
#include <limits>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace flott {

/// When and how finished files become larger ones: Flink's FileCompactStrategy and FileCompactor.
struct FileCompactionOptions {
  enum class Kind {
    kNone,
    kConcat,     ///< one after the other, `delimiter` behind each
    kIdentical,  ///< each as it is
  };
  Kind kind = Kind::kNone;
  std::int64_t size_threshold = 0;  ///< bytes of a bucket that are enough; 0: never by size
  std::int64_t checkpoints = 0;     ///< checkpoints between two compactions; 0: never by them
  std::string delimiter;
};

/// The finished files of one writer that wait to be compacted. They stay hidden, and checkpoints
/// remember them; a compacted file is called `compacted-` and the name of its first part.
///
/// With checkpoints, what is enough for a file is only settled at once: the file is made by
/// commit(), when a checkpoint that names its parts is durable. Without, it is made at once.
///
/// One thing differs from Flink, which gathers the files of all subtasks: here each subtask
/// compacts its own.
class FileCompaction {
 public:
  static constexpr const char* kStateName = "files-to-compact";

  /// `writer_id` is this writer's alone, in all runs.
  FileCompaction(FileCompactionOptions options,
                 std::string writer_id,
                 int subtask,
                 int parallelism,
                 bool checkpointing);

  bool is_enabled() const { return options_.kind != FileCompactionOptions::Kind::kNone; }
  /// Takes over what a checkpoint remembers of the subtasks that are this one's modulo parallelism:
  /// what tells that a file was published is looked at, and removed, by one writer. Files that were
  /// compacted after the checkpoint are left out, and removed when the end of the process kept that
  /// from happening; files that are gone and were not are an error.
  void restore(const OperatorSnapshot& snapshot);
  /// A complete file of a bucket, synced, which would be called `name`.
  void add(const std::string& bucket,
           const std::filesystem::path& hidden,
           const std::string& name,
           std::int64_t bytes);
  void on_checkpoint();
  /// Nothing is waited for any more.
  void finish();
  void snapshot(CheckpointId id, OperatorSnapshot& snapshot);
  /// What snapshots up to `id` held as enough becomes files.
  void commit(CheckpointId id);
  bool empty() const { return buckets_.empty(); }
  /// visit_part(bucket, part) with each file that waits to be compacted.
  void visit(const std::function<void(const std::string&, HiddenFile&)>& visit_part);

 private:
  using Part = HiddenFile;
  /// Parts of one bucket that become a file together.
  struct Group {
    std::vector<Part> parts;
    std::int64_t bytes = 0;
    bool closed = false;  ///< they are enough
    /// The first checkpoint that knows that it is closed.
    CheckpointId checkpoint = std::numeric_limits<CheckpointId>::max();
  };
  /// A file that a checkpoint remembers.
  struct StoredPart;
  std::vector<StoredPart> stored_parts(const OperatorSnapshot& snapshot) const;
  /// What of `parts` is still to be compacted.
  void take_over(const std::vector<StoredPart>& parts);
  Group& open_group(const std::string& bucket);
  void close_all();
  void compact(const Group& group) const;
  /// `parts` into the file `compacted-<name of the first>`, or with a number behind it, in the
  /// first's folder.
  void merge(const std::vector<Part>& parts) const;
  /// Where parts are gathered, the first of which is `leader`.
  std::filesystem::path merged_path(const Part& leader) const;
  static std::filesystem::path numbered(const std::filesystem::path& folder,
                                        const std::string& name,
                                        int number);
  /// Whether there is a compacted file of the name, and it is `file` if one is given.
  static bool is_published(const std::filesystem::path& folder,
                           const std::string& name,
                           const std::optional<std::filesystem::path>& file);

  const FileCompactionOptions options_;
  const std::string writer_id_;
  const int subtask_;
  const int parallelism_;
  const bool checkpointing_;
  std::map<std::string, std::vector<Group>> buckets_;  ///< none is empty
  std::int64_t checkpoints_ = 0;
};

}  // namespace flott
