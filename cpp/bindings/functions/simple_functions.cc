#include "bindings/functions/simple_functions.h"

#include "base/error.h"
#include "bindings/convert.h"

#include <utility>

namespace flott::bindings {
namespace {

/// Life cycle of a Python function, mixed into each of the engine's interfaces.
template <typename Interface>
class PythonFunction : public Interface {
 public:
  explicit PythonFunction(const FunctionSpec& spec) : object_(spec), type_(spec) {}
  void open(OperatorContext& context) override { object_.open(context); }
  void close() override { object_.close(); }
  bool uses_host() const override { return true; }

 protected:
  FunctionObject object_;
  ResultType type_;
};

class PythonMap final : public PythonFunction<MapFunction> {
 public:
  explicit PythonMap(const FunctionSpec& spec)
      : PythonFunction(spec), map_(object_.method("map", "a MapFunction")) {}
  Value map(Value&& value) override {
    const Ref argument = checked(to_python(std::move(value)));
    return on_record(value, argument, [&] {
      return typed_result(call(map_.get(), argument.get()), type_, map_.get());
    });
  }

 private:
  Handle map_;
};

class PythonFilter final : public PythonFunction<FilterFunction> {
 public:
  explicit PythonFilter(const FunctionSpec& spec)
      : PythonFunction(spec), filter_(object_.method("filter", "a FilterFunction")) {}
  bool filter(const Value& value) override {
    const Ref argument = checked(to_python(value));
    const Ref result = call(filter_.get(), argument.get());
    const bool passes = result.get() == Py_True ||
                        (result.get() != Py_False && checked(PyObject_IsTrue(result.get())) != 0);
    if (passes && type_.refuses_none && argument.get() == Py_None) [[unlikely]] {
      refuse_none(describe_function(filter_.get()) + " let None pass", *type_.type);
    }
    return passes;
  }

 private:
  Handle filter_;
};

class PythonFlatMap final : public PythonFunction<FlatMapFunction> {
 public:
  PythonFlatMap(const FunctionSpec& spec, std::shared_ptr<const SideOutputs> sides)
      : PythonFunction(spec),
        flat_map_(object_.method("flat_map", "a FlatMapFunction")),
        emitter_(spec, std::move(sides)) {}
  void open(OperatorContext& context) override {
    emitter_.open(context);
    PythonFunction::open(context);
  }
  void flat_map(Value&& value, Collector& out) override {
    const Ref argument = checked(to_python(std::move(value)));
    on_record(value, argument, [&] {
      emitter_.emit(call(flat_map_.get(), argument.get()), out, "flat_map", flat_map_.get());
    });
  }

 private:
  Handle flat_map_;
  ResultEmitter emitter_;
};

class PythonCoMap final : public PythonFunction<CoFlatMapFunction> {
 public:
  explicit PythonCoMap(const FunctionSpec& spec)
      : PythonFunction(spec),
        maps_{Handle(attribute(object_.get(), "map1")), Handle(attribute(object_.get(), "map2"))} {}
  void flat_map(Value&& value, int input, Collector& out) override {
    const Ref argument = checked(to_python(std::move(value)));
    PyObject* function = maps_[input == 0 ? 0 : 1].get();
    Ref result = call(function, argument.get());
    // Upstream drops None of a co-map.
    if (result.get() != Py_None) {
      out.collect(typed_result(std::move(result), type_, function));
    }
  }

 private:
  Handle maps_[2];
};

class PythonCoFlatMap final : public PythonFunction<CoFlatMapFunction> {
 public:
  PythonCoFlatMap(const FunctionSpec& spec, std::shared_ptr<const SideOutputs> sides)
      : PythonFunction(spec),
        flat_maps_{Handle(attribute(object_.get(), "flat_map1")),
                   Handle(attribute(object_.get(), "flat_map2"))},
        emitter_(spec, std::move(sides)) {}
  void open(OperatorContext& context) override {
    emitter_.open(context);
    PythonFunction::open(context);
  }
  void flat_map(Value&& value, int input, Collector& out) override {
    const Ref argument = checked(to_python(std::move(value)));
    PyObject* function = flat_maps_[input == 0 ? 0 : 1].get();
    emitter_.emit(
        call(function, argument.get()), out, input == 0 ? "flat_map1" : "flat_map2", function);
  }

