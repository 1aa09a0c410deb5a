#include "operators/co_flat_map_operator.h"

#include "operators/output_collector.h"

#include <utility>

namespace flott {
namespace {

class CoFlatMapOperator final : public Operator {
 public:
  explicit CoFlatMapOperator(std::unique_ptr<CoFlatMapFunction> function)
      : function_(std::move(function)) {}

  bool uses_host() const override { return function_->uses_host(); }

  void open(OperatorContext& context) override { function_->open(context); }

  void process(Record&& record, int input, Output& out) override {
    OutputCollector collector(out, record);
    function_->flat_map(std::move(record.value), input, collector);
  }

  void close() override { function_->close(); }

 private:
  std::unique_ptr<CoFlatMapFunction> function_;
};

}  // namespace

std::unique_ptr<Operator> make_co_flat_map_operator(std::unique_ptr<CoFlatMapFunction> function) {
  return std::make_unique<CoFlatMapOperator>(std::move(function));
}

}  // namespace flott
