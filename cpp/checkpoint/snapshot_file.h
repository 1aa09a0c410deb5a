#pragma once

#include "checkpoint/deferred.h"
#include "checkpoint/snapshot.h"

#include <functional>
#include <memory>
#include <string>
#include <string_view>

namespace flott {

/// What is in the file, from memory or from the disk. Throws kExternal with the path.
std::shared_ptr<const std::string> content_of(const SnapshotFile& file);

/// Makes `path` a file with this content: a hard link where possible, else a copy. There must be no
/// such file yet. Not synced.
void place_file(const SnapshotFile& file, const std::string& path);

/// The file with its content in `bytes` if that was deferred.
SnapshotFile settled(SnapshotFile file);

/// A file of these bytes under a name of its own: `<prefix>-<random id>`.
SnapshotFile make_snapshot_file(std::string_view prefix, std::string bytes);

/// Likewise, of `size` bytes that `make` will give.
SnapshotFile make_deferred_file(std::string_view prefix,
                                std::uint64_t size,
                                std::function<std::string()> make);

/// Calls visit(file) with each file of the checkpoint, some more than once.
template <typename Checkpoint, typename Visit>
void for_each_file(Checkpoint& checkpoint, Visit visit) {
  for (auto& op : checkpoint.operators) {
    for (auto& subtask : op.subtasks) {
      for (auto& keyed : subtask.keyed_files) {
        for (auto& file : keyed.files) {
          visit(file);
        }
      }
      for (auto& file : subtask.files) {
        visit(file);
      }
    }
  }
}

}  // namespace flott
