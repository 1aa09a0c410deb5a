#include "base/error.h"
#include "bindings/convert.h"
#include "bindings/errors.h"
#include "bindings/functions/function_object.h"
#include "bindings/io/connector_nodes.h"
#include "connectors/kafka_record.h"
#include "formats/format.h"

#include <string>
#include <utility>
#include <vector>

namespace flott::bindings {
namespace {

/// Typed rows -> one STRING column of JSON.
class JsonEncodeOperator final : public Operator {
 public:
  JsonEncodeOperator(LogicalTypePtr type, FormatOptions options)
      : type_(std::move(type)),
        encoder_(make_encoder("json", options, type_)),
        builder_(LogicalType::of(TypeKind::kString)) {}

  Granularity granularity() const override { return Granularity::kBatch; }
  void open(OperatorContext& /*context*/) override {}
  void process(Record&& record, int input, Output& out) override {
    BatchBuilder one(type_);
    one.append(std::move(record.value), record.timestamp, record.kind, record.key);
    process_batch(one.finish(), input, out);
  }
  void process_batch(const BatchPtr& batch, int /*input*/, Output& out) override {
    std::string text;
    for (std::int64_t row = 0; row < batch->num_rows(); ++row) {
      text.clear();
      if (encoder_->encode(*batch, row, text)) {
        builder_.append(Value::string(text), batch->timestamp_at(row), batch->kind_at(row));
      } else {
        builder_.append(Value::null(), batch->timestamp_at(row), batch->kind_at(row));
      }
    }
    if (BatchPtr encoded = builder_.finish(); encoded != nullptr) {
      out.emit_batch(std::move(encoded));
    }
  }

 private:
  LogicalTypePtr type_;
  std::unique_ptr<Encoder> encoder_;
  BatchBuilder builder_;
};

/// An operator that makes one row of Python values of each record.
class RowMaker : public Operator {
 public:
  bool uses_host() const override { return true; }
  void open(OperatorContext& /*context*/) override {}
};

/// The topic of a record by the user's selector.
Value topic_of(PyObject* selector, PyObject* element) {
  const Ref topic = call(selector, element);
  if (!PyUnicode_Check(topic.get())) {
    throw_error(ErrorKind::kUserCode,
                "the topic selector must return a str, not {} ({})",
                short_repr(topic.get()),
                type_name_of(topic.get()));
  }
  return Value::string(text_of(topic.get(), "a topic"));
}

/// Record -> ROW<topic, value> for make_kafka_serializer's topic.field and value.field.
class TopicRows final : public RowMaker {
 public:
  TopicRows(const FunctionSpec& selector, LogicalTypePtr type)
      : selector_(selector),
        apply_(selector_.method("apply", "a topic selector")),
        type_(std::move(type)) {}

  void process(Record&& record, int /*input*/, Output& out) override {
    const Ref element = checked(to_python(record.value));
    Value topic = topic_of(apply_.get(), element.get());
    const LogicalType& value_type = *type_->children()[1];
    Value value =
        record.value.is_object()
            ? (element.get() == Py_None ? Value::null() : to_native(element.get(), value_type))
            : std::move(record.value).isolated();
    record.value = Value::row({std::move(topic), std::move(value)}, type_);
    out.emit(std::move(record));
  }

 private:
  FunctionObject selector_;
  Handle apply_;
  LogicalTypePtr type_;
};

/// bytes, bytearray or str (as UTF-8) of a serializer; None is null.
Value bytes_of(const Ref& object, const char* what) {
  if (object.get() == Py_None) {
    return Value::null();
  }
  if (PyBytes_Check(object.get())) {
    return Value::bytes({PyBytes_AS_STRING(object.get()),
                         static_cast<std::size_t>(PyBytes_GET_SIZE(object.get()))});
  }
  if (PyByteArray_Check(object.get())) {
    return Value::bytes({PyByteArray_AS_STRING(object.get()),
                         static_cast<std::size_t>(PyByteArray_GET_SIZE(object.get()))});
  }
  if (PyUnicode_Check(object.get())) {
    return Value::bytes(text_of(object.get(), what));
  }
  throw_error(ErrorKind::kUserCode,
              "{} must return bytes or str, not {} ({})",
              what,
              short_repr(object.get()),
              type_name_of(object.get()));
}

/// Record -> kafka_record_type() by Python serializers.
class PythonKafkaRows final : public RowMaker {
 public:
  PythonKafkaRows(const FunctionSpec* selector,
                  const FunctionSpec* key,
                  const FunctionSpec& value,
                  std::string topic)
      : value_object_(value),
        value_(value_object_.method("serialize", "a value serializer")),
        topic_(std::move(topic)) {
    if (selector != nullptr) {
      selector_ = FunctionObject(*selector).method("apply", "a topic selector");
    }
    if (key != nullptr) {
      key_ = FunctionObject(*key).method("serialize", "a key serializer");
    }
  }

