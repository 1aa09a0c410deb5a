#pragma once

#include "checkpoint/snapshot.h"
#include "connectors/source.h"

#include <cstdint>
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
  /// How long a later discovery may take before it is given up until the next interval.
  static constexpr std::int64_t kLaterPatienceMs = 2000;

  SplitAssigner(Source& source,
                std::size_t parallelism,
                std::int64_t patience_ms = kLaterPatienceMs)
      : source_(source), parallelism_(parallelism), patience_ms_(patience_ms) {}

  /// Splits by subtask.
  using Shares = std::vector<std::vector<SourceSplit>>;
  /// The first discovery. `stored`: the source's part of the checkpoint restored from, or null. May
  /// block as Source::discover_splits() does, and throws what that throws.
  Shares first(const OperatorCheckpoint* stored, const std::function<bool()>& cancelled);
  /// A later one: only splits not seen before; shares are empty when there are none. Throws
  /// kExternal when the source took longer than the patience; calling it again is all that it
  /// takes.
  Shares later(const std::function<bool()>& cancelled);
  /// No discovery follows the first.
  bool bounded() const { return source_.discovery_interval_ms() <= 0; }

 private:
  /// The splits nobody knows yet, at the positions they are read from; none when cancelled.
  std::vector<SourceSplit> discover(bool as_new, const std::function<bool()>& cancelled);
  Shares share(std::vector<SourceSplit> splits);

  Source& source_;
  std::size_t parallelism_;
  std::int64_t patience_ms_;
  std::set<std::string> known_;  ///< ids of all splits ever assigned
  std::size_t next_subtask_ = 0;
};

}  // namespace flott
