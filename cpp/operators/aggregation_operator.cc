#include "operators/aggregation_operator.h"

#include "operators/reduce_operator.h"

#include <utility>

namespace flott {

std::unique_ptr<Operator> make_aggregation_operator(Aggregation aggregation,
                                                    FieldSelector field,
                                                    LogicalTypePtr value_type) {
  return make_reduce_operator(
      make_field_aggregation(aggregation, std::move(field)), nullptr, std::move(value_type));
}

}  // namespace flott
