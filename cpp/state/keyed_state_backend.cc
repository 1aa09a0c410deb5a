#include "state/keyed_state_backend.h"

#include "base/error.h"

namespace flott {

void KeyedStateBackend::restore_files(const KeyedStateFiles& files) {
  throw_error(ErrorKind::kInvalidArgument,
              "the checkpoint's keyed state was written by the state backend '{}': set "
              "state.backend.type to '{}', or take a savepoint with it, which any backend restores",
              files.backend,
              files.backend);
}

}  // namespace flott
