#pragma once

#include "checkpoint/snapshot.h"
#include "connectors/source.h"

#include <functional>
#include <set>
#include <string>
#include <vector>

namespace flott {

/// Which subtask reads which split of one source: the n-th split found goes to subtask n modulo
/// parallelism; after a restore the stored splits come first, at their stored positions. A plain
/// object, used by one thread.
class SplitAssigner {
 public:
  SplitAssigner(Source& source, std::size_t parallelism)
      : source_(source), parallelism_(parallelism) {}

  /// Splits by subtask.
  using Shares = std::vector<std::vector<SourceSplit>>;
  /// The first discovery. `stored`: the source's part of the checkpoint restored from, or null. May
  /// block as Source::discover_splits() does, and throws what that throws.
  Shares first(const OperatorCheckpoint* stored, const std::function<bool()>& cancelled);
  /// A later one: only splits not seen before; shares are empty when there are none.
  Shares later(const std::function<bool()>& cancelled);
  /// No discovery follows the first.
  bool bounded() const { return source_.discovery_interval_ms() <= 0; }

 private:
  Shares share(std::vector<SourceSplit> splits);

  Source& source_;
  std::size_t parallelism_;
  std::set<std::string> known_;  ///< ids of all splits ever assigned
  std::size_t next_subtask_ = 0;
};

}  // namespace flott