  void process(Record&& record, int /*input*/, Output& out) override {
    const Ref element = checked(to_python(std::move(record.value)));
    on_record(record.value, element, [&] { serialize(element, record); });
    out.emit(std::move(record));
  }

 private:
  void serialize(const Ref& element, Record& record) const {
    std::vector<Value> fields(5);
    if (selector_) {
      fields[0] = topic_of(selector_.get(), element.get());
    } else if (!topic_.empty()) {
      fields[0] = Value::string(topic_);
    }
    if (key_) {
      fields[2] = bytes_of(call(key_.get(), element.get()), "the key serializer");
    }
    fields[3] = bytes_of(call(value_.get(), element.get()), "the value serializer");
    if (record.has_timestamp()) {
      fields[4] = Value::integer(record.timestamp);
    }
    record.value = Value::row(std::move(fields), kafka_record_type());
  }

  FunctionObject value_object_;
  Handle value_;
  Handle selector_;
  Handle key_;
  std::string topic_;
};

/// The rows of the Elasticsearch sink (connectors/elasticsearch/bulk_action.h, in its plugin).
const LogicalTypePtr& action_type() {
  static const LogicalTypePtr type = [] {
    const auto text = LogicalType::of(TypeKind::kString);
    return LogicalType::row(
        {"action", "index", "id", "routing", "source", "version", "script"},
        {text, text, text, text, text, LogicalType::of(TypeKind::kBigInt), text});
  }();
  return type;
}

/// json.dumps(default=...): dates in ISO form, Decimal as text, rows as dicts, enums by value.
PyObject* json_default(PyObject* /*self*/, PyObject* object) {
  try {
    if (const Ref iso = attribute_or_null(object, "isoformat"); iso) {
      return call(iso.get()).release();
    }
    if (const Ref as_dict = attribute_or_null(object, "as_dict"); as_dict) {
      return call(as_dict.get(), Py_True).release();
    }
    const Ref decimal = loaded_attribute("decimal", "Decimal");
    if (decimal && PyObject_IsInstance(object, decimal.get()) == 1) {
      return PyObject_Str(object);
    }
    if (PyAnySet_Check(object)) {
      return PySequence_List(object);
    }
    PyErr_Format(PyExc_TypeError,
                 "a document for Elasticsearch holds a %s, which has no JSON form: %R",
                 Py_TYPE(object)->tp_name,
                 object);
    return nullptr;
  } catch (...) {
    set_error_from_current_exception();
    return nullptr;
  }
}

class ElasticsearchEmitter final : public RowMaker {
 public:
  explicit ElasticsearchEmitter(const FunctionSpec& spec)
      : object_(spec), emit_(object_.method("emit", "an Elasticsearch emitter")) {
    static PyMethodDef method = {"default", json_default, METH_O, nullptr};
    const Ref fallback = checked(PyCFunction_New(&method, nullptr));
    const Ref encoder_class = import_attribute("json", "JSONEncoder");
    const Ref arguments = checked(PyTuple_New(0));
    const Ref options = checked(Py_BuildValue("{s:O,s:O,s:(ss)}",
                                              "default",
                                              fallback.get(),
                                              "ensure_ascii",
                                              Py_False,
                                              "separators",
                                              ",",
                                              ":"));
    const Ref encoder = checked(PyObject_Call(encoder_class.get(), arguments.get(), options.get()));
    encode_ = Handle(attribute(encoder.get(), "encode"));
  }

  void open(OperatorContext& context) override { object_.open(context); }
  void close() override {
    const HostScope host;
    object_.close();
  }

