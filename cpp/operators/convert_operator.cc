#include "operators/convert_operator.h"

#include "types/batch.h"
#include "types/host.h"

#include <utility>

namespace flott {
namespace {

class ConvertOperator final : public Operator {
 public:
  ConvertOperator(LogicalTypePtr target, LogicalTypePtr source)
      : target_(std::move(target)), source_(std::move(source)) {}

  bool uses_host() const override { return host() != nullptr && !source_is_native(); }

  void open(OperatorContext& /*context*/) override {}

  void process(Record&& record, int /*input*/, Output& out) override {
    record.value = convert(record.value, *source_);
    out.emit(std::move(record));
  }

  void process_batch(const BatchPtr& batch, int /*input*/, Output& out) override {
    if (*batch->type() == *target_) {
      out.emit_batch(batch);
      return;
    }
    BatchBuilder builder(target_);
    const KeyColumn* keys = batch->keys().get();
    for (std::int64_t row = 0; row < batch->num_rows(); ++row) {
      Key key;
      if (keys != nullptr) {
        key = keys->at(static_cast<std::size_t>(row));
      }
      builder.append(convert(batch->value_at(row), *batch->type()),
                     batch->timestamp_at(row),
                     batch->kind_at(row),
                     keys != nullptr ? &key : nullptr);
    }
    if (BatchPtr converted = builder.finish()) {
      out.emit_batch(std::move(converted));
    }
  }

 private:
  bool source_is_native() const { return source_->is_native() && target_->is_native(); }

  Value convert(const Value& value, const LogicalType& source) const {
    if (target_->kind() != TypeKind::kObject) {
      return coerce(value, *target_);
    }
    if (value.is_object()) {
      return value;
    }
    return Value::adopt_object(require_host().to_object(value, source));
  }

  LogicalTypePtr target_;
  LogicalTypePtr source_;
};

}  // namespace

std::unique_ptr<Operator> make_convert_operator(LogicalTypePtr target, LogicalTypePtr source) {
  return std::make_unique<ConvertOperator>(std::move(target), std::move(source));
}

}  // namespace flott
