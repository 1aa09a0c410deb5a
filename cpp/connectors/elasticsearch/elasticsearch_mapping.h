#pragma once

#include "connectors/elasticsearch/bulk_action.h"
#include "connectors/options.h"
#include "formats/format.h"
#include "types/batch.h"

#include <memory>
#include <string>
#include <vector>

namespace flott {

/// Text with `{field}` in it, `{{` and `}}` for braces. Immutable.
class FieldTemplate {
 public:
  /// Throws kInvalidArgument naming `option` and the field that `type` does not have, or cannot be
  /// part of a text.
  FieldTemplate(const std::string& option, const std::string& text, const LogicalType& type);
  /// False when a field is null; its name is then in `null_field`.
  bool render(const Batch& batch,
              std::int64_t row,
              std::string& out,
              std::string& null_field) const;

 private:
  struct Part {
    std::string text;
    int field = -1;  ///< -1: the text
  };
  std::vector<Part> parts_;
  LogicalTypePtr type_;
};

/// How rows of a type become actions: the options `mapping.*` against the type, checked when the
/// graph is built.
struct ElasticsearchMappingConfig {
  /// Throws kInvalidArgument naming option and field.
  ElasticsearchMappingConfig(const Options& mapping_options, LogicalTypePtr type);

  LogicalTypePtr row_type;
  LogicalTypePtr document_type;
  std::vector<std::size_t> document_fields;
  std::unique_ptr<FieldTemplate> index;
  std::unique_ptr<FieldTemplate> id;       ///< may be null
  std::unique_ptr<FieldTemplate> routing;  ///< may be null
  ActionKind action = ActionKind::kUpsert;
  int version_field = -1;
  bool ignore_row_kinds = false;
  FormatOptions json_options;
};

/// Typed rows -> actions without leaving C++: the native counterpart of an emitter written in
/// Python. Row kinds count unless they are ignored: -D deletes, -U is nothing (its +U follows), the
/// others do the configured action. One per writer.
class ElasticsearchMapping {
 public:
  explicit ElasticsearchMapping(std::shared_ptr<const ElasticsearchMappingConfig> config);
  /// Puts the actions of a batch at the beginning of `actions`, which grows as needed, and gives
  /// their number. Throws kUserCode naming the field when an index or id would hold a null, or the
  /// row when one would be empty.
  std::size_t map(const Batch& batch, std::vector<BulkAction>& actions);

 private:
  std::shared_ptr<const ElasticsearchMappingConfig> config_;
  std::unique_ptr<Encoder> encoder_;
};

}  // namespace flott
