#include "operators/timestamps_and_watermarks_operator.h"

#include "operators/watermark_generators.h"

#include <algorithm>
#include <utility>
#include <vector>

namespace flott {
namespace {

class TimestampsAndWatermarksOperator final : public Operator {
 public:
  explicit TimestampsAndWatermarksOperator(TimestampsAndWatermarksOptions options)
      : assigner_(std::move(options.assigner)),
        generator_(options.generator ? std::move(options.generator) : make_no_watermarks()),
        idleness_(options.idle_timeout_ms) {}

  bool uses_host() const override {
    return (assigner_ != nullptr && assigner_->uses_host()) || generator_->uses_host();
  }
  bool forwards_watermarks() const override { return false; }

  void open(OperatorContext& context) override {
    context_ = &context;
    interval_ms_ = context.auto_watermark_interval_ms();
    if (context.batch_mode()) {
      generator_ = make_no_watermarks();
      interval_ms_ = 0;
    }
    if (assigner_ != nullptr) {
      assigner_->open(context);
    }
    schedule_next();
  }

  void process(Record&& record, int /*input*/, Output& out) override {
    if (assigner_ != nullptr) {
      record.timestamp = assigner_->extract_timestamp(record.value, record.timestamp);
    }
    if (generator_->is_periodic_only()) {
      generator_->on_batch(record.timestamp);
      note_activity();
      out.emit(std::move(record));
      return;
    }
    // Emitting gives the value away, and the generator comes after it: share it.
    const Value value = record.value;
    const Timestamp timestamp = record.timestamp;
    out.emit(std::move(record));
    note_activity();
    Timestamp watermark = kMinWatermark;
    try {
      watermark = generator_->on_event(value, timestamp);
    } catch (...) {
      record.value = value;  // failures name it
      throw;
    }
    follow_generator(watermark, out);
  }

  void process_batch(const BatchPtr& batch, int input, Output& out) override {
    if (uses_host()) {
      // Functions of the host run depth-first through the chain, record by record.
      Operator::process_batch(batch, input, out);
      return;
    }
    const std::int64_t rows = batch->num_rows();
    std::vector<Timestamp> timestamps(static_cast<std::size_t>(rows));
    for (std::int64_t row = 0; row < rows; ++row) {
      const Timestamp given = batch->timestamp_at(row);
      timestamps[static_cast<std::size_t>(row)] =
          assigner_ == nullptr ? given : assigner_->extract_timestamp(batch->value_at(row), given);
    }
    note_activity();
    if (generator_->is_periodic_only()) {
      if (rows > 0) {
        generator_->on_batch(*std::max_element(timestamps.begin(), timestamps.end()));
      }
      out.emit_batch(assigner_ == nullptr ? batch : batch->with_timestamps(std::move(timestamps)));
      return;
    }
    const BatchPtr stamped = assigner_ == nullptr ? batch : batch->with_timestamps(timestamps);
    std::int64_t begin = 0;
    for (std::int64_t row = 0; row < rows; ++row) {
      const Timestamp watermark =
          generator_->on_event(batch->value_at(row), timestamps[static_cast<std::size_t>(row)]);
      if (watermark > current_watermark_ || generator_->is_idle() != generator_idle_) {
        out.emit_batch(stamped->slice(begin, row + 1));
        begin = row + 1;
        follow_generator(watermark, out);
      }
    }
    if (begin < rows) {
      out.emit_batch(begin == 0 ? stamped : stamped->slice(begin, rows));
    }
  }

  bool process_watermark(Timestamp watermark, std::int64_t /*deadline_ns*/, Output& out) override {
    if (watermark == kMaxWatermark) {
      emit_watermark(kMaxWatermark, out);
    }
    return true;
  }

  void on_wakeup(Output& out) override {
    if (interval_ms_ <= 0 || context_->clock().now_ms() < next_periodic_ms_) {
      return;
    }
    emit_periodic(out);
    schedule_next();
  }

  bool finish(Output& out) override {
    emit_watermark(generator_->on_periodic(), out);
    return true;
  }

  void close() override {
    if (assigner_ != nullptr) {
      assigner_->close();
    }
  }

 private:
  void note_activity() {
    idleness_.activity();
    idle_reported_ = false;
  }

  void emit_periodic(Output& out) {
    if (!idleness_.check_idle(context_->clock().now_ms())) {
      follow_generator(generator_->on_periodic(), out);
      return;
    }
    if (!idle_reported_) {
      idle_reported_ = true;
      set_idle(true, out);
    }
  }

  /// What the generator said in its last call: a watermark, and whether it is idle now.
  void follow_generator(Timestamp watermark, Output& out) {
    emit_watermark(watermark, out);
    const bool was_idle = std::exchange(generator_idle_, generator_->is_idle());
    if (generator_idle_ || was_idle) {
      set_idle(generator_idle_, out);
    }
  }

  void set_idle(bool idle, Output& out) {
    if (is_idle_ != idle) {
      is_idle_ = idle;
      out.emit_status(idle ? WatermarkStatus::kIdle : WatermarkStatus::kActive);
    }
  }

  void emit_watermark(Timestamp watermark, Output& out) {
    if (watermark <= current_watermark_) {
      return;
    }
    current_watermark_ = watermark;
    set_idle(false, out);
    out.emit_watermark(watermark);
  }

  void schedule_next() {
    if (interval_ms_ > 0) {
      next_periodic_ms_ = context_->clock().now_ms() + interval_ms_;
      context_->schedule_wakeup(next_periodic_ms_);
    }
  }

  std::unique_ptr<TimestampAssigner> assigner_;
  std::unique_ptr<WatermarkGenerator> generator_;
  IdlenessTimer idleness_;
  OperatorContext* context_ = nullptr;
  std::int64_t interval_ms_ = 0;
  Timestamp next_periodic_ms_ = 0;
  Timestamp current_watermark_ = kMinWatermark;
  bool idle_reported_ = false;   ///< of the idleness wrapper: reset by any record
  bool is_idle_ = false;         ///< of the output: reset by a watermark
  bool generator_idle_ = false;  ///< the generator's own word
};

}  // namespace

std::unique_ptr<Operator> make_timestamps_and_watermarks_operator(
    TimestampsAndWatermarksOptions options) {
  return std::make_unique<TimestampsAndWatermarksOperator>(std::move(options));
}

}  // namespace flott
