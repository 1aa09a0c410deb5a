#include "connectors/elasticsearch/bulk_action.h"

#include "base/error.h"
#include "types/batch.h"

#include <fmt/format.h>

namespace flott {

namespace {

constexpr std::size_t kKeptBytes = 4096;  ///< of a text
enum ActionField : std::size_t { kAction, kIndexName, kId, kRouting, kSource, kVersion, kScript };
}  // namespace

std::string_view to_string(ActionKind kind) {
  switch (kind) {
    case ActionKind::kIndex:
      return "index";
    case ActionKind::kCreate:
      return "create";
    case ActionKind::kUpdate:
      return "update";
    case ActionKind::kUpsert:
      return "upsert";
    case ActionKind::kDelete:
      return "delete";
  }
  return "";
}

void BulkAction::release_large() {
  for (std::string* text : {&source, &script}) {
    if (text->capacity() > kKeptBytes) {
      *text = std::string();
    }
  }
}

std::string BulkAction::describe() const {
  return id ? fmt::format("{} of document '{}' in index '{}'", to_string(kind), *id, index)
            : fmt::format("{} of a document without id in index '{}'", to_string(kind), index);
}

LogicalTypePtr bulk_action_type() {
  const LogicalTypePtr text = LogicalType::of(TypeKind::kString);
  return LogicalType::row({"action", "index", "id", "routing", "source", "version", "script"},
                          {text, text, text, text, text, LogicalType::of(TypeKind::kBigInt), text});
}

void read_bulk_action(const Batch& batch, std::int64_t row, BulkAction& action) {
  const auto text = [&](std::size_t field) -> std::optional<std::string_view> {
    const Column& column = batch.column(field);
    if (column.is_null(row)) {
      return std::nullopt;
    }
    return column.string_at(row);
  };
  const auto assign = [&](std::optional<std::string>& to, std::size_t field) {
    if (const std::optional<std::string_view> value = text(field); !value) {
      to.reset();
    } else if (to) {
      to->assign(*value);
    } else {
      to.emplace(*value);
    }
  };
  const std::string_view kind = text(kAction).value_or("null");
  if (kind == "index") {
    action.kind = ActionKind::kIndex;
  } else if (kind == "create") {
    action.kind = ActionKind::kCreate;
  } else if (kind == "update") {
    action.kind = ActionKind::kUpdate;
  } else if (kind == "upsert") {
    action.kind = ActionKind::kUpsert;
  } else if (kind == "delete") {
    action.kind = ActionKind::kDelete;
  } else {
    throw_error(
        ErrorKind::kUserCode,
        "Elasticsearch action '{}' is unknown: return index, create, update, upsert or delete",
        kind);
  }
  action.index = text(kIndexName).value_or("");
  assign(action.id, kId);
  assign(action.routing, kRouting);
  action.source = text(kSource).value_or("");
  action.script = text(kScript).value_or("");
  action.version.reset();
  if (!batch.column(kVersion).is_null(row)) {
    action.version = batch.column(kVersion).data<std::int64_t>()[row];
  }
  action.retries = 0;
  action.maybe_stored = false;
  if (action.index.empty()) {
    throw_error(ErrorKind::kUserCode, "Elasticsearch action {} has no index: set its name", kind);
  }
  const bool needs_id = action.partial() || action.kind == ActionKind::kDelete;
  if (action.id && action.id->empty()) {
    throw_error(ErrorKind::kUserCode,
                "Elasticsearch action {} on index '{}' has an empty id: set one, or null for an id "
                "of the server's",
                kind,
                action.index);
  }
  if (needs_id && !action.id) {
    throw_error(ErrorKind::kUserCode,
                "Elasticsearch action {} on index '{}' has no id: it needs one",
                kind,
                action.index);
  }
  if (action.source.empty() && action.kind != ActionKind::kDelete && action.script.empty()) {
    throw_error(
        ErrorKind::kUserCode, "Elasticsearch {} has no document: set source", action.describe());
  }
  if (!action.script.empty() && !action.partial()) {
    throw_error(ErrorKind::kUserCode,
                "Elasticsearch {} has a script: only update and upsert take one",
                action.describe());
  }
  if (action.version && action.partial()) {
    throw_error(ErrorKind::kUserCode,
                "Elasticsearch {} has a version: external versions go with index and delete only",
                action.describe());
  }
}

}  // namespace flott
