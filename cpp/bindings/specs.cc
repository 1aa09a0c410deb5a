#include "bindings/specs.h"

#include "base/error.h"
#include "bindings/functions/simple_functions.h"
#include "bindings/functions/watermark_generator.h"
#include "bindings/functions/window_functions.h"
#include "operators/field_timestamp_assigner.h"
#include "operators/watermark_generators.h"

#include <map>
#include <mutex>
#include <utility>

namespace flott::bindings {
namespace {

/// Reads a tuple spec item by item.
class SpecReader {
 public:
  SpecReader(PyObject* spec, const char* what) : spec_(spec), what_(what) {
    if (!PyTuple_Check(spec) || PyTuple_GET_SIZE(spec) == 0) {
      throw_error(ErrorKind::kInvalidArgument,
                  "{} must be a tuple whose first item is its name, not {}",
                  what,
                  short_repr(spec));
    }
    name_ = text_of(PyTuple_GET_ITEM(spec, 0), what);
  }

  const std::string& name() const { return name_; }
  PyObject* item(Py_ssize_t index) const {
    if (index >= PyTuple_GET_SIZE(spec_)) {
      throw_error(ErrorKind::kInvalidArgument,
                  "{} '{}' lacks item {}: {}",
                  what_,
                  name_,
                  index,
                  short_repr(spec_));
    }
    return PyTuple_GET_ITEM(spec_, index);
  }
  std::int64_t integer(Py_ssize_t index) const { return int_of(item(index), what_); }
  bool boolean(Py_ssize_t index) const { return checked(PyObject_IsTrue(item(index))) != 0; }
  TimeCharacteristic time(Py_ssize_t index) const {
    const std::string text = text_of(item(index), what_);
    if (text == "event") {
      return TimeCharacteristic::kEventTime;
    }
    if (text == "processing") {
      return TimeCharacteristic::kProcessingTime;
    }
    throw_error(ErrorKind::kInvalidArgument,
                "{} '{}': the time is 'event' or 'processing', not '{}'",
                what_,
                name_,
                text);
  }
  [[noreturn]] void unknown() const {
    throw_error(ErrorKind::kInvalidArgument, "unknown {} '{}'", what_, name_);
  }

 private:
  PyObject* spec_;
  const char* what_;
  std::string name_;
};

using AssignerMaker = std::function<std::unique_ptr<WindowAssigner>(const OperatorScopePtr&)>;

/// Makes one at once, so that wrong sizes fail when the graph is built.
AssignerSpec native_assigner(std::function<std::unique_ptr<WindowAssigner>()> make) {
  const std::unique_ptr<WindowAssigner> probe = make();
  return {[make = std::move(make)](const OperatorScopePtr&) { return make(); },
          false,
          probe->is_merging()};
}

/// count_window(size) and count_window(size, slide), as PyFlink's Count*WindowAssigner: a count per
/// key says which windows an element belongs to.
class CountAssigner final : public WindowAssigner {
 public:
  CountAssigner(std::int64_t size, std::int64_t slide, OperatorScopePtr scope)
      : size_(size), slide_(slide), scope_(std::move(scope)) {}

  bool is_event_time() const override { return false; }
  bool windows_end() const override { return false; }

  void assign(const Value& /*value*/,
              Timestamp /*timestamp*/,
              Timestamp /*now*/,
              std::vector<Window>& out) override {
    if (counts_ == nullptr) {
      StateDescriptor descriptor;
      descriptor.name = slide_ == size_ ? "tumble-count-assigner" : "slide-count-assigner";
      descriptor.value_type = LogicalType::of(TypeKind::kBigInt);
      counts_ = &scope_->require("a count window").keyed_state().value_state(descriptor);
    }
    counts_->set_namespace(Window{});
    const Value stored = counts_->value();
    const std::int64_t count = stored.is_null() ? 0 : stored.as_int();
    counts_->update(Value::integer(count + 1));
    for (std::int64_t id = count / slide_; id >= 0 && count < id * slide_ + size_; --id) {
      out.push_back({id, kMaxTimestamp, {}});
    }
  }