 private:
  Handle flat_maps_[2];
  ResultEmitter emitter_;
};

class PythonKeySelector final : public PythonFunction<KeySelector> {
 public:
  PythonKeySelector(const FunctionSpec& spec, LogicalTypePtr key_type)
      : PythonFunction(spec), get_key_(object_.method("get_key", "a KeySelector")) {
    key_type_ = coercion_of(key_type);
  }
  Value key_of(const Value& value) override {
    const Ref argument = checked(to_python(value));
    Value key =
        typed_result(call(get_key_.get(), argument.get()), key_type_, get_key_.get(), "key_type");
    // An int needs no object to be encoded, compared and kept.
    if (auto* object = static_cast<PyObject*>(key.as_object()); PyLong_CheckExact(object)) {
      int overflow = 0;
      const std::int64_t number = PyLong_AsLongLongAndOverflow(object, &overflow);
      if (overflow == 0) {
        return Value::integer(number);
      }
    }
    return key;
  }
  [[noreturn]] void refuse_key() override {
    try {
      throw;
    } catch (const PythonError&) {
      throw;  // raised by the key's own code
    } catch (const Error& error) {
      throw Error(error.kind(),
                  fmt::format("what the key selector {} returned cannot be a key: {}",
                              describe_function(get_key_.get()),
                              error.what()));
    }
  }

 private:
  Handle get_key_;
  LogicalTypePtr key_type_;
};

/// A field as the key: read natively from typed rows, by index from Python rows and tuples.
class FieldKeySelector final : public KeySelector {
 public:
  explicit FieldKeySelector(int field) : field_(field) {}
  int field_index() const override { return field_; }
  bool uses_host() const override { return true; }
  Value key_of(const Value& value) override {
    if (!value.is_object()) {
      return value.field(static_cast<std::size_t>(field_));
    }
    auto* object = static_cast<PyObject*>(value.as_object());
    return from_python_steal(checked(PySequence_GetItem(object, field_)).release());
  }

 private:
  int field_;
};

class PythonPartitioner final : public CustomPartitioner {
 public:
  PythonPartitioner(PyObject* partitioner, PyObject* key_selector)
      : partitioner_(subtask_copy(partitioner, 1, "partition_custom"), nullptr),
        partition_(partitioner_.method("partition", "a Partitioner")) {
    if (key_selector != nullptr) {
      const FunctionObject selector(subtask_copy(key_selector, 1, "partition_custom"), nullptr);
      get_key_ = selector.method("get_key", "a KeySelector");
    }
  }
  bool uses_host() const override { return true; }
  int partition(const Value& value, int num_partitions) override {
    Ref key = checked(to_python(value));
    if (get_key_) {
      key = call(get_key_.get(), key.get());
    }
    const Ref count = checked(PyLong_FromLong(num_partitions));
    const Ref chosen = call(partition_.get(), key.get(), count.get());
    const std::int64_t index = int_of(chosen.get(), "what Partitioner.partition() returns");
    return index < 0 || index >= num_partitions ? -1 : static_cast<int>(index);
  }

 private:
  FunctionObject partitioner_;
  Handle partition_;
  Handle get_key_;
};

class PythonTimestampAssigner final : public PythonFunction<TimestampAssigner> {
 public:
  explicit PythonTimestampAssigner(const FunctionSpec& spec)
      : PythonFunction(spec),
        extract_(object_.method("extract_timestamp", "a TimestampAssigner")) {}
  Timestamp extract_timestamp(const Value& value, Timestamp record_timestamp) override {
    const Ref argument = checked(to_python(value));
    const Ref before = checked(python_int(record_timestamp));
    const Ref result = call(extract_.get(), argument.get(), before.get());
    if (!PyLong_Check(result.get())) {
      throw_error(ErrorKind::kUserCode,
                  "extract_timestamp() must return milliseconds since 1970 as an int, not {} ({}): "
                  "look at {}",
                  short_repr(result.get()),
                  type_name_of(result.get()),
                  describe_function(extract_.get()));
    }
    return int_of(result.get(), "what extract_timestamp() returns");
  }

 private:
  Handle extract_;
};

class PythonSessionGap final : public SessionGapExtractor {
 public:
  explicit PythonSessionGap(PyObject* extractor)
      : object_(subtask_copy(extractor, 1, "window"), nullptr),
        extract_(object_.method("extract", "a SessionWindowTimeGapExtractor")) {}
  std::int64_t extract(const Value& value) override {
    const Ref argument = checked(to_python(value));
    const Ref gap = call(extract_.get(), argument.get());
    return int_of(gap.get(), "the session gap that extract() returns (milliseconds)");
  }

