#include "operators/filter_operator.h"

#include <utility>

namespace flott {
namespace {

class FilterOperator final : public Operator {
 public:
  explicit FilterOperator(std::unique_ptr<FilterFunction> function)
      : function_(std::move(function)) {}

  bool uses_host() const override { return function_->uses_host(); }

  void open(OperatorContext& context) override { function_->open(context); }

  void process(Record&& record, int /*input*/, Output& out) override {
    if (function_->filter(record.value)) {
      out.emit(std::move(record));
    }
  }

  void close() override { function_->close(); }

 private:
  std::unique_ptr<FilterFunction> function_;
};

}  // namespace

std::unique_ptr<Operator> make_filter_operator(std::unique_ptr<FilterFunction> function) {
  return std::make_unique<FilterOperator>(std::move(function));
}

}  // namespace flott
