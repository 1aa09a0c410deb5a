#include "connectors/elasticsearch/elasticsearch_mapping.h"

#include "base/error.h"
#include "formats/scalar_text.h"

#include <algorithm>
#include <cstring>
#include <utility>

namespace flott {

namespace {

bool has_text(TypeKind kind) {
  switch (kind) {
    case TypeKind::kBoolean:
    case TypeKind::kTinyInt:
    case TypeKind::kSmallInt:
    case TypeKind::kInt:
    case TypeKind::kBigInt:
    case TypeKind::kDecimal:
    case TypeKind::kString:
    case TypeKind::kDate:
    case TypeKind::kTimestamp:
    case TypeKind::kTimestampLtz:
      return true;
    default:
      return false;
  }
}

void append_field(const LogicalType& type,
                  const Column& column,
                  std::int64_t row,
                  std::string& out) {
  switch (type.kind()) {
    case TypeKind::kBoolean:
      out += column.bool_at(row) ? "true" : "false";
      break;
    case TypeKind::kTinyInt:
      append_integer(column.data<std::int8_t>()[row], out);
      break;
    case TypeKind::kSmallInt:
      append_integer(column.data<std::int16_t>()[row], out);
      break;
    case TypeKind::kInt:
      append_integer(column.data<std::int32_t>()[row], out);
      break;
    case TypeKind::kBigInt:
      append_integer(column.data<std::int64_t>()[row], out);
      break;
    case TypeKind::kDecimal: {
      __int128 value;
      std::memcpy(&value, column.data<char>() + row * 16, sizeof value);
      append_decimal(value, type.scale(), out);
      break;
    }
    case TypeKind::kDate:
      append_date(column.data<std::int32_t>()[row], out);
      break;
    case TypeKind::kTimestamp:
    case TypeKind::kTimestampLtz:
      append_timestamp(column.data<std::int64_t>()[row], type, 'T', 0, out);
      break;
    default:
      out += column.string_at(row);
      break;
  }
}

}  // namespace

FieldTemplate::FieldTemplate(const std::string& option,
                             const std::string& text,
                             const LogicalType& type) {
  std::string literal;
  const auto end_literal = [&] {
    if (!literal.empty()) {
      parts_.push_back({std::exchange(literal, ""), -1});
    }
  };
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if ((c == '{' || c == '}') && i + 1 < text.size() && text[i + 1] == c) {
      literal.push_back(c);
      ++i;
      continue;
    }
    if (c == '}') {
      throw_error(ErrorKind::kInvalidArgument,
                  "elasticsearch: option '{}' has a '}}' without '{{': \"{}\"; double it to mean "
                  "the character",
                  option,
                  text);
    }
    if (c != '{') {
      literal.push_back(c);
      continue;
    }
    const std::size_t end = text.find('}', i);
    const std::string name = end == std::string::npos ? "" : text.substr(i + 1, end - i - 1);
    const int field = type.field_index(name);
    if (field < 0) {
      throw_error(ErrorKind::kInvalidArgument,
                  "elasticsearch: option '{}' names the field '{}' in \"{}\", but the rows are {}",
                  option,
                  name,
                  text,
                  type.to_string());
    }
    const LogicalType& field_type = *type.children()[static_cast<std::size_t>(field)];
    if (!has_text(field_type.kind())) {
      throw_error(ErrorKind::kInvalidArgument,
                  "elasticsearch: option '{}' cannot use field '{}' of type {} in a text",
                  option,
                  name,
                  field_type.to_string());
    }
    end_literal();
    parts_.push_back({name, field});
    i = end;
  }
  end_literal();
}

bool FieldTemplate::render(const Batch& batch,
                           std::int64_t row,
                           std::string& out,
                           std::string& null_field) const {
  for (const Part& part : parts_) {
    if (part.field < 0) {
      out += part.text;
      continue;
    }
    const auto field = static_cast<std::size_t>(part.field);
    const Column& column = batch.column(field);
    if (column.is_null(row)) {
      null_field = part.text;
      return false;
    }
    append_field(*batch.type()->children()[field], column, row, out);
  }
  return true;
}

