#include "job/split_assigner.h"

#include "base/clock.h"
#include "base/error.h"
#include "connectors/source_input.h"

#include <iterator>
#include <utility>

namespace flott {

SplitAssigner::Shares SplitAssigner::first(const OperatorCheckpoint* stored,
                                           const std::function<bool()>& cancelled) {
  std::vector<SourceSplit> splits;
  bool restored = false;
  for (std::size_t i = 0; stored != nullptr && i < stored->subtasks.size(); ++i) {
    const auto entries = stored->subtasks[i].list_state.find(kSplitsState);
    if (entries == stored->subtasks[i].list_state.end()) {
      continue;
    }
    restored = true;
    for (const std::string& bytes : entries->second) {
      splits.push_back(decode_split(bytes));
      known_.insert(splits.back().id);
    }
  }
  source_.restore(splits);
  std::vector<SourceSplit> found = discover(restored, cancelled);
  splits.insert(
      splits.end(), std::make_move_iterator(found.begin()), std::make_move_iterator(found.end()));
  return share(std::move(splits));
}

SplitAssigner::Shares SplitAssigner::later(const std::function<bool()>& cancelled) {
  const std::int64_t deadline = monotonic_ns() + patience_ms_ * 1'000'000;
  bool gave_up = false;
  std::vector<SourceSplit> splits = discover(true, [&] {
    gave_up = monotonic_ns() >= deadline;
    return gave_up || (cancelled && cancelled());
  });
  if (gave_up) {
    throw_error(ErrorKind::kExternal,
                "the source's system gave no answer within {} ms; the splits that are known are "
                "read on",
                patience_ms_);
  }
  return splits.empty() ? Shares{} : share(std::move(splits));
}

std::vector<SourceSplit> SplitAssigner::discover(bool as_new,
                                                 const std::function<bool()>& cancelled) {
  if (source_.invents_splits() && !known_.empty()) {
    return {};
  }
  // Only a source that was told to give up has nothing to say; one that was slow but complete has.
  bool told = false;
  const auto ask = [&] {
    told = told || (cancelled && cancelled());
    return told;
  };
  std::vector<SourceSplit> fresh;
  std::set<std::string> ids;
  for (SourceSplit& split : source_.discover_splits(ask)) {
    if (!known_.contains(split.id) && ids.insert(split.id).second) {
      fresh.push_back(as_new ? source_.as_new_split(std::move(split)) : std::move(split));
    }
  }
  source_.resolve_positions(fresh, ask);
  if (told) {
    return {};
  }
  // Only now: a split whose position could not be looked up is found again by the next discovery.
  known_.merge(ids);
  return fresh;
}

SplitAssigner::Shares SplitAssigner::share(std::vector<SourceSplit> splits) {
  Shares shares(parallelism_);
  for (SourceSplit& split : splits) {
    shares[next_subtask_ % parallelism_].push_back(std::move(split));
    ++next_subtask_;
  }
  return shares;
}

}  // namespace flott
