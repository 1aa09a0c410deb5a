#pragma once

#include "base/clock.h"
#include "runtime/operator.h"

#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace flott::harness {

/// The key of a record in a test.
using KeyOf = std::function<Value(const Value&)>;
/// The first field of rows and arrays, other values as they are.
Value first_field_key(const Value& value);

/// Drives one Operator by hand, as a chain would: sets current keys, passes watermarks on, fires
/// timers in slices of one timer each, and records what comes out as lines of harness/case_text.h.
/// Time is a ManualClock of the caller.
class OperatorHarness {
 public:
  struct Options {
    KeyOf key_of;  ///< null: a stream without keys
    bool batch_mode = false;
    bool object_reuse = false;
    std::int64_t auto_watermark_interval_ms = 200;
    int subtask = 0;
    int parallelism = 1;
    int max_parallelism = kDefaultMaxParallelism;
  };

  /// `restored` may be null. The operator is opened.
  OperatorHarness(std::unique_ptr<Operator> op,
                  Options options,
                  ManualClock& clock,
                  const OperatorSnapshot* restored = nullptr);
  /// Closes it.
  ~OperatorHarness();

  void process(const Value& value,
               Timestamp timestamp = kNoTimestamp,
               int input = 0,
               RowKind kind = RowKind::kInsert);
  /// Keys are added when the stream is keyed.
  void process_batch(const BatchPtr& batch, int input = 0);
  void process_watermark(Timestamp watermark);
  void process_status(WatermarkStatus status);
  /// After the clock was moved: due processing timers, then a due wake-up.
  void fire_processing_time();
  /// Without the maximum watermark.
  void end_input(int input);
  void finish();
  OperatorSnapshot snapshot();
  /// What the engine keeps of an operator that has finished.
  OperatorSnapshot final_snapshot();

  /// What came out since the last call.
  std::vector<std::string> take_output();
  std::string output_text();  ///< likewise, joined by " | "
  /// Whether a batch came out since the last call.
  int batches_out() const;

  std::size_t key_count() const;
  std::size_t timer_count() const;
  double metric(const std::string& name) const;
  Operator& op() { return *op_; }
  /// The subtask that gets records of this key.
  static int subtask_of_value(const Value& value,
                              const KeyOf& key_of,
                              int max_parallelism,
                              int parallelism);

 private:
  enum class Keyed { kFiles, kFrames };
  OperatorSnapshot snapshot_of(Keyed form);
  class Context;
  class Recorder;
  std::unique_ptr<Context> context_;
  std::unique_ptr<Recorder> out_;
  std::unique_ptr<Operator> op_;
  KeyOf key_of_;
};

}  // namespace flott::harness
