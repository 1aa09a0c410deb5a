#include "connectors/kafka_record.h"

#include "formats/format.h"
#include "types/host.h"

#include <memory>
#include <optional>
#include <utility>

namespace flott {
namespace {

/// One half of a record (key or value): which fields, as which type, by which format.
struct SchemaSpec {
  std::string role;  ///< "key" or "value", for messages
  std::string format;
  FormatOptions options;
  LogicalTypePtr type;
  /// Columns of the input by field of `type`; empty: the input is used as it is.
  std::vector<std::size_t> fields;
};

SchemaSpec make_spec(const std::string& role,
                     const Options& options,
                     const LogicalTypePtr& stream_type,
                     LogicalTypePtr type) {
  SchemaSpec spec;
  spec.role = role;
  spec.format = options.get(role + ".format");
  spec.options = options.sub(role).values();
  spec.options.erase("format");
  const std::string match = options.get(role + ".match", "position");
  spec.options.erase("match");
  spec.options.erase("field");
  spec.type = type ? std::move(type) : stream_type;
  if (match != "position" && match != "name") {
    throw_error(ErrorKind::kInvalidArgument,
                "the option '{}.match' must be position or name, but is '{}'",
                role,
                match);
  }
  if (stream_type->is_composite() && spec.type->is_composite()) {
    for (std::size_t i = 0; i < spec.type->children().size(); ++i) {
      const std::string& name = spec.type->field_names()[i];
      const int field = match == "name" ? stream_type->field_index(name) : static_cast<int>(i);
      if (field < 0 || static_cast<std::size_t>(field) >= stream_type->children().size()) {
        throw_error(
            ErrorKind::kInvalidArgument,
            "the {} schema's field '{}' ({} of {}) has no counterpart in the stream's type {}",
            role,
            name,
            i + 1,
            spec.type->children().size(),
            stream_type->to_string());
      }
      spec.fields.push_back(static_cast<std::size_t>(field));
    }
  }
  make_encoder(spec.format, spec.options, spec.type);  // wrong options fail now
  return spec;
}

/// Serializes one half. One per subtask.
class HalfSerializer {
 public:
  explicit HalfSerializer(const SchemaSpec& spec)
      : spec_(spec), encoder_(make_encoder(spec.format, spec.options, spec.type)) {}

  /// The batch the encoder reads, with the columns of `batch` where the types agree and converted
  /// ones where not (opaque values, narrower types).
  void prepare(const Batch& batch) {
    const LogicalType& from = *batch.type();
    if (from.is_composite() && spec_.type->is_composite()) {
      std::vector<ColumnPtr> columns;
      for (std::size_t i = 0; i < spec_.fields.size(); ++i) {
        const ColumnPtr& column = batch.columns()[spec_.fields[i]];
        const LogicalTypePtr& wanted = spec_.type->children()[i];
        columns.push_back(same_storage(*column->type, *wanted) ? column : convert(*column, wanted));
      }
      ready_ = Batch::make(spec_.type,
                           std::move(columns),
                           batch.num_rows(),
                           {},
                           std::vector<RowKind>(batch.kinds()));
      return;
    }
    if (!from.is_composite() && same_storage(from, *spec_.type)) {
      ready_ = Batch::make(spec_.type, {batch.columns()[0]}, batch.num_rows());
      return;
    }
    BatchBuilder builder(spec_.type);
    const HostScope scope;
    for (std::int64_t row = 0; row < batch.num_rows(); ++row) {
      builder.append(batch.value_at(row), kNoTimestamp, batch.kind_at(row), nullptr);
    }
    ready_ = builder.finish();
  }

  void append(std::int64_t row, ColumnBuilder& column) {
    bytes_.clear();
    bool present = false;
    try {
      present = encoder_->encode(*ready_, row, bytes_);
    } catch (const Error& error) {
      throw Error(error.kind(),
                  fmt::format("cannot serialize the {} of record {} as {}: {}",
                              spec_.role,
                              ready_->value_at(row).to_string(),
                              spec_.format,
                              error.what()));
    }
    if (present) {
      column.append_string(bytes_);
    } else {
      column.append_null();
    }
  }

 private:
  static bool same_storage(const LogicalType& a, const LogicalType& b) {
    if (a == b) {
      return true;
    }
    // Nullability and length limits do not change the bytes of plain columns.
    return a.kind() == b.kind() && a.children().empty() && b.children().empty() &&
           a.precision() == b.precision() && a.scale() == b.scale() &&
           a.kind() != TypeKind::kObject;
  }
  static ColumnPtr convert(const Column& column, const LogicalTypePtr& type) {
    ColumnBuilder builder(type);
    const HostScope scope;
    for (std::int64_t row = 0; row < column.length; ++row) {
      builder.append(column.value_at(row));
    }
    return builder.finish();
  }

