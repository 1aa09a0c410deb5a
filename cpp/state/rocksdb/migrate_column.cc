#include "state/migration.h"
#include "state/rocksdb/rocks_keyed_state_backend.h"
#include "types/host.h"

#include <utility>

// Values of a state whose declared type is another one than the stored (state/migration.h): all are
// rewritten at once, as in Flink's RocksDB backend.

namespace flott::rocks {
namespace {

/// Copies an entry, each value in it as `convert` makes it.
template <typename Convert>
void convert_entry(StateKind kind, std::string_view entry, Convert convert, std::string& out) {
  BytesReader in(entry);
  BytesWriter writer(out);
  const EntryHeader header = read_header(in);
  write_header(header.key_value, header.stamped, out);
  std::string bytes;
  const auto converted = [&](std::string_view value) -> const std::string& {
    BytesReader value_in(value);
    bytes.clear();
    convert(Value::decode(value_in)).encode(bytes);
    return bytes;
  };
  if (kind == StateKind::kList) {
    while (!in.empty()) {
      const StoredElement element = read_element(in);
      write_element(element.stamped, element.access, converted(element.value), out);
    }
    return;
  }
  if (header.stamped) {
    writer.i64(in.i64());
  }
  if (kind == StateKind::kMap) {
    writer.varint(in.varint());
    writer.string(in.string());
  }
  out.append(converted(in.take(in.remaining())));
}

}  // namespace

void RocksKeyedStateBackend::migrate_column(Column& column,
                                            const LogicalTypePtr& stored,
                                            const LogicalTypePtr& declared) {
  if (!core_.stored || !needs_migration(*stored, *declared)) {
    return;
  }
  const HostScope host_scope;
  const std::string& path = core_.database->path();
  rocksdb::WriteBatch batch;
  std::string entry;
  const auto it = core_.database->iterate(column.handle);
  for (it->SeekToFirst(); it->Valid(); it->Next()) {
    entry.clear();
    convert_entry(
        column.kind,
        view(it->value()),
        [&](const Value& value) { return migrate(value, *stored, declared); },
        entry);
    check_rocksdb(batch.Put(column.handle, it->key(), entry), "migrated", path);
    if (batch.GetDataSize() >= core_.rocks.write_batch_bytes) {
      core_.database->write(batch);
    }
  }
  check_rocksdb(it->status(), "read", path);
  core_.database->write(batch);
}

}  // namespace flott::rocks
