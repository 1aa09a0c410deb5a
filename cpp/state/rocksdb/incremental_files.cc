#include "base/error.h"
#include "checkpoint/checkpoint_storage.h"
#include "checkpoint/files.h"
#include "checkpoint/snapshot_file.h"
#include "state/frame_files.h"
#include "state/rocksdb/map_state.h"
#include "state/rocksdb/rocks_keyed_state_backend.h"
#include "types/host.h"

#include <algorithm>
#include <filesystem>
#include <set>
#include <system_error>
#include <utility>

// Checkpoints as files: those that RocksDB wrote once are shared by all checkpoints that need them.
//
// Grammar of KeyedStateFiles::description:
//   description := version:u8 (1)  header (state/frame_format.h)  next_sequence:u64
//                  files:varint name:string*     names in the database's folder, as `files` lists
//                  them

namespace flott::rocks {
namespace {

namespace fs = std::filesystem;

constexpr std::uint8_t kVersion = 1;
constexpr std::string_view kTable = ".sst";

bool is_table(const std::string& name) {
  return name.ends_with(kTable);
}

/// `name` in the database's folder `folder`.
void place(const SnapshotFile& file, const std::string& name, const std::string& folder) {
  const std::string target = folder + "/" + name;
  if (is_table(name)) {
    place_file(file, target);
  } else {
    files::write_new(target, *content_of(file));  // no link: the database goes on writing to these
  }
}

}  // namespace

std::optional<KeyedStateFiles> RocksKeyedStateBackend::snapshot_files() {
  {
    const HostScope host_scope;
    core_.flush();
  }
  KeyedStateFiles out;
  out.backend = "rocksdb";
  out.range = core_.options.range;
  BytesWriter description(out.description);
  description.u8(kVersion);
  write_frame_header(stored_states(), description);
  description.u64(core_.next_sequence);
  if (!core_.stored) {
    description.varint(0);
    return out;
  }

  // In a folder of its own (links), until nobody needs it any more: the storage has its files, or
  // it was given up. Any number may be under way, and each is complete in itself. The last holder
  // may be another thread than the task's, and outlive the backend.
  const auto kept =
      std::make_shared<const OwnedPath>(core_.directory->fresh("checkpoint"), core_.directory);
  const std::string& copy = kept->path();
  core_.database->checkpoint(copy);
  ++snapshots_;
  std::map<std::string, std::string> names;
  std::vector<std::string> local_names;
  for (const fs::directory_entry& file : fs::directory_iterator(copy)) {
    const std::string local = file.path().filename().string();
    std::string name;
    if (is_table(local) && core_.rocks.incremental) {
      const auto known = shared_names_.find(local);
      name =
          known != shared_names_.end() ? known->second : fmt::format("rocksdb-{}-{}", id_, local);
      names.emplace(local, name);
    } else {
      name = fmt::format("rocksdb-{}-{}-{}", id_, snapshots_, local);
    }
    local_names.push_back(local);
    out.files.push_back({name, file.path().string(), nullptr, file.file_size(), kept});
  }
  shared_names_ = std::move(names);
  description.varint(local_names.size());
  for (const std::string& local : local_names) {
    description.string(local);
  }
  return out;
}

void RocksKeyedStateBackend::restore_files(const KeyedStateFiles& files) {
  STREAM_CHECK(!core_.has_key, "keyed state is restored after it was used");
  if (files.backend == kFrameFiles) {
    restore_frame_files(files);
    return;
  }
  if (files.backend != "rocksdb") {
    KeyedStateBackend::restore_files(files);
    return;
  }
  const KeyGroupRange& range = core_.options.range;
  std::vector<Column*> columns;
  std::vector<std::string> local_names;
  try {
    BytesReader in(files.description);
    const std::uint8_t version = in.u8();
    if (version != kVersion) {
      throw_error(ErrorKind::kExternal,
                  "its format version is {}, and this version of Flott reads {} (was it written by "
                  "a newer one?)",
                  version,
                  kVersion);
    }
    for (const StoredState& stored : read_frame_header(in)) {
      columns.push_back(&adopt(stored));
    }
    core_.next_sequence = std::max(core_.next_sequence, in.u64());
    for (std::uint64_t left = in.count(); left > 0; --left) {
      local_names.emplace_back(in.string());
    }
    if (local_names.size() != files.files.size()) {
      throw_error(ErrorKind::kExternal,
                  "stored bytes are damaged: {} files of {}",
                  files.files.size(),
                  local_names.size());
    }
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::kExternal || error.retryable()) {
      throw;
    }
    throw DamagedCheckpoint(
        {},
        fmt::format("keyed state of key groups {} to {} cannot be restored: {}; restore an older "
                    "checkpoint",
                    files.range.begin,
                    files.range.end,
                    error.what()));
  }
  if (files.files.empty() || files.range.end <= range.begin || files.range.begin >= range.end) {
    to_migrate_.clear();
    return;
  }
  const bool is_base = core_.database == nullptr;
  core_.make_directory();
  const std::string folder = is_base ? core_.database_path() : core_.directory->fresh("restored");
  std::error_code error;
  fs::create_directory(folder, error);
  for (std::size_t i = 0; i < local_names.size(); ++i) {
    core_.options.check_cancelled();
    place(files.files[i], local_names[i], folder);
  }
  if (is_base) {
    core_.open_at(folder);
    core_.stored = true;
    for (std::size_t i = 0; i < local_names.size(); ++i) {
      if (core_.rocks.incremental && is_table(local_names[i])) {
        shared_names_.emplace(local_names[i], files.files[i].name);
      }
    }
    if (files.range.begin < range.begin || files.range.end > range.end) {
      clip_to_range();
    }
  } else {
    if (!to_migrate_.empty()) {
      throw_error(
          ErrorKind::kInvalidArgument,
          "state '{}' of another type cannot be restored from the files of several subtasks "
          "after it was declared; declare it after the restore",
          to_migrate_.begin()->first->name);
    }
    copy_from(folder, columns);
    fs::remove_all(folder, error);
  }
  migrate_declared();
}