 private:
  FunctionObject object_;
  Handle extract_;
};

class PythonReduce final : public ReduceFunction, public PythonFunction<UserFunction> {
 public:
  explicit PythonReduce(const FunctionSpec& spec)
      : PythonFunction(spec), reduce_(object_.method("reduce", "a ReduceFunction")) {}
  void open(OperatorContext& context) override {
    PythonFunction::open(context);
    // Only where each result is emitted: a key whose last result is None has none.
    type_.refuses_none = type_.refuses_none && !context.batch_mode();
  }
  Value reduce(const Value& accumulated, const Value& value) override {
    const Ref first = checked(to_python(accumulated));
    const Ref second = checked(to_python(value));
    Ref result = call(reduce_.get(), first.get(), second.get());
    if (result.get() == Py_None && !type_.refuses_none) [[unlikely]] {
      return {};  // no object: the state is empty, and the next value begins anew
    }
    return typed_result(std::move(result), type_, reduce_.get());
  }

 private:
  Handle reduce_;
};

class PythonAggregate final : public AggregateFunction, public PythonFunction<UserFunction> {
 public:
  PythonAggregate(const FunctionSpec& spec, const LogicalTypePtr& accumulator_type)
      : PythonFunction(spec),
        accumulator_type_(coercion_of(accumulator_type)),
        create_accumulator_(attribute(object_.get(), "create_accumulator")),
        add_(attribute(object_.get(), "add")),
        get_result_(attribute(object_.get(), "get_result")),
        merge_(attribute_or_null(object_.get(), "merge")) {}

  Value create_accumulator() override {
    return as_accumulator(call(create_accumulator_.get()), create_accumulator_);
  }
  Value add(const Value& value, const Value& accumulator) override {
    const Ref first = checked(to_python(value));
    const Ref second = checked(to_python(accumulator));
    return as_accumulator(call(add_.get(), first.get(), second.get()), add_);
  }
  Value get_result(const Value& accumulator) override {
    const Ref argument = checked(to_python(accumulator));
    return typed_result(call(get_result_.get(), argument.get()), type_, get_result_.get());
  }
  Value merge(const Value& a, const Value& b) override {
    if (!merge_) {
      throw_error(ErrorKind::kUserCode,
                  "the AggregateFunction {} needs merge(): windows merged",
                  type_name_of(object_.get()));
    }
    const Ref first = checked(to_python(a));
    const Ref second = checked(to_python(b));
    return as_accumulator(call(merge_.get(), first.get(), second.get()), merge_);
  }

 private:
  Value as_accumulator(Ref result, const Handle& function) const {
    return typed_result(std::move(result), accumulator_type_, function.get(), "accumulator_type");
  }

  LogicalTypePtr accumulator_type_;
  Handle create_accumulator_;
  Handle add_;
  Handle get_result_;
  Handle merge_;
};

}  // namespace

std::unique_ptr<MapFunction> make_map_function(const FunctionSpec& spec) {
  return std::make_unique<PythonMap>(spec);
}
std::unique_ptr<FilterFunction> make_filter_function(const FunctionSpec& spec) {
  return std::make_unique<PythonFilter>(spec);
}
std::unique_ptr<FlatMapFunction> make_flat_map_function(const FunctionSpec& spec,
                                                        std::shared_ptr<const SideOutputs> sides) {
  return std::make_unique<PythonFlatMap>(spec, std::move(sides));
}
std::unique_ptr<CoFlatMapFunction> make_co_map_function(const FunctionSpec& spec) {
  return std::make_unique<PythonCoMap>(spec);
}
std::unique_ptr<CoFlatMapFunction> make_co_flat_map_function(
    const FunctionSpec& spec, std::shared_ptr<const SideOutputs> sides) {
  return std::make_unique<PythonCoFlatMap>(spec, std::move(sides));
}
std::unique_ptr<KeySelector> make_key_selector(const FunctionSpec& spec,
                                               LogicalTypePtr key_type,
                                               int field) {
  if (field >= 0) {
    return std::make_unique<FieldKeySelector>(field);
  }
  return std::make_unique<PythonKeySelector>(spec, std::move(key_type));
}
std::unique_ptr<CustomPartitioner> make_custom_partitioner(PyObject* partitioner,
                                                           PyObject* key_selector) {
  return std::make_unique<PythonPartitioner>(partitioner, key_selector);
}
std::unique_ptr<TimestampAssigner> make_timestamp_assigner(const FunctionSpec& spec) {
  return std::make_unique<PythonTimestampAssigner>(spec);
}
std::unique_ptr<SessionGapExtractor> make_session_gap_extractor(PyObject* extractor) {
  return std::make_unique<PythonSessionGap>(extractor);
}
ReduceParts make_reduce_function(const FunctionSpec& spec) {
  auto function = std::make_shared<PythonReduce>(spec);
  return {function, function.get()};
}
AggregateParts make_aggregate_function(const FunctionSpec& spec, LogicalTypePtr accumulator_type) {
  auto function = std::make_shared<PythonAggregate>(spec, accumulator_type);
  return {function, function.get()};
}

}  // namespace flott::bindings
