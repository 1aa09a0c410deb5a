#include "base/error.h"
#include "checkpoint/snapshot.h"

#include <algorithm>
#include <cstddef>
#include <type_traits>

namespace flott {
namespace {

using Frames = std::map<KeyGroup, std::string>;
using NamedEntries = std::map<std::string, std::vector<std::string>>;

/// Moves them when `frames` are not const.
template <typename From>
void take_frames(const OperatorCheckpoint& from, From& frames, KeyGroupRange range, Frames& out) {
  for (auto it = frames.lower_bound(range.begin); it != frames.end() && it->first < range.end;) {
    const KeyGroup group = it->first;
    bool taken = false;
    if constexpr (std::is_const_v<From>) {
      taken = out.insert(*it++).second;
    } else {
      taken = out.insert(frames.extract(it++)).inserted;
    }
    if (!taken) {
      throw_error(ErrorKind::kExternal,
                  "operator '{}' (uid {}): two subtasks of the checkpoint hold key group {}; it is "
                  "damaged, "
                  "restore an older one",
                  from.name,
                  from.uid,
                  group);
    }
  }
}

/// All entries by name, subtask after subtask.
NamedEntries gather(const OperatorCheckpoint& from, NamedEntries OperatorSnapshot::* part) {
  NamedEntries all;
  for (const OperatorSnapshot& subtask : from.subtasks) {
    for (const auto& [name, entries] : subtask.*part) {
      auto& list = all[name];
      list.insert(list.end(), entries.begin(), entries.end());
    }
  }
  return all;
}

/// The share of one subtask: as in Flink each gets a contiguous run of size n / p, the first n % p
/// one more, and the subtask that is "first" moves on from name to name so that the odd entries do
/// not pile up on subtask 0.
NamedEntries split(const NamedEntries& all, int subtask, int parallelism) {
  NamedEntries out;
  const auto count = static_cast<std::size_t>(parallelism);
  std::size_t first = 0;
  for (const auto& [name, entries] : all) {
    const std::size_t base = entries.size() / count;
    const std::size_t odd = entries.size() % count;
    // Position of this subtask when counting starts at `first`.
    const std::size_t turn = (static_cast<std::size_t>(subtask) + count - first) % count;
    const std::size_t begin = turn * base + std::min(turn, odd);
    const std::size_t size = base + (turn < odd ? 1 : 0);
    if (size > 0) {
      const auto from = entries.begin() + static_cast<std::ptrdiff_t>(begin);
      out[name].assign(from, from + static_cast<std::ptrdiff_t>(size));
    }
    first = (first + odd) % count;
  }
  return out;
}

template <typename From>
OperatorSnapshot share_of(From& from, int subtask, int parallelism, int max_parallelism) {
  STREAM_CHECK(parallelism > 0 && subtask >= 0 && subtask < parallelism,
               "operator '{}': subtask {} of {}",
               from.name,
               subtask,
               parallelism);
  const bool by_key_group =
      std::any_of(from.subtasks.begin(), from.subtasks.end(), [](const OperatorSnapshot& part) {
        return !part.keyed_state.empty() || !part.keyed_files.empty() || !part.timers.empty() ||
               part.deferred_timers != nullptr;
      });
  if (by_key_group && from.max_parallelism != max_parallelism) {
    throw_error(
        ErrorKind::kInvalidArgument,
        "operator '{}' (uid {}): its state was written with a maximum parallelism of {}, the job "
        "has {}; "
        "set_max_parallelism({}) for it, because keys are assigned to key groups by that number",
        from.name,
        from.uid,
        from.max_parallelism,
        max_parallelism,
        from.max_parallelism);
  }
  if (from.subtasks.size() != static_cast<std::size_t>(from.parallelism)) {
    throw_error(ErrorKind::kExternal,
                "operator '{}' (uid {}): the checkpoint holds {} of its {} subtasks; it is "
                "damaged, restore an "
                "older one",
                from.name,
                from.uid,
                from.subtasks.size(),
                from.parallelism);
  }
  OperatorSnapshot out;
  const KeyGroupRange range = key_group_range_of(subtask, max_parallelism, parallelism);
  for (auto& old : from.subtasks) {
    take_frames(from, old.keyed_state, range, out.keyed_state);
    if (old.deferred_timers != nullptr) {  // of a checkpoint that was never written
      take_frames(from, *old.deferred_timers->get(), range, out.timers);
    } else {
      take_frames(from, old.timers, range, out.timers);
    }
    for (const KeyedStateFiles& files : old.keyed_files) {
      if (files.range.begin < range.end && range.begin < files.range.end) {
        out.keyed_files.push_back(files);
      }
    }
    out.files.insert(out.files.end(), old.files.begin(), old.files.end());
    // The copies are equal; a subtask that finished before the checkpoint has none.
    out.broadcast_state.insert(old.broadcast_state.begin(), old.broadcast_state.end());
  }
  // Unchanged parallelism: everyone gets back its own entries, as in Flink.
  out.list_state = from.parallelism == parallelism
                       ? from.subtasks[static_cast<std::size_t>(subtask)].list_state
                       : split(gather(from, &OperatorSnapshot::list_state), subtask, parallelism);
  out.union_state = gather(from, &OperatorSnapshot::union_state);
  return out;
}

}  // namespace

OperatorSnapshot redistribute(const OperatorCheckpoint& from,
                              int subtask,
                              int parallelism,
                              int max_parallelism) {
  return share_of(from, subtask, parallelism, max_parallelism);
}

OperatorSnapshot take_share(OperatorCheckpoint& from,
                            int subtask,
                            int parallelism,
                            int max_parallelism) {
  return share_of(from, subtask, parallelism, max_parallelism);
}

}  // namespace flott
