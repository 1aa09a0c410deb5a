#include "state/rocksdb/rocks_keyed_state_backend.h"

#include "base/error.h"
#include "base/random_id.h"
#include "state/migration.h"
#include "state/rocksdb/stored_keys.h"
#include "types/host.h"

#include <algorithm>
#include <utility>

namespace flott::rocks {
namespace {

RocksOptions parse_options(const KeyedStateOptions& options) {
  static const std::map<std::string, std::string> kNone;
  return RocksOptions::parse(options.backend != nullptr ? options.backend->settings : kNone);
}

}  // namespace

RocksKeyedStateBackend::RocksKeyedStateBackend(const KeyedStateOptions& options)
    : core_(options, parse_options(options)), id_(random_id()) {}

Column& RocksKeyedStateBackend::add_column(const std::string& name, StateKind kind) {
  auto column = std::make_unique<Column>();
  column->name = name;
  column->kind = kind;
  column->rules = std::shared_ptr<ColumnRules>(
      new ColumnRules{.kind = kind, .clock = core_.options.clock, .birth = core_.birth});
  core_.columns.push_back(std::move(column));
  return *core_.columns.back();
}

template <typename Face>
Face& RocksKeyedStateBackend::declare(const StateDescriptor& descriptor) {
  if (descriptor.name.empty()) {
    throw Error(
        ErrorKind::kInvalidArgument,
        "a state descriptor has an empty name; name the state uniquely within its operator");
  }
  const LogicalTypePtr& value_type = or_object(descriptor.value_type);
  const LogicalTypePtr key_type =
      descriptor.kind == StateKind::kMap ? or_object(descriptor.key_type) : nullptr;
  Column* known = core_.find(descriptor.name);
  if (known != nullptr) {
    const bool fits = known->state != nullptr ? same_type(known->value_type, value_type)
                                              : can_migrate(*known->value_type, *value_type);
    if (known->kind != descriptor.kind || !fits || !same_type(known->key_type, key_type)) {
      throw_error(
          ErrorKind::kInvalidArgument,
          "state '{}' is declared as {}, but {} as {}; {}",
          descriptor.name,
          describe_state(descriptor.kind, key_type, value_type),
          known->state != nullptr ? "was declared before in the same operator"
                                  : "the checkpoint holds it",
          describe_state(known->kind, known->key_type, known->value_type),
          known->state != nullptr ? "use another name for one of the two" : kHowToChangeState);
    }
    if (known->state != nullptr) {
      return dynamic_cast<Face&>(*known->face);
    }
  }
  Column& column = known != nullptr ? *known : add_column(descriptor.name, descriptor.kind);
  std::unique_ptr<RocksState> state;
  try {
    state = make_rocks_state(core_, column, descriptor);
  } catch (...) {
    if (known == nullptr) {
      core_.columns.pop_back();
    }
    throw;
  }
  const LogicalTypePtr stored_type = column.value_type;
  column.value_type = value_type;
  column.key_type = key_type;
  column.ends_by_itself = descriptor.ends_by_itself;
  if (descriptor.ttl.enabled() && descriptor.ttl.cleanup_in_compaction) {
    column.rules->refresh_after = descriptor.ttl.compaction_refresh_after;
    column.rules->ttl_ms = descriptor.ttl.ttl_ms;
  }
  core_.open_column(column);
  if (known != nullptr) {
    migrate_column(column, stored_type, value_type);
  }
  auto& face = dynamic_cast<Face&>(*state);
  column.face = &face;
  column.state = std::move(state);
  return face;
}

ValueState& RocksKeyedStateBackend::value_state(const StateDescriptor& descriptor) {
  require_kind(descriptor, descriptor.kind == StateKind::kValue, "value");
  return declare<ValueState>(descriptor);
}
ListState& RocksKeyedStateBackend::list_state(const StateDescriptor& descriptor) {
  require_kind(descriptor, descriptor.kind == StateKind::kList, "list");
  return declare<ListState>(descriptor);
}
MapState& RocksKeyedStateBackend::map_state(const StateDescriptor& descriptor) {
  require_kind(descriptor, descriptor.kind == StateKind::kMap, "map");
  return declare<MapState>(descriptor);
}
AppendingState& RocksKeyedStateBackend::appending_state(const StateDescriptor& descriptor) {
  require_kind(
      descriptor,
      descriptor.kind == StateKind::kReducing || descriptor.kind == StateKind::kAggregating,
      "reducing or aggregating");
  return declare<AppendingState>(descriptor);
}

Column& RocksKeyedStateBackend::adopt(const StoredState& stored) {
  Column* known = core_.find(stored.name);
  if (known == nullptr) {
    Column& column = add_column(stored.name, stored.kind);
    column.stamped = stored.stamped;
    column.value_type = stored.value_type;
    column.key_type = stored.key_type;
    core_.open_column(column);
    return column;
  }
  if (known->state == nullptr && reads_as(*known->value_type, *stored.value_type)) {
    known->value_type = stored.value_type;
  }
  // A state that nobody has declared yet keeps its bytes, and those of all parts must be alike.
  const auto other = to_migrate_.find(known);
  const bool fits = known->state == nullptr
                        ? reads_as(*stored.value_type, *known->value_type)
                        : can_migrate(*stored.value_type, *known->value_type) &&
                              (other == to_migrate_.end() || *other->second == *stored.value_type);
  if (stored.kind != known->kind || !fits || !same_type(stored.key_type, known->key_type)) {
    throw_error(ErrorKind::kInvalidArgument,
                "state '{}' is declared as {}, but the checkpoint holds it as {}; {}",
                stored.name,
                describe_state(known->kind, known->key_type, known->value_type),
                describe_state(stored.kind, stored.key_type, stored.value_type),
                kHowToChangeState);
  }
  if (known->state != nullptr && needs_migration(*stored.value_type, *known->value_type)) {
    to_migrate_[known] = stored.value_type;
  }
  return *known;
}

void RocksKeyedStateBackend::migrate_declared() {
  for (const auto& [column, stored] : std::exchange(to_migrate_, {})) {
    migrate_column(*column, stored, column->value_type);
  }
}

std::vector<StoredState> RocksKeyedStateBackend::stored_states() const {
  std::vector<StoredState> out;
  for (const auto& column : core_.columns) {
    out.push_back({column->name,
                   column->kind,
                   column->writes_stamps(),
                   column->value_type,
                   column->key_type});
  }
  return out;
}

void RocksKeyedStateBackend::set_current_key(const Key& key) {
  if (key.hash == core_.key_hash && core_.has_key && key.bytes == core_.key_bytes) {
    return;
  }
  const KeyGroup group = key_group_of(key.hash, core_.options.max_parallelism);
  STREAM_DCHECK(core_.options.range.contains(group),
                "a key is of key group {}, which is not one of this subtask's [{}, {})",
                group,
                core_.options.range.begin,
                core_.options.range.end);
  core_.key_known = key.value != nullptr;
  if (core_.key_known) {
    core_.key = key.value->isolated();
  }
  core_.key_hash = key.hash;
  core_.key_bytes.assign(key.bytes);
  core_.has_key = true;
  core_.prefix.clear();
  append_key_prefix(group, core_.key_bytes, core_.prefix);
  core_.key_changed();
}

void RocksKeyedStateBackend::prefetch(const KeyColumn& keys, std::size_t begin, std::size_t end) {
  for (const auto& column : core_.columns) {
    if (column->state != nullptr) {
      column->state->prefetch(keys, begin, end);
    }
  }
}

Key RocksKeyedStateBackend::current() const {
  core_.know_key();
  return {core_.key_bytes, core_.key_hash, &core_.key};
}

std::size_t RocksKeyedStateBackend::key_count() const {
  core_.flush();
  std::size_t count = 0;
  each_stored_key(core_, now(), Contents::kLeftOut, [&](const StoredKey&) { ++count; });
  return count;
}

std::size_t RocksKeyedStateBackend::entry_count() const {
  core_.flush();
  std::size_t count = 0;
  each_stored_key(
      core_, now(), Contents::kLeftOut, [&](const StoredKey& key) { count += key.slots.size(); });
  return count;
}

std::vector<KeyedStateSize> RocksKeyedStateBackend::state_sizes() const {
  std::vector<KeyedStateSize> out;
  for (const auto& column : core_.columns) {
    if (column->state == nullptr || column->ends_by_itself || column->writes_stamps()) {
      continue;
    }
    KeyedStateSize& size = out.emplace_back();
    size.state = column->name;
    if (core_.stored) {
      size.entries =
          core_.database->estimate(column->handle, rocksdb::DB::Properties::kEstimateNumKeys);
      size.bytes =
          core_.database->estimate(column->handle, rocksdb::DB::Properties::kEstimateLiveDataSize);
    }
  }
  return out;
}

std::optional<StateDescriptor> RocksKeyedStateBackend::declared(const std::string& name) const {
  const Column* column = core_.find(name);
  if (column == nullptr || column->state == nullptr) {
    return std::nullopt;
  }
  StateDescriptor out;
  out.kind = column->kind;
  out.name = name;
  out.value_type = column->value_type;
  out.key_type = column->key_type;
  return out;
}

void RocksKeyedStateBackend::for_each_key(const std::string& state_name,
                                          const std::function<void()>& visit) {
  const Column* column = core_.find(state_name);
  if (column == nullptr) {
    return;
  }
  core_.flush();
  if (!core_.stored) {
    return;
  }
  // Copies: what `visit` does may add and remove keys.
  struct Visited {
    std::string bytes;
    std::string key_value;
  };
  std::vector<Visited> keys;
  const auto it = core_.database->iterate(column->handle);
  std::string last;
  for (it->SeekToFirst(); it->Valid(); it->Next()) {
    const ParsedKey key = parse_key(view(it->key()));
    if (key.prefix != last) {
      last.assign(key.prefix);
      BytesReader in(view(it->value()));
      keys.push_back({std::string(key.key), std::string(read_header(in).key_value)});
    }
  }
  check_rocksdb(it->status(), "read", core_.database->path());

  const bool had_key = core_.has_key;
  const std::string before_bytes = core_.key_bytes;
  const Value before = current_key();
  for (const Visited& key : keys) {
    const Value value = stored_key_value(key.bytes, key.key_value);
    set_current_key(Key::of(key.bytes, value));
    visit();
  }
  if (had_key) {
    set_current_key(Key::of(before_bytes, before));
  }
}

void RocksKeyedStateBackend::clear_all() {
  core_.drop_caches();
  if (!core_.stored) {
    return;
  }
  rocksdb::WriteBatch batch;
  for (const auto& column : core_.columns) {
    // No key group begins with 0xff.
    check_rocksdb(batch.DeleteRange(column->handle, rocksdb::Slice(), rocksdb::Slice("\xff", 1)),
                  "written",
                  core_.database->path());
  }
  core_.database->write(batch);
  core_.stored = false;
}

void RocksKeyedStateBackend::compact() {
  core_.flush();
  if (core_.database == nullptr) {
    return;
  }
  rocksdb::CompactRangeOptions options;
  options.bottommost_level_compaction = rocksdb::BottommostLevelCompaction::kForce;
  for (const auto& column : core_.columns) {
    check_rocksdb(core_.database->db().CompactRange(options, column->handle, nullptr, nullptr),
                  "compacted",
                  core_.database->path());
  }
}

}  // namespace flott::rocks
