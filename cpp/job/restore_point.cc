#include "job/restore_point.h"

#include "base/error.h"
#include "base/log.h"

#include <fmt/ranges.h>

namespace flott {

std::optional<CheckpointData> choose_restore_point(
    const RestoreChoices& choices,
    const std::function<CheckpointData(const std::string& path)>& read) {
  if (choices.completed.empty()) {
    if (choices.restore_path.empty()) {
      return std::nullopt;
    }
    try {
      return read(choices.restore_path);
    } catch (const DamagedCheckpoint& e) {
      throw_error(ErrorKind::kInvalidArgument,
                  "job '{}' does not restart: it has no checkpoint of its own yet, and what it was "
                  "started from cannot be read any more. {}",
                  choices.job_name,
                  e.what());
    }
  }
  std::string damage;
  for (auto path = choices.completed.rbegin(); path != choices.completed.rend(); ++path) {
    try {
      // Every file is verified against its checksum: an older checkpoint that shares the damaged
      // file is refused like the newer one.
      CheckpointData checkpoint = read(*path);
      if (damage.empty()) {
        return checkpoint;
      }
      if (choices.committing_sinks.empty()) {
        log(LogLevel::kWarn,
            "flott.checkpoint",
            "job '{}' goes on from the older checkpoint {}; results since then are made again. {}",
            choices.job_name,
            *path,
            damage);
        return checkpoint;
      }
      throw_error(ErrorKind::kInvalidArgument,
                  "job '{}' does not restart: {}. The older checkpoint {} can be read, but {} "
                  "published results beyond it. Starting from it (execution.savepoint.path) loses "
                  "nothing and publishes those results a second time; starting without a "
                  "checkpoint also loses all state",
                  choices.job_name,
                  damage,
                  *path,
                  fmt::join(choices.committing_sinks, ", "));
    } catch (const DamagedCheckpoint& e) {
      damage += damage.empty() ? e.what() : fmt::format("; {}", e.what());
    }
  }
  throw_error(ErrorKind::kInvalidArgument,
              "job '{}' does not restart, because none of its checkpoints can be read: {}. {} "
              "loses the state that they held, and makes results again that its sinks have already "
              "had; put the files back to lose nothing",
              choices.job_name,
              damage,
              choices.restore_path.empty()
                  ? "Starting it anew"
                  : fmt::format("Starting it again from {}", choices.restore_path));
}

}  // namespace flott
