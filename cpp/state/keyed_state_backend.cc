#include "state/keyed_state_backend.h"

#include "base/error.h"
#include "base/plugin.h"
#include "types/host.h"

#include <malloc.h>

namespace flott {
namespace {

constexpr std::size_t kMuchMemory = 64 << 20;

}  // namespace

KeyedStateBackend::~KeyedStateBackend() {
  if (freed_bytes_ >= kMuchMemory) {
    const HostRelease others_may_run;
    ::malloc_trim(0);
  }
}

void KeyedStateBackend::restore_files(const KeyedStateFiles& files) {
  throw_error(ErrorKind::kInvalidArgument,
              "the checkpoint's keyed state was written by the state backend '{}': set "
              "state.backend.type to '{}', or take a savepoint with it, which any backend restores",
              files.backend,
              files.backend);
}

namespace {

constexpr const char* kRocksDb = "rocksdb";

template <typename Function>
Function from_rocksdb_plugin(const char* symbol) {
  return reinterpret_cast<Function>(load_plugin(kRocksDb, symbol, "the state backend 'rocksdb'"));
}

}  // namespace

void check_state_backend(const StateBackendOptions& options) {
  if (options.type == kRocksDb) {
    using Check = void (*)(const StateBackendOptions*);
    from_rocksdb_plugin<Check>("flott_check_state_backend")(&options);
  } else if (options.type != "hashmap") {
    throw_error(ErrorKind::kInvalidArgument,
                "there is no state backend '{}'; known are hashmap and rocksdb",
                options.type);
  }
}

std::unique_ptr<KeyedStateBackend> make_keyed_state_backend(const KeyedStateOptions& options) {
  if (options.backend == nullptr || options.backend->type == "hashmap") {
    return make_heap_keyed_state_backend(options);
  }
  check_state_backend(*options.backend);
  using Make = KeyedStateBackend* (*)(const KeyedStateOptions*);
  static const auto kMake = from_rocksdb_plugin<Make>("flott_make_keyed_state_backend");
  return std::unique_ptr<KeyedStateBackend>(kMake(&options));
}

}  // namespace flott
