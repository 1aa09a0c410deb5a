#include "harness/operator_harness.h"

#include "base/error.h"
#include "harness/case_text.h"
#include "types/key.h"

#include <stdexcept>
#include <utility>

namespace flott::harness {

Value first_field_key(const Value& value) {
  switch (value.kind()) {
    case ValueKind::kRow:
    case ValueKind::kArray:
    case ValueKind::kBatchRow:
      return value.field(0);
    default:
      return value;
  }
}

class OperatorHarness::Context final : public OperatorContext {
 public:
  Context(const Options& options, ManualClock& clock, const OperatorSnapshot* restored)
      : options_(options), clock_(clock), is_restored_(restored != nullptr) {
    if (is_restored_) {
      restored_ = *restored;
    }
    if (options_.key_of) {
      KeyedStateOptions state_options;
      state_options.max_parallelism = options_.max_parallelism;
      state_options.range =
          key_group_range_of(options_.subtask, options_.max_parallelism, options_.parallelism);
      state_options.clock = &clock_;
      state_options.object_reuse = options_.object_reuse;
      state_ = make_heap_keyed_state_backend(state_options);
      timers_ = make_heap_timer_service(*state_, state_options);
      if (is_restored_) {
        state_->restore(restored_.keyed_state);
        for (const KeyedStateFiles& files : restored_.keyed_files) {
          state_->restore_files(files);
        }
        timers_->restore(restored_.timers);
      }
    }
  }

  const std::string& operator_name() const override { return name_; }
  int subtask_index() const override { return options_.subtask; }
  int parallelism() const override { return options_.parallelism; }
  int max_parallelism() const override { return options_.max_parallelism; }
  int attempt_number() const override { return 0; }
  const std::string& job_name() const override { return job_; }
  const std::string& job_id() const override { return job_; }
  const Clock& clock() const override { return clock_; }
  bool object_reuse() const override { return options_.object_reuse; }
  bool batch_mode() const override { return options_.batch_mode; }
  std::int64_t auto_watermark_interval_ms() const override {
    return options_.auto_watermark_interval_ms;
  }
  KeyedStateBackend& keyed_state() override {
    require_keys();
    return *state_;
  }
  TimerService& timers() override {
    require_keys();
    return *timers_;
  }
  bool is_keyed() const override { return state_ != nullptr; }
  const OperatorSnapshot& restored() const override { return restored_; }
  bool is_restored() const override { return is_restored_; }
  MetricGroup& metrics() override { return metrics_; }
  void schedule_wakeup(Timestamp time_ms) override { wakeup_ms_ = time_ms; }
  std::function<void()> async_wakeup() override {
    return [] {};
  }
  bool is_cancelled() const override { return false; }

  KeyedStateBackend* state() const { return state_.get(); }
  TimerService* timer_service() const { return timers_.get(); }
  bool take_due_wakeup() {
    if (wakeup_ms_ > clock_.now_ms()) {
      return false;
    }
    wakeup_ms_ = kMaxTimestamp;
    return true;
  }

 private:
  void require_keys() const {
    if (state_ == nullptr) {
      throw Error(ErrorKind::kInvalidArgument, "keyed state on a stream without keys");
    }
  }

  Options options_;
  ManualClock& clock_;
  bool is_restored_;
  OperatorSnapshot restored_;
  std::string name_ = "operator under test";
  std::string job_ = "test";
  std::unique_ptr<KeyedStateBackend> state_;
  std::unique_ptr<TimerService> timers_;
  MetricGroup metrics_;
  Timestamp wakeup_ms_ = kMaxTimestamp;
};

class OperatorHarness::Recorder final : public Output {
 public:
  void emit(Record&& record) override { lines.push_back(to_text(record)); }
  void emit_batch(BatchPtr batch) override {
    ++batches;
    for (std::int64_t row = 0; row < batch->num_rows(); ++row) {
      lines.push_back(to_text(
          Record{batch->value_at(row), batch->timestamp_at(row), batch->kind_at(row), nullptr}));
    }
  }
  void emit_side(SideOutputId side, Record&& record) override {
    lines.push_back("side" + std::to_string(side) + " " + to_text(record));
  }
  void emit_watermark(Timestamp watermark) override {
    lines.push_back("watermark " + to_text(watermark));
  }
  void emit_status(WatermarkStatus status) override {
    lines.emplace_back(status == WatermarkStatus::kIdle ? "idle" : "active");
  }

