#pragma once

#include "state/frame_format.h"
#include "state/host_slices.h"
#include "state/keyed_state_backend.h"
#include "state/rocksdb/rocks_state.h"

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace flott::rocks {

/// Keyed state in a RocksDB of its own, larger than memory. Opens the database when there is
/// something to be stored, in a working directory that goes with the backend.
class RocksKeyedStateBackend final : public KeyedStateBackend {
 public:
  /// Throws kInvalidArgument for settings that make no sense.
  explicit RocksKeyedStateBackend(const KeyedStateOptions& options);
  ~RocksKeyedStateBackend() override { frees(core_.cached_bytes); }

  ValueState& value_state(const StateDescriptor& descriptor) override;
  ListState& list_state(const StateDescriptor& descriptor) override;
  MapState& map_state(const StateDescriptor& descriptor) override;
  AppendingState& appending_state(const StateDescriptor& descriptor) override;

  void set_current_key(const Key& key) override;
  void prefetch(const KeyColumn& keys, std::size_t begin, std::size_t end) override;
  const Value& current_key() const override { return core_.know_key(); }
  Key current() const override;

  /// These two, for_each_key and snapshots read all of the database.
  std::size_t key_count() const override;
  std::size_t entry_count() const override;
  std::optional<StateDescriptor> declared(const std::string& name) const override;
  void for_each_key(const std::string& state_name, const std::function<void()>& visit) override;

  void clear_all() override;

  std::map<KeyGroup, std::string> snapshot() override;
  void restore(const std::map<KeyGroup, std::string>& frames) override;

  std::optional<KeyedStateFiles> snapshot_frame_files() override;
  std::optional<KeyedStateFiles> snapshot_files() override;
  void restore_files(const KeyedStateFiles& files) override;
  /// RocksDB's estimates.
  std::vector<KeyedStateSize> state_sizes() const override;

  /// Compacts everything, for tests and measurements.
  void compact();
  /// Folder of the database; empty until it is needed.
  std::string working_directory() const {
    return core_.directory != nullptr ? core_.directory->path() : std::string();
  }

 private:
  template <typename Face>
  Face& declare(const StateDescriptor& descriptor);
  Column& add_column(const std::string& name, StateKind kind);
  /// The column of a state that is being restored, made if need be; checks that it fits.
  Column& adopt(const StoredState& stored);
  std::vector<StoredState> stored_states() const;
  Timestamp now() const {
    return core_.options.clock != nullptr ? core_.options.clock->now_ms() : 0;
  }

  /// Gives the values of a column the type that the state is declared with now.
  void migrate_column(Column& column, const LogicalTypePtr& stored, const LogicalTypePtr& declared);
  /// Likewise of those that were declared before what they are restored from.
  void migrate_declared();

  // frames.cc
  template <typename BeginGroup, typename EndKey>
  void write_frames(std::string& content, BeginGroup begin_group, EndKey end_key);
  void restore_frame_files(const KeyedStateFiles& files);
  void restore_group(KeyGroup group,
                     std::string_view frame,
                     rocksdb::WriteBatch& batch,
                     HostSlices& host);
  void restore_frame(KeyGroup group,
                     std::string_view frame,
                     rocksdb::WriteBatch& batch,
                     HostSlices& host);
  void restore_slot(Column& column,
                    bool stamped,
                    std::string_view slot_key,
                    std::string_view key_value,
                    std::string_view content,
                    rocksdb::WriteBatch& batch,
                    HostSlices& host);

  // incremental_files.cc
  /// Deletes what is of key groups outside the range.
  void clip_to_range();
  /// Copies this subtask's key groups out of the database in the folder.
  void copy_from(const std::string& path, const std::vector<Column*>& columns);

  // Mutable: counting writes what is cached, and the current key's value is made when asked for.
  mutable Core core_;
  std::string scratch_;
  /// Declared states that are restored from values of another type, with that type.
  std::map<Column*, LogicalTypePtr> to_migrate_;

  /// Names of this backend's own files begin with it.
  const std::string id_;
  std::uint64_t snapshots_ = 0;
  /// Files of the database that are part of checkpoints: file name there -> name for ever.
  std::map<std::string, std::string> shared_names_;
};

}  // namespace flott::rocks
