#pragma once

#include "harness/lambda_functions.h"
#include "harness/verify_operator.h"
#include "windows/window_operator.h"

#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace flott::harness {

inline constexpr auto kEvent = TimeCharacteristic::kEventTime;
inline constexpr auto kProcessing = TimeCharacteristic::kProcessingTime;

/// Emits key, window start and end, and the elements: `a,0,5000,[a,b]`. Rows (key, x) show x.
inline std::unique_ptr<WindowFunction> list_elements() {
  return window_with(
      [](WindowFunctionContext& context, std::vector<Value> elements, Collector& out) {
        for (Value& element : elements) {
          if (element.kind() == ValueKind::kRow || element.kind() == ValueKind::kBatchRow) {
            element = element.field(1);
          }
        }
        const Window window = context.window();
        out.collect(Value::row({context.current_key(),
                                Value::integer(window.start),
                                Value::integer(window.end),
                                Value::array(std::move(elements))}));
      });
}

/// Rows (key, n): adds n.
inline std::shared_ptr<ReduceFunction> add_counts() {
  return reduce_with([](const Value& a, const Value& b) {
    return Value::row({a.field(0), Value::integer(a.field(1).as_int() + b.field(1).as_int())});
  });
}

/// Options with the default trigger of the assigner's time.
inline WindowOperatorOptions options_of(std::unique_ptr<WindowAssigner> assigner) {
  WindowOperatorOptions options;
  options.trigger =
      assigner->is_event_time() ? make_event_time_trigger() : make_processing_time_trigger();
  options.assigner = std::move(assigner);
  return options;
}

/// A keyed case over a window operator; `make` returns fresh WindowOperatorOptions each time.
template <typename Make>
OperatorCase windows(Make make, std::source_location where = std::source_location::current()) {
  OperatorCase c = verify_operator([make] { return make_window_operator(make()); }, where);
  c.keyed();
  return c;
}

}  // namespace flott::harness
