#include "operators/project_operator.h"

#include "base/error.h"
#include "types/batch.h"

#include <utility>

namespace flott {
namespace {

class ProjectOperator final : public Operator {
 public:
  ProjectOperator(std::vector<int> fields, LogicalTypePtr output_type)
      : fields_(std::move(fields)), type_(std::move(output_type)) {
    STREAM_CHECK(type_->is_composite() && type_->children().size() == fields_.size(),
                 "{} projected fields do not make a {}",
                 fields_.size(),
                 type_->to_string());
  }

  Granularity granularity() const override { return Granularity::kBatch; }

  void open(OperatorContext& /*context*/) override {}

  void process(Record&& record, int /*input*/, Output& out) override {
    record.value = project(record.value, fields_, type_);
    out.emit(std::move(record));
  }

  void process_batch(const BatchPtr& batch, int input, Output& out) override {
    if (!batch->type()->is_composite()) {
      Operator::process_batch(batch, input, out);
      return;
    }
    std::vector<ColumnPtr> columns;
    columns.reserve(fields_.size());
    for (const int field : fields_) {
      STREAM_CHECK(static_cast<std::size_t>(field) < batch->columns().size(),
                   "projected field {} of a row of {} fields",
                   field,
                   batch->columns().size());
      columns.push_back(batch->columns()[static_cast<std::size_t>(field)]);
    }
    out.emit_batch(Batch::make(type_,
                               std::move(columns),
                               batch->num_rows(),
                               batch->timestamps(),
                               batch->kinds(),
                               batch->keys()));
  }

 private:
  std::vector<int> fields_;
  LogicalTypePtr type_;
};

}  // namespace

Value project(const Value& record, const std::vector<int>& fields, const LogicalTypePtr& type) {
  const bool has_fields = record.kind() == ValueKind::kRow || record.kind() == ValueKind::kArray ||
                          record.kind() == ValueKind::kBatchRow;
  std::vector<Value> values;
  values.reserve(fields.size());
  for (const int field : fields) {
    if (!has_fields || static_cast<std::size_t>(field) >= record.field_count()) {
      throw_error(ErrorKind::kUserCode,
                  "project(): the record {} has no field {}",
                  record.to_string(),
                  field);
    }
    values.push_back(record.field(static_cast<std::size_t>(field)));
  }
  RowKind kind = RowKind::kInsert;
  if (record.kind() == ValueKind::kRow) {
    kind = record.as_row().kind;
  } else if (record.kind() == ValueKind::kBatchRow) {
    kind = record.as_batch().kind_at(record.aux());
  }
  return Value::row(std::move(values), type, kind);
}

std::unique_ptr<Operator> make_project_operator(std::vector<int> fields,
                                                LogicalTypePtr output_type) {
  return std::make_unique<ProjectOperator>(std::move(fields), std::move(output_type));
}

}  // namespace flott
