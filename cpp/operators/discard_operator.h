#pragma once

#include "runtime/operator.h"

#include <memory>

namespace flott {

/// The end of a stream that nobody looks at (Flink's DiscardingSink): drops records and batches of
/// any type.
std::unique_ptr<Operator> make_discard_operator();

}  // namespace flott
