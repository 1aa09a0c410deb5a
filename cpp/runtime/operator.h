#pragma once

#include "base/clock.h"
#include "checkpoint/snapshot.h"
#include "runtime/element.h"
#include "runtime/metrics.h"
#include "state/keyed_state_backend.h"
#include "state/timer_service.h"
#include "types/batch.h"

#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace flott {

/// One record on its way through a chain. The operator that receives it may move the value out.
struct Record {
  Value value;
  Timestamp timestamp = kNoTimestamp;
  RowKind kind = RowKind::kInsert;
  const Key* key = nullptr;  ///< set downstream of key_by; lives as long as the call

  bool has_timestamp() const { return timestamp != kNoTimestamp; }
};

/// A side output, numbered when the graph is built.
using SideOutputId = int;

/// Where an operator emits; emitting always succeeds (backpressure is decided between slices).
/// Given to each call; never kept.
class Output {
 public:
  virtual ~Output() = default;
  virtual void emit(Record&& record) = 0;
  virtual void emit_batch(BatchPtr batch) = 0;
  virtual void emit_side(SideOutputId side, Record&& record) = 0;
  /// Only operators that generate watermarks call these two; others let process_watermark's
  /// default pass them on.
  virtual void emit_watermark(Timestamp watermark) = 0;
  virtual void emit_status(WatermarkStatus status) = 0;
};

/// What an operator may use, valid from open() to close(). One per operator and subtask.
class OperatorContext {
 public:
  virtual ~OperatorContext() = default;

  virtual const std::string& operator_name() const = 0;
  virtual int subtask_index() const = 0;
  virtual int parallelism() const = 0;
  /// As Flink tells it; key groups may be counted by another number.
  virtual int max_parallelism() const = 0;
  virtual int attempt_number() const = 0;
  virtual const std::string& job_name() const = 0;
  virtual const std::string& job_id() const = 0;
  virtual const Clock& clock() const = 0;
  virtual bool object_reuse() const = 0;
  virtual bool batch_mode() const = 0;
  /// Checkpoints may be taken, so that what is to be published can wait for one.
  virtual bool checkpointing() const { return false; }
  /// Interval of periodic watermarks in ms (`pipeline.auto-watermark-interval`).
  virtual std::int64_t auto_watermark_interval_ms() const = 0;

  /// Keyed state and timers; made on first use. Throw kInvalidArgument on a stream without keys.
  virtual KeyedStateBackend& keyed_state() = 0;
  virtual TimerService& timers() = 0;
  virtual bool is_keyed() const = 0;

  /// Operator state from the checkpoint restored from, empty on a fresh start.
  virtual const OperatorSnapshot& restored() const = 0;
  virtual bool is_restored() const = 0;
  /// Id of the checkpoint restored from; -1 on a fresh start.
  virtual CheckpointId restored_checkpoint() const { return -1; }

  virtual MetricGroup& metrics() = 0;

  /// Asks the task to call on_wakeup() at the first slice after the clock reaches `time_ms`
  /// (periodic watermarks, flush intervals). One pending wake-up per operator: a later call
  /// replaces it.
  virtual void schedule_wakeup(Timestamp time_ms) = 0;
  /// As schedule_wakeup, from any thread, as soon as possible (I/O completions).
  virtual std::function<void()> async_wakeup() = 0;
  /// True once the job is being cancelled; long loops look at it.
  virtual bool is_cancelled() const = 0;
};

enum class Granularity {
  kRow,    ///< process() one record at a time; depth-first through a chain of such operators
  kBatch,  ///< process_batch(): a native operator over columns
};

/// What an operator holds until event time goes on, for the log line about windows that do not
/// fire.
struct EventTimeWait {
  std::int64_t held = 0;  ///< how many windows or timers wait for the watermark
  const char* held_what = "event-time timer";  ///< of one of them
  Timestamp first_due = kMaxTimestamp;         ///< the watermark that the first of them needs
  Timestamp largest_timestamp = kNoTimestamp;  ///< of the records that came
  std::int64_t fired = 0;                      ///< how often something fired
  std::int64_t late = 0;                       ///< records that were dropped
  std::string never;  ///< why nothing fires, whatever the watermark, and what to do; else empty
};

