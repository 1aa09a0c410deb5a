#include "bindings/graph.h"

#include "base/error.h"
#include "bindings/convert.h"
#include "bindings/errors.h"
#include "bindings/functions/process_function.h"
#include "bindings/functions/projection.h"
#include "bindings/functions/python_aggregation.h"
#include "bindings/functions/simple_functions.h"
#include "bindings/functions/window_functions.h"
#include "bindings/harness/capture_sink.h"
#include "bindings/harness/operator_probe.h"
#include "bindings/harness/script_source.h"
#include "bindings/io/async_wait.h"
#include "bindings/io/collect_sink.h"
#include "bindings/io/collection_source.h"
#include "bindings/io/connector_nodes.h"
#include "bindings/io/python_sinks.h"
#include "bindings/io/python_source.h"
#include "bindings/native_types.h"
#include "bindings/node_params.h"
#include "bindings/specs.h"
#include "bindings/state_objects.h"
#include "connectors/registry.h"
#include "connectors/sink_operator.h"
#include "operators/aggregation_operator.h"
#include "operators/co_flat_map_operator.h"
#include "operators/convert_operator.h"
#include "operators/discard_operator.h"
#include "operators/field_condition.h"
#include "operators/filter_operator.h"
#include "operators/flat_map_operator.h"
#include "operators/key_by_operator.h"
#include "operators/map_operator.h"
#include "operators/process_operator.h"
#include "operators/project_operator.h"
#include "operators/reduce_operator.h"
#include "operators/timestamps_and_watermarks_operator.h"
#include "windows/window_operator.h"

#include <algorithm>
#include <functional>
#include <string>
#include <utility>

namespace flott::bindings {
namespace {

/// One StreamGraph.add() in the making.
struct Draft {
  const NodeRequest& request;
  NodeParams params;
  std::shared_ptr<const JobParameters> job_parameters;
  StreamGraph& graph;
  /// By side output, kMainOutput among them: whether its results leave Python.
  std::map<SideOutputId, std::shared_ptr<bool>> leaves_python;
  StreamNode node;

  std::shared_ptr<const SideOutputs> tags() {
    auto sides = params.tags();
    if (sides != nullptr) {
      for (const auto& [tag, side] : *sides) {
        leaves_python[side.id] = side.leaves_python;
      }
    }
    return sides;
  }
  /// The function of `param` with what its subtasks share.
  FunctionSpecPtr function(const char* param) const { return spec_of(params.get(param)); }
  FunctionSpecPtr optional_function(const char* param) const {
    PyObject* object = params.find(param);
    return object == nullptr ? nullptr : spec_of(object);
  }
  FunctionSpecPtr spec_of(PyObject* object) const {
    auto spec = std::make_shared<FunctionSpec>();
    spec->function = Handle::borrow(object);
    spec->operator_name = request.name;
    spec->parallelism = request.parallelism;
    spec->output_type = request.output_type;
    spec->job_parameters = job_parameters;
    spec->leaves_python = leaves_python.at(kMainOutput);
    return spec;
  }

  /// Every record that arrives is a native value: typed, and nothing of Python's before it.
  bool input_is_native() const {
    for (const StreamEdge& edge : node.inputs) {
      const StreamNode& from = graph.nodes()[static_cast<std::size_t>(edge.source_node)];
      if (from.uses_host || edge.side >= 0 || !from.output_type->is_native()) {
        return false;
      }
    }
    return true;
  }

