#include "operators/filter_operator.h"

#include <utility>

#include "operators/record_key.h"

namespace flott {
namespace {

class FilterOperator final : public Operator {
 public:
  explicit FilterOperator(std::unique_ptr<FilterFunction> function)
      : function_(std::move(function)) {}

  bool uses_host() const override { return function_->uses_host(); }

  void open(OperatorContext& context) override {
    key_.open(context);
    function_->open(context);
  }

  void process(Record&& record, int /*input*/, Output& out) override {
    key_.select(record);
    if (function_->filter(record.value)) {
      out.emit(std::move(record));
    }
  }

  void close() override { function_->close(); }

 private:
  std::unique_ptr<FilterFunction> function_;
  RecordKey key_;
};

}  // namespace

std::unique_ptr<Operator> make_filter_operator(std::unique_ptr<FilterFunction> function) {
  return std::make_unique<FilterOperator>(std::move(function));
}

}  // namespace flott
