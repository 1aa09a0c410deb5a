#include "operators/discard_operator.h"

namespace flott {
namespace {

class DiscardOperator final : public Operator {
 public:
  void open(OperatorContext& /*context*/) override {}
  void process(Record&& /*record*/, int /*input*/, Output& /*out*/) override {}
  void process_batch(const BatchPtr& /*batch*/, int /*input*/, Output& /*out*/) override {}
};

}  // namespace

std::unique_ptr<Operator> make_discard_operator() {
  return std::make_unique<DiscardOperator>();
}

}  // namespace flott
