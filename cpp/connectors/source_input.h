#pragma once

#include "connectors/source.h"
#include "connectors/watermark_alignment.h"
#include "operators/functions.h"
#include "runtime/task_input.h"

#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace flott {

/// Watermarks of a source: generated per split, combined per subtask.
struct WatermarkStrategy {
  /// One generator a split. Empty: no watermarks (WatermarkStrategy.no_watermarks).
  std::function<std::unique_ptr<WatermarkGenerator>()> make_generator;
  /// May be empty: the source's own timestamps stay.
  std::function<std::unique_ptr<TimestampAssigner>()> make_assigner;
  /// Milliseconds without a record after which a split is idle; 0 = never.
  std::int64_t idle_timeout_ms = 0;
  /// Shared by the sources that stay together; may be null.
  std::shared_ptr<WatermarkAlignment> alignment;
};

/// The input of a source task: owns the loop around a SourceReader. Timestamps and watermarks per
/// split, idleness, checkpoint barriers, new splits, end of input. Task's thread only; other
/// threads reach it by letters.
class SourceInput final : public TaskInput {
 public:
  struct Options {
    std::unique_ptr<SourceReader> reader;
    WatermarkStrategy watermarks;
    const Clock* clock = nullptr;
    std::int64_t auto_watermark_interval_ms = 200;
    bool batch_mode = false;
    bool reader_uses_host = false;  ///< the task holds the host's lock while it polls
    bool watermarks_use_host =
        false;  ///< the lock is taken around the assigner and the generators only
    std::shared_ptr<MetricGroup> metrics;
    std::string name;  ///< of the source, with its subtask: for messages
    int subtask = 0;
    int parallelism = 1;
  };
  explicit SourceInput(Options options);
  ~SourceInput() override;

  void open() override;
  Status next(Item& out) override;
  Timestamp next_time() const override;
  int input_count() const override { return 1; }
  bool uses_host() const override { return reader_uses_host_; }
  void trigger_checkpoint(CheckpointBarrier barrier) override { barriers_.push_back(barrier); }
  void abort_checkpoint(CheckpointId id) override;
  void snapshot(CheckpointId id, OperatorSnapshot& out) override;
  void notify_checkpoint_complete(CheckpointId id) override;
  std::vector<WatermarkOrigin> watermark_origins(Timestamp now) override;
  void close() override;

  /// Letters of the coordinator: more splits, and whether these were the last (bounded).
  void add_splits(const std::vector<SourceSplit>& splits);
  void no_more_splits() { no_more_splits_ = true; }

 private:
  struct SplitState {
    std::unique_ptr<WatermarkGenerator> generator;
    Timestamp watermark = kMinWatermark;
    std::int64_t last_record_at = 0;  ///< asked_ms_ then
    bool idle = false;                ///< by the strategy's time-out
    bool generator_idle = false;      ///< by the generator's own word
    bool finished = false;
    std::string id;
    std::int64_t batches = 0;  ///< taken so far
    QuietTimer quiet;
  };

  /// The host's lock while user code for timestamps and watermarks runs; null when that is native.
  std::unique_ptr<HostScope> watermark_scope() const;
  BatchPtr assign_timestamps(const BatchPtr& batch);
  void take_batch(SplitState& split, const BatchPtr& batch);
  bool take(Item& out);
  void follow_generator(SplitState& split, Timestamp watermark);
  /// Keeps asked_ms_, before each round of polls.
  void note_asked(Timestamp now);
  void on_periodic(Timestamp now);
  /// Whether the sources this one stays together with are too far behind; looks once an interval.
  bool waits_for_others(Timestamp now);
  /// True when there is one more.
  bool mark_idle_splits();
  void update_combined();
  void finish_splits();

  std::unique_ptr<SourceReader> reader_;
  WatermarkStrategy strategy_;
  const Clock& clock_;
  const std::int64_t interval_ms_;
  const bool batch_mode_;
  const bool reader_uses_host_;
  const bool watermarks_use_host_;
  std::shared_ptr<MetricGroup> metrics_;
  const std::string name_;
  const int subtask_;
  const int parallelism_;
  std::unique_ptr<TimestampAssigner> assigner_;
  std::vector<SplitState> splits_;
  std::deque<Item> ready_;  ///< batches and watermarks in order, before the next poll
  std::deque<CheckpointBarrier> barriers_;
  Timestamp combined_ = kMinWatermark;
  WatermarkStatus status_ = WatermarkStatus::kActive;
  Timestamp next_periodic_ = kMaxTimestamp;
  /// Idleness is measured on a clock that stands still while nobody asks for input: what came
  /// during backpressure waits in the reader, and its split is not idle (Flink pauses its idleness
  /// clock likewise).
  std::int64_t asked_ms_ = 0;
  Timestamp last_asked_at_ = kMaxTimestamp;  ///< clock time; kMaxTimestamp: never
  /// Polls with rows until every split had its turn after such a pause; readers go round. No split
  /// becomes idle before.
  std::size_t catch_up_polls_ = 0;
  int member_ = -1;                           ///< of the alignment
  Timestamp next_alignment_ = kMinTimestamp;  ///< when to look again
  bool ahead_ = false;                        ///< of the others, when last looked
  bool assigned_ = false;  ///< the first add_splits came; before it nothing is known about idleness
  bool no_more_splits_ = false;
  bool poll_again_ = false;  ///< the reader had more when it was last asked
  bool ended_ = false;
  QuietTimer quiet_;
};

/// A split as a checkpoint stores it.
std::string encode_split(const SourceSplit& split);
SourceSplit decode_split(std::string_view bytes);
/// Name of the list state that holds a source's splits.
inline constexpr const char* kSplitsState = "splits";

}  // namespace flott
