// The module pyflink._native. The only file that includes pybind11: it declares the classes that
// are touched once a job (types, graph, job); what is touched once a record is written against the
// C API.
#define PY_SSIZE_T_CLEAN  // before the first Python header: lengths of "s#" are Py_ssize_t
#include "base/bytes.h"
#include "base/error.h"
#include "base/log.h"
#include "bindings/convert.h"
#include "bindings/errors.h"
#include "bindings/functions/contexts.h"
#include "bindings/functions/simple_functions.h"
#include "bindings/functions/watermark_generator.h"
#include "bindings/graph.h"
#include "bindings/harness/capture_sink.h"
#include "bindings/harness/operator_probe.h"
#include "bindings/harness/script_source.h"
#include "bindings/harness/step_job.h"
#include "bindings/interrupt.h"
#include "bindings/io/collect_sink.h"
#include "bindings/io/python_sinks.h"
#include "bindings/io/python_source.h"
#include "bindings/job.h"
#include "bindings/native_types.h"
#include "bindings/operator_handle.h"
#include "bindings/state_objects.h"
#include "connectors/print/print_sink.h"
#include "formats/charset.h"

#include <pybind11/functional.h>
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

namespace py = pybind11;

namespace flott::bindings {
namespace {

/// pybind11 keeps no const: types are immutable all the same.
using TypeHolder = std::shared_ptr<LogicalType>;
TypeHolder hold(const LogicalTypePtr& type) {
  return std::const_pointer_cast<LogicalType>(type);
}
std::vector<LogicalTypePtr> types_of(const std::vector<TypeHolder>& types) {
  return {types.begin(), types.end()};
}

py::object take(Ref ref) {
  return py::reinterpret_steal<py::object>(ref.release());
}

struct NamedKind {
  const char* name;
  TypeKind kind;
};
constexpr NamedKind kTypeKinds[] = {{"object", TypeKind::kObject},
                                    {"null", TypeKind::kNull},
                                    {"boolean", TypeKind::kBoolean},
                                    {"tiny_int", TypeKind::kTinyInt},
                                    {"small_int", TypeKind::kSmallInt},
                                    {"int", TypeKind::kInt},
                                    {"big_int", TypeKind::kBigInt},
                                    {"float", TypeKind::kFloat},
                                    {"double", TypeKind::kDouble},
                                    {"decimal", TypeKind::kDecimal},
                                    {"string", TypeKind::kString},
                                    {"bytes", TypeKind::kBytes},
                                    {"date", TypeKind::kDate},
                                    {"time", TypeKind::kTime},
                                    {"timestamp", TypeKind::kTimestamp},
                                    {"timestamp_ltz", TypeKind::kTimestampLtz},
                                    {"interval_months", TypeKind::kIntervalMonths},
                                    {"interval_millis", TypeKind::kIntervalMillis},
                                    {"array", TypeKind::kArray},
                                    {"map", TypeKind::kMap},
                                    {"multiset", TypeKind::kMultiset},
                                    {"row", TypeKind::kRow},
                                    {"tuple", TypeKind::kTuple}};

TypeKind type_kind(const std::string& name) {
  for (const NamedKind& known : kTypeKinds) {
    if (name == known.name) {
      return known.kind;
    }
  }
  throw_error(ErrorKind::kInvalidArgument, "unknown type kind '{}'", name);
}

const char* type_kind_name(TypeKind kind) {
  for (const NamedKind& known : kTypeKinds) {
    if (kind == known.kind) {
      return known.name;
    }
  }
  return "";
}

StateKind state_kind(const std::string& name) {
  constexpr std::pair<const char*, StateKind> kNames[] = {{"value", StateKind::kValue},
                                                          {"list", StateKind::kList},
                                                          {"map", StateKind::kMap},
                                                          {"reducing", StateKind::kReducing},
                                                          {"aggregating", StateKind::kAggregating}};
  for (const auto& [known, kind] : kNames) {
    if (name == known) {
      return kind;
    }
  }
  throw_error(ErrorKind::kInvalidArgument,
              "unknown state kind '{}'; value, list, map, reducing and aggregating are known",
              name);
}

/// Upper- or lower-case, with or without underscores: "OnCreateAndWrite", "ON_CREATE_AND_WRITE".
std::string plain_name(const std::string& name) {
  std::string out;
  for (const char c : name) {
    if (c != '_') {
      out += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    }
  }
  return out;
}

StateTtlConfig parse_ttl(const py::tuple& ttl) {
  if (ttl.size() != 4) {
    throw_error(ErrorKind::kInvalidArgument,
                "ttl must be (ms, update type, visibility, entries between looks at the clock)");
  }
  StateTtlConfig out;
  out.ttl_ms = ttl[0].cast<std::int64_t>();
  const std::string update = plain_name(ttl[1].cast<std::string>());
  if (update == "disabled") {
    out.update_type = StateTtlConfig::UpdateType::kDisabled;
  } else if (update == "oncreateandwrite") {
    out.update_type = StateTtlConfig::UpdateType::kOnCreateAndWrite;
  } else if (update == "onreadandwrite") {
    out.update_type = StateTtlConfig::UpdateType::kOnReadAndWrite;
  } else {
    throw_error(
        ErrorKind::kInvalidArgument, "unknown TTL update type '{}'", ttl[1].cast<std::string>());
  }
  const std::string visibility = plain_name(ttl[2].cast<std::string>());
  if (visibility == "returnexpiredifnotcleanedup") {
    out.visibility = StateTtlConfig::Visibility::kReturnExpiredIfNotCleanedUp;
  } else if (visibility == "neverreturnexpired") {
    out.visibility = StateTtlConfig::Visibility::kNeverReturnExpired;
  } else {
    throw_error(
        ErrorKind::kInvalidArgument, "unknown TTL visibility '{}'", ttl[2].cast<std::string>());
  }
  out.compaction_refresh_after = ttl[3].cast<std::int64_t>();
  out.cleanup_in_compaction = out.compaction_refresh_after != 0;
  return out;
}

PythonStateDescriptor make_state_descriptor(const std::string& kind,
                                            const std::string& name,
                                            const TypeHolder& value_type,
                                            const TypeHolder& key_type,
                                            const std::optional<py::tuple>& ttl,
                                            const py::object& function) {
  PythonStateDescriptor out;
  out.native.kind = state_kind(kind);
  out.native.name = name;
  if (value_type != nullptr) {
    out.native.value_type = value_type;
  }
  out.native.key_type = key_type;
  if (out.native.kind == StateKind::kMap && out.native.key_type == nullptr) {
    out.native.key_type = LogicalType::object();
  }
  if (ttl.has_value()) {
    out.native.ttl = parse_ttl(*ttl);
  }
  const bool needs_function =
      out.native.kind == StateKind::kReducing || out.native.kind == StateKind::kAggregating;
  if (needs_function) {
    if (function.is_none()) {
      throw_error(ErrorKind::kInvalidArgument, "{} state '{}' needs a function", kind, name);
    }
    FunctionSpec spec;
    spec.function = Handle::borrow(function.ptr());
    spec.operator_name = name;
    if (out.native.kind == StateKind::kReducing) {
      spec.output_type = value_type;
      out.native.reduce = make_reduce_function(spec).function;
    } else {
      out.native.aggregate = make_aggregate_function(spec, value_type).function;
    }
  }
  return out;
}

int log_level_number(LogLevel level) {
  switch (level) {
    case LogLevel::kDebug:
      return 10;
    case LogLevel::kInfo:
      return 20;
    case LogLevel::kWarn:
      return 30;
    case LogLevel::kError:
      break;
  }
  return 40;
}

LogLevel log_level_of(int number) {
  if (number <= 10) {
    return LogLevel::kDebug;
  }
  if (number <= 20) {
    return LogLevel::kInfo;
  }
  return number <= 30 ? LogLevel::kWarn : LogLevel::kError;
}

void set_log_callback(const py::object& callback, int level) {
  set_log_level(log_level_of(level));
  if (callback.is_none()) {
    set_log_sink({});
    return;
  }
  auto function = std::make_shared<Handle>(Ref::borrow(callback.ptr()));
  set_log_sink([function](LogLevel line_level, std::string_view logger, std::string_view message) {
    const HostScope host;
    // A log line may come while an exception is on its way through this thread.
    PyObject *type = nullptr, *value = nullptr, *traceback = nullptr;
    PyErr_Fetch(&type, &value, &traceback);
    const Ref result = Ref::steal(PyObject_CallFunction(function->get(),
                                                        "is#s#",
                                                        log_level_number(line_level),
                                                        logger.data(),
                                                        static_cast<Py_ssize_t>(logger.size()),
                                                        message.data(),
                                                        static_cast<Py_ssize_t>(message.size())));
    if (!result) {
      PyErr_Clear();
    }
    PyErr_Restore(type, value, traceback);
  });
}

/// Python's atexit, before the interpreter is finalized.
void shut_down() {
  shut_down_jobs();
  set_log_sink({});
  set_print_function({});
}

void define_types(py::module_& module) {
  py::class_<LogicalType, TypeHolder>(module, "LogicalType")
      .def_static(
          "simple",
          [](const std::string& kind, bool nullable) {
            const TypeKind native = type_kind(kind);
            return hold(native == TypeKind::kObject && nullable
                            ? LogicalType::object()
                            : LogicalType::of(native, nullable));
          },
          py::arg("kind"),
          py::arg("nullable") = true)
      .def_static(
          "decimal",
          [](int precision, int scale, bool nullable) {
            return hold(LogicalType::decimal(precision, scale, nullable));
          },
          py::arg("precision"),
          py::arg("scale"),
          py::arg("nullable") = true)
      .def_static(
          "temporal",
          [](const std::string& kind, int precision, bool nullable) {
            return hold(LogicalType::temporal(type_kind(kind), precision, nullable));
          },
          py::arg("kind"),
          py::arg("precision"),
          py::arg("nullable") = true)
      .def_static(
          "bounded",
          [](const std::string& kind, std::int64_t length, bool fixed, bool nullable) {
            return hold(LogicalType::bounded(type_kind(kind), length, fixed, nullable));
          },
          py::arg("kind"),
          py::arg("length"),
          py::arg("fixed"),
          py::arg("nullable") = true)
      .def_static(
          "array",
          [](const TypeHolder& element, bool nullable) {
            return hold(LogicalType::array(element, nullable));
          },
          py::arg("element"),
          py::arg("nullable") = true)
      .def_static(
          "multiset",
          [](const TypeHolder& element, bool nullable) {
            return hold(LogicalType::multiset(element, nullable));
          },
          py::arg("element"),
          py::arg("nullable") = true)
      .def_static(
          "map",
          [](const TypeHolder& key, const TypeHolder& value, bool nullable) {
            return hold(LogicalType::map(key, value, nullable));
          },
          py::arg("key"),
          py::arg("value"),
          py::arg("nullable") = true)
      .def_static(
          "row",
          [](std::vector<std::string> names, const std::vector<TypeHolder>& types, bool nullable) {
            return hold(LogicalType::row(std::move(names), types_of(types), nullable));
          },
          py::arg("names"),
          py::arg("types"),
          py::arg("nullable") = true)
      .def_static(
          "tuple",
          [](const std::vector<TypeHolder>& types, bool nullable) {
            return hold(LogicalType::tuple(types_of(types), nullable));
          },
          py::arg("types"),
          py::arg("nullable") = true)
      .def_property_readonly("kind",
                             [](const LogicalType& type) { return type_kind_name(type.kind()); })
      .def_property_readonly("nullable", &LogicalType::nullable)
      .def_property_readonly("precision", &LogicalType::precision)
      .def_property_readonly("scale", &LogicalType::scale)
      .def_property_readonly("length", &LogicalType::length)
      .def_property_readonly("field_names", &LogicalType::field_names)
      .def_property_readonly("children",
                             [](const LogicalType& type) {
                               std::vector<TypeHolder> out;
                               for (const LogicalTypePtr& child : type.children()) {
                                 out.push_back(hold(child));
                               }
                               return out;
                             })
      .def_property_readonly("is_native", &LogicalType::is_native)
      .def("__str__", &LogicalType::to_string)
      .def("__repr__",
           [](const LogicalType& type) { return "LogicalType(" + type.to_string() + ")"; })
      .def(
          "__eq__",
          [](const LogicalType& self, const py::object& other) {
            return py::isinstance<LogicalType>(other) && self == other.cast<const LogicalType&>();
          },
          py::is_operator())
      .def("__hash__",
           [](const LogicalType& type) {
             std::string bytes;
             type.encode(bytes);
             return static_cast<std::int64_t>(std::hash<std::string>{}(bytes));
           })
      .def(py::pickle(
          [](const LogicalType& type) {
            std::string bytes;
            type.encode(bytes);
            return py::bytes(bytes);
          },
          [](const py::bytes& state) {
            const std::string bytes = state;
            BytesReader reader(bytes);
            return hold(LogicalType::decode(reader));
          }));

  py::class_<PythonStateDescriptor>(module, "StateDescriptor")
      .def(py::init(&make_state_descriptor),
           py::arg("kind"),
           py::arg("name"),
           py::arg("value_type") = py::none(),
           py::arg("key_type") = py::none(),
           py::arg("ttl") = py::none(),
           py::arg("function") = py::none())
      .def_property_readonly("name",
                             [](const PythonStateDescriptor& self) { return self.native.name; });
}

void define_runtime(py::module_& module) {
  py::class_<PythonCounter>(module, "Counter")
      .def("inc", &PythonCounter::inc, py::arg("n") = 1)
      .def(
          "dec", [](PythonCounter& self, std::int64_t n) { self.inc(-n); }, py::arg("n") = 1)
      .def("get_count", &PythonCounter::count);

  py::class_<OperatorHandle>(module, "OperatorHandle")
      .def_property_readonly(
          "task_name", [](const OperatorHandle& self) { return self.context().operator_name(); })
      .def_property_readonly("task_name_with_subtasks", &OperatorHandle::task_name_with_subtasks)
      .def_property_readonly(
          "parallelism", [](const OperatorHandle& self) { return self.context().parallelism(); })
      .def_property_readonly(
          "max_parallelism",
          [](const OperatorHandle& self) { return self.context().max_parallelism(); })
      .def_property_readonly(
          "subtask_index",
          [](const OperatorHandle& self) { return self.context().subtask_index(); })
      .def_property_readonly(
          "attempt_number",
          [](const OperatorHandle& self) { return self.context().attempt_number(); })
      .def_property_readonly("job_name",
                             [](const OperatorHandle& self) { return self.context().job_name(); })
      .def_property_readonly("job_id",
                             [](const OperatorHandle& self) { return self.context().job_id(); })
      .def_property_readonly("job_parameters", &OperatorHandle::job_parameters)
      .def_property_readonly("is_keyed",
                             [](const OperatorHandle& self) { return self.context().is_keyed(); })
      .def(
          "get_state",
          [](const OperatorHandle& self, const py::object& descriptor) {
            return take(self.get_state(descriptor.ptr()));
          },
          py::arg("descriptor"))
      .def("counter", &OperatorHandle::counter, py::arg("name"))
      .def(
          "gauge",
          [](const OperatorHandle& self, const std::string& name, const py::object& read) {
            self.gauge(name, read.ptr());
          },
          py::arg("name"),
          py::arg("read"));
}

void define_graph(py::module_& module) {
  py::class_<CollectState, std::shared_ptr<CollectState>>(module, "CollectQueue")
      .def(py::init([](std::size_t capacity) {
             if (capacity == 0) {
               throw_error(ErrorKind::kInvalidArgument, "a CollectQueue needs a capacity above 0");
             }
             return std::make_shared<CollectState>(capacity);
           }),
           py::arg("capacity") = 65536);

  py::class_<EdgeSpec, std::shared_ptr<EdgeSpec>>(module, "Edge")
      .def(py::init([](int node,
                       const std::string& partitioner,
                       int input,
                       int side,
                       const py::object& custom,
                       const py::object& key_selector) {
             return std::const_pointer_cast<EdgeSpec>(
                 make_edge(node, partitioner, input, side, custom.ptr(), key_selector.ptr()));
           }),
           py::arg("node"),
           py::arg("partitioner") = "forward",
           py::arg("input") = 0,
           py::arg("side") = -1,
           py::arg("custom") = py::none(),
           py::arg("key_selector") = py::none());

  py::class_<GraphBuilder, std::shared_ptr<GraphBuilder>>(module, "StreamGraph")
      .def(py::init<>())
      .def(
          "add",
          [](GraphBuilder& self,
             const std::string& kind,
             const std::string& name,
             const std::vector<std::shared_ptr<EdgeSpec>>& inputs,
             int parallelism,
             int max_parallelism,
             int shown_max_parallelism,
             const std::string& uid,
             const std::string& chaining,
             bool keyed,
             const TypeHolder& output_type,
             const std::optional<py::dict>& params) {
            NodeRequest request;
            request.name = name;
            request.inputs.assign(inputs.begin(), inputs.end());
            request.parallelism = parallelism;
            request.max_parallelism = max_parallelism;
            request.shown_max_parallelism = shown_max_parallelism;
            request.uid = uid;
            request.chaining = chaining;
            request.keyed = keyed;
            request.output_type = output_type;
            if (params.has_value()) {
              request.params = Handle::borrow(params->ptr());
            }
            return self.add(kind, std::move(request));
          },
          py::arg("kind"),
          py::arg("name"),
          py::kw_only(),
          py::arg("inputs") = std::vector<std::shared_ptr<EdgeSpec>>(),
          py::arg("parallelism") = 1,
          py::arg("max_parallelism") = kDefaultMaxParallelism,
          py::arg("shown_max_parallelism") = 0,
          py::arg("uid") = "",
          py::arg("chaining") = "always",
          py::arg("keyed") = false,
          py::arg("output_type") = py::none(),
          py::arg("params") = py::none())
      .def("python_nodes",
           [](const GraphBuilder& self) {
             std::vector<std::string> names;
             for (const StreamNode& node : self.graph().nodes()) {
               if (node.uses_host) {
                 names.push_back(node.name);
               }
             }
             return names;
           })
      .def(
          "start",
          [](const GraphBuilder& self, const std::string& job_name, const py::dict& options) {
            return start_python_job(self, job_name, options.ptr());
          },
          py::arg("job_name"),
          py::arg("options"))
      .def(
          "step",
          [](const GraphBuilder& self,
             const std::string& job_name,
             const py::dict& options,
             const std::shared_ptr<StepSnapshot>& restore,
             Timestamp start_ms) {
            return std::make_shared<PythonStepJob>(
                self, job_name, options.ptr(), restore.get(), start_ms);
          },
          py::arg("job_name"),
          py::arg("options"),
          py::arg("restore") = py::none(),
          py::arg("start_ms") = 0);
}

/// What pyflink.testing is made of.
void define_testing(py::module_& module) {
  py::class_<Script, std::shared_ptr<Script>>(module, "Script")
      .def(py::init([](const TypeHolder& type) { return std::make_shared<Script>(type); }),
           py::arg("type") = py::none())
      .def(
          "element",
          [](Script& self, const py::object& value, std::optional<Timestamp> timestamp) {
            self.element(value.ptr(), timestamp.value_or(kNoTimestamp));
          },
          py::arg("value"),
          py::arg("timestamp") = py::none())
      .def("watermark", &Script::watermark, py::arg("timestamp"))
      .def("status", &Script::status, py::arg("idle"))
      .def("end", &Script::end);

  py::class_<CaptureLog, std::shared_ptr<CaptureLog>>(module, "CaptureLog")
      .def(py::init<>())
      .def("take", [](CaptureLog& self) { return take(self.take()); });

  py::class_<OperatorProbe, std::shared_ptr<OperatorProbe>>(module, "OperatorProbe")
      .def(py::init<>())
      .def("timers", &OperatorProbe::timers, py::arg("event_time"))
      .def("state_entries", &OperatorProbe::state_entries)
      .def(
          "state",
          [](const OperatorProbe& self, const std::string& name, const py::object& window) {
            return take(self.state(name, window.ptr()));
          },
          py::arg("name"),
          py::arg("window") = py::none())
      .def(
          "broadcast_state",
          [](const OperatorProbe& self, const std::string& name) {
            return take(self.broadcast_state(name));
          },
          py::arg("name"));

  py::class_<StepSnapshot, std::shared_ptr<StepSnapshot>>(module, "StepSnapshot");

  py::class_<PythonStepJob, std::shared_ptr<PythonStepJob>>(module, "StepJob")
      .def("run_until_idle", &PythonStepJob::run_until_idle)
      .def("set_time", &PythonStepJob::set_time, py::arg("now_ms"))
      .def("now", &PythonStepJob::now)
      .def("finished", &PythonStepJob::finished)
      .def("snapshot", &PythonStepJob::snapshot)
      .def("metrics", &PythonStepJob::metrics)
      .def("close", &PythonStepJob::close)
      .def(
          "collected",
          [](PythonStepJob& /*self*/, CollectState& queue) {
            queue.take(0);
            if (queue.taken.empty()) {
              throw py::stop_iteration();
            }
            Value value = std::move(queue.taken.front());
            queue.taken.pop_front();
            return take(checked(to_python(std::move(value))));
          },
          py::arg("queue"));
}

void define_job(py::module_& module) {
  py::class_<PendingSavepoint>(module, "Savepoint")
      .def("done", &PendingSavepoint::done)
      .def("failed", &PendingSavepoint::failed)
      .def("wait", [](const PendingSavepoint& self) { return self.job->wait_for_path(self.path); });
  py::class_<PythonJob, std::shared_ptr<PythonJob>>(module, "Job")
      .def_property_readonly("id", [](const PythonJob& self) { return self.job().id(); })
      .def_property_readonly("name", [](const PythonJob& self) { return self.job().name(); })
      .def("status",
           [](const PythonJob& self) { return std::string(job_status_name(self.job().status())); })
      .def("attempt", [](const PythonJob& self) { return self.job().attempt(); })
      .def("cancel", [](const PythonJob& self) { self.job().cancel(); })
      .def(
          "wait",
          [](PythonJob& self, std::optional<std::int64_t> timeout_ms) {
            return self.wait(timeout_ms.value_or(-1));
          },
          py::arg("timeout_ms") = py::none())
      .def("result", [](PythonJob& self) { return take(self.result()); })
      .def("trigger_checkpoint", &PythonJob::trigger_checkpoint)
      .def(
          "trigger_savepoint",
          [](const std::shared_ptr<PythonJob>& self,
             const std::string& directory,
             const std::string& then) {
            return PendingSavepoint{self, self->trigger_savepoint(directory, then)};
          },
          py::arg("directory") = "",
          py::arg("then") = "go_on")
      .def("checkpoints",
           [](const PythonJob& self) {
             py::list out;
             for (const CheckpointStats& each : self.job().checkpoints()) {
               py::dict entry;
               entry["id"] = each.id;
               entry["path"] = each.path;
               entry["duration_ms"] = each.duration_ms;
               entry["size_bytes"] = each.size_bytes;
               entry["full_size_bytes"] = each.full_size_bytes;
               entry["sync_duration_ms"] = each.sync_duration_ms;
               entry["alignment_ms"] = each.alignment_ms;
               entry["start_delay_ms"] = each.start_delay_ms;
               entry["write_duration_ms"] = each.write_duration_ms;
               out.append(entry);
             }
             return out;
           })
      .def("metrics",
           [](const PythonJob& self) {
             std::map<std::string, double> numbers;
             std::map<std::string, std::string> texts;
             {
               // Gauges of user code take the GIL themselves, on this thread or another.
               const GilRelease released;
               numbers = self.job().metrics();
               texts = self.job().text_metrics();
             }
             py::dict metrics = py::cast(numbers);
             for (const auto& [name, text] : texts) {
               metrics[py::str(name)] = text;
             }
             return metrics;
           })
      .def("blocked_operators",
           [](const PythonJob& self) { return self.job().blocked_operators(); })
      .def(
          "next_collected",
          [](PythonJob& self, CollectState& queue) {
            Ref value = self.next_collected(queue);
            if (!value) {
              throw py::stop_iteration();
            }
            return take(std::move(value));
          },
          py::arg("queue"));
}

PyObject* add_error(py::module_& module, const char* name, PyObject* base) {
  const std::string full = std::string("pyflink._native.") + name;
  PyObject* made = checked(PyErr_NewException(full.c_str(), base, nullptr)).release();
  checked(PyModule_AddObjectRef(module.ptr(), name, made));
  return made;
}

}  // namespace

const PythonStateDescriptor* state_descriptor_or_null(PyObject* object) {
  const py::handle handle(object);
  return py::isinstance<PythonStateDescriptor>(handle)
             ? &handle.cast<const PythonStateDescriptor&>()
             : nullptr;
}

std::shared_ptr<CollectState> collect_state_or_null(PyObject* object) {
  const py::handle handle(object);
  return py::isinstance<CollectState>(handle) ? handle.cast<std::shared_ptr<CollectState>>()
                                              : nullptr;
}

std::shared_ptr<Script> script_or_null(PyObject* object) {
  const py::handle handle(object);
  return py::isinstance<Script>(handle) ? handle.cast<std::shared_ptr<Script>>() : nullptr;
}

std::shared_ptr<CaptureLog> capture_log_or_null(PyObject* object) {
  const py::handle handle(object);
  return py::isinstance<CaptureLog>(handle) ? handle.cast<std::shared_ptr<CaptureLog>>() : nullptr;
}

std::shared_ptr<OperatorProbe> operator_probe_or_null(PyObject* object) {
  const py::handle handle(object);
  return py::isinstance<OperatorProbe>(handle) ? handle.cast<std::shared_ptr<OperatorProbe>>()
                                               : nullptr;
}

LogicalTypePtr logical_type_of(PyObject* object, const char* what) {
  if (object == Py_None) {
    return nullptr;
  }
  const py::handle handle(object);
  if (!py::isinstance<LogicalType>(handle)) {
    throw_error(ErrorKind::kInvalidArgument,
                "{} must be a LogicalType, not {} ({})",
                what,
                short_repr(object),
                type_name_of(object));
  }
  return handle.cast<TypeHolder>();
}

Ref make_operator_handle(const OperatorScopePtr& scope) {
  return Ref::steal(py::cast(OperatorHandle(scope)).release().ptr());
}

}  // namespace flott::bindings