  std::vector<std::string> lines;
  int batches = 0;
};

OperatorHarness::OperatorHarness(std::unique_ptr<Operator> op,
                                 Options options,
                                 ManualClock& clock,
                                 const OperatorSnapshot* restored)
    : context_(std::make_unique<Context>(options, clock, restored)),
      out_(std::make_unique<Recorder>()),
      op_(std::move(op)),
      key_of_(std::move(options.key_of)) {
  op_->set_context(context_.get());
  op_->open(*context_);
}

OperatorHarness::~OperatorHarness() {
  op_->close();
}

void OperatorHarness::process(const Value& value, Timestamp timestamp, int input, RowKind kind) {
  Record record{value, timestamp, kind, nullptr};
  if (!key_of_) {
    op_->process(std::move(record), input, *out_);
    return;
  }
  const Value key_value = key_of_(value);
  std::string bytes;
  encode_key(key_value, bytes);
  const Key key = Key::of(bytes, key_value);
  context_->state()->set_current_key(key);
  record.key = &key;
  op_->process(std::move(record), input, *out_);
}

void OperatorHarness::process_batch(const BatchPtr& batch, int input) {
  if (!key_of_) {
    op_->process_batch(batch, input, *out_);
    return;
  }
  auto keys = std::make_shared<KeyColumn>();
  for (std::int64_t row = 0; row < batch->num_rows(); ++row) {
    Value key = key_of_(batch->value_at(row)).isolated();
    std::string bytes;
    encode_key(key, bytes);
    keys->append(bytes, std::move(key));
  }
  op_->process_batch(batch->with_keys(std::move(keys)), input, *out_);
}

void OperatorHarness::process_watermark(Timestamp watermark) {
  // A deadline in the past: one timer a call.
  while (!op_->process_watermark(watermark, 0, *out_)) {
  }
  if (op_->forwards_watermarks()) {
    out_->emit_watermark(watermark);
  }
}

void OperatorHarness::process_status(WatermarkStatus status) {
  op_->process_status(status, *out_);
  if (op_->forwards_watermarks()) {
    out_->emit_status(status);
  }
}

void OperatorHarness::fire_processing_time() {
  if (TimerService* timers = context_->timer_service()) {
    const auto on_timer = [this](TimeDomain domain, Timestamp time, const Window& window) {
      op_->on_timer(domain, time, window, *out_);
    };
    while (!timers->fire_processing_timers(0, on_timer)) {
    }
  }
  if (context_->take_due_wakeup()) {
    op_->on_wakeup(*out_);
  }
}

void OperatorHarness::end_input(int input) {
  op_->end_input(input, *out_);
}

void OperatorHarness::finish() {
  while (!op_->finish(*out_)) {
  }
  if (TimerService* timers = context_->timer_service()) {
    timers->drop_processing_timers();
  }
}

OperatorSnapshot OperatorHarness::snapshot() {
  while (!op_->prepare_snapshot(1, *out_)) {
  }
  OperatorSnapshot snapshot = snapshot_of(Keyed::kFiles);
  op_->notify_checkpoint_complete(1);
  return snapshot;
}

OperatorSnapshot OperatorHarness::final_snapshot() {
  return snapshot_of(Keyed::kFrames);
}

OperatorSnapshot OperatorHarness::snapshot_of(Keyed form) {
  OperatorSnapshot snapshot;
  op_->snapshot(1, snapshot);
  if (context_->state() != nullptr) {
    std::optional<KeyedStateFiles> files;
    if (form == Keyed::kFiles) {
      files = context_->state()->snapshot_files();
    }
    if (files) {
      snapshot.keyed_files.push_back(std::move(*files));
    } else {
      snapshot.keyed_state = context_->state()->snapshot();
    }
    snapshot.timers = context_->timer_service()->snapshot();
  }
  return snapshot;
}

std::vector<std::string> OperatorHarness::take_output() {
  return std::exchange(out_->lines, {});
}

std::string OperatorHarness::output_text() {
  std::string text;
  for (const std::string& line : take_output()) {
    text += (text.empty() ? "" : " | ") + line;
  }
  return text;
}

int OperatorHarness::batches_out() const {
  return std::exchange(out_->batches, 0);
}

std::size_t OperatorHarness::key_count() const {
  return context_->state() == nullptr ? 0 : context_->state()->key_count();
}

std::size_t OperatorHarness::timer_count() const {
  const TimerService* timers = context_->timer_service();
  return timers == nullptr
             ? 0
             : timers->size(TimeDomain::kEventTime) + timers->size(TimeDomain::kProcessingTime);
}

double OperatorHarness::metric(const std::string& name) const {
  const auto metrics = context_->metrics().snapshot();
  const auto it = metrics.find(name);
  return it == metrics.end() ? 0 : it->second;
}

int OperatorHarness::subtask_of_value(const Value& value,
                                      const KeyOf& key_of,
                                      int max_parallelism,
                                      int parallelism) {
  const Value key = key_of(value);
  std::string bytes;
  encode_key(key, bytes);
  return subtask_of(key_group_of(hash_bytes(bytes), max_parallelism), max_parallelism, parallelism);
}

}  // namespace flott::harness