 private:
  std::int64_t size_;
  std::int64_t slide_;
  OperatorScopePtr scope_;
  ValueState* counts_ = nullptr;
};

AssignerSpec count_assigner(std::int64_t size, std::int64_t slide) {
  if (size <= 0 || slide <= 0) {
    throw_error(ErrorKind::kInvalidArgument,
                "a count window needs a size and a slide above 0, not {} and {}",
                size,
                slide);
  }
  return {[=](const OperatorScopePtr& scope) {
            return std::make_unique<CountAssigner>(size, slide, scope);
          },
          false,
          false,
          true};
}

FieldCondition::Comparison comparison_of(const SpecReader& reader, Py_ssize_t index) {
  using Comparison = FieldCondition::Comparison;
  const std::string text = text_of(reader.item(index), "a comparison");
  for (const Comparison comparison : {Comparison::kEqual,
                                      Comparison::kNotEqual,
                                      Comparison::kLess,
                                      Comparison::kLessEqual,
                                      Comparison::kGreater,
                                      Comparison::kGreaterEqual}) {
    if (text == text_of(comparison)) {
      return comparison;
    }
  }
  throw_error(ErrorKind::kInvalidArgument, "unknown comparison '{}'", text);
}

/// A constant of a condition: bool, int, float or str.
Value constant_of(PyObject* object) {
  if (PyBool_Check(object)) {
    return Value::boolean(object == Py_True);
  }
  if (PyLong_Check(object)) {
    return Value::integer(int_of(object, "a constant of a condition"));
  }
  if (PyFloat_Check(object)) {
    return Value::real(PyFloat_AS_DOUBLE(object));
  }
  return Value::string(text_of(object, "a constant of a condition"));
}

std::shared_ptr<Handle> shared_handle(PyObject* object) {
  return std::make_shared<Handle>(Ref::borrow(object));
}

}  // namespace

AssignerSpec parse_assigner(PyObject* spec) {
  const SpecReader reader(spec, "window assigner");
  const std::string& name = reader.name();
  if (name == "tumbling") {
    const auto time = reader.time(1);
    const auto size = reader.integer(2);
    const auto offset = reader.integer(3);
    return native_assigner([=] { return make_tumbling_windows(time, size, offset); });
  }
  if (name == "sliding") {
    const auto time = reader.time(1);
    const auto size = reader.integer(2);
    const auto slide = reader.integer(3);
    const auto offset = reader.integer(4);
    return native_assigner([=] { return make_sliding_windows(time, size, slide, offset); });
  }
  if (name == "session") {
    const auto time = reader.time(1);
    const auto gap = reader.integer(2);
    return native_assigner([=] { return make_session_windows(time, gap); });
  }
  if (name == "dynamic_session") {
    const auto time = reader.time(1);
    auto extractor = shared_handle(reader.item(2));
    return {[=](const OperatorScopePtr&) {
              return make_dynamic_session_windows(time,
                                                  make_session_gap_extractor(extractor->get()));
            },
            true,
            true};
  }
  if (name == "count_tumbling") {
    return count_assigner(reader.integer(1), reader.integer(1));
  }
  if (name == "count_sliding") {
    return count_assigner(reader.integer(1), reader.integer(2));
  }
  if (name == "global") {
    return native_assigner([] { return make_global_windows(); });
  }
  if (name == "python") {
    auto assigner = shared_handle(reader.item(1));
    const bool merging = has_attribute(assigner->get(), "merge_windows");
    return {[=](const OperatorScopePtr& scope) {
              return make_python_window_assigner(assigner->get(), scope);
            },
            true,
            merging};
  }
  reader.unknown();
}

TriggerSpec parse_trigger(PyObject* spec) {
  const SpecReader reader(spec, "trigger");
  const std::string& name = reader.name();
  if (name == "event_time") {
    return {[](const OperatorScopePtr&) { return make_event_time_trigger(); }, false};
  }
  if (name == "processing_time") {
    return {[](const OperatorScopePtr&) { return make_processing_time_trigger(); }, false};
  }
  if (name == "continuous_event_time") {
    const auto interval = reader.integer(1);
    return {[=](const OperatorScopePtr&) { return make_continuous_event_time_trigger(interval); },
            false};
  }
  if (name == "continuous_processing_time") {
    const auto interval = reader.integer(1);
    return {
        [=](const OperatorScopePtr&) { return make_continuous_processing_time_trigger(interval); },
        false};
  }
  if (name == "count") {
    const auto count = reader.integer(1);
    return {[=](const OperatorScopePtr&) { return make_count_trigger(count); }, false};
  }
  if (name == "purging") {
    TriggerSpec nested = parse_trigger(reader.item(1));
    const bool is_python = nested.is_python;
    return {[nested = std::move(nested)](const OperatorScopePtr& scope) {
              return make_purging_trigger(nested.make(scope));
            },
            is_python};
  }
  if (name == "never") {
    return {[](const OperatorScopePtr&) { return make_never_trigger(); }, false};
  }
  if (name == "python") {
    auto trigger = shared_handle(reader.item(1));
    return {
        [=](const OperatorScopePtr& scope) { return make_python_trigger(trigger->get(), scope); },
        true};
  }
  reader.unknown();
}

EvictorSpec parse_evictor(PyObject* spec_or_null) {
  if (spec_or_null == nullptr) {
    return {};
  }
  const SpecReader reader(spec_or_null, "evictor");
  if (reader.name() == "count") {
    const auto count = reader.integer(1);
    const bool after = reader.boolean(2);
    return {[=] { return make_count_evictor(count, after); }, false};
  }
  if (reader.name() == "time") {
    const auto size = reader.integer(1);
    const bool after = reader.boolean(2);
    return {[=] { return make_time_evictor(size, after); }, false};
  }
  if (reader.name() == "python") {
    auto evictor = shared_handle(reader.item(1));
    return {[=] { return make_python_evictor(evictor->get()); }, true};
  }
  reader.unknown();
}

/// The group of that name in one job; the job is known by its parameters, which its nodes share.
std::shared_ptr<WatermarkAlignment> alignment_of(const std::shared_ptr<const JobParameters>& job,
                                                 const std::string& group,
                                                 std::int64_t max_drift_ms,
                                                 std::int64_t update_interval_ms) {
  struct Group {
    std::weak_ptr<const JobParameters> job;
    std::weak_ptr<WatermarkAlignment> alignment;
  };
  static std::mutex mutex;
  static auto* const groups = new std::map<std::pair<const void*, std::string>, Group>;
  const std::lock_guard lock(mutex);
  std::erase_if(*groups, [](const auto& entry) { return entry.second.alignment.expired(); });
  Group& found = (*groups)[{job.get(), group}];
  std::shared_ptr<WatermarkAlignment> alignment = found.alignment.lock();
  if (!alignment || found.job.lock() != job) {
    alignment = std::make_shared<WatermarkAlignment>(max_drift_ms, update_interval_ms);
    found = {job, alignment};
  }
  return alignment;
}

WatermarkSpec parse_watermarks(PyObject* spec_or_null, const FunctionSpec& base) {
  WatermarkSpec out;
  if (spec_or_null == nullptr) {
    return out;
  }
  if (!PyTuple_Check(spec_or_null) ||
      (PyTuple_GET_SIZE(spec_or_null) != 3 && PyTuple_GET_SIZE(spec_or_null) != 4)) {
    throw_error(ErrorKind::kInvalidArgument,
                "watermarks must be (generator, assigner, idle_timeout_ms[, alignment]), not {}",
                short_repr(spec_or_null));
  }
  if (PyObject* generator = PyTuple_GET_ITEM(spec_or_null, 0); generator != Py_None) {
    const SpecReader reader(generator, "watermark generator");
    if (reader.name() == "monotonous") {
      out.strategy.make_generator = [] { return make_monotonous_watermarks(); };
    } else if (reader.name() == "bounded") {
      const auto delay = reader.integer(1);
      make_bounded_out_of_orderness_watermarks(delay);
      out.strategy.make_generator = [=] { return make_bounded_out_of_orderness_watermarks(delay); };
    } else if (reader.name() == "none") {
      out.strategy.make_generator = [] { return make_no_watermarks(); };
    } else if (reader.name() == "python") {
      auto supplier = shared_handle(reader.item(1));
      out.uses_host = true;
      out.strategy.make_generator = [=] {
        const HostScope host;
        return make_python_watermark_generator(supplier->get());
      };
    } else {
      reader.unknown();
    }
  }
  PyObject* const assigner = PyTuple_GET_ITEM(spec_or_null, 1);
  if (PyLong_Check(assigner)) {
    const auto field = static_cast<int>(int_of(assigner, "the field of the timestamp"));
    out.strategy.make_assigner = [=] { return make_field_timestamp_assigner(field); };
  } else if (assigner != Py_None) {
    auto spec = std::make_shared<FunctionSpec>();
    spec->function = Handle::borrow(assigner);
    spec->operator_name = base.operator_name;
    spec->parallelism = base.parallelism;
    spec->job_parameters = base.job_parameters;
    out.uses_host = true;
    out.strategy.make_assigner = [spec] {
      const HostScope host;
      return make_timestamp_assigner(*spec);
    };
  }
  if (PyObject* idle = PyTuple_GET_ITEM(spec_or_null, 2); idle != Py_None) {
    out.strategy.idle_timeout_ms = int_of(idle, "the idle time-out (ms)");
  }
  if (PyTuple_GET_SIZE(spec_or_null) == 4) {
    const SpecReader reader(PyTuple_GET_ITEM(spec_or_null, 3), "watermark alignment");
    out.strategy.alignment =
        alignment_of(base.job_parameters, reader.name(), reader.integer(1), reader.integer(2));
  }
  return out;
}

std::vector<FieldAggregate> parse_field_aggregates(PyObject* spec) {
  using How = FieldAggregate::How;
  std::vector<FieldAggregate> out;
  const Ref items = checked(PySequence_Fast(spec, "'fields' must be a sequence"));
  for (Py_ssize_t i = 0; i < PySequence_Fast_GET_SIZE(items.get()); ++i) {
    const SpecReader reader(PySequence_Fast_GET_ITEM(items.get(), i), "field aggregate");
    FieldAggregate aggregate;
    bool known = false;
    for (const How how : {How::kFirst, How::kCount, How::kSum, How::kMin, How::kMax, How::kAvg}) {
      if (reader.name() == name_of(how)) {
        aggregate.how = how;
        known = true;
      }
    }
    if (!known) {
      reader.unknown();
    }
    aggregate.field = static_cast<int>(reader.integer(1));
    out.push_back(aggregate);
  }
  return out;
}

FieldCondition parse_condition(PyObject* spec) {
  using Kind = FieldCondition::Kind;
  const SpecReader reader(spec, "condition");
  const std::string& name = reader.name();
  FieldCondition out;
  const auto field = [&](Py_ssize_t index) { return static_cast<int>(reader.integer(index)); };
  if (name == "and" || name == "or") {
    out.kind = name == "and" ? Kind::kAnd : Kind::kOr;
    out.children.push_back(parse_condition(reader.item(1)));
    out.children.push_back(parse_condition(reader.item(2)));
  } else if (name == "not") {
    out.kind = Kind::kNot;
    out.children.push_back(parse_condition(reader.item(1)));
  } else if (name == "is_null" || name == "is_true") {
    out.kind = name == "is_null" ? Kind::kIsNull : Kind::kIsTrue;
    out.field = field(1);
  } else if (name == "is_in") {
    out.kind = Kind::kIsIn;
    out.field = field(1);
    const Ref items = checked(PySequence_Fast(reader.item(2), "is_in takes a sequence"));
    for (Py_ssize_t i = 0; i < PySequence_Fast_GET_SIZE(items.get()); ++i) {
      out.values.push_back(constant_of(PySequence_Fast_GET_ITEM(items.get(), i)));
    }
  } else if (name == "compare") {
    out.kind = Kind::kCompare;
    out.comparison = comparison_of(reader, 1);
    out.field = field(2);
    out.values.push_back(constant_of(reader.item(3)));
  } else if (name == "compare_fields") {
    out.kind = Kind::kCompare;
    out.comparison = comparison_of(reader, 1);
    out.field = field(2);
    out.other_field = field(3);
  } else {
    reader.unknown();
  }
  return out;
}

}  // namespace flott::bindings