void RocksKeyedStateBackend::clip_to_range() {
  std::string first;
  std::string behind;
  append_group(core_.options.range.begin, first);
  append_group(core_.options.range.end, behind);
  rocksdb::WriteBatch batch;
  for (const auto& column : core_.columns) {
    for (const auto& [from, to] :
         {std::pair(std::string(), first), std::pair(behind, std::string("\xff"))}) {
      if (from < to) {
        check_rocksdb(
            batch.DeleteRange(column->handle, from, to), "restored", core_.database->path());
      }
    }
  }
  core_.database->write(batch);
}

void RocksKeyedStateBackend::copy_from(const std::string& path,
                                       const std::vector<Column*>& columns) {
  Database from(
      path,
      core_.rocks,
      core_.memory,
      [this](const std::string& state) -> std::shared_ptr<const ColumnRules> {
        const Column* column = core_.find(state);
        return column != nullptr ? column->rules : nullptr;
      },
      true);
  std::string first;
  std::string behind;
  append_group(core_.options.range.begin, first);
  append_group(core_.options.range.end, behind);
  rocksdb::WriteBatch batch;
  core_.stored = true;
  for (Column* column : columns) {
    rocksdb::ColumnFamilyHandle* source = from.column(column->name);
    if (source == nullptr) {
      continue;
    }
    const auto it = from.iterate(source);
    for (it->Seek(first); it->Valid() && it->key().compare(behind) < 0; it->Next()) {
      check_rocksdb(
          batch.Put(column->handle, it->key(), it->value()), "restored", core_.database->path());
      if (batch.GetDataSize() >= core_.rocks.write_batch_bytes) {
        core_.options.check_cancelled();
        core_.database->write(batch);
      }
    }
    check_rocksdb(it->status(), "read", path);
  }
  core_.database->write(batch);
}

}  // namespace flott::rocks
