#include "state/frame_files.h"
#include "state/rocksdb/database.h"
#include "state/rocksdb/options.h"
#include "state/rocksdb/rocks_keyed_state_backend.h"
#include "tests/cpp/state/backend_conformance.h"
#include "tests/harness/temporary_folder.h"

#include <atomic>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <future>
#include <set>
#include <sstream>
#include <thread>

namespace flott {
namespace {

namespace fs = std::filesystem;
using Settings = std::map<std::string, std::string>;

KeyedStateOptions with_rocksdb(const KeyedStateOptions& given, Settings settings = {}) {
  KeyedStateOptions options = given;
  auto backend = std::make_shared<StateBackendOptions>();
  backend->type = "rocksdb";
  backend->settings = std::move(settings);
  options.backend = backend;
  return options;
}

std::unique_ptr<KeyedStateBackend> make_rocksdb(const KeyedStateOptions& given) {
  return make_keyed_state_backend(with_rocksdb(given));
}

/// Caches hold a few dozen entries only: nearly everything goes through the database.
std::unique_ptr<KeyedStateBackend> make_tiny_rocksdb(const KeyedStateOptions& given) {
  return make_keyed_state_backend(
      with_rocksdb(given, {{"state.backend.rocksdb.memory.fixed-per-slot", "64 kb"}}));
}

}  // namespace

INSTANTIATE_TEST_SUITE_P(RocksDb,
                         BackendConformance,
                         ::testing::Values(BackendFactory{"rocksdb", make_rocksdb, 1, true},
                                           BackendFactory{"tiny", make_tiny_rocksdb, 1, true}),
                         [](const auto& backend) { return backend.param.name; });

namespace {

class RocksDbBackend : public ::testing::Test {
 protected:
  RocksDbBackend() {
    options_.clock = &clock_;
    settings_["state.backend.rocksdb.localdir"] = folder_.path();
    settings_["state.backend.incremental"] = "true";
  }

  std::unique_ptr<rocks::RocksKeyedStateBackend> make(int subtask = 0, int parallelism = 1) {
    KeyedStateOptions options = options_;
    options.range = key_group_range_of(subtask, options.max_parallelism, parallelism);
    return std::make_unique<rocks::RocksKeyedStateBackend>(with_rocksdb(options, settings_));
  }

  /// Stores the files as a checkpoint storage does: each name once, under its name.
  KeyedStateFiles stored(const KeyedStateFiles& files) {
    KeyedStateFiles out = files;
    for (SnapshotFile& file : out.files) {
      const fs::path target = fs::path(storage_.path()) / file.name;
      EXPECT_EQ(fs::file_size(file.path), file.size) << file.name;
      if (!fs::exists(target)) {
        fs::create_hard_link(file.path, target);
        new_bytes_ += file.size;
      }
      file.path = target.string();
      file.kept = nullptr;
    }
    return out;
  }

  static std::set<std::string> tables(const KeyedStateFiles& files) {
    std::set<std::string> out;
    for (const SnapshotFile& file : files.files) {
      if (file.name.ends_with(".sst")) {
        out.insert(file.name);
      }
    }
    return out;
  }

  static void fill(KeyedStateBackend& backend, int from, int to) {
    ValueState& value = backend.value_state(descriptor(StateKind::kValue, "v"));
    MapState& map = backend.map_state(descriptor(StateKind::kMap, "m"));
    for (int k = from; k < to; ++k) {
      set_key(backend, i(k));
      value.update(i(k * 10));
      map.put(s("a"), i(k));
      map.put(s("b"), i(k + 1));
    }
  }
  static void expect_filled(
      KeyedStateBackend& backend, int from, int to, int parallelism = 1, int subtask = 0) {
    ValueState& value = backend.value_state(descriptor(StateKind::kValue, "v"));
    MapState& map = backend.map_state(descriptor(StateKind::kMap, "m"));
    std::size_t keys = 0;
    for (int k = from; k < to; ++k) {
      std::string bytes;
      encode_key(i(k), bytes);
      const KeyGroup group = key_group_of(hash_bytes(bytes), kDefaultMaxParallelism);
      if (subtask_of(group, kDefaultMaxParallelism, parallelism) != subtask) {
        continue;
      }
      ++keys;
      set_key(backend, i(k));
      ASSERT_EQ(value.value(), i(k * 10)) << k;
      ASSERT_EQ(text(map.entries()), text({{s("a"), i(k)}, {s("b"), i(k + 1)}})) << k;
    }
    EXPECT_EQ(backend.key_count(), keys);
  }

