#include "base/error.h"
#include "checkpoint/checkpoint_storage.h"
#include "state/frame_files.h"
#include "state/rocksdb/rocks_keyed_state_backend.h"
#include "state/rocksdb/stored_keys.h"
#include "types/host.h"
#include "types/value_encoding.h"

#include <optional>
#include <utility>

// Snapshots in the form that every backend reads (state/frame_format.h): savepoints.

namespace flott::rocks {

/// Appends all keys to `content`, each followed by end_key(); a group's first one comes after
/// begin_group(group, header).
template <typename BeginGroup, typename EndKey>
void RocksKeyedStateBackend::write_frames(std::string& content,
                                          BeginGroup begin_group,
                                          EndKey end_key) {
  {
    const HostScope host_scope;
    core_.flush();
  }
  const HostRelease without_host_lock;  // values are copied as they are stored
  std::string header;
  BytesWriter header_writer(header);
  write_frame_header(stored_states(), header_writer);

  // Keys come by group.
  std::optional<KeyGroup> group;
  each_stored_key(core_, now(), Contents::kIncluded, [&](const StoredKey& key) {
    if (key.group != group) {
      begin_group(key.group, header);
      group = key.group;
    }
    BytesWriter writer(content);
    writer.string(key.bytes);
    if (key.key_value.empty()) {
      scratch_.clear();
      stored_key_value(key.bytes, {}).encode(scratch_);
      writer.string(scratch_);
    } else {
      writer.string(key.key_value);
    }
    writer.varint(key.slots.size());
    for (const StoredKey::Slot& slot : key.slots) {
      writer.varint(slot.column);
      writer.raw(slot.namespace_bytes.data(), slot.namespace_bytes.size());
      writer.string(slot.content);
    }
    end_key();
  });
}

std::map<KeyGroup, std::string> RocksKeyedStateBackend::snapshot() {
  std::map<KeyGroup, std::string> frames;
  std::string* frame = nullptr;
  std::uint64_t keys = 0;
  std::string content;
  const auto end_group = [&] {
    if (frame != nullptr) {
      BytesWriter(*frame).varint(keys);
      *frame += content;
    }
    keys = 0;
    content.clear();
  };
  write_frames(
      content,
      [&](KeyGroup group, const std::string& header) {
        end_group();
        frame = &frames[group];
        *frame = header;
      },
      [&] { ++keys; });
  end_group();
  return frames;
}

std::optional<KeyedStateFiles> RocksKeyedStateBackend::snapshot_frame_files() {
  core_.flush();
  if (!core_.stored) {
    return std::nullopt;
  }
  FrameFileWriter writer(core_.directory->fresh("savepoint"), core_.directory);
  bool any = false;
  write_frames(
      writer.content(),
      [&](KeyGroup group, const std::string& header) {
        if (any) {
          writer.end();
        }
        any = true;
        writer.begin(group, header);
      },
      [&] { writer.end_key(); });
  if (any) {
    writer.end();
  }
  return writer.finish(core_.options.range);
}

void RocksKeyedStateBackend::restore(const std::map<KeyGroup, std::string>& frames) {
  STREAM_CHECK(!core_.has_key, "keyed state is restored after it was used");
  HostSlices host;
  rocksdb::WriteBatch batch;
  for (const auto& [group, frame] : frames) {
    if (core_.options.range.contains(group)) {
      restore_group(group, frame, batch, host);
    }
  }
  host.release();
  if (core_.database != nullptr) {
    core_.database->write(batch);
  }
  migrate_declared();
}

void RocksKeyedStateBackend::restore_frame_files(const KeyedStateFiles& files) {
  HostSlices host;
  rocksdb::WriteBatch batch;
  each_frame(files, core_.options.range, [&](KeyGroup group, std::string_view frame) {
    restore_group(group, frame, batch, host);
  });
  host.release();
  if (core_.database != nullptr) {
    core_.database->write(batch);
  }
  migrate_declared();
}

void RocksKeyedStateBackend::restore_group(KeyGroup group,
                                           std::string_view frame,
                                           rocksdb::WriteBatch& batch,
                                           HostSlices& host) {
  try {
    host.release();
    core_.open();
    core_.stored = true;
    restore_frame(group, frame, batch, host);
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::kExternal || error.retryable()) {
      throw;  // of the database, not of the bytes
    }
    throw DamagedCheckpoint(
        {},
        fmt::format(
            "keyed state of key group {} cannot be restored: {}; restore an older checkpoint",
            group,
            error.what()));
  }
}

