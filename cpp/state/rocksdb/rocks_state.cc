#include "state/rocksdb/rocks_state.h"

#include "state/rocksdb/list_state.h"
#include "state/rocksdb/map_state.h"
#include "state/rocksdb/value_state.h"
#include "types/host.h"

#include <algorithm>
#include <limits>

namespace flott::rocks {
namespace {

/// Writing that much takes some 10 ms.
constexpr std::size_t kMostDirtyBytes = 4 << 20;
/// Slots that an access looks at, at most, to find some that can be dropped.
constexpr std::size_t kVisitsAtOnce = 1024;

}  // namespace

bool Column::writes_stamps() const {
  return state != nullptr ? state->stamped() : stamped;
}

Core::Core(const KeyedStateOptions& keyed_options, const RocksOptions& rocks_options)
    : options(keyed_options), rocks(rocks_options), memory(SharedMemory::get(rocks_options)) {
  memory->enter();
  cache_limit = memory->entries_share();
  birth = options.clock != nullptr ? options.clock->now_ms() : 0;
}

Core::~Core() {
  // Before the database and its folder: states let go of their values first.
  for (const auto& column : columns) {
    column->state.reset();
  }
  database.reset();
  directory.reset();
  memory->leave();
}

Column* Core::find(const std::string& name) {
  const auto it =
      std::find_if(columns.begin(), columns.end(), [&](const auto& c) { return c->name == name; });
  return it == columns.end() ? nullptr : it->get();
}

Database& Core::open() {
  if (database == nullptr) {
    make_directory();
    open_at(database_path());
  }
  return *database;
}

void Core::make_directory() {
  if (directory == nullptr) {
    directory = std::make_shared<WorkingDirectory>(
        "flott-rocksdb-",
        rocks.local_directories,
        "set state.backend.rocksdb.localdir to a folder that can be written to");
  }
}

void Core::open_at(const std::string& path) {
  database = std::make_unique<Database>(
      path, rocks, memory, [this](const std::string& state) -> std::shared_ptr<const ColumnRules> {
        const Column* column = find(state);
        return column != nullptr ? column->rules : nullptr;
      });
  for (const auto& column : columns) {
    open_column(*column);
  }
}

void Core::open_column(Column& column) {
  if (database != nullptr) {
    column.handle = database->column(column.name);
    if (column.handle == nullptr) {
      column.handle = database->create_column(column.name, column.rules);
    }
  }
}

const std::string& Core::key_value_bytes() {
  if (!key_value_known_) {
    key_value_bytes_.clear();
    if (key_known && !bytes_say_it_all(key_bytes, key)) {
      key.encode(key_value_bytes_);
    }
    key_value_known_ = true;
  }
  return key_value_bytes_;
}

void Core::flush() {
  const bool any = std::any_of(columns.begin(), columns.end(), [](const auto& column) {
    return column->state != nullptr && column->state->has_dirty();
  });
  if (any) {
    write_dirty([](RocksState& state, rocksdb::WriteBatch& batch) { state.flush(batch); });
  }
}

void Core::relieve() {
  if (holds > 0) {
    return;  // called by user code while something is written
  }
  write_dirty([](RocksState& state, rocksdb::WriteBatch& batch) {
    if (state.wants_relief()) {
      state.relieve(batch);
    }
  });
}

void Core::write_dirty(const std::function<void(RocksState&, rocksdb::WriteBatch&)>& write) {
  const SlotHold hold(*this);  // encoding objects runs user code
  relief_wanted = false;
  open();
  stored = true;
  rocksdb::WriteBatch batch;
  try {
    for (const auto& column : columns) {
      if (column->state != nullptr) {
        write(*column->state, batch);
      }
    }
    database->write_behind(batch);
  } catch (...) {
    database->mark_incomplete();  // also if a function catches it and goes on
    throw;
  }
}

void Core::evict() {
  if (holds > 0) {
    return;
  }
  // What is being written must not be looked for in the database, so that it stays. What goes to a
  // table does so by itself (SlotCache::begin_round()).
  if (database != nullptr && !database->is_writing_table()) {
    if (database->is_writing() && cached_bytes < cache_limit + cache_limit / 16) {
      return;
    }
    database->settle();
  }
  const SlotHold hold(*this);  // destroying values may run user code
  cache_limit = memory->entries_share();
  // One access adds little, so that little is to be dropped for it; unless it was a large one.
  const bool far_above = cached_bytes > cache_limit + cache_limit / 8;
  std::size_t visits = far_above ? std::numeric_limits<std::size_t>::max() : kVisitsAtOnce;
  std::size_t ends = 0;
  while (cached_bytes > cache_limit && visits > 0) {
    if (swept_ >= columns.size()) {
      swept_ = 0;
    }
    RocksState* const state = columns[swept_]->state.get();
    if (state != nullptr && !state->sweep(visits)) {
      continue;
    }
    ++swept_;
    // Two rounds take everything but what is dirty.
    if (++ends == 2 * columns.size() + 1) {
      flush();
      if (database != nullptr) {
        database->settle();  // what is being written must not go
      }
    } else if (ends > 4 * columns.size() + 2) {
      break;
    }
  }
  ++epoch;
}

void Core::drop_caches() {
  if (database != nullptr) {
    database->settle();
  }
  for (const auto& column : columns) {
    if (column->state != nullptr) {
      column->state->drop_cache();
    }
  }
  cached_bytes = 0;
  ++epoch;
}

void RocksState::throw_no_key() const {
  throw_error(ErrorKind::kInvalidArgument,
              "state '{}' is used while there is no current key: use keyed state only while a "
              "record or timer of a "
              "keyed stream is processed, not in open() or close()",
              name_);
}

std::size_t RocksState::most_dirty_bytes() const {
  return std::min(kMostDirtyBytes, dirty_share());
}

void RocksState::write_if_large(rocksdb::WriteBatch& batch) {
  if (batch.GetDataSize() >= core_.rocks.write_batch_bytes) {
    core_.database->write_behind(batch);
  }
}

std::unique_ptr<RocksState> make_rocks_state(Core& core,
                                             Column& column,
                                             const StateDescriptor& descriptor) {
  switch (descriptor.kind) {
    case StateKind::kValue:
      return std::make_unique<RocksValueState>(core, column, descriptor);
    case StateKind::kList:
      return std::make_unique<RocksListState>(core, column, descriptor);
    case StateKind::kMap:
      return std::make_unique<RocksMapState>(core, column, descriptor);
    case StateKind::kReducing:
    case StateKind::kAggregating:
      return std::make_unique<RocksAppendingState>(core, column, descriptor);
  }
  throw_error(ErrorKind::kInternal,
              "state '{}' is of unknown kind {}",
              descriptor.name,
              static_cast<int>(descriptor.kind));
}

}  // namespace flott::rocks
