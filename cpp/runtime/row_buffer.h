#pragma once

#include "runtime/operator.h"
#include "types/batch.h"

#include <optional>
#include <utility>

namespace flott {

/// Packs single rows into batches for a receiver that outlives the pass.
///
/// A stream of a declared native type may still carry host objects (a Python function's results
/// before another Python function): those stay objects, in batches of their own.
class RowBuffer {
 public:
  explicit RowBuffer(LogicalTypePtr type) : type_(std::move(type)) {}

  /// Takes the row (already isolated). Returns a batch that has to go first when the kind of value
  /// changed, else null.
  BatchPtr append(Value&& value, Timestamp timestamp, RowKind kind, const Key* key) {
    const bool as_object = value.is_object() || type_->kind() == TypeKind::kObject;
    BatchPtr before;
    if (builder_ && (builder_->type()->kind() == TypeKind::kObject) != as_object) {
      before = finish();
      builder_.reset();
    }
    if (!builder_) {
      builder_.emplace(as_object ? LogicalType::object() : type_);
    }
    builder_->append(std::move(value), timestamp, kind, key);
    return before;
  }
  std::int64_t num_rows() const { return builder_ ? builder_->num_rows() : 0; }
  BatchPtr finish() { return num_rows() > 0 ? builder_->finish() : nullptr; }

 private:
  LogicalTypePtr type_;
  std::optional<BatchBuilder> builder_;
};

}  // namespace flott