  const SchemaSpec& spec_;
  std::unique_ptr<Encoder> encoder_;
  BatchPtr ready_;
  std::string bytes_;
};

struct SerializerSpec {
  std::string topic;
  int topic_field = -1;
  int value_field = -1;
  LogicalTypePtr element_type;
  std::optional<SchemaSpec> key;
  SchemaSpec value;
};

class KafkaSerializer final : public Operator {
 public:
  explicit KafkaSerializer(std::shared_ptr<const SerializerSpec> spec)
      : spec_(std::move(spec)), value_(spec_->value), builder_(kafka_record_type()) {
    if (spec_->key) {
      key_.emplace(*spec_->key);
    }
  }

  Granularity granularity() const override { return Granularity::kBatch; }
  bool uses_host() const override { return false; }  // takes the host's lock where it needs it
  void open(OperatorContext& /*context*/) override {}

  void process(Record&& record, int input, Output& out) override {
    BatchBuilder builder(spec_->element_type);
    builder.append(std::move(record.value), record.timestamp, record.kind, nullptr);
    process_batch(builder.finish(), input, out);
  }

  void process_batch(const BatchPtr& batch, int /*input*/, Output& out) override {
    if (!batch || batch->num_rows() == 0) {
      return;
    }
    BatchPtr element = batch;
    if (spec_->value_field >= 0) {
      element = extract(*batch, static_cast<std::size_t>(spec_->value_field));
    }
    value_.prepare(*element);
    if (key_) {
      key_->prepare(*element);
    }
    for (std::int64_t row = 0; row < batch->num_rows(); ++row) {
      append_topic(*batch, row);
      builder_.column(1).append_null();
      if (key_) {
        key_->append(row, builder_.column(2));
      } else {
        builder_.column(2).append_null();
      }
      value_.append(row, builder_.column(3));
      const Timestamp timestamp = batch->timestamp_at(row);
      // Kafka knows no time before 1970.
      if (timestamp >= 0) {
        builder_.column(4).append_int(timestamp);
      } else {
        builder_.column(4).append_null();
      }
      builder_.end_row(timestamp);
    }
    out.emit_batch(builder_.finish());
  }

 private:
  void append_topic(const Batch& batch, std::int64_t row) {
    if (spec_->topic_field < 0) {
      // The sink's own topic needs no copy in each record.
      if (spec_->topic.empty()) {
        builder_.column(0).append_null();
      } else {
        builder_.column(0).append_string(spec_->topic);
      }
      return;
    }
    const Column& column = batch.column(static_cast<std::size_t>(spec_->topic_field));
    if (column.is_null(row)) {
      throw_error(ErrorKind::kUserCode,
                  "the topic selector returned None for the record {}",
                  batch.value_at(row).to_string());
    }
    builder_.column(0).append_string(column.string_at(row));
  }

  static BatchPtr extract(const Batch& batch, std::size_t field) {
    const ColumnPtr& column = batch.columns()[field];
    if (!column->type->is_composite()) {
      return Batch::make(column->type, {column}, batch.num_rows());
    }
    return Batch::make(column->type, column->children, batch.num_rows());
  }

  std::shared_ptr<const SerializerSpec> spec_;
  HalfSerializer value_;
  std::optional<HalfSerializer> key_;
  BatchBuilder builder_;
};

}  // namespace

const LogicalTypePtr& kafka_record_type() {
  static const LogicalTypePtr type =
      LogicalType::row({"topic", "partition", "key", "value", "timestamp"},
                       {LogicalType::of(TypeKind::kString),
                        LogicalType::of(TypeKind::kInt),
                        LogicalType::of(TypeKind::kBytes),
                        LogicalType::of(TypeKind::kBytes),
                        LogicalType::of(TypeKind::kBigInt)});
  return type;
}

OperatorFactory make_kafka_serializer(const Options& options,
                                      const LogicalTypePtr& stream_type,
                                      const LogicalTypePtr& key_type,
                                      const LogicalTypePtr& value_type) {
  auto spec = std::make_shared<SerializerSpec>();
  spec->topic = options.get("topic", "");
  spec->topic_field = static_cast<int>(options.get_int("topic.field", -1));
  spec->value_field = static_cast<int>(options.get_int("value.field", -1));
  spec->element_type = stream_type;
  LogicalTypePtr element = stream_type;
  if (spec->topic_field >= 0 || spec->value_field >= 0) {
    const auto count = static_cast<int>(stream_type->children().size());
    if (!stream_type->is_composite() || spec->topic_field >= count || spec->value_field >= count) {
      throw_error(
          ErrorKind::kInvalidArgument,
          "'topic.field' and 'value.field' must be fields of the stream's type, but that is {}",
          stream_type->to_string());
    }
    if (spec->value_field >= 0) {
      element = stream_type->children()[static_cast<std::size_t>(spec->value_field)];
    }
  }
  if (!options.has("value.format")) {
    throw_error(ErrorKind::kInvalidArgument,
                "a Kafka sink needs a serializer for its values: set 'value.format'");
  }
  spec->value = make_spec("value", options, element, value_type);
  if (options.has("key.format")) {
    spec->key = make_spec("key", options, element, key_type);
  }
  return [spec](int /*subtask*/) -> std::unique_ptr<Operator> {
    return std::make_unique<KafkaSerializer>(spec);
  };
}

}  // namespace flott
