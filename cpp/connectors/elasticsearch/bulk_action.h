#pragma once

#include "types/logical_type.h"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace flott {

enum class ActionKind : std::uint8_t { kIndex, kCreate, kUpdate, kUpsert, kDelete };

std::string_view to_string(ActionKind kind);

/// One change of one document. Who fills one that was used before sets every member; assigning to
/// the strings, rather than making new ones, uses their memory again.
struct BulkAction {
  ActionKind kind = ActionKind::kIndex;
  std::string index;
  std::optional<std::string> id;  ///< absent: the server makes one
  std::optional<std::string> routing;
  /// JSON object: the document; for update and upsert the part to change. Empty: none (delete,
  /// scripted update).
  std::string source;
  /// External version: an older write than the stored one loses.
  std::optional<std::int64_t> version;
  /// Update by script: painless source, or a JSON object as the update API's "script" takes it.
  /// `source` is then the script's params (update) or the document to insert when there is none
  /// (upsert).
  std::string script;

  int retries = 0;
  /// A request with it ended without an answer of its own: the server may have applied it.
  bool maybe_stored = false;

  bool partial() const { return kind == ActionKind::kUpdate || kind == ActionKind::kUpsert; }
  /// Bytes it takes in a request, roughly.
  std::size_t size_bytes() const {
    return 96 + index.size() + (id ? id->size() : 0) + (routing ? routing->size() : 0) +
           source.size() + script.size();
  }
  /// Gives back the memory of a large document before the object is used for another one: thousands
  /// of objects each as large as the largest document ever seen would add up.
  void release_large();
  /// `upsert of document 'id' in index 'x'`, for messages.
  std::string describe() const;
};

/// The rows the sink takes when it has no mapping:
///   ROW<action STRING, index STRING, id STRING, routing STRING, source STRING, version BIGINT,
///   script STRING>
/// action: index, create, update, upsert or delete; source: the document as JSON text (update,
/// upsert: the part to change). Null where there is none.
LogicalTypePtr bulk_action_type();

class Batch;
/// Fills `action` with row `row` of a batch of bulk_action_type(). Throws kUserCode naming the
/// field that is wrong.
void read_bulk_action(const Batch& batch, std::int64_t row, BulkAction& action);

}  // namespace flott