  /// A Python operator: `make` runs once a subtask with the GIL held.
  template <typename Make>
  void host_operator(Make make) {
    node.uses_host = true;
    node.make_operator = [make = std::move(make)](int subtask) -> std::unique_ptr<Operator> {
      const HostScope host;
      return make(subtask);
    };
  }
};

/// Fails at the user's line if the function is neither an object with `method` nor callable.
void require_method(const FunctionSpec& spec, const char* method) {
  if (!has_attribute(spec.function.get(), method) && PyCallable_Check(spec.function.get()) == 0) {
    const std::string message =
        fmt::format("'{}' needs an object with {}() or a callable, not {} ({})",
                    spec.operator_name,
                    method,
                    short_repr(spec.function.get()),
                    type_name_of(spec.function.get()));
    PyErr_SetString(PyExc_TypeError, message.c_str());
    throw_python_error();
  }
}

void require_methods(const FunctionSpec& spec, std::initializer_list<const char*> methods) {
  for (const char* method : methods) {
    if (!has_attribute(spec.function.get(), method)) {
      const std::string message = fmt::format("'{}' needs an object with {}(), not {} ({})",
                                              spec.operator_name,
                                              method,
                                              short_repr(spec.function.get()),
                                              type_name_of(spec.function.get()));
      PyErr_SetString(PyExc_TypeError, message.c_str());
      throw_python_error();
    }
  }
}

// --- sources

void add_collection(Draft& draft) {
  draft.node.source = make_collection_source(
      draft.params.get("values"), draft.params.type("type"), draft.params.find("mend"));
  draft.node.output_type = draft.node.source->produced_type();
  draft.node.uses_host = draft.node.source->uses_host();
}

void use_watermarks(Draft& draft, WatermarkSpec watermarks) {
  draft.node.watermarks = std::move(watermarks.strategy);
  draft.node.uses_host = draft.node.uses_host || watermarks.uses_host;
}

WatermarkSpec watermarks_of(const Draft& draft) {
  FunctionSpec base;
  base.operator_name = draft.request.name;
  base.parallelism = draft.request.parallelism;
  base.job_parameters = draft.job_parameters;
  return parse_watermarks(draft.params.find("watermarks"), base);
}

void add_source(Draft& draft) {
  const std::string connector = draft.params.text("connector");
  Options options = draft.params.options("options");
  if (connector == "sequence" && options.values().count("splits") == 0) {
    // A split a subtask, as upstream: one that waits for its turn would hold back the watermark.
    options.set("splits", std::to_string(std::max(1, draft.request.parallelism)));
  }
  draft.node.source = ConnectorRegistry::instance().make_source(
      connector,
      options,
      draft.request.output_type != nullptr ? draft.request.output_type : LogicalType::object());
  draft.node.output_type = draft.node.source->produced_type();
  draft.node.uses_host = draft.node.source->uses_host();
  use_watermarks(draft, watermarks_of(draft));
}

void add_python_source(Draft& draft) {
  if (draft.request.parallelism != 1) {
    throw_error(ErrorKind::kInvalidArgument,
                "the Python source '{}' runs at parallelism 1, not {}: rebalance() after it to use "
                "more subtasks",
                draft.request.name,
                draft.request.parallelism);
  }
  const FunctionSpecPtr spec = draft.function("function");
  require_methods(*spec, {"run"});
  const auto source = make_python_source(spec, draft.request.output_type);
  draft.node.source = as_source(source);
  draft.node.output_type = draft.node.source->produced_type();
  draft.node.uses_host = true;
  use_watermarks(draft, watermarks_of(draft));
  if (!draft.node.watermarks.make_generator) {
    draft.node.watermarks.make_generator = [source] { return make_source_watermarks(source); };
  }
}

// --- functions

void add_map(Draft& draft) {
  const FunctionSpecPtr spec = draft.function("function");
  require_method(*spec, "map");
  draft.host_operator([spec](int) { return make_map_operator(make_map_function(*spec)); });
}

void add_filter(Draft& draft) {
  const FunctionSpecPtr spec = draft.function("function");
  require_method(*spec, "filter");
  PyObject* condition = draft.params.find("condition");
  if (condition != nullptr && draft.input_is_native()) {
    draft.node.granularity = Granularity::kBatch;
    draft.node.make_operator = [parsed = parse_condition(condition)](int) {
      return make_field_filter_operator(parsed);
    };
    return;
  }
  draft.host_operator([spec](int) { return make_filter_operator(make_filter_function(*spec)); });
}

void add_project(Draft& draft) {
  std::vector<int> fields;
  const Ref items =
      checked(PySequence_Fast(draft.params.get("fields"), "'fields' must be a list of indexes"));
  for (Py_ssize_t i = 0; i < PySequence_Fast_GET_SIZE(items.get()); ++i) {
    fields.push_back(
        static_cast<int>(int_of(PySequence_Fast_GET_ITEM(items.get(), i), "a projected field")));
  }
  const LogicalTypePtr type = draft.node.output_type;
  if (draft.input_is_native() && type->is_native()) {
    draft.node.granularity = Granularity::kBatch;
    draft.node.make_operator = [fields, type](int) { return make_project_operator(fields, type); };
    return;
  }
  draft.host_operator(
      [fields, type](int) { return make_map_operator(make_projection(fields, type)); });
}

void add_flat_map(Draft& draft) {
  const FunctionSpecPtr spec = draft.function("function");
  require_method(*spec, "flat_map");
  auto tags = draft.tags();
  draft.host_operator(
      [spec, tags](int) { return make_flat_map_operator(make_flat_map_function(*spec, tags)); });
}

void add_co_map(Draft& draft) {
  const FunctionSpecPtr spec = draft.function("function");
  require_methods(*spec, {"map1", "map2"});
  draft.host_operator(
      [spec](int) { return make_co_flat_map_operator(make_co_map_function(*spec)); });
}

void add_co_flat_map(Draft& draft) {
  const FunctionSpecPtr spec = draft.function("function");
  require_methods(*spec, {"flat_map1", "flat_map2"});
  auto tags = draft.tags();
  draft.host_operator([spec, tags](int) {
    return make_co_flat_map_operator(make_co_flat_map_function(*spec, tags));
  });
}

void add_process_kind(Draft& draft, ProcessKind kind) {
  const FunctionSpecPtr spec = draft.function("function");
  auto tags = draft.tags();
  draft.host_operator([spec, kind, tags](int) {
    return make_process_operator(make_process_function(*spec, kind, tags, nullptr));
  });
}

void add_process(Draft& draft) {
  require_method(*draft.function("function"), "process_element");
  add_process_kind(draft, ProcessKind::kOneInput);
}

void add_co_process(Draft& draft) {
  require_methods(*draft.function("function"), {"process_element1", "process_element2"});
  add_process_kind(draft, ProcessKind::kTwoInputs);
}

void add_broadcast_process(Draft& draft) {
  const FunctionSpecPtr spec = draft.function("function");
  require_methods(*spec, {"process_element", "process_broadcast_element"});
  auto tags = draft.tags();
  std::shared_ptr<OperatorProbe> probe;
  if (PyObject* given = draft.params.find("probe"); given != nullptr) {
    probe = operator_probe_or_null(given);
  }
  std::map<std::string, StateDescriptor> descriptors;
  const Ref items =
      checked(PySequence_Fast(draft.params.get("descriptors"), "'descriptors' must be a list"));
  for (Py_ssize_t i = 0; i < PySequence_Fast_GET_SIZE(items.get()); ++i) {
    StateDescriptor descriptor = descriptor_of(PySequence_Fast_GET_ITEM(items.get(), i));
    const std::string name = descriptor.name;
    descriptors.emplace(name, std::move(descriptor));
  }
  draft.node.first_input = 1;
  draft.host_operator([spec, tags, descriptors, probe](int) {
    auto states = std::make_shared<BroadcastStates>(descriptors);
    if (probe != nullptr) {
      probe->watch_broadcast(states);
    }
    return with_broadcast_state(
        make_process_operator(make_process_function(*spec, ProcessKind::kBroadcast, tags, states)),
        states);
  });
}

/// A script is a source of its items and, behind it, the operator that plays them. The two are not
/// chained to what follows: a failure there then shows the record, not the script's item.
void add_script(Draft& draft) {
  const std::shared_ptr<Script> script = script_or_null(draft.params.get("script"));
  if (script == nullptr) {
    throw_error(ErrorKind::kInvalidArgument,
                "'script' of node '{}' must be a Script, not {}",
                draft.request.name,
                short_repr(draft.params.get("script")));
  }
  StreamNode source;
  source.name = draft.request.name + " script";
  source.uid = draft.request.uid.empty() ? "" : draft.request.uid + "-script";
  source.parallelism = 1;
  source.max_parallelism = draft.request.max_parallelism;
  source.source = make_script_source(script, draft.params.boolean("resume", true));
  source.output_type = LogicalType::object();
  source.uses_host = true;
  StreamEdge edge;
  edge.source_node = draft.graph.add(std::move(source));
  edge.partitioner.strategy = PartitionStrategy::kForward;
  draft.node.inputs.push_back(std::move(edge));
  draft.node.output_type = script->type != nullptr ? script->type : LogicalType::object();
  draft.node.chaining = ChainingStrategy::kNever;
  draft.host_operator([](int) { return make_script_player(); });
}

void add_capture(Draft& draft) {
  const std::shared_ptr<CaptureLog> log = capture_log_or_null(draft.params.get("log"));
  if (log == nullptr) {
    throw_error(ErrorKind::kInvalidArgument,
                "'log' of node '{}' must be a CaptureLog, not {}",
                draft.request.name,
                short_repr(draft.params.get("log")));
  }
  draft.host_operator([log](int) { return make_capture_sink(log); });
}

/// Tests look into the node's operators through the probe they gave as `probe`.
void attach_probe(Draft& draft) {
  PyObject* given = draft.params.find("probe");
  if (given == nullptr || draft.node.make_operator == nullptr) {
    return;
  }
  const std::shared_ptr<OperatorProbe> probe = operator_probe_or_null(given);
  if (probe == nullptr) {
    throw_error(ErrorKind::kInvalidArgument,
                "'probe' of node '{}' must be an OperatorProbe, not {}",
                draft.request.name,
                short_repr(given));
  }
  draft.host_operator([probe, make = draft.node.make_operator](int subtask) {
    return with_probe(make(subtask), probe);
  });
}

void add_key_by(Draft& draft) {
  const auto field = static_cast<int>(draft.params.integer("field", -1));
  const LogicalTypePtr key_type = draft.params.type("key_type");
  if (draft.params.boolean("constant", false)) {
    draft.node.make_operator = [native = draft.input_is_native()](int) {
      return make_key_by_operator(make_constant_key_selector(native));
    };
    return;
  }
  if (field >= 0 && draft.input_is_native()) {
    draft.node.make_operator = [field](int) {
      return make_key_by_operator(make_field_key_selector(field));
    };
    return;
  }
  const FunctionSpecPtr spec =
      field >= 0 ? draft.optional_function("function") : draft.function("function");
  if (field < 0) {
    require_method(*spec, "get_key");
  }
  draft.host_operator([spec, key_type, field](int) {
    const FunctionSpec none;
    return make_key_by_operator(make_key_selector(spec == nullptr ? none : *spec, key_type, field));
  });
}

void add_reduce(Draft& draft) {
  const FunctionSpecPtr spec = draft.function("function");
  require_method(*spec, "reduce");
  const LogicalTypePtr type = draft.node.output_type;
  draft.host_operator([spec, type](int) {
    ReduceParts parts = make_reduce_function(*spec);
    return make_reduce_operator(parts.function, parts.life_cycle, type);
  });
}

Aggregation aggregation_of(const std::string& how) {
  constexpr std::pair<const char*, Aggregation> kNames[] = {{"sum", Aggregation::kSum},
                                                            {"min", Aggregation::kMin},
                                                            {"max", Aggregation::kMax},
                                                            {"min_by", Aggregation::kMinBy},
                                                            {"max_by", Aggregation::kMaxBy}};
  for (const auto& [name, aggregation] : kNames) {
    if (how == name) {
      return aggregation;
    }
  }
  throw_error(ErrorKind::kInvalidArgument,
              "unknown aggregation '{}'; sum, min, max, min_by and max_by are known",
              how);
}

void add_aggregation(Draft& draft) {
  const Aggregation how = aggregation_of(draft.params.text("how"));
  PyObject* position = draft.params.find("field");
  const FieldSelector field =
      position != nullptr && PyUnicode_Check(position)
          ? FieldSelector::named(text_of(position, "field"))
          : FieldSelector::at(static_cast<int>(draft.params.integer("field", 0)));
  const LogicalTypePtr type = draft.node.output_type;
  if (draft.input_is_native() && type->is_native()) {
    draft.node.make_operator = [how, field, type](int) {
      return make_aggregation_operator(how, field, type);
    };
    return;
  }
  draft.host_operator([how, field, type](int) {
    ReduceParts parts = make_python_aggregation(how, field, type);
    return make_reduce_operator(parts.function, parts.life_cycle, type);
  });
}

void add_timestamps(Draft& draft) {
  WatermarkSpec watermarks = watermarks_of(draft);
  draft.host_operator([strategy = std::move(watermarks.strategy)](int) {
    TimestampsAndWatermarksOptions options;
    if (strategy.make_assigner) {
      options.assigner = strategy.make_assigner();
    }
    if (strategy.make_generator) {
      options.generator = strategy.make_generator();
    }
    options.idle_timeout_ms = strategy.idle_timeout_ms;
    return make_timestamps_and_watermarks_operator(std::move(options));
  });
}

// --- windows

/// A FieldAggregates function that runs without Python, as far as its records allow.
struct NativeAggregate {
  std::vector<FieldAggregate> fields;  ///< empty: none
  LogicalTypePtr result_type;
  LogicalTypePtr accumulator_type;
};

NativeAggregate native_aggregate_of(const Draft& draft, const LogicalTypePtr& element_type) {
  NativeAggregate out;
  PyObject* spec = draft.params.find("fields");
  const LogicalTypePtr result_type = draft.params.type("fields_type");
  if (spec == nullptr || result_type == nullptr || element_type == nullptr ||
      !element_type->is_composite() || !element_type->is_native()) {
    return out;
  }
  std::vector<FieldAggregate> fields = parse_field_aggregates(spec);
  const auto taken = [&](const FieldAggregate& a) {
    return a.field < 0 ||
           takes_field_type(a.how, *element_type->children()[static_cast<std::size_t>(a.field)]);
  };
  if (std::all_of(fields.begin(), fields.end(), taken)) {
    out.accumulator_type = field_accumulator_type(*element_type, fields);
    out.result_type = result_type;
    out.fields = std::move(fields);
  }
  return out;
}

void add_window(Draft& draft) {
  const AssignerSpec assigner = parse_assigner(draft.params.get("assigner"));
  const TriggerSpec trigger = parse_trigger(draft.params.get("trigger"));
  const EvictorSpec evictor = parse_evictor(draft.params.find("evictor"));
  const FunctionSpecPtr reduce = draft.optional_function("reduce");
  const FunctionSpecPtr aggregate = draft.optional_function("aggregate");
  const FunctionSpecPtr function = draft.optional_function("function");
  const std::string kind = draft.params.text("function_kind", "none");
  if (kind != "process" && kind != "apply" && kind != "none") {
    throw_error(ErrorKind::kInvalidArgument,
                "the function_kind of window '{}' is process, apply or none, not '{}'",
                draft.request.name,
                kind);
  }
  if ((reduce != nullptr) + (aggregate != nullptr) > 1 ||
      (reduce == nullptr && aggregate == nullptr && function == nullptr)) {
    throw_error(ErrorKind::kInvalidArgument,
                "window '{}' needs a reduce, aggregate, process or apply function",
                draft.request.name);
  }
  WindowCall how;
  how.apply = kind == "apply";
  how.all = draft.params.boolean("all", false);
  how.merging = assigner.is_merging;
  const auto lateness_ms = draft.params.integer("lateness_ms", 0);
  if (lateness_ms < 0) {
    throw_error(ErrorKind::kInvalidArgument,
                "the allowed lateness of window '{}' must not be negative: {} ms",
                draft.request.name,
                lateness_ms);
  }
  const auto late_tag = static_cast<SideOutputId>(draft.params.integer("late_tag", -1));
  const auto tags = draft.tags();
  const LogicalTypePtr element_type = draft.params.type("element_type");
  const NativeAggregate native = native_aggregate_of(draft, element_type);
  const bool aggregates_natively = aggregate != nullptr && !native.fields.empty();
  const LogicalTypePtr accumulator_type =
      aggregates_natively ? native.accumulator_type : draft.params.type("accumulator_type");
  const bool has_function = function != nullptr;
  const bool needs_scope = assigner.is_python || assigner.needs_scope || trigger.is_python;
  const auto object_type = LogicalType::object();
  // What a reduce gives, or an aggregate with a window function behind it, is not yet the output.
  auto incremental = [&](const FunctionSpecPtr& spec, const LogicalTypePtr& type) {
    if (spec == nullptr) {
      return FunctionSpecPtr();
    }
    auto copy = std::make_shared<FunctionSpec>();
    copy->function = Handle::borrow(spec->function.get());
    copy->operator_name = spec->operator_name;
    copy->parallelism = spec->parallelism;
    copy->output_type = type;
    copy->job_parameters = spec->job_parameters;
    copy->leaves_python = has_function || spec == reduce ? nullptr : spec->leaves_python;
    return FunctionSpecPtr(copy);
  };
  const FunctionSpecPtr reduce_spec = incremental(reduce, element_type);
  const FunctionSpecPtr aggregate_spec =
      incremental(aggregate, has_function ? nullptr : draft.request.output_type);

  const bool records_are_native = draft.input_is_native();
  const bool needs_host = !aggregates_natively || !records_are_native || has_function ||
                          needs_scope || assigner.is_python || trigger.is_python ||
                          evictor.is_python;

  auto make = [=](int) {
    auto scope = std::make_shared<OperatorScope>();
    WindowOperatorOptions options;
    options.takes_batches = !needs_host;
    options.takes_host_values = !records_are_native;
    options.assigner = assigner.make(scope);
    options.trigger = trigger.make(scope);
    if (evictor.make) {
      options.evictor = evictor.make();
    }
    if (reduce_spec != nullptr) {
      ReduceParts parts = make_reduce_function(*reduce_spec);
      options.reduce = parts.function;
      options.reduce_life_cycle = parts.life_cycle;
    }
    if (aggregates_natively) {
      options.aggregate = make_field_aggregates(element_type, native.fields, native.result_type);
    } else if (aggregate_spec != nullptr) {
      AggregateParts parts = make_aggregate_function(*aggregate_spec, accumulator_type);
      options.aggregate = parts.function;
      options.reduce_life_cycle = parts.life_cycle;
    }
    if (has_function) {
      options.function = make_window_function(*function, how, tags);
    }
    options.allowed_lateness_ms = lateness_ms;
    options.late_output = late_tag;
    options.element_type = element_type != nullptr ? element_type : object_type;
    options.accumulator_type = accumulator_type != nullptr ? accumulator_type : object_type;
    std::unique_ptr<Operator> made = make_window_operator(std::move(options));
    return needs_scope ? with_operator_scope(std::move(made), std::move(scope)) : std::move(made);
  };
  if (needs_host) {
    draft.host_operator(std::move(make));
    return;
  }
  draft.node.granularity = Granularity::kBatch;
  draft.node.make_operator = std::move(make);
}

// --- conversions and sinks

void add_convert(Draft& draft) {
  const LogicalTypePtr type = draft.node.output_type;
  const LogicalTypePtr source =
      draft.node.inputs.empty()
          ? LogicalType::object()
          : draft.graph.nodes()[static_cast<std::size_t>(draft.node.inputs[0].source_node)]
                .output_type;
  if (draft.input_is_native() && type->is_native()) {
    draft.node.make_operator = [type, source](int) { return make_convert_operator(type, source); };
    return;
  }
  draft.host_operator([type, source](int) { return make_convert_operator(type, source); });
}

void add_sink(Draft& draft) {
  const LogicalTypePtr stream_type = input_type_of(draft.graph, draft.node);
  std::shared_ptr<Sink> sink = ConnectorRegistry::instance().make_sink(
      draft.params.text("connector"), draft.params.options("options"), stream_type);
  convert_input_to(draft.graph, draft.node, sink->input_type());
  draft.node.granularity = Granularity::kBatch;
  draft.node.uses_host = !sink->input_type()->is_native();
  draft.node.make_operator = make_sink_operator(std::move(sink));
}

void add_discard(Draft& draft) {
  draft.node.make_operator = [](int) { return make_discard_operator(); };
}

void add_print(Draft& draft) {
  const std::string identifier = draft.params.text("identifier", "");
  const bool to_stderr = draft.params.boolean("to_stderr", false);
  const int parallelism = draft.request.parallelism;
  const LogicalTypePtr type = input_type_of(draft.graph, draft.node);
  draft.host_operator([=](int subtask) {
    return make_print_sink(print_prefix(identifier, subtask, parallelism), to_stderr, type);
  });
}

void add_collect(Draft& draft) {
  auto queue = collect_state_or_null(draft.params.get("queue"));
  if (queue == nullptr) {
    throw_error(ErrorKind::kInvalidArgument,
                "'queue' of node '{}' must be a CollectQueue, not {}",
                draft.request.name,
                short_repr(draft.params.get("queue")));
  }
  draft.host_operator([queue](int) { return make_collect_sink(queue); });
}

void add_async_wait(Draft& draft) {
  const FunctionSpecPtr spec = draft.function("function");
  const std::int64_t capacity = draft.params.integer("capacity", 100);
  draft.host_operator([spec, capacity](int) { return make_async_wait_operator(*spec, capacity); });
}

void add_python_sink(Draft& draft) {
  const FunctionSpecPtr spec = draft.function("function");
  require_method(*spec, "invoke");
  draft.host_operator([spec](int) { return make_python_sink(*spec); });
}

void add_connector_node(Draft& draft, const char* kind) {
  ConnectorNode made =
      make_connector_node(kind, draft.params, draft.request, draft.graph, draft.node);
  draft.node.output_type = made.output_type;
  draft.node.granularity = made.granularity;
  draft.node.uses_host = made.uses_host;
  draft.node.make_operator = std::move(made.make_operator);
}

struct Kind {
  const char* name;
  int inputs;  ///< 0: a source; 1; 2: two different inputs; any number of edges to each
  void (*add)(Draft& draft);
};

constexpr Kind kKinds[] = {
    {"collection", 0, add_collection},
    {"source", 0, add_source},
    {"python_source", 0, add_python_source},
    {"script", 0, add_script},
    {"map", 1, add_map},
    {"filter", 1, add_filter},
    {"project", 1, add_project},
    {"async_wait", 1, add_async_wait},
    {"flat_map", 1, add_flat_map},
    {"co_map", 2, add_co_map},
    {"co_flat_map", 2, add_co_flat_map},
    {"process", 1, add_process},
    {"co_process", 2, add_co_process},
    {"broadcast_process", 2, add_broadcast_process},
    {"key_by", 1, add_key_by},
    {"reduce", 1, add_reduce},
    {"aggregation", 1, add_aggregation},
    {"timestamps", 1, add_timestamps},
    {"window", 1, add_window},
    {"convert", 1, add_convert},
    {"json_encode", 1, [](Draft& draft) { add_connector_node(draft, "json_encode"); }},
    {"kafka_serializer", 1, [](Draft& draft) { add_connector_node(draft, "kafka_serializer"); }},
    {"elasticsearch_emitter",
     1,
     [](Draft& draft) { add_connector_node(draft, "elasticsearch_emitter"); }},
    {"sink", 1, add_sink},
    {"discard", 1, add_discard},
    {"print", 1, add_print},
    {"collect", 1, add_collect},
    {"capture", 1, add_capture},
    {"python_sink", 1, add_python_sink},
};

/// Kinds that upstream gives values by their type's serializer, not as Python objects.
bool takes_results_out(const std::string& kind) {
  constexpr const char* kTaking[] = {"print",
                                     "collect",
                                     "convert",
                                     "json_encode",
                                     "kafka_serializer",
                                     "elasticsearch_emitter",
                                     "sink"};
  return std::find(std::begin(kTaking), std::end(kTaking), kind) != std::end(kTaking);
}

const Kind& kind_of(const std::string& name) {
  std::string known;
  for (const Kind& kind : kKinds) {
    if (name == kind.name) {
      return kind;
    }
    known += known.empty() ? "" : ", ";
    known += kind.name;
  }
  throw_error(ErrorKind::kInvalidArgument, "unknown node kind '{}'; known are {}", name, known);
}

ChainingStrategy chaining_of(const std::string& name) {
  if (name == "always") {
    return ChainingStrategy::kAlways;
  }
  if (name == "head") {
    return ChainingStrategy::kHead;
  }
  if (name == "never") {
    return ChainingStrategy::kNever;
  }
  throw_error(ErrorKind::kInvalidArgument, "chaining is always, head or never, not '{}'", name);
}

PartitionStrategy strategy_of(const std::string& name) {
  constexpr std::pair<const char*, PartitionStrategy> kNames[] = {
      {"forward", PartitionStrategy::kForward},
      {"rebalance", PartitionStrategy::kRebalance},
      {"rescale", PartitionStrategy::kRescale},
      {"shuffle", PartitionStrategy::kShuffle},
      {"global", PartitionStrategy::kGlobal},
      {"broadcast", PartitionStrategy::kBroadcast},
      {"hash", PartitionStrategy::kHash},
      {"custom", PartitionStrategy::kCustom}};
  for (const auto& [known, strategy] : kNames) {
    if (name == known) {
      return strategy;
    }
  }
  throw_error(ErrorKind::kInvalidArgument,
              "unknown partitioner '{}'; forward, rebalance, rescale, shuffle, global, broadcast, "
              "hash and custom are known",
              name);
}

StreamEdge stream_edge(const EdgeSpecPtr& edge) {
  StreamEdge out;
  out.source_node = edge->node;
  out.input = edge->input;
  out.side = edge->side;
  out.partitioner.strategy = edge->strategy;
  if (edge->strategy == PartitionStrategy::kCustom) {
    out.partitioner.make_custom = [edge] {
      const HostScope host;
      return make_custom_partitioner(edge->partitioner.get(), edge->key_selector.get());
    };
  }
  return out;
}

}  // namespace

EdgeSpecPtr make_edge(int node,
                      const std::string& partitioner,
                      int input,
                      int side,
                      PyObject* custom,
                      PyObject* key_selector) {
  auto edge = std::make_shared<EdgeSpec>();
  edge->node = node;
  edge->strategy = strategy_of(partitioner);
  if (input != 0 && input != 1) {
    throw_error(ErrorKind::kInvalidArgument, "an edge goes to input 0 or 1, not {}", input);
  }
  edge->input = input;
  edge->side = side;
  if (edge->strategy == PartitionStrategy::kCustom) {
    if (custom == Py_None) {
      throw_error(ErrorKind::kInvalidArgument,
                  "a custom edge needs `custom`: a Partitioner or a callable(key, n)");
    }
    edge->partitioner = Handle::borrow(custom);
    if (key_selector != Py_None) {
      edge->key_selector = Handle::borrow(key_selector);
    }
  }
  return edge;
}

int GraphBuilder::add(const std::string& kind_name, NodeRequest request) {
  const Kind& kind = kind_of(kind_name);
  if ((kind.inputs == 0) != request.inputs.empty()) {
    throw_error(ErrorKind::kInvalidArgument,
                "node '{}' of kind '{}' {}",
                request.name,
                kind_name,
                kind.inputs == 0 ? "is a source and takes no inputs" : "needs an input");
  }
  Draft draft{request,
              NodeParams(request.params.get(), request.name),
              job_parameters_,
              graph_,
              {{kMainOutput, std::make_shared<bool>(false)}},
              StreamNode{}};
  StreamNode& node = draft.node;
  node.name = request.name;
  node.uid = request.uid;
  node.parallelism = request.parallelism;
  node.max_parallelism = request.max_parallelism;
  node.shown_max_parallelism = request.shown_max_parallelism;
  node.chaining = chaining_of(request.chaining);
  node.keyed = request.keyed;
  node.output_type = request.output_type != nullptr ? request.output_type : LogicalType::object();
  for (const EdgeSpecPtr& edge : request.inputs) {
    if (edge->node < 0 || edge->node >= static_cast<int>(graph_.nodes().size())) {
      throw_error(ErrorKind::kInvalidArgument,
                  "an edge of node '{}' starts at node {}: there are {}",
                  request.name,
                  edge->node,
                  graph_.nodes().size());
    }
    if (edge->input >= kind.inputs) {
      throw_error(ErrorKind::kInvalidArgument,
                  "node '{}' of kind '{}' has no input {}",
                  request.name,
                  kind_name,
                  edge->input);
    }
    node.inputs.push_back(stream_edge(edge));
  }
  kind.add(draft);
  if (auto queue =
          kind_name == "collect" ? collect_state_or_null(draft.params.get("queue")) : nullptr) {
    collected_.push_back(std::move(queue));
  }
  attach_probe(draft);
  if (takes_results_out(kind_name)) {
    for (const EdgeSpecPtr& edge : request.inputs) {
      const auto from = leaves_python_.find({edge->node, edge->side});
      if (from != leaves_python_.end()) {
        *from->second = true;
      }
    }
  }
  const int id = graph_.add(std::move(draft.node));
  for (auto& [side, leaves] : draft.leaves_python) {
    leaves_python_[{id, side}] = std::move(leaves);
  }
  return id;
}

}  // namespace flott::bindings
