#include "state/rocksdb/rocks_state.h"

#include "state/rocksdb/list_state.h"
#include "state/rocksdb/map_state.h"
#include "state/rocksdb/value_state.h"
#include "types/host.h"

#include <algorithm>

namespace flott::rocks {

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
  flush_wanted = false;
  const bool any = std::any_of(columns.begin(), columns.end(), [](const auto& column) {
    return column->state != nullptr && column->state->has_dirty();
  });
  if (!any) {
    return;
  }
  open();
  stored = true;
  rocksdb::WriteBatch batch;
  for (const auto& column : columns) {
    if (column->state != nullptr) {
      column->state->flush(batch);
    }
  }
  database->write(batch);
}

void Core::spill() {
  flush();
  drop_caches();
  cache_limit = memory->entries_share();
}

void Core::drop_caches() {
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

void RocksState::write_if_large(rocksdb::WriteBatch& batch) {
  if (batch.GetDataSize() >= core_.rocks.write_batch_bytes) {
    core_.database->write(batch);
  }
}

namespace {

/// Whether nobody can change what is in the value through another reference.
bool may_be_kept(const Value& value) {
  switch (value.kind()) {
    case ValueKind::kBytes:
    case ValueKind::kBatchRow:
      return false;
    case ValueKind::kObject: {
      // Immutable objects are their own copies.
      const Value copy = value.isolated();
      return copy.as_object() == value.as_object();
    }
    case ValueKind::kRow:
      return std::all_of(value.as_row().fields.begin(), value.as_row().fields.end(), may_be_kept);
    case ValueKind::kArray:
      return std::all_of(value.as_array().begin(), value.as_array().end(), may_be_kept);
    case ValueKind::kMap:
      return std::all_of(value.as_map().begin(), value.as_map().end(), [](const auto& entry) {
        return may_be_kept(entry.first) && may_be_kept(entry.second);
      });
    default:
      return true;
  }
}

}  // namespace

void CachedValue::set(Value value) {
  if (value.kind() == ValueKind::kBatchRow) {
    value = value.detached();
  }
  if (may_be_kept(value)) {
    value_ = std::move(value);
  } else {
    std::string bytes;
    value.encode(bytes);
    value_ = Value::bytes(std::move(bytes));
  }
}

void CachedValue::load(std::string_view bytes) {
  BytesReader in(bytes);
  Value value = Value::decode(in);
  value_ = may_be_kept(value) ? std::move(value) : Value::bytes(std::string(bytes));
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