  void process(Record&& record, int /*input*/, Output& out) override {
    const Ref element = checked(to_python(std::move(record.value)));
    on_record(record.value, element, [&] { emit_actions(element, record, out); });
  }

 private:
  void emit_actions(const Ref& element, const Record& record, Output& out) const {
    const Ref result = call(emit_.get(), element.get());
    if (result.get() == Py_None) {
      return;
    }
    if (PyDict_Check(result.get())) {
      emit(result.get(), record, out);
      return;
    }
    if (PyUnicode_Check(result.get())) {  // the action as JSON
      emit(parsed(result.get()).get(), record, out);
      return;
    }
    const Ref iterator = Ref::steal(PyObject_GetIter(result.get()));
    if (!iterator) {
      PyErr_Clear();
      wrong(result.get());
    }
    while (true) {
      const Ref action = Ref::steal(PyIter_Next(iterator.get()));
      if (!action) {
        break;
      }
      if (!PyDict_Check(action.get())) {
        wrong(action.get());
      }
      emit(action.get(), record, out);
    }
    if (PyErr_Occurred() != nullptr) {
      throw_python_error();
    }
  }

  static Ref parsed(PyObject* json_text) {
    static constinit CachedAttribute loads("json", "loads");
    Ref action = Ref::steal(PyObject_CallOneArg(loads.get(), json_text));
    if (!action || !PyDict_Check(action.get())) {
      PyErr_Clear();
      wrong(json_text);
    }
    return action;
  }

  [[noreturn]] static void wrong(PyObject* result) {
    throw_error(
        ErrorKind::kUserCode,
        "an Elasticsearch emitter returns a dict like {{'action': 'index', 'index': 'name', "
        "'id': '1', 'doc': {{...}}}} or its JSON, a list of dicts, or None, not {} ({})",
        short_repr(result),
        type_name_of(result));
  }

  static PyObject* item(PyObject* action, const char* name) {
    PyObject* found = PyDict_GetItemString(action, name);
    return found == Py_None ? nullptr : found;
  }

  static Value text(PyObject* value) {
    if (value == nullptr) {
      return Value::null();
    }
    const Ref string = checked(PyObject_Str(value));
    return Value::string(text_of(string.get(), "an action's field"));
  }

  Value json(PyObject* value) const {
    if (value == nullptr) {
      return Value::null();
    }
    if (PyUnicode_Check(value)) {
      return Value::string(text_of(value, "a document"));
    }
    Ref document = Ref::borrow(value);
    if (const Ref as_dict = attribute_or_null(value, "as_dict"); as_dict) {
      document = call(as_dict.get(), Py_True);
    }
    const Ref encoded = call(encode_.get(), document.get());
    return Value::string(text_of(encoded.get(), "a document"));
  }

  void emit(PyObject* action, const Record& record, Output& out) const {
    static constexpr const char* kKnown[] = {
        "action", "index", "id", "routing", "doc", "source", "script", "version", "params"};
    PyObject* key = nullptr;
    PyObject* unused = nullptr;
    Py_ssize_t position = 0;
    while (PyDict_Next(action, &position, &key, &unused) != 0) {
      const std::string name = text_of(key, "a key of an action");
      bool known = false;
      for (const char* each : kKnown) {
        known = known || name == each;
      }
      if (!known) {
        throw_error(
            ErrorKind::kUserCode,
            "an Elasticsearch action has no field '{}'; action, index, id, routing, doc (or "
            "source), version and script are known: {}",
            name,
            short_repr(action));
      }
    }
    PyObject* kind = item(action, "action");
    PyObject* document = item(action, "doc");
    if (document == nullptr) {
      document = item(action, "source");
    }
    if (document == nullptr) {
      document = item(action, "params");
    }
    std::vector<Value> fields(7);
    fields[0] = kind == nullptr ? Value::string("index") : text(kind);
    fields[1] = text(item(action, "index"));
    fields[2] = text(item(action, "id"));
    fields[3] = text(item(action, "routing"));
    fields[4] = json(document);
    if (PyObject* version = item(action, "version"); version != nullptr) {
      fields[5] = Value::integer(int_of(version, "an action's version"));
    }
    fields[6] = json(item(action, "script"));
    out.emit(Record{Value::row(std::move(fields), action_type()),
                    record.timestamp,
                    RowKind::kInsert,
                    record.key});
  }