/// The contract every operator implements.
///
/// Calls come from one thread, in this order:
///   open, { process | process_batch | process_watermark | process_status | on_wakeup | snapshot |
///   notify_* }*, end_input (once an input, when all its channels have ended; the maximum watermark
///   comes first), finish, { snapshot | notify_* }*, [commit_final], close.
/// close() is called exactly once after open() was tried, also after failure or cancellation, and
/// must not throw for a resource that was never acquired. After it returns, nothing else is called.
/// Nothing may block for long: I/O goes to threads of the connector, and what cannot proceed says
/// so through busy().
class Operator {
 public:
  virtual ~Operator() = default;

  virtual Granularity granularity() const { return Granularity::kRow; }
  /// Calls host-language functions: the task holds the host's lock around slices of its chain.
  virtual bool uses_host() const { return false; }

  virtual void open(OperatorContext& context) = 0;

  /// kRow. `input` is 0, or 1 for the second stream of a connect.
  virtual void process(Record&& record, int input, Output& out) = 0;
  /// kBatch; the default walks the rows through process().
  virtual void process_batch(const BatchPtr& batch, int input, Output& out);

  /// The combined watermark of all inputs rose to `watermark`. Works until `deadline_ns`
  /// (monotonic_ns) and returns true when done; false asks to be called again with the same value.
  /// The chain passes the watermark on afterwards (unless forwards_watermarks() is false). The
  /// default fires the operator's event timers, if it has any, by on_timer().
  virtual bool process_watermark(Timestamp watermark, std::int64_t deadline_ns, Output& out);
  virtual bool forwards_watermarks() const { return true; }
  virtual void process_status(WatermarkStatus /*status*/, Output& /*out*/) {}
  /// Its watermarks are its own, not those of its input passed on.
  virtual bool makes_watermarks() const { return !forwards_watermarks(); }
  /// Asked every few seconds, between other calls (StallWatch). The default counts event timers.
  virtual EventTimeWait waiting() const;
  /// A due timer; the current key is set.
  virtual void on_timer(TimeDomain domain, Timestamp time, const Window& window, Output& out);
  /// Reached the time given to schedule_wakeup(), or async_wakeup() was called.
  virtual void on_wakeup(Output& /*out*/) {}

  /// True while the operator cannot take more input (requests in flight, buffers full); the task
  /// then takes none, and looks again after async_wakeup() or every 10 ms.
  virtual bool busy() const { return false; }
  /// Overrides busy(): a row operator that says so is asked after every row, the others never.
  virtual bool can_be_busy() const { return false; }

  virtual void end_input(int /*input*/, Output& /*out*/) {}
  /// All inputs ended, all timers fired: flush what is buffered. Returns false while work is still
  /// in flight (called again after a wake-up).
  virtual bool finish(Output& /*out*/) { return true; }

  /// Asked after open() for each name of list, union and broadcast state of the checkpoint restored
  /// from: is this what the operator has read? A restore is refused when it holds what nobody reads
  /// (another operator has the uid now, or a setting has changed), so that it is not lost unseen.
  virtual bool claims_state(const std::string& /*name*/) const { return false; }

  /// The barrier is a savepoint's: said before each prepare_snapshot() of it. What the snapshot
  /// names outside of the savepoint must still be right when the job has gone on.
  virtual void before_savepoint() {}
  /// Before the barrier goes on: bring in-flight work to a state that snapshot() can store (flush
  /// for at-least-once sinks). Returns false while still in flight.
  virtual bool prepare_snapshot(CheckpointId /*id*/, Output& /*out*/) { return true; }
  /// Adds operator state; keyed state and timers are added by the engine.
  virtual void snapshot(CheckpointId /*id*/, OperatorSnapshot& /*snapshot*/) {}
  virtual void notify_checkpoint_complete(CheckpointId /*id*/) {}
  /// Publishes results when it is told of a complete checkpoint: a job never goes back behind that
  /// one by itself.
  virtual bool commits_on_checkpoint() const { return false; }

  /// Asked after finish(): true while results are prepared but not published. Such a task stays
  /// until a checkpoint that holds its final state is durable (or none is taken), then
  /// commit_final() is called.
  virtual bool has_uncommitted() const { return false; }
  /// Publishes everything. Returns false while under way (called again after a wake-up).
  virtual bool commit_final() { return true; }

  virtual void close() {}

  /// Set by the chain before open().
  void set_context(OperatorContext* context) { context_ = context; }

 protected:
  OperatorContext& context() const { return *context_; }

 private:
  OperatorContext* context_ = nullptr;
};

/// Makes one operator instance per subtask. Called on the deploying thread, with the host's lock
/// held if there is a host; must be callable any number of times.
using OperatorFactory = std::function<std::unique_ptr<Operator>(int subtask)>;

}  // namespace flott