PYBIND11_MODULE(_native, module) {
  using namespace flott::bindings;  // NOLINT
  py::options options;
  options.disable_function_signatures();
  options.disable_user_defined_docstrings();

  py::register_exception_translator([](std::exception_ptr error) {
    try {
      std::rethrow_exception(error);
    } catch (const flott::Error&) {
      set_error_from_current_exception();
    }
  });
  install_host();

  module.attr("__version__") = FLOTT_VERSION;
  ErrorClasses& errors = error_classes();
  errors.flott_error = add_error(module, "FlottError", PyExc_RuntimeError);
  errors.user_code_error = add_error(module, "UserCodeError", errors.flott_error);
  errors.external_error = add_error(module, "ExternalError", errors.flott_error);
  errors.internal_error = add_error(module, "InternalError", errors.flott_error);

  if (add_row_type(module.ptr()) < 0) {
    throw py::error_already_set();
  }
  add_state_types(module.ptr());
  add_context_types(module.ptr());
  add_watermark_types(module.ptr());
  add_interrupt_types(module.ptr());
  add_source_types(module.ptr());
  define_types(module);
  module.def("register_key_encoder", [](const py::type& type, const py::object& encoder) {
    register_key_encoder(type.ptr(), encoder.ptr());
  });
  module.def("is_charset", [](const std::string& name) { return flott::Charset::is_known(name); });
  define_runtime(module);
  define_graph(module);
  define_job(module);
  define_testing(module);

  module.def("set_log_callback", &set_log_callback, py::arg("callback"), py::arg("level"));
  flott::set_print_function([](std::string_view lines, bool to_stderr) {
    const flott::HostScope host;
    write_to_python_stream(lines, to_stderr);
    flush_python_stream(to_stderr);
  });
  py::module_::import("atexit").attr("register")(py::cpp_function(&shut_down));
}
