#include "operators/flat_map_operator.h"

#include "operators/output_collector.h"

#include <utility>

namespace flott {
namespace {

class FlatMapOperator final : public Operator {
 public:
  explicit FlatMapOperator(std::unique_ptr<FlatMapFunction> function)
      : function_(std::move(function)) {}

  bool uses_host() const override { return function_->uses_host(); }

  void open(OperatorContext& context) override { function_->open(context); }

  void process(Record&& record, int /*input*/, Output& out) override {
    OutputCollector collector(out, record);
    function_->flat_map(std::move(record.value), collector);
  }

  void close() override { function_->close(); }

 private:
  std::unique_ptr<FlatMapFunction> function_;
};

}  // namespace

std::unique_ptr<Operator> make_flat_map_operator(std::unique_ptr<FlatMapFunction> function) {
  return std::make_unique<FlatMapOperator>(std::move(function));
}

}  // namespace flott
