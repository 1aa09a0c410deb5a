#include "state/rocksdb/rocks_keyed_state_backend.h"

extern "C" void flott_check_state_backend(const flott::StateBackendOptions* options) {
  flott::rocks::RocksOptions::parse(options->settings);
}

extern "C" flott::KeyedStateBackend* flott_make_keyed_state_backend(
    const flott::KeyedStateOptions* options) {
  return new flott::rocks::RocksKeyedStateBackend(*options);
}
