#pragma once

#include "operators/functions.h"
#include "state/state.h"
#include "windows/assigner.h"

#include <memory>
#include <utility>
#include <vector>

namespace flott::harness {

/// User functions made of C++ lambdas, for tests and benchmarks: `map_with([](Value v) { return v;
/// })`.

template <typename F>
std::unique_ptr<MapFunction> map_with(F f) {
  class Function final : public MapFunction {
   public:
    explicit Function(F fn) : f_(std::move(fn)) {}
    /// The caller keeps its value: failures name it.
    Value map(Value&& value) override { return f_(Value(value)); }

   private:
    F f_;
  };
  return std::make_unique<Function>(std::move(f));
}

template <typename F>
std::unique_ptr<FilterFunction> filter_with(F f) {
  class Function final : public FilterFunction {
   public:
    explicit Function(F fn) : f_(std::move(fn)) {}
    bool filter(const Value& value) override { return f_(value); }

   private:
    F f_;
  };
  return std::make_unique<Function>(std::move(f));
}

/// f(Value, Collector&)
template <typename F>
std::unique_ptr<FlatMapFunction> flat_map_with(F f) {
  class Function final : public FlatMapFunction {
   public:
    explicit Function(F fn) : f_(std::move(fn)) {}
    void flat_map(Value&& value, Collector& out) override { f_(std::move(value), out); }

   private:
    F f_;
  };
  return std::make_unique<Function>(std::move(f));
}

/// f(Value, input, Collector&)
template <typename F>
std::unique_ptr<CoFlatMapFunction> co_flat_map_with(F f) {
  class Function final : public CoFlatMapFunction {
   public:
    explicit Function(F fn) : f_(std::move(fn)) {}
    void flat_map(Value&& value, int input, Collector& out) override {
      f_(std::move(value), input, out);
    }

   private:
    F f_;
  };
  return std::make_unique<Function>(std::move(f));
}

/// on_element(Value, input, ProcessContext&, Collector&), on_timer(Timestamp, ProcessContext&,
/// Collector&)
template <typename E, typename T>
std::unique_ptr<ProcessFunction> process_with(E on_element, T on_timer) {
  class Function final : public ProcessFunction {
   public:
    Function(E e, T t) : on_element_(std::move(e)), on_timer_(std::move(t)) {}
    void process_element(Value&& value,
                         int input,
                         ProcessContext& context,
                         Collector& out) override {
      on_element_(std::move(value), input, context, out);
    }
    void on_timer(Timestamp time, ProcessContext& context, Collector& out) override {
      on_timer_(time, context, out);
    }

   private:
    E on_element_;
    T on_timer_;
  };
  return std::make_unique<Function>(std::move(on_element), std::move(on_timer));
}
template <typename E>
std::unique_ptr<ProcessFunction> process_with(E on_element) {
  return process_with(std::move(on_element), [](Timestamp, ProcessContext&, Collector&) {});
}

template <typename F>
std::unique_ptr<KeySelector> key_with(F f) {
  class Function final : public KeySelector {
   public:
    explicit Function(F fn) : f_(std::move(fn)) {}
    Value key_of(const Value& value) override { return f_(value); }

   private:
    F f_;
  };
  return std::make_unique<Function>(std::move(f));
}

template <typename F>
std::unique_ptr<ReduceFunction> reduce_with(F f) {
  class Function final : public ReduceFunction {
   public:
    explicit Function(F fn) : f_(std::move(fn)) {}
    Value reduce(const Value& accumulated, const Value& value) override {
      return f_(accumulated, value);
    }

   private:
    F f_;
  };
  return std::make_unique<Function>(std::move(f));
}

/// create() -> Value, add(value, accumulator), result(accumulator), merge(a, b)
template <typename C, typename A, typename R, typename M>
std::unique_ptr<AggregateFunction> aggregate_with(C create, A add, R result, M merge) {
  class Function final : public AggregateFunction {
   public:
    Function(C c, A a, R r, M m)
        : create_(std::move(c)), add_(std::move(a)), result_(std::move(r)), merge_(std::move(m)) {}
    Value create_accumulator() override { return create_(); }
    Value add(const Value& value, const Value& accumulator) override {
      return add_(value, accumulator);
    }
    Value get_result(const Value& accumulator) override { return result_(accumulator); }
    Value merge(const Value& a, const Value& b) override { return merge_(a, b); }

   private:
    C create_;
    A add_;
    R result_;
    M merge_;
  };
  return std::make_unique<Function>(
      std::move(create), std::move(add), std::move(result), std::move(merge));
}

/// f(value, record_timestamp) -> Timestamp
template <typename F>
std::unique_ptr<TimestampAssigner> timestamps_with(F f) {
  class Function final : public TimestampAssigner {
   public:
    explicit Function(F fn) : f_(std::move(fn)) {}
    Timestamp extract_timestamp(const Value& value, Timestamp record_timestamp) override {
      return f_(value, record_timestamp);
    }

   private:
    F f_;
  };
  return std::make_unique<Function>(std::move(f));
}

/// on_event(value, timestamp) -> watermark or kMinWatermark; no periodic watermarks
template <typename F>
std::unique_ptr<WatermarkGenerator> punctuated_with(F f) {
  class Function final : public WatermarkGenerator {
   public:
    explicit Function(F fn) : f_(std::move(fn)) {}
    Timestamp on_event(const Value& value, Timestamp timestamp) override {
      return f_(value, timestamp);
    }
    Timestamp on_periodic() override { return kMinWatermark; }

   private:
    F f_;
  };
  return std::make_unique<Function>(std::move(f));
}

/// Values say what to do: a multiple of 10 is a watermark (behind `mark_active` if need be), 7 at
/// the end means `mark_idle`, 8 `mark_active`; anything else says nothing.
inline std::unique_ptr<WatermarkGenerator> self_declared_idleness() {
  class Function final : public WatermarkGenerator {
   public:
    Timestamp on_event(const Value& value, Timestamp timestamp) override {
      const std::int64_t digit = value.as_int() % 10;
      if (digit == 7) {
        idle_ = true;
      } else if (digit == 8 || digit == 0) {
        idle_ = false;
      }
      return digit == 0 ? timestamp : kMinWatermark;
    }
    Timestamp on_periodic() override { return kMinWatermark; }
    bool is_idle() const override { return idle_; }

   private:
    bool idle_ = false;
  };
  return std::make_unique<Function>();
}

/// process(WindowFunctionContext&, std::vector<Value>, Collector&), clear(WindowFunctionContext&)
template <typename P, typename C>
std::unique_ptr<WindowFunction> window_with(P process, C clear) {
  class Function final : public WindowFunction {
   public:
    Function(P p, C c) : process_(std::move(p)), clear_(std::move(c)) {}
    void process(WindowFunctionContext& context,
                 std::vector<Value> elements,
                 Collector& out) override {
      process_(context, std::move(elements), out);
    }
    void clear(WindowFunctionContext& context) override { clear_(context); }

   private:
    P process_;
    C clear_;
  };
  return std::make_unique<Function>(std::move(process), std::move(clear));
}
template <typename P>
std::unique_ptr<WindowFunction> window_with(P process) {
  return window_with(std::move(process), [](WindowFunctionContext&) {});
}

/// f(value) -> gap in ms
template <typename F>
std::unique_ptr<SessionGapExtractor> gap_with(F f) {
  class Function final : public SessionGapExtractor {
   public:
    explicit Function(F fn) : f_(std::move(fn)) {}
    std::int64_t extract(const Value& value) override { return f_(value); }

   private:
    F f_;
  };
  return std::make_unique<Function>(std::move(f));
}

}  // namespace flott::harness
