#pragma once

#include "base/clock.h"
#include "base/time.h"
#include "checkpoint/snapshot.h"
#include "runtime/metrics.h"
#include "types/batch.h"

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace flott {

/// A share of a source that is read in order: a Kafka partition, a file, a range of numbers.
struct SourceSplit {
  std::string id;        ///< stable and unique in the source: "topic-3"
  std::string position;  ///< opaque to the engine: where to read next, and where to stop if bounded
};

enum class Boundedness { kBounded, kUnbounded };

enum class PollResult {
  kMore,      ///< gave rows, or may have more at once
  kIdle,      ///< nothing now; the reader calls `wakeup` when there is
  kFinished,  ///< bounded: every split given so far has been read to its end
};

/// What poll() fills: rows of one split, as one batch of the source's type.
struct SourceBatch {
  int split = -1;  ///< index in the order the reader was given its splits
  BatchPtr batch;  ///< null: nothing
};

struct SourceReaderContext {
  int subtask = 0;
  int parallelism = 1;
  const Clock* clock = nullptr;
  MetricGroup* metrics = nullptr;
  std::string operator_name;
  /// Wakes the task from any thread when poll() has something again.
  std::function<void()> wakeup;
};

/// Reads the splits of one subtask. All calls come from the task's thread; none may block: poll()
/// returns what is there. Client threads stay inside the reader.
///
/// The engine owns the loop: per-split watermarks, idleness, barriers, cancellation, end of input.
class SourceReader {
 public:
  virtual ~SourceReader() = default;
  virtual void open() {}
  /// More splits to read, each from its position; appended to the ones it has.
  virtual void add_splits(const std::vector<SourceSplit>& splits) = 0;
  /// Next rows: at most `max_rows`, all of one split, in order. Record timestamps are the source's
  /// own (Kafka's).
  virtual PollResult poll(SourceBatch& out, std::int64_t max_rows) = 0;
  /// The splits with the position after the last row that poll() returned; finished ones included.
  virtual std::vector<SourceSplit> positions() = 0;
  /// True when split `index` has been read to its end (bounded).
  virtual bool split_finished(int index) const = 0;
  /// The checkpoint that contains positions() as of `id` is durable: commit offsets.
  virtual void notify_checkpoint_complete(CheckpointId /*id*/) {}
  /// Called when positions() was taken for checkpoint `id`.
  virtual void on_checkpoint(CheckpointId /*id*/) {}
  /// Releases resources; may wait for the reader's own threads. The host's lock is not held, unless
  /// Source::uses_host().
  virtual void close() {}
};

/// A source as the graph holds it: immutable configuration.
class Source {
 public:
  virtual ~Source() = default;
  virtual Boundedness boundedness() const = 0;
  virtual LogicalTypePtr produced_type() const = 0;
  /// The splits there are now. Their positions may be open: resolve_positions() fills in those of
  /// the splits that turn out to be new to the job.
  ///
  /// Called by the job's coordinator thread, which has checkpoints and cancellation to see to. May
  /// block, but must ask `cancelled` every second or two and return when that is true; the result
  /// is then ignored. At the first discovery `cancelled` means that the job ends; at later ones it
  /// also becomes true after SplitAssigner::kLaterPatienceMs, and the next interval tries again.
  /// Throws kExternal naming system, resource and setting; at a later discovery that is a warning.
  virtual std::vector<SourceSplit> discover_splits(const std::function<bool()>& cancelled) = 0;
  /// Looks up where to start and stop reading `splits`: those of the last discover_splits() that
  /// the job neither knows nor has restored, after as_new_split() where that applies. Called once
  /// after every discovery (also with no splits), under the same rules.
  virtual void resolve_positions(std::vector<SourceSplit>& /*splits*/,
                                 const std::function<bool()>& /*cancelled*/) {}
  /// How often to look for new splits, in ms; 0 = once.
  virtual std::int64_t discovery_interval_ms() const { return 0; }
  /// Starting position of a split found by a later discovery or after a restore: it did not exist
  /// before, so it is read from its beginning. `split` comes from discover_splits() and goes to
  /// resolve_positions().
  virtual SourceSplit as_new_split(SourceSplit split) const { return split; }
  /// True: the splits are cut from the source's own settings (ranges of numbers), not found in a
  /// system. A job that is restored from such splits goes on with them and discovers none: another
  /// parallelism would cut others, which overlap them.
  virtual bool invents_splits() const { return false; }
  /// Before the first discovery of each attempt: the splits it is restored from, or none.
  virtual void restore(const std::vector<SourceSplit>& /*splits*/) {}
  virtual std::unique_ptr<SourceReader> create_reader(const SourceReaderContext& context) = 0;
  /// Reads host-language objects (collections, Python sources): its task holds the host's lock
  /// while polling.
  virtual bool uses_host() const { return false; }
};

}  // namespace flott
