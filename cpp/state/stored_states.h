#pragma once

#include "checkpoint/snapshot.h"

#include <string>
#include <vector>

namespace flott {

/// What an operator has in a checkpoint, for messages: the names of its keyed and operator states
/// in quotes, and "timers". Never throws: what cannot be read is "keyed state".
std::vector<std::string> stored_state_names(const OperatorCheckpoint& stored);

}  // namespace flott
