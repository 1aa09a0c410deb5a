#pragma once

#include "base/error.h"
#include "runtime/operator.h"

namespace flott {

/// Makes the key of each record the current key of keyed state, so that functions on keyed streams
/// find their state; does nothing on streams without keys. Operators call open() in their own
/// open() and select() first thing in process().
class RecordKey {
 public:
  void open(OperatorContext& context) {
    state_ = context.is_keyed() ? &context.keyed_state() : nullptr;
  }
  bool is_keyed() const { return state_ != nullptr; }
  void select(const Record& record) {
    if (state_ != nullptr) {
      STREAM_DCHECK(record.key != nullptr, "a record reached a keyed operator without a key");
      state_->set_current_key(*record.key);
    }
  }
  /// Null on streams without keys.
  KeyedStateBackend* state() const { return state_; }

 private:
  KeyedStateBackend* state_ = nullptr;
};

}  // namespace flott