ElasticsearchMappingConfig::ElasticsearchMappingConfig(const Options& mapping_options,
                                                       LogicalTypePtr type)
    : row_type(std::move(type)) {
  if (!row_type->is_composite() || !row_type->is_native()) {
    throw_error(ErrorKind::kInvalidArgument,
                "elasticsearch: option 'mapping.index' needs rows with typed fields, not {}; give "
                "the stream a row "
                "type (output_type=Types.ROW_NAMED(...)) or use an emitter",
                row_type->to_string());
  }
  index = std::make_unique<FieldTemplate>("mapping.index", mapping_options.get("index"), *row_type);
  const std::string id_text = mapping_options.get("id", "");
  if (!id_text.empty()) {
    id = std::make_unique<FieldTemplate>("mapping.id", id_text, *row_type);
  }
  const std::string routing_text = mapping_options.get("routing", "");
  if (!routing_text.empty()) {
    routing = std::make_unique<FieldTemplate>("mapping.routing", routing_text, *row_type);
  }
  const std::string name = mapping_options.get("action", id ? "upsert" : "index");
  if (name == "index") {
    action = ActionKind::kIndex;
  } else if (name == "create") {
    action = ActionKind::kCreate;
  } else if (name == "update") {
    action = ActionKind::kUpdate;
  } else if (name != "upsert") {
    throw_error(
        ErrorKind::kInvalidArgument,
        "elasticsearch: option 'mapping.action' must be index, create, update or upsert, not '{}'",
        name);
  }
  if (!id && (action == ActionKind::kUpdate || action == ActionKind::kUpsert)) {
    throw_error(ErrorKind::kInvalidArgument,
                "elasticsearch: option 'mapping.action' {} needs 'mapping.id'",
                name);
  }
  const std::string version = mapping_options.get("version-field", "");
  if (!version.empty()) {
    version_field = row_type->field_index(version);
    if (version_field < 0 || action != ActionKind::kIndex || !id ||
        row_type->children()[static_cast<std::size_t>(version_field)]->kind() !=
            TypeKind::kBigInt) {
      throw_error(ErrorKind::kInvalidArgument,
                  "elasticsearch: option 'mapping.version-field' '{}' must be a BIGINT field of "
                  "{}, with mapping.id and "
                  "mapping.action index",
                  version,
                  row_type->to_string());
    }
  }
  const std::vector<std::string> excluded = mapping_options.get_list("exclude-fields");
  std::vector<std::string> names;
  std::vector<LogicalTypePtr> types;
  for (const std::string& field : excluded) {
    if (row_type->field_index(field) < 0) {
      throw_error(ErrorKind::kInvalidArgument,
                  "elasticsearch: option 'mapping.exclude-fields' names '{}', but the rows are {}",
                  field,
                  row_type->to_string());
    }
  }
  for (std::size_t i = 0; i < row_type->children().size(); ++i) {
    const std::string& field = row_type->field_names()[i];
    if (std::find(excluded.begin(), excluded.end(), field) == excluded.end()) {
      document_fields.push_back(i);
      names.push_back(field);
      types.push_back(row_type->children()[i]);
    }
  }
  document_type = LogicalType::row(names, types);
  ignore_row_kinds = mapping_options.get_bool("ignore-row-kinds", false);
  json_options["encode.ignore-null-fields"] =
      mapping_options.get_bool("ignore-null-fields", false) ? "true" : "false";
  json_options["timestamp-format.standard"] =
      mapping_options.get("timestamp-format.standard", "ISO-8601");
  make_encoder(
      "json", json_options, document_type);  // refuses types and options now, not when the job runs
}

ElasticsearchMapping::ElasticsearchMapping(std::shared_ptr<const ElasticsearchMappingConfig> config)
    : config_(std::move(config)),
      encoder_(make_encoder("json", config_->json_options, config_->document_type)) {}

std::size_t ElasticsearchMapping::map(const Batch& batch, std::vector<BulkAction>& actions) {
  std::vector<ColumnPtr> columns;
  for (const std::size_t field : config_->document_fields) {
    columns.push_back(batch.columns()[field]);
  }
  const BatchPtr documents =
      Batch::make(config_->document_type, std::move(columns), batch.num_rows());
  std::string null_field;
  const auto render =
      [&](const FieldTemplate& text, std::int64_t row, const char* option, std::string& out) {
        out.clear();
        if (!text.render(batch, row, out, null_field)) {
          throw_error(ErrorKind::kUserCode,
                      "elasticsearch: field '{}' is null in a row whose option '{}' needs it: {}",
                      null_field,
                      option,
                      batch.value_at(row).to_string());
        }
        if (out.empty()) {
          throw_error(ErrorKind::kUserCode,
                      "elasticsearch: option '{}' makes an empty text of a row: {}",
                      option,
                      batch.value_at(row).to_string());
        }
      };
  const auto render_optional = [&](const FieldTemplate* text,
                                   std::int64_t row,
                                   const char* option,
                                   std::optional<std::string>& out) {
    if (text == nullptr) {
      out.reset();
      return;
    }
    if (!out) {
      out.emplace();
    }
    render(*text, row, option, *out);
  };
  std::size_t made = 0;
  for (std::int64_t row = 0; row < batch.num_rows(); ++row) {
    const RowKind kind = config_->ignore_row_kinds ? RowKind::kInsert : batch.kind_at(row);
    if (kind == RowKind::kUpdateBefore) {
      continue;
    }
    if (kind == RowKind::kDelete && !config_->id) {
      throw Error(ErrorKind::kUserCode,
                  "elasticsearch: a row of kind -D needs option 'mapping.id' to be deleted");
    }
    if (made == actions.size()) {
      actions.emplace_back();
    }
    BulkAction& action = actions[made];
    action.kind = kind == RowKind::kDelete ? ActionKind::kDelete : config_->action;
    render(*config_->index, row, "mapping.index", action.index);
    render_optional(config_->id.get(), row, "mapping.id", action.id);
    render_optional(config_->routing.get(), row, "mapping.routing", action.routing);
    action.script.clear();
    action.retries = 0;
    action.maybe_stored = false;
    action.version.reset();
    if (config_->version_field >= 0) {
      const Column& version = batch.column(static_cast<std::size_t>(config_->version_field));
      if (!version.is_null(row)) {
        action.version = version.data<std::int64_t>()[row];
      }
    }
    action.source.clear();
    if (action.kind != ActionKind::kDelete) {
      encoder_->encode(*documents, row, action.source);
    }
    ++made;
  }
  return made;
}

}  // namespace flott