  FunctionObject object_;
  Handle emit_;
  Handle encode_;
};

FunctionSpecPtr spec_of(PyObject* object, const NodeRequest& request) {
  if (object == nullptr) {
    return nullptr;
  }
  auto spec = std::make_shared<FunctionSpec>();
  spec->function = Handle::borrow(object);
  spec->operator_name = request.name;
  spec->parallelism = request.parallelism;
  return spec;
}

ConnectorNode json_encode_node(const NodeParams& params, const LogicalTypePtr& input_type) {
  if (!input_type->is_native()) {
    throw_error(
        ErrorKind::kInvalidArgument,
        "'{}' turns typed rows into JSON text, but its input has the type {}: convert first",
        params.node_name(),
        input_type->to_string());
  }
  const FormatOptions options = params.options("options").values();
  make_encoder("json", options, input_type);
  ConnectorNode node;
  node.output_type = LogicalType::of(TypeKind::kString);
  node.granularity = Granularity::kBatch;
  node.uses_host = false;
  node.make_operator = [input_type, options](int) -> std::unique_ptr<Operator> {
    return std::make_unique<JsonEncodeOperator>(input_type, options);
  };
  return node;
}

}  // namespace

ConnectorNode make_connector_node(const std::string& kind,
                                  const NodeParams& params,
                                  const NodeRequest& request,
                                  StreamGraph& graph,
                                  StreamNode& draft) {
  const LogicalTypePtr input_type = input_type_of(graph, draft);
  if (kind == "json_encode") {
    return json_encode_node(params, input_type);
  }
  ConnectorNode node;
  if (kind == "elasticsearch_emitter") {
    const FunctionSpecPtr spec = spec_of(params.get("function"), request);
    node.output_type = action_type();
    node.make_operator = [spec](int) -> std::unique_ptr<Operator> {
      const HostScope host;
      return std::make_unique<ElasticsearchEmitter>(*spec);
    };
    return node;
  }

  // kafka_serializer
  Options options = params.options("options");
  const FunctionSpecPtr selector = spec_of(params.find("topic_selector"), request);
  const FunctionSpecPtr key = spec_of(params.find("key_serializer"), request);
  const FunctionSpecPtr value = spec_of(params.find("value_serializer"), request);
  const LogicalTypePtr key_type = params.type("key_type");
  const LogicalTypePtr value_type = params.type("value_type");
  node.output_type = kafka_record_type();
  if (value != nullptr) {
    const std::string topic = options.get("topic", "");
    node.make_operator = [selector, key, value, topic](int) -> std::unique_ptr<Operator> {
      const HostScope host;
      return std::make_unique<PythonKafkaRows>(selector.get(), key.get(), *value, topic);
    };
    return node;
  }
  LogicalTypePtr stream_type = input_type;
  if (!stream_type->is_native()) {
    stream_type = value_type != nullptr ? value_type : LogicalType::of(TypeKind::kString);
  }
  if (selector != nullptr) {
    const LogicalTypePtr row_type =
        LogicalType::row({"topic", "value"}, {LogicalType::of(TypeKind::kString), stream_type});
    StreamNode select;
    select.name = request.name + ": topic";
    select.parallelism = request.parallelism;
    select.max_parallelism = request.max_parallelism;
    select.output_type = row_type;
    select.uses_host = true;
    select.inputs = draft.inputs;
    select.make_operator = [selector, row_type](int) -> std::unique_ptr<Operator> {
      const HostScope host;
      return std::make_unique<TopicRows>(*selector, row_type);
    };
    StreamEdge edge;
    edge.source_node = graph.add(std::move(select));
    draft.inputs = {edge};
    options.set("topic.field", "0");
    options.set("value.field", "1");
    stream_type = row_type;
  } else {
    convert_input_to(graph, draft, stream_type);
  }
  const OperatorFactory make = make_kafka_serializer(options, stream_type, key_type, value_type);
  node.granularity = make(0)->granularity();
  node.uses_host = false;
  node.make_operator = make;
  return node;
}

}  // namespace flott::bindings
