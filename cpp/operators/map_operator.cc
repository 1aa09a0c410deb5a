#include "operators/map_operator.h"

#include <utility>

namespace flott {
namespace {

class MapOperator final : public Operator {
 public:
  explicit MapOperator(std::unique_ptr<MapFunction> function) : function_(std::move(function)) {}

  bool uses_host() const override { return function_->uses_host(); }

  void open(OperatorContext& context) override { function_->open(context); }

  void process(Record&& record, int /*input*/, Output& out) override {
    record.value = function_->map(std::move(record.value));
    out.emit(std::move(record));
  }

  void close() override { function_->close(); }

 private:
  std::unique_ptr<MapFunction> function_;
};

}  // namespace

std::unique_ptr<Operator> make_map_operator(std::unique_ptr<MapFunction> function) {
  return std::make_unique<MapOperator>(std::move(function));
}

}  // namespace flott
