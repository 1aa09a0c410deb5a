#include "job/split_assigner.h"

#include "connectors/source_input.h"

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
  for (SourceSplit& split : source_.discover_splits(cancelled)) {
    if (known_.insert(split.id).second) {
      splits.push_back(restored ? source_.as_new_split(std::move(split)) : std::move(split));
    }
  }
  return share(std::move(splits));
}

SplitAssigner::Shares SplitAssigner::later(const std::function<bool()>& cancelled) {
  std::vector<SourceSplit> splits;
  for (SourceSplit& split : source_.discover_splits(cancelled)) {
    if (known_.insert(split.id).second) {
      splits.push_back(source_.as_new_split(std::move(split)));
    }
  }
  return splits.empty() ? Shares{} : share(std::move(splits));
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
