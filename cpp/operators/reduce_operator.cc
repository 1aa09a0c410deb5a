#include "operators/reduce_operator.h"

#include "base/error.h"

#include <utility>

namespace flott {
namespace {

constexpr const char* kStateName = "_reduce_state";

class ReduceOperator final : public Operator {
 public:
  ReduceOperator(std::shared_ptr<ReduceFunction> function,
                 UserFunction* life_cycle,
                 LogicalTypePtr value_type)
      : function_(std::move(function)),
        life_cycle_(life_cycle),
        value_type_(std::move(value_type)) {}

  bool uses_host() const override { return life_cycle_ != nullptr && life_cycle_->uses_host(); }

  void open(OperatorContext& context) override {
    keyed_state_ = &context.keyed_state();
    emit_final_only_ = context.batch_mode();
    if (life_cycle_ != nullptr) {
      life_cycle_->open(context);
    }
    StateDescriptor descriptor;
    descriptor.name = kStateName;
    descriptor.value_type = value_type_;
    state_ = &keyed_state_->value_state(descriptor);
  }

  void process(Record&& record, int /*input*/, Output& out) override {
    STREAM_DCHECK(record.key != nullptr, "reduce got a record without a key");
    state_->reduce(*function_, record.value);
    if (!emit_final_only_) {
      out.emit(std::move(record));
    }
  }

  bool process_watermark(Timestamp watermark, std::int64_t deadline_ns, Output& out) override {
    if (watermark == kMaxWatermark) {
      emit_final_values(out);
    }
    return Operator::process_watermark(watermark, deadline_ns, out);
  }

  void end_input(int /*input*/, Output& out) override { emit_final_values(out); }

  void close() override {
    if (life_cycle_ != nullptr) {
      life_cycle_->close();
    }
  }

 private:
  /// When a key has ended, or all of them; before the last watermark where there is one, so that
  /// windows downstream still take the values: Flink does it with a timer at the end of time.
  void emit_final_values(Output& out) {
    if (!emit_final_only_) {
      return;
    }
    keyed_state_->for_each_key(kStateName, [&] {
      const Key key = keyed_state_->current();
      Value value = state_->value();
      state_->clear();
      out.emit(Record{std::move(value), kMaxTimestamp, RowKind::kInsert, &key});
    });
  }

  std::shared_ptr<ReduceFunction> function_;
  UserFunction* life_cycle_;
  LogicalTypePtr value_type_;
  KeyedStateBackend* keyed_state_ = nullptr;
  ValueState* state_ = nullptr;
  bool emit_final_only_ = false;
};

}  // namespace

std::unique_ptr<Operator> make_reduce_operator(std::shared_ptr<ReduceFunction> function,
                                               UserFunction* life_cycle,
                                               LogicalTypePtr value_type) {
  return std::make_unique<ReduceOperator>(std::move(function), life_cycle, std::move(value_type));
}

}  // namespace flott
