#pragma once

#include "base/cancelled_exception.h"
#include "base/clock.h"
#include "checkpoint/snapshot.h"
#include "state/state.h"
#include "types/key.h"

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace flott {

/// How much one state of one subtask holds.
struct KeyedStateSize {
  std::string state;
  std::int64_t entries = 0;  ///< of a map in RocksDB each of its own, else one a key and window
  std::int64_t bytes = 0;    ///< as they are stored
};

/// Keyed state of one operator in one subtask, for its range of key groups. One thread: the task's.
///
/// Life: made, optionally restore()d, states declared (any time; declaring twice by the same name
/// returns the same state, with another kind or incompatible type throws kInvalidArgument naming
/// both), then used under a current key.
class KeyedStateBackend {
 public:
  virtual ~KeyedStateBackend();

  virtual ValueState& value_state(const StateDescriptor& descriptor) = 0;
  virtual ListState& list_state(const StateDescriptor& descriptor) = 0;
  virtual MapState& map_state(const StateDescriptor& descriptor) = 0;
  virtual AppendingState& appending_state(const StateDescriptor& descriptor) = 0;

  /// Copies what it needs of the key; every state means this key from here on.
  virtual void set_current_key(const Key& key) = 0;
  /// Rows `begin` to `end` of `keys` come next: a backend may fetch what they are likely to need,
  /// all at once. Nothing that can be seen changes.
  virtual void prefetch(const KeyColumn& /*keys*/, std::size_t /*begin*/, std::size_t /*end*/) {}
  /// The key's value; null Value before any.
  virtual const Value& current_key() const = 0;
  /// Bytes, hash and value of the current key, valid until the next set_current_key.
  virtual Key current() const = 0;

  /// Number of keys that hold any state: for tests, metrics and "state is empty at the end".
  virtual std::size_t key_count() const = 0;
  /// Number of (state, key, namespace) that hold something; Flink's numKeyedStateEntries of tests.
  virtual std::size_t entry_count() const = 0;
  /// Name, kind and types of a state that was declared by that name (tests, queries).
  virtual std::optional<StateDescriptor> declared(const std::string& name) const = 0;
  /// Runs `visit` with each key that has the named state as the current key (BATCH mode, queries).
  virtual void for_each_key(const std::string& state_name, const std::function<void()>& visit) = 0;

  /// Drops the state of all keys; the current key stays (BATCH: a key has ended).
  virtual void clear_all() = 0;

  /// Bytes of all state, a frame a key group. Expired entries are left out.
  virtual std::map<KeyGroup, std::string> snapshot() = 0;
  /// Takes over frames of an earlier snapshot (of any parallelism); groups outside the range are
  /// ignored. Before the first set_current_key. Names that are never declared again are carried on.
  /// Like restore_files(): called without the host's lock, which it takes for opaque values only
  /// and gives to others in between; throws CancelledException soon after
  /// KeyedStateOptions::cancelled became true.
  virtual void restore(const std::map<KeyGroup, std::string>& frames) = 0;

  /// What snapshot() gives, as a file instead of in memory (state/frame_files.h); nothing from a
  /// backend whose state is in memory anyway.
  virtual std::optional<KeyedStateFiles> snapshot_frame_files() { return std::nullopt; }

  /// All state as files, of which only what changed since the last call is new; nothing from a
  /// backend that stores frames only. New files stay readable as long as a SnapshotFile of them is
  /// held.
  virtual std::optional<KeyedStateFiles> snapshot_files() { return std::nullopt; }
  /// As restore(), of what any parallelism wrote; called once for each old subtask. Throws
  /// kInvalidArgument for files of a backend it cannot read, saying which to configure.
  virtual void restore_files(const KeyedStateFiles& files);

  /// What the declared states hold that nothing removes by itself: those without TTL, but for
  /// StateDescriptor::ends_by_itself. As of the last snapshot, partly estimated; cheap, however
  /// much it is.
  virtual std::vector<KeyedStateSize> state_sizes() const { return {}; }

 protected:
  /// In the derived destructor: about so many bytes will be free. If they are many, the system gets
  /// them back at once: in the allocator's arena of a thread that has ended they would be kept, and
  /// the tasks of the next attempt would ask for as many again.
  void frees(std::size_t bytes) { freed_bytes_ = bytes; }

 private:
  std::size_t freed_bytes_ = 0;
};

/// Which backend, and its settings under Flink's names.
struct StateBackendOptions {
  std::string type = "hashmap";  ///< or "rocksdb"
  /// For RocksDB also `slots`: how many share the process's memory.
  std::map<std::string, std::string> settings;
};

struct KeyedStateOptions {
  KeyGroupRange range{0, kDefaultMaxParallelism};
  int max_parallelism = kDefaultMaxParallelism;
  const Clock* clock = nullptr;  ///< for TTL; not owned
  bool object_reuse = false;     ///< values are taken as they are, without isolating copies
  /// Of the heap: how many keys a checkpoint's snapshot stores before it returns. The others are
  /// stored while the task goes on, if no host object is among keys and values.
  std::size_t keys_at_once = 1024;
  /// Not owned, may be null: the job is being cancelled, and nobody waits for a restore any more.
  const std::atomic<bool>* cancelled = nullptr;
  std::shared_ptr<const StateBackendOptions> backend;  ///< null: the heap

  void check_cancelled() const {
    if (cancelled != nullptr && cancelled->load(std::memory_order_relaxed)) {
      throw CancelledException{};
    }
  }
};

/// Throws what make_keyed_state_backend() throws for such options: before a job starts.
void check_state_backend(const StateBackendOptions& options);
/// A backend of the kind that the options name. RocksDB's is a plugin, loaded at first use. Throws
/// kInvalidArgument for an unknown kind and for settings that make no sense.
std::unique_ptr<KeyedStateBackend> make_keyed_state_backend(const KeyedStateOptions& options);

/// State on the heap: one hash map from key bytes to the key's states (cpp/state/heap/).
std::unique_ptr<KeyedStateBackend> make_heap_keyed_state_backend(const KeyedStateOptions& options);

}  // namespace flott
