#pragma once

#include "operators/functions.h"
#include "runtime/operator.h"

#include <memory>

namespace flott {

/// Gives each record its key. A record's key lives until the next record; a batch is emitted with a
/// KeyColumn. When the selector is a plain field of a typed batch (KeySelector::field_index), the
/// keys are encoded straight from the column and the selector is not called.
std::unique_ptr<Operator> make_key_by_operator(std::unique_ptr<KeySelector> selector);

/// The selector of the native path: field `index` of each row.
std::unique_ptr<KeySelector> make_field_key_selector(int index);
/// Every record has the same, null key: window_all and other operators over a whole stream.
/// `takes_batches`: the records are native, so that nobody sees them come a batch at a time.
std::unique_ptr<KeySelector> make_constant_key_selector(bool takes_batches = false);

}  // namespace flott