void RocksKeyedStateBackend::restore_frame(KeyGroup group,
                                           std::string_view frame,
                                           rocksdb::WriteBatch& batch,
                                           HostSlices& host) {
  BytesReader in(frame);
  struct Position {
    Column* column;
    bool stamped;
  };
  std::vector<Position> columns;
  for (const StoredState& stored : read_frame_header(in)) {
    columns.push_back({&adopt(stored), stored.stamped});
  }
  std::string slot_key;
  std::string key_value_bytes;
  for (std::uint64_t keys = in.varint(); keys > 0; --keys) {
    core_.options.check_cancelled();
    const std::string_view bytes = in.string();
    if (key_group_of(hash_bytes(bytes), core_.options.max_parallelism) != group) {
      throw Error(ErrorKind::kExternal,
                  "stored bytes are damaged: it holds a key of another key group (or the maximum "
                  "parallelism differs from that of the checkpoint)");
    }
    const std::string_view stored_value = in.string();
    BytesReader value_in(stored_value);
    skip_value(value_in);  // throws when it is damaged
    key_value_bytes.clear();
    if (!bytes_say_it_all_of(bytes, stored_value)) {
      key_value_bytes.assign(stored_value);
    }
    for (std::uint64_t slots = in.varint(); slots > 0; --slots) {
      const std::uint64_t position = in.varint();
      if (position >= columns.size()) {
        throw_error(ErrorKind::kExternal,
                    "stored bytes are damaged: state {} of {}",
                    position,
                    columns.size());
      }
      slot_key.clear();
      append_key_prefix(group, bytes, slot_key);
      BytesWriter key_writer(slot_key);
      encode_namespace(decode_namespace(in), key_writer);
      const Position& at = columns[position];
      restore_slot(*at.column, at.stamped, slot_key, key_value_bytes, in.string(), batch, host);
    }
    if (batch.GetDataSize() >= core_.rocks.write_batch_bytes) {
      host.release();
      core_.database->write(batch);
    }
  }
  if (!in.empty()) {
    throw Error(ErrorKind::kExternal, "stored bytes are damaged: bytes after the last key");
  }
}

void RocksKeyedStateBackend::restore_slot(Column& column,
                                          bool stamped,
                                          std::string_view slot_key,
                                          std::string_view key_value_bytes,
                                          std::string_view content,
                                          rocksdb::WriteBatch& batch,
                                          HostSlices& host) {
  const auto put = [&](std::string_view key, std::string_view value) {
    check_rocksdb(batch.Put(column.handle,
                            rocksdb::Slice(key.data(), key.size()),
                            rocksdb::Slice(value.data(), value.size())),
                  "restored",
                  core_.database->path());
  };
  // The bytes of the value at the reader, which then stands behind it.
  const auto take_value = [](BytesReader& in, bool* opaque) {
    BytesReader ahead = in;
    const bool is_opaque = skip_value(ahead);
    if (opaque != nullptr) {
      *opaque = is_opaque;
    }
    return in.take(in.remaining() - ahead.remaining());
  };
  BytesReader in(content);
  std::string entry;
  switch (column.kind) {
    case StateKind::kValue:
    case StateKind::kReducing:
    case StateKind::kAggregating: {
      write_header(key_value_bytes, stamped, entry);
      if (stamped) {
        BytesWriter(entry).i64(in.i64());
      }
      entry.append(in.take(in.remaining()));
      put(slot_key, entry);
      return;
    }
    case StateKind::kList: {
      write_header(key_value_bytes, false, entry);
      for (std::uint64_t left = in.varint(); left > 0; --left) {
        const Timestamp access = stamped ? in.i64() : 0;
        write_element(stamped, access, take_value(in, nullptr), entry);
      }
      put(slot_key, entry);
      return;
    }
    case StateKind::kMap: {
      std::string key;
      for (std::uint64_t left = in.varint(); left > 0; --left) {
        bool opaque = false;
        const std::string_view key_bytes = take_value(in, &opaque);
        const Timestamp access = stamped ? in.i64() : 0;
        const std::string_view value_bytes = take_value(in, nullptr);
        key.assign(slot_key);
        host.pause();
        if (opaque) {
          host.need();
        }
        BytesReader key_in(key_bytes);
        const Value map_key = Value::decode(key_in);
        encode_key(map_key, key);
        const bool all = bytes_say_it_all(std::string_view(key).substr(slot_key.size()), map_key);
        entry.clear();
        write_header(key_value_bytes, stamped, entry);
        BytesWriter writer(entry);
        if (stamped) {
          writer.i64(access);
        }
        writer.varint(core_.next_sequence++);
        writer.string(all ? std::string_view() : key_bytes);
        entry.append(value_bytes);
        put(key, entry);
      }
      return;
    }
  }
  throw_error(ErrorKind::kExternal,
              "stored bytes are damaged: state '{}' is of kind {}",
              column.name,
              static_cast<int>(column.kind));
}

}  // namespace flott::rocks