  ManualClock clock_{1000};
  harness::TemporaryFolder folder_;
  harness::TemporaryFolder storage_;
  KeyedStateOptions options_;
  Settings settings_;
  std::uint64_t new_bytes_ = 0;
};

using enum StateKind;

// --- Savepoints change backends -----------------------------------------------------------------

TEST_F(RocksDbBackend, SavepointsGoToTheHeapBackendAndBack) {
  using Make = std::function<std::unique_ptr<KeyedStateBackend>()>;
  const Make rocksdb = [&] { return make(); };
  const Make heap = [&] { return make_heap_keyed_state_backend(options_); };
  for (unsigned seed = 1; seed <= 2; ++seed) {
    std::mt19937 random(seed);
    Model model;
    auto current = std::make_unique<ModelledBackend>(rocksdb());
    for (const Make* next : {&heap, &rocksdb, &rocksdb, &heap, &rocksdb}) {
      for (int n = 0; n < 2000; ++n) {
        current->step(random, static_cast<std::int64_t>(random() % 40), model);
      }
      KeyedStateBackend& before = current->backend();
      const std::optional<KeyedStateFiles> files = before.snapshot_frame_files();
      auto backend = (*next)();
      if (files) {
        backend->restore_files(*files);
      } else {
        backend->restore(before.snapshot());
      }
      current = std::make_unique<ModelledBackend>(std::move(backend));
      for (const auto& [at, content] : model.at) {
        current->expect_equal(at.first, at.second, content);
      }
    }
  }
}

TEST_F(RocksDbBackend, SavepointsCarryAccessTimesAndKeysOfAnyTypeToTheHeapBackend) {
  auto backend = make();
  const auto timed = with_ttl(descriptor(kMap, "timed"), 100, kOnWrite, kHide);
  const std::vector<Value> keys = {s("text"),
                                   i(7),
                                   Value::real(1.5),
                                   Value::boolean(true),
                                   Value::null(),
                                   Value::row({i(1), s("x")}),
                                   Value::decimal(12345, 2)};
  for (const Value& key : keys) {
    set_key(*backend, key);
    backend->map_state(timed).put(key, i(1));
    clock_.advance(1);
  }
  auto heap = make_heap_keyed_state_backend(options_);
  heap->restore(backend->snapshot());
  clock_.set(1000 + 100 + 2);  // the first three have expired
  MapState& map = heap->map_state(timed);
  std::size_t live = 0;
  for (const Value& key : keys) {
    set_key(*heap, key);
    for (const auto& [map_key, value] : map.entries()) {
      EXPECT_EQ(map_key.kind(), key.kind());
      EXPECT_EQ(map_key, key);
      ++live;
    }
  }
  EXPECT_EQ(live, keys.size() - 3);
  // The keys themselves as they were, also through the database alone.
  auto again = make();
  again->restore(heap->snapshot());
  std::size_t visited = 0;
  again->map_state(timed);
  again->for_each_key("timed", [&] {
    const auto entries = again->map_state(timed).entries();
    ASSERT_EQ(entries.size(), 1u);
    EXPECT_EQ(again->current_key().kind(), entries[0].first.kind());
    ++visited;
  });
  EXPECT_EQ(visited, live);
}

TEST_F(RocksDbBackend, FilesOfASavepointHoldWhatItsFramesDoAndGoWithIt) {
  auto backend = make();
  EXPECT_FALSE(backend->snapshot_frame_files().has_value()) << "there is nothing";
  fill(*backend, 0, 500);
  std::optional<KeyedStateFiles> files = backend->snapshot_frame_files();
  ASSERT_TRUE(files.has_value());
  ASSERT_EQ(files->files.size(), 1u);
  const std::string path = files->files[0].path;
  EXPECT_EQ(fs::file_size(path), files->files[0].size);
  const Frames frames = backend->snapshot();
  std::size_t seen = 0;
  each_frame(*files, options_.range, [&](KeyGroup group, std::string_view frame) {
    ++seen;
    EXPECT_EQ(frame.size(), frames.at(group).size() + 9) << "the count of keys is wider";
  });
  EXPECT_EQ(seen, frames.size());

  for (int subtask = 0; subtask < 3; ++subtask) {
    auto part = make(subtask, 3);
    part->restore_files(*files);
    expect_filled(*part, 0, 500, 3, subtask);
  }
  // The file outlives its backend for as long as somebody needs it, and no longer.
  backend.reset();
  EXPECT_TRUE(fs::exists(path));
  auto restored = make();
  restored->restore_files(*files);
  expect_filled(*restored, 0, 500);
  files->description[0] = 9;
  EXPECT_NE(
      error_of(ErrorKind::kExternal, [&] { make()->restore_files(*files); }).find("version is 9"),
      std::string::npos);
  files.reset();
  EXPECT_FALSE(fs::exists(path));
}

// --- Incremental checkpoints --------------------------------------------------------------------

TEST_F(RocksDbBackend, CheckpointsShareTheFilesThatHaveNotChanged) {
  auto backend = make();
  fill(*backend, 0, 20'000);
  const KeyedStateFiles first = *backend->snapshot_files();
  EXPECT_EQ(first.backend, "rocksdb");
  const KeyedStateFiles first_stored = stored(first);
  const std::uint64_t all_bytes = std::exchange(new_bytes_, 0);
  ASSERT_FALSE(tables(first).empty());

  const KeyedStateFiles same = *backend->snapshot_files();
  EXPECT_EQ(tables(same), tables(first)) << "the same file has the same name";
  std::set<std::string> names;
  for (const KeyedStateFiles* files : {&first, &same}) {
    for (const SnapshotFile& file : files->files) {
      EXPECT_EQ(names.insert(file.name).second, !file.name.ends_with(".sst") || files == &first)
          << "what changes is never named like another one: " << file.name;
    }
  }
  stored(same);

  new_bytes_ = 0;
  fill(*backend, 0, 200);  // 1 %
  const KeyedStateFiles changed = *backend->snapshot_files();
  const KeyedStateFiles changed_stored = stored(changed);
  EXPECT_LT(new_bytes_, all_bytes / 4);

  for (const KeyedStateFiles* files : {&first_stored, &changed_stored}) {
    auto restored = make();
    restored->restore_files(*files);
    expect_filled(*restored, 0, 20'000);
  }
}

TEST_F(RocksDbBackend, ARestoredDatabaseGoesOnSharingWhatItWasRestoredFrom) {
  KeyedStateFiles files;
  {
    auto backend = make();
    fill(*backend, 0, 5000);
    files = stored(*backend->snapshot_files());
  }
  // Two rounds: with four files of a state the database begins to merge them, sooner or later.
  for (int round = 1; round <= 2; ++round) {
    auto backend = make();
    backend->restore_files(files);
    fill(*backend, 5000 * round, 5000 * round + 100);
    const KeyedStateFiles next = *backend->snapshot_files();
    const std::set<std::string> before = tables(files);
    const std::set<std::string> after = tables(next);
    EXPECT_TRUE(std::includes(after.begin(), after.end(), before.begin(), before.end()));
    EXPECT_GT(after.size(), before.size());
    files = stored(next);
  }
  auto backend = make();
  backend->restore_files(files);
  EXPECT_EQ(backend->key_count(), 5200u);
}

TEST_F(RocksDbBackend, NewFilesStayUntilNobodyNeedsThem) {
  auto backend = make();
  fill(*backend, 0, 100);
  KeyedStateFiles failed = *backend->snapshot_files();
  fill(*backend, 100, 200);
  backend->compact();
  KeyedStateFiles next = *backend->snapshot_files();
  for (const KeyedStateFiles* files : {&failed, &next}) {
    for (const SnapshotFile& file : files->files) {
      EXPECT_TRUE(fs::exists(file.path)) << file.path;
    }
  }
  const KeyedStateFiles kept = stored(next);
  const std::string failed_path = failed.files[0].path;
  const std::string next_path = next.files[0].path;
  failed = {};
  EXPECT_FALSE(fs::exists(failed_path)) << "nobody reads it any more";
  EXPECT_TRUE(fs::exists(next_path)) << "another one, which may be under way at the same time";
  backend = nullptr;
  EXPECT_TRUE(fs::exists(next_path)) << "the task may end before the checkpoint is stored";
  next = {};
  EXPECT_FALSE(fs::exists(next_path));
  auto restored = make();
  restored->restore_files(kept);
  expect_filled(*restored, 0, 200);
}

TEST_F(RocksDbBackend, WithoutIncrementalCheckpointsEachHasFilesOfItsOwn) {
  settings_["state.backend.incremental"] = "false";
  auto backend = make();
  fill(*backend, 0, 100);
  const std::set<std::string> first = tables(*backend->snapshot_files());
  const std::set<std::string> second = tables(*backend->snapshot_files());
  for (const std::string& name : second) {
    EXPECT_FALSE(first.contains(name)) << name;
  }
}

TEST_F(RocksDbBackend, FilesAreRestoredAtAnotherParallelism) {
  std::vector<KeyedStateFiles> files;
  {
    auto backend = make();
    fill(*backend, 0, 3000);
    files.push_back(stored(*backend->snapshot_files()));
  }
  for (const int parallelism : {3, 2, 5, 1}) {
    std::vector<KeyedStateFiles> next;
    for (int subtask = 0; subtask < parallelism; ++subtask) {
      auto backend = make(subtask, parallelism);
      for (const KeyedStateFiles& part : files) {
        backend->restore_files(part);
      }
      expect_filled(*backend, 0, 3000, parallelism, subtask);
      next.push_back(stored(*backend->snapshot_files()));
    }
    files = std::move(next);
  }
}

TEST_F(RocksDbBackend, FilesKeepTheOrderOfMapsAndStateThatNobodyDeclares) {
  auto backend = make();
  set_key(*backend, s("k"));
  const StateDescriptor d = descriptor(kMap, "m");
  for (const int k : {5, 3, 9, 1}) {
    backend->map_state(d).put(i(k), i(k));
  }
  backend->list_state(descriptor(kList, "unknown")).add(i(1));
  auto ignorant = make();
  ignorant->restore_files(stored(*backend->snapshot_files()));
  auto restored = make();
  restored->restore_files(stored(*ignorant->snapshot_files()));
  set_key(*restored, s("k"));
  MapState& map = restored->map_state(d);
  map.put(i(4), i(4));
  map.put(i(3), i(30));
  EXPECT_EQ(text(map.entries()),
            text({{i(5), i(5)}, {i(3), i(30)}, {i(9), i(9)}, {i(1), i(1)}, {i(4), i(4)}}));
  EXPECT_EQ(text(restored->list_state(descriptor(kList, "unknown")).get()), "[1]");
}

TEST_F(RocksDbBackend, FilesOfAnotherTypeOrBackendAreRefused) {
  auto backend = make();
  set_key(*backend, s("k"));
  backend->value_state(descriptor(kValue, "total")).update(i(1));
  KeyedStateFiles files = stored(*backend->snapshot_files());
  StateDescriptor other = descriptor(kValue, "total");
  other.value_type = LogicalType::of(TypeKind::kString);
  for (const bool before : {true, false}) {
    const std::string message = error_of(ErrorKind::kInvalidArgument, [&] {
      auto restored = make();
      if (before) {
        restored->value_state(other);
      }
      restored->restore_files(files);
      restored->value_state(other);
    });
    EXPECT_NE(message.find("'total'"), std::string::npos) << message;
  }
  files.backend = "heap";
  const std::string message =
      error_of(ErrorKind::kInvalidArgument, [&] { make()->restore_files(files); });
  EXPECT_NE(message.find("state.backend.type"), std::string::npos) << message;
}

TEST_F(RocksDbBackend, ADamagedFileIsAnErrorThatNamesTheFolder) {
  auto backend = make();
  fill(*backend, 0, 100);
  const KeyedStateFiles files = stored(*backend->snapshot_files());
  for (const SnapshotFile& file : files.files) {
    if (file.path.ends_with(".sst") || file.path.find("MANIFEST") != std::string::npos) {
      fs::remove(file.path);  // the link: other links keep their content
      std::ofstream(file.path) << "damaged";
    }
  }
  const std::string message = error_of(ErrorKind::kExternal, [&] {
    auto restored = make();
    restored->restore_files(files);
    expect_filled(*restored, 0, 100);
  });
  EXPECT_NE(message.find(folder_.path()), std::string::npos) << message;
  EXPECT_NE(message.find("checkpoint"), std::string::npos) << message;
}

TEST_F(RocksDbBackend, RandomOperationsAgreeWithAModelThroughFiles) {
  settings_["state.backend.rocksdb.memory.fixed-per-slot"] = "64 kb";
  std::mt19937 random(7);
  Model model;
  auto current = std::make_unique<ModelledBackend>(make());
  for (int round = 0; round < 6; ++round) {
    for (int n = 0; n < 1500; ++n) {
      current->step(random, static_cast<std::int64_t>(random() % 40), model);
    }
    const KeyedStateFiles files = stored(*current->backend().snapshot_files());
    auto backend = make();
    backend->restore_files(files);
    current = std::make_unique<ModelledBackend>(std::move(backend));
    for (const auto& [at, content] : model.at) {
      current->expect_equal(at.first, at.second, content);
    }
  }
}

TEST_F(RocksDbBackend, StateTakesOnTheTypeItIsDeclaredWithNow) {
  const auto old_row = LogicalType::row(
      {"n", "gone"}, {LogicalType::of(TypeKind::kInt), LogicalType::of(TypeKind::kString)});
  const auto new_row = LogicalType::row(
      {"more", "n"}, {LogicalType::of(TypeKind::kString), LogicalType::of(TypeKind::kBigInt)});
  const auto declared = [](StateKind kind, const char* name, const LogicalTypePtr& type) {
    StateDescriptor d = descriptor(kind, name);
    d.value_type = type;
    return d;
  };
  auto backend = make();
  const Value row = Value::row({i(5), s("x")});
  set_key(*backend, s("k"));
  backend->value_state(declared(kValue, "v", old_row)).update(row);
  backend->list_state(declared(kList, "l", old_row)).add_all({row, row});
  backend->map_state(declared(kMap, "m", old_row)).put(s("a"), row);
  const Frames frames = backend->snapshot();
  const KeyedStateFiles files = stored(*backend->snapshot_files());
  for (const bool from_files : {true, false}) {
    for (const bool declared_before : {true, false}) {
      auto restored = make();
      const auto declare = [&] {
        restored->value_state(declared(kValue, "v", new_row));
        restored->list_state(declared(kList, "l", new_row));
        restored->map_state(declared(kMap, "m", new_row));
      };
      if (declared_before) {
        declare();
      }
      from_files ? restored->restore_files(files) : restored->restore(frames);
      declare();
      set_key(*restored, s("k"));
      const Value changed = Value::row({Value::null(), i(5)});
      EXPECT_EQ(restored->value_state(declared(kValue, "v", new_row)).value(), changed);
      EXPECT_EQ(text(restored->list_state(declared(kList, "l", new_row)).get()),
                text({changed, changed}));
      EXPECT_EQ(restored->map_state(declared(kMap, "m", new_row)).get(s("a")), changed);
    }
  }
}

// --- The database -------------------------------------------------------------------------------

TEST_F(RocksDbBackend, ExpiredEntriesAreDroppedByCompactions) {
  auto backend = make();
  const auto d = [](StateKind kind, const char* name) {
    return with_ttl(descriptor(kind, name), 100, kOnWrite, kShow);
  };
  ValueState& value = backend->value_state(d(kValue, "v"));
  ListState& list = backend->list_state(d(kList, "l"));
  MapState& map = backend->map_state(d(kMap, "m"));
  StateDescriptor kept = d(kValue, "kept");
  kept.ttl.cleanup_in_compaction = false;
  ValueState& untouched = backend->value_state(kept);
  set_key(*backend, i(1));
  value.update(i(1));
  list.add(i(1));
  map.put(s("old"), i(1));
  untouched.update(i(1));
  clock_.advance(60);
  list.add(i(2));
  map.put(s("new"), i(2));
  clock_.advance(60);
  backend->compact();
  auto fresh = make();  // what the caches know does not count
  fresh->restore_files(stored(*backend->snapshot_files()));
  set_key(*fresh, i(1));
  // kShow: what is still there would be shown.
  EXPECT_TRUE(fresh->value_state(d(kValue, "v")).value().is_null());
  EXPECT_EQ(text(fresh->list_state(d(kList, "l")).get()), "[2]");
  EXPECT_EQ(text(fresh->map_state(d(kMap, "m")).entries()),
            text(std::vector<std::pair<Value, Value>>{{s("new"), i(2)}}));
  EXPECT_EQ(fresh->value_state(kept).value(), i(1));
}

/// Keeps other threads than the one that made it waiting, until open() or for a minute.
class ClosedClock final : public Clock {
 public:
  Timestamp now_ms() const override {
    if (std::this_thread::get_id() != owner_ &&
        opened_.wait_for(std::chrono::minutes(1)) != std::future_status::ready) {
      waited_in_vain_ = true;
    }
    return 1000;
  }
  void open() { gate_.set_value(); }
  bool waited_in_vain() const { return waited_in_vain_; }

 private:
  const std::thread::id owner_ = std::this_thread::get_id();
  std::promise<void> gate_;
  const std::shared_future<void> opened_ = gate_.get_future().share();
  mutable std::atomic<bool> waited_in_vain_ = false;
};

TEST_F(RocksDbBackend, ACheckpointDoesNotWaitForCompactions) {
  ClosedClock clock;  // which compactions of a state with TTL look at
  options_.clock = &clock;
  auto backend = make();
  ValueState& value = backend->value_state(with_ttl(descriptor(kValue, "v"), 100, kOnWrite, kShow));
  constexpr int kFiles = 30;  // of the first level; from 20 on RocksDB slows down what is written
  std::size_t tables_left = 0;
  for (int n = 1; n <= kFiles; ++n) {
    set_key(*backend, i(1));
    value.update(i(n));
    tables_left = tables(*backend->snapshot_files()).size();
  }
  EXPECT_EQ(tables_left, kFiles) << "nothing was to be compacted meanwhile";
  EXPECT_FALSE(clock.waited_in_vain());
  clock.open();
  backend->compact();
  EXPECT_EQ(tables(*backend->snapshot_files()).size(), 1);
  EXPECT_EQ(value.value(), i(kFiles));
}

TEST_F(RocksDbBackend, NothingWaitsForCompactionsThatTheStyleNoneDoesNotHave) {
  settings_["state.backend.rocksdb.compaction.style"] = "NONE";
  auto backend = make();
  ValueState& value = backend->value_state(descriptor(kValue, "v"));
  set_key(*backend, i(1));
  constexpr int kFiles = 40;  // of the first level; from 36 on RocksDB stops what is written
  for (int n = 1; n <= kFiles; ++n) {
    value.update(i(n));
    EXPECT_EQ(tables(*backend->snapshot_files()).size(), n);
  }
  EXPECT_EQ(value.value(), i(kFiles));
}

TEST_F(RocksDbBackend, LargeMapsAreClearedAsARange) {
  auto backend = make();
  MapState& map = backend->map_state(descriptor(kMap, "m"));
  for (const int key : {1, 2, 3}) {
    set_key(*backend, i(key));
    for (int k = 0; k < 3000; ++k) {
      map.put(i(k), i(k));
    }
  }
  auto restored = make();
  restored->restore_files(stored(*backend->snapshot_files()));
  MapState& again = restored->map_state(descriptor(kMap, "m"));
  set_key(*restored, i(2));
  again.put(i(-1), i(1));
  again.clear();
  EXPECT_TRUE(again.is_empty());
  again.put(i(5), i(6));
  again.put(i(7), i(8));
  again.remove(i(7));
  EXPECT_EQ(restored->entry_count(), 3u);
  auto last = make();
  last->restore_files(stored(*restored->snapshot_files()));
  MapState& left = last->map_state(descriptor(kMap, "m"));
  set_key(*last, i(2));
  EXPECT_EQ(text(left.entries()), text(std::vector<std::pair<Value, Value>>{{i(5), i(6)}}));
  for (const int key : {1, 3}) {
    set_key(*last, i(key));
    EXPECT_EQ(left.entries().size(), 3000u);
  }
}

TEST_F(RocksDbBackend, TheWorkingDirectoryGoesWithItsBackend) {
  {
    auto unused = make();
    unused->value_state(descriptor(kValue, "v"));
    EXPECT_EQ(folder_.size(), 0u) << "nothing is opened before there is state";
    auto one = make();
    fill(*one, 0, 1);
    one->key_count();
    auto other = make();
    fill(*other, 0, 1);
    other->key_count();
    EXPECT_EQ(folder_.size(), 2u) << "what is in use is left alone";
  }
  EXPECT_EQ(folder_.size(), 0u);
}

TEST_F(RocksDbBackend, WhatAKilledProcessLeftIsRemoved) {
  const fs::path left = fs::path(folder_.path()) / "flott-rocksdb-left";
  fs::create_directories(left / "db");
  std::ofstream(left / "in-use") << "";
  const fs::path other = fs::path(folder_.path()) / "something-else";
  fs::create_directory(other);
  auto backend = make();
  fill(*backend, 0, 1);
  backend->key_count();
  EXPECT_FALSE(fs::exists(left));
  EXPECT_TRUE(fs::exists(other));
}

TEST_F(RocksDbBackend, AFolderThatCannotBeMadeIsNamed) {
  const std::string file = folder_.path() + "/file";
  std::ofstream(file) << "no folder";
  settings_["state.backend.rocksdb.localdir"] = file;
  const std::string message = error_of(ErrorKind::kExternal, [&] {
    auto backend = make();
    fill(*backend, 0, 1);
    backend->key_count();
  });
  EXPECT_NE(message.find(file), std::string::npos) << message;
  EXPECT_NE(message.find("state.backend.rocksdb.localdir"), std::string::npos) << message;
}

TEST_F(RocksDbBackend, CodesOfTheDatabaseSayWhatToDo) {
  const auto message = [](const rocksdb::Status& status) {
    return error_of(ErrorKind::kExternal,
                    [&] { rocks::check_rocksdb(status, "written", "/some/folder"); });
  };
  const std::string full = message(rocksdb::Status::NoSpace("No space left on device"));
  EXPECT_NE(full.find("/some/folder"), std::string::npos) << full;
  EXPECT_NE(full.find("the disk is full: free space"), std::string::npos) << full;
  const std::string damaged = message(rocksdb::Status::Corruption("block checksum mismatch"));
  EXPECT_NE(damaged.find("damaged"), std::string::npos) << damaged;
  EXPECT_NE(damaged.find("block checksum mismatch"), std::string::npos) << damaged;
}

TEST_F(RocksDbBackend, AValueIsLoadedAgainAfterItWasWrittenOut) {
  settings_["state.backend.rocksdb.memory.fixed-per-slot"] = "1 mb";
  auto backend = make();
  ValueState& value = backend->value_state(descriptor(kValue, "v"));
  constexpr int kKeys = 20'000;
  for (int round = 0; round < 3; ++round) {
    for (int k = 0; k < kKeys; ++k) {
      set_key(*backend, i(k));
      const Value before = value.value();
      value.update(i((before.is_null() ? 0 : before.as_int()) + k));
    }
  }
  for (int k = 0; k < kKeys; ++k) {
    set_key(*backend, i(k));
    ASSERT_EQ(value.value(), i(3 * k));
  }
}

TEST_F(RocksDbBackend, WhatIsWrittenBesideLargeListsIsRead) {
  // Lists that are loaded and dirty leave no room: what has just been handed over to be written is
  // looked for again at once.
  settings_["state.backend.rocksdb.memory.fixed-per-slot"] = "256 kb";
  auto backend = make();
  ListState& list = backend->list_state(descriptor(kList, "l"));
  ValueState& value = backend->value_state(descriptor(kValue, "v"));
  constexpr int kKeys = 200;
  std::map<int, int> expected;
  std::mt19937 random(5);
  for (int n = 1; n <= 20'000; ++n) {
    const int k = static_cast<int>(random() % kKeys);
    set_key(*backend, i(k));
    ASSERT_EQ(value.value(), expected.contains(k) ? i(expected[k]) : Value()) << n;
    if (n % 7 == 0) {
      value.clear();
      expected.erase(k);
    } else {
      value.update(i(n));
      expected[k] = n;
    }
    list.add(i(n));
    if (list.get().size() > 300) {
      list.clear();
    }
  }
}

/// Counters, some of them as rows, that are changed, removed and stored at random, against a model.
class ManyChanges {
 public:
  explicit ManyChanges(std::uint64_t seed) : random_(seed) {}

  void declare(KeyedStateBackend& backend) {
    backend_ = &backend;
    count_ = &backend.value_state(descriptor(kValue, "count"));
    StateDescriptor last = descriptor(kReducing, "last");
    last.value_type = type_;
    last.reduce = std::make_shared<Last>();
    last_ = &backend.appending_state(last);
  }
  void change(int operations) {
    for (int n = 0; n < operations; ++n) {
      const int k = static_cast<int>(random_() % kKeys);
      set_key(*backend_, i(k));
      const auto known = model_.find(k);
      ASSERT_EQ(count_->value(), known == model_.end() ? Value() : i(known->second)) << k;
      if (random_() % 8 == 0) {
        count_->clear();
        last_->clear();
        model_.erase(k);
      } else {
        const int next = static_cast<int>(random_() % 1'000'000);
        count_->update(i(next));
        last_->add(row_of(next));
        model_[k] = next;
      }
    }
  }
  void expect_all() const {
    for (int k = 0; k < kKeys; ++k) {
      set_key(*backend_, i(k));
      const auto known = model_.find(k);
      const bool there = known != model_.end();
      ASSERT_EQ(count_->value(), there ? i(known->second) : Value()) << k;
      ASSERT_EQ(last_->get(), there ? row_of(known->second) : Value()) << k;
    }
    EXPECT_EQ(backend_->key_count(), model_.size());
  }

 private:
  static constexpr int kKeys = 80'000;
  struct Last : ReduceFunction {
    Value reduce(const Value& /*accumulated*/, const Value& value) override { return value; }
  };
  Value row_of(int n) const {
    return Value::row({i(n), s(std::string(static_cast<std::size_t>(n) % 40, 'x'))}, type_);
  }

  const LogicalTypePtr type_ = LogicalType::row(
      {"n", "text"}, {LogicalType::of(TypeKind::kBigInt), LogicalType::of(TypeKind::kString)});
  std::mt19937_64 random_;
  std::map<int, int> model_;
  KeyedStateBackend* backend_ = nullptr;
  ValueState* count_ = nullptr;
  AppendingState* last_ = nullptr;
};

TEST_F(RocksDbBackend, ManyChangesPassThroughTablesOfTheirOwn) {
  settings_["state.backend.rocksdb.memory.fixed-per-slot"] = "40 mb";
  ManyChanges changes(11);
  auto backend = make();
  changes.declare(*backend);
  changes.change(160'000);
  KeyedStateFiles files = *backend->snapshot_files();
  EXPECT_GT(tables(files).size(), 4u) << "a write buffer of each state would give two";
  changes.expect_all();
  for (int round = 0; round < 4; ++round) {
    // Snapshots in the middle of a table, at its end, and of a few changes.
    changes.change(round % 2 == 0 ? 60'000 : 500);
    files = stored(*backend->snapshot_files());
    changes.expect_all();
    backend = make();
    if (round == 1) {
      changes.declare(*backend);
      backend->restore_files(files);
    } else {
      backend->restore_files(files);
      changes.declare(*backend);
    }
    changes.expect_all();
  }
  changes.change(60'000);
  backend.reset();  // in the middle of a table
}

TEST_F(RocksDbBackend, WhatIsOnItsWayToATableIsNotReadFromTheDatabase) {
  // The cache holds half of the keys: what was written lately is evicted all the time.
  settings_["state.backend.rocksdb.memory.fixed-per-slot"] = "16 mb";
  auto backend = make();
  ValueState& value = backend->value_state(descriptor(kValue, "v"));
  std::vector<std::int64_t> expected(300'000);
  std::mt19937_64 random(3);
  const auto use = [&](std::size_t k) {
    set_key(*backend, i(static_cast<std::int64_t>(k)));
    ASSERT_EQ(value.value(), expected[k] == 0 ? Value() : i(expected[k])) << k;
  };
  for (int round = 1; round <= 4; ++round) {
    // A table begins with some 40,000 changes and goes on with every 16,000 more.
    for (int n = 1; n <= 40'000 + 12'000 * round; ++n) {
      const std::size_t k = random() % expected.size();
      ASSERT_NO_FATAL_FAILURE(use(k));
      if (n % 5 == 0) {
        value.clear();
        expected[k] = 0;
      } else {
        value.update(i(n));
        expected[k] = n;
      }
    }
    if (round == 3) {
      backend->clear_all();  // in the middle of a table
      expected.assign(expected.size(), 0);
    }
    // All others come through the cache while the table waits for more.
    for (std::size_t k = 0; k < expected.size(); ++k) {
      ASSERT_NO_FATAL_FAILURE(use(k)) << "in round " << round;
    }
  }
  const auto there = std::count_if(expected.begin(), expected.end(), [](auto v) { return v != 0; });
  EXPECT_EQ(backend->key_count(), static_cast<std::size_t>(there));
}

TEST_F(RocksDbBackend, NoCheckpointIsMadeWithoutWhatCouldNotBeWritten) {
  class Failing : public FakeHost {
   public:
    void serialize(void* handle, std::string& out) override {
      if (payload(handle) == Payload(std::int64_t{13})) {
        throw_error(ErrorKind::kUserCode, "13 cannot be stored");
      }
      FakeHost::serialize(handle, out);
    }
  } host;
  const HostScope scope;
  auto backend = make();
  ValueState& value = backend->value_state(descriptor(kValue, "v"));
  for (int k = 0; k < 20; ++k) {
    set_key(*backend, i(k));
    value.update(host.number(k));
  }
  const auto store = [&] { backend->snapshot_files(); };
  EXPECT_EQ(error_of(ErrorKind::kUserCode, store), "13 cannot be stored");
  const std::string again = error_of(ErrorKind::kExternal, store);
  EXPECT_NE(again.find("an earlier error kept changes from being written"), std::string::npos)
      << again;
}

// --- Settings -----------------------------------------------------------------------------------

TEST(RocksDbOptions, FlinksNamesAreRead) {
  const auto o = rocks::RocksOptions::parse(
      {{"state.backend.rocksdb.localdir", "/a, /b:/c"},
       {"state.backend.rocksdb.writebuffer.size", "32 mb"},
       {"state.backend.rocksdb.block.blocksize", "16kb"},
       {"state.backend.rocksdb.thread.num", "3"},
       {"state.backend.rocksdb.memory.write-buffer-ratio", "0.4"},
       {"state.backend.rocksdb.compression.per.level", "NO_COMPRESSION;LZ4_COMPRESSION"},
       {"state.backend.rocksdb.predefined-options", "SPINNING_DISK_OPTIMIZED"},
       {"execution.checkpointing.incremental", "true"}});
  EXPECT_EQ(o.local_directories, (std::vector<std::string>{"/a", "/b", "/c"}));
  EXPECT_EQ(o.write_buffer_bytes, 32u << 20);
  EXPECT_EQ(o.block_bytes, 16u << 10);
  EXPECT_EQ(o.background_threads, 3);
  EXPECT_DOUBLE_EQ(o.write_buffer_ratio, 0.4);
  EXPECT_EQ(o.compression.size(), 2u);
  EXPECT_TRUE(o.dynamic_level_size);
  EXPECT_TRUE(o.incremental);
}

TEST(RocksDbOptions, MemoryIsThatOfASlotOrOfTheProcess) {
  const auto bytes = [](Settings settings) {
    return rocks::RocksOptions::parse(settings).memory_bytes >> 20;
  };
  EXPECT_EQ(bytes({}), 128u);
  EXPECT_EQ(bytes({{"slots", "4"}}), 512u);
  EXPECT_EQ(bytes({{"slots", "4"}, {"taskmanager.memory.managed.size", "1g"}}), 1024u);
  EXPECT_EQ(bytes({{"slots", "4"}, {"state.backend.rocksdb.memory.fixed-per-slot", "10 mb"}}), 40u);
  EXPECT_EQ(bytes({{"slots", "4"}, {"state.backend.rocksdb.memory.fixed-per-tm", "10 mb"}}), 10u);
  EXPECT_EQ(bytes({{"state.backend.rocksdb.memory.managed", "false"}}), 0u);
}

TEST(RocksDbOptions, WhatMakesNoSenseIsRefused) {
  const Settings::value_type bad[] = {
      {"state.backend.rocksdb.memory.managed", "perhaps"},
      {"state.backend.rocksdb.memory.fixed-per-slot", "64 parsecs"},
      {"state.backend.rocksdb.memory.fixed-per-slot", "-1"},
      {"state.backend.rocksdb.writebuffer.count", "0"},
      {"state.backend.rocksdb.memory.write-buffer-ratio", "1.5"},
      {"state.backend.rocksdb.localdir", "relative/path"},
      {"state.backend.rocksdb.localdir", ","},
      {"state.backend.rocksdb.predefined-options", "FASTEST"},
      {"state.backend.rocksdb.compaction.style", "FIFO"},
      {"state.backend.rocksdb.compression.per.level", "RAR"},
      {"state.backend.rocksdb.log.level", "LOUD"},
      {"state.backend.rocksdb.timer-service.factory", "DISK"},
      {"taskmanager.memory.managed.size", "much"},
  };
  for (const auto& [key, value] : bad) {
    StateBackendOptions options;
    options.type = "rocksdb";
    options.settings = {{key, value}};
    const std::string message =
        error_of(ErrorKind::kInvalidArgument, [&] { check_state_backend(options); });
    EXPECT_NE(message.find(key), std::string::npos) << message;
  }
  StateBackendOptions unknown;
  unknown.type = "tape";
  const std::string message =
      error_of(ErrorKind::kInvalidArgument, [&] { check_state_backend(unknown); });
  EXPECT_NE(message.find("hashmap and rocksdb"), std::string::npos) << message;
}

}  // namespace
}  // namespace flott
