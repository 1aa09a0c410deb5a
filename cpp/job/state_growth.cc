#include "job/state_growth.h"

#include <fmt/format.h>

namespace flott {
namespace {

std::string describe(const StateSize& size) {
  return fmt::format(
      "{} entries, {:.1f} MB", size.entries, static_cast<double>(size.bytes) / (1 << 20));
}

}  // namespace

bool StateGrowthWatch::grows(std::int64_t first,
                             std::int64_t now,
                             std::int64_t limit,
                             int checkpoints) const {
  return checkpoints >= limits_.checkpoints && now - first >= limit &&
         now - first >= first / 100 * limits_.percent;
}

std::vector<std::string> StateGrowthWatch::observe(CheckpointId id,
                                                   const std::vector<StateSize>& sizes) {
  std::vector<std::string> out;
  for (const StateSize& size : sizes) {
    const auto [it, is_new] = seen_.try_emplace({size.uid, size.state});
    Seen& seen = it->second;
    if (is_new) {
      seen.first_id = id;
      seen.first = size;
      seen.last = size;
      continue;
    }
    seen.entries_grown = size.entries > seen.last.entries ? seen.entries_grown + 1 : 0;
    seen.bytes_grown = size.bytes > seen.last.bytes ? seen.bytes_grown + 1 : 0;
    seen.last = size;
    if (seen.told ||
        (!grows(seen.first.entries, size.entries, limits_.entries, seen.entries_grown) &&
         !grows(seen.first.bytes, size.bytes, limits_.bytes, seen.bytes_grown))) {
      continue;
    }
    seen.told = true;
    out.push_back(fmt::format(
        "state '{}' of operator '{}' (uid '{}') has no time to live and has grown in each of the "
        "last {} checkpoints: {} at checkpoint {}, {} at checkpoint {}. What is never removed "
        "fills "
        "the memory, or the disk, in the end: give its descriptor a StateTtlConfig "
        "(enable_time_to_live), or clear() what is not needed any more. This is said once",
        size.state,
        size.operator_name,
        size.uid,
        limits_.checkpoints,
        describe(seen.first),
        seen.first_id,
        describe(size),
        id));
  }
  return out;
}

}  // namespace flott
