#include "base/clock.h"
#include "state/keyed_state_backend.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace flott {
namespace {

/// Resident memory of this process in MB; `peak`: the most that it has been.
double resident_mb(bool peak) {
  std::ifstream status("/proc/self/status");
  const std::string name = peak ? "VmHWM:" : "VmRSS:";
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with(name)) {
      return std::strtod(line.c_str() + name.size(), nullptr) / 1024;
    }
  }
  return 0;
}

/// Text that does not compress to nothing.
std::string text_of(std::uint64_t key, int version, std::size_t size) {
  std::string out = std::to_string(key) + ":" + std::to_string(version) + ":";
  for (std::uint64_t n = key; out.size() < size; ++n) {
    out += std::to_string(mix64(n));
  }
  return out;
}

class RocksDbMemory : public ::testing::Test {
 protected:
  RocksDbMemory() {
    std::ofstream("/proc/self/clear_refs") << "5";  // the peak begins anew
    auto backend = std::make_shared<StateBackendOptions>();
    backend->type = "rocksdb";
    backend->settings = {{"state.backend.rocksdb.memory.fixed-per-tm", "16 mb"},
                         {"state.backend.incremental", "true"}};
    options_.clock = &clock_;
    options_.backend = backend;
    backend_ = make_keyed_state_backend(options_);
  }
  void use(std::uint64_t key) { backend_->set_current_key(key_of(key)); }
  Key key_of(std::uint64_t key) {
    bytes_.clear();
    encode_key_int(static_cast<std::int64_t>(key), bytes_);
    return {bytes_, hash_bytes(bytes_), nullptr};
  }
  static StateDescriptor descriptor(StateKind kind, const std::string& name) {
    StateDescriptor out;
    out.kind = kind;
    out.name = name;
    out.value_type = LogicalType::of(TypeKind::kString);
    if (kind == StateKind::kMap) {
      out.key_type = LogicalType::of(TypeKind::kBigInt);
    }
    return out;
  }

  ManualClock clock_{1000};
  KeyedStateOptions options_;
  std::unique_ptr<KeyedStateBackend> backend_;
  std::string bytes_;
};

// More than a hundred megabytes in a budget of 16 MB. Beside the budget there are what is being
// compacted and what the C library keeps.
TEST_F(RocksDbMemory, StateLargerThanItsBudgetStaysWithinIt) {
  constexpr std::uint64_t kKeys = 60'000;
  constexpr std::size_t kBytes = 2000;
  ValueState& state = backend_->value_state(descriptor(StateKind::kValue, "text"));
  use(0);
  state.update(Value::string("x"));
  backend_->snapshot_files();
  const double before = resident_mb(false);
  for (std::uint64_t k = 0; k < kKeys; ++k) {
    use(k);
    state.update(Value::string(text_of(k, 0, kBytes)));
  }
  int wrong = 0;
  for (std::uint64_t n = 0; n < 10'000; ++n) {
    const std::uint64_t k = mix64(n) % kKeys;
    use(k);
    const std::string text = state.value().as_string();
    wrong += text.starts_with(std::to_string(k) + ":") ? 0 : 1;
    state.update(Value::string(text_of(k, 1, kBytes)));
  }
  backend_->snapshot_files();
  EXPECT_EQ(wrong, 0);
  EXPECT_LT(resident_mb(true) - before, 60) << "of " << kKeys * kBytes / 1000000 << " MB of state";
}

// The subtasks of an operator, each with more state than the budget: it is there once for all of
// them, also for what a database takes before it holds anything.
TEST_F(RocksDbMemory, EightBackendsStayWithinTheirCommonBudget) {
  constexpr int kSubtasks = 8;
  constexpr std::uint64_t kKeys = 80'000;
  constexpr std::size_t kBytes = 2000;
  const StateDescriptor text = descriptor(StateKind::kValue, "text");
  struct Subtask {
    std::unique_ptr<KeyedStateBackend> backend;
    ValueState* state;
  };
  ValueState& first = backend_->value_state(text);
  use(0);
  first.update(Value::string("x"));
  backend_->snapshot_files();
  backend_.reset();
  const double before = resident_mb(false);
  std::vector<Subtask> subtasks;
  for (int i = 0; i < kSubtasks; ++i) {
    options_.range = key_group_range_of(i, options_.max_parallelism, kSubtasks);
    std::unique_ptr<KeyedStateBackend> backend = make_keyed_state_backend(options_);
    ValueState& state = backend->value_state(text);
    subtasks.push_back({std::move(backend), &state});
  }
  const auto state_of = [&](std::uint64_t number) -> ValueState& {
    const Key key = key_of(number);
    const KeyGroup group = key_group_of(key.hash, options_.max_parallelism);
    for (int i = 0;; ++i) {
      if (key_group_range_of(i, options_.max_parallelism, kSubtasks).contains(group)) {
        Subtask& subtask = subtasks[static_cast<std::size_t>(i)];
        subtask.backend->set_current_key(key);
        return *subtask.state;
      }
    }
  };
  for (std::uint64_t k = 0; k < kKeys; ++k) {
    state_of(k).update(Value::string(text_of(k, 0, kBytes)));
  }
  int wrong = 0;
  for (std::uint64_t n = 0; n < 10'000; ++n) {
    const std::uint64_t k = mix64(n) % kKeys;
    ValueState& state = state_of(k);
    wrong += state.value().as_string().starts_with(std::to_string(k) + ":") ? 0 : 1;
    state.update(Value::string(text_of(k, 1, kBytes)));
  }
  for (const Subtask& subtask : subtasks) {
    subtask.backend->snapshot_files();
  }
  EXPECT_EQ(wrong, 0);
  EXPECT_LT(resident_mb(true) - before, 60) << "of " << kKeys * kBytes / 1000000 << " MB of state";
}

// Lists and maps that are touched once each: what was decoded of them goes again.
TEST_F(RocksDbMemory, ListsAndMapsOfManyKeysAreLetGo) {
  ListState& list = backend_->list_state(descriptor(StateKind::kList, "list"));
  MapState& map = backend_->map_state(descriptor(StateKind::kMap, "map"));
  use(0);
  list.add(Value::string("x"));
  map.put(Value::integer(0), Value::string("x"));
  backend_->snapshot_files();
  const double before = resident_mb(false);
  for (std::uint64_t k = 0; k < 15'000; ++k) {
    use(k);
    for (int n = 0; n < 4; ++n) {
      list.add(Value::string(text_of(k, n, 500)));
      map.put(Value::integer(n), Value::string(text_of(k, n, 500)));
    }
  }
  for (std::uint64_t k = 1; k < 15'000; k += 10) {
    use(k);
    ASSERT_EQ(list.get().size(), 4u);
    ASSERT_EQ(map.get(Value::integer(3)).as_string(), text_of(k, 3, 500));
  }
  EXPECT_LT(resident_mb(true) - before, 50) << "of 60 MB of state";
}

// One map larger than all that may be cached.
TEST_F(RocksDbMemory, OneLargeMapIsLetGoInParts) {
  MapState& map = backend_->map_state(descriptor(StateKind::kMap, "map"));
  use(0);
  map.put(Value::integer(0), Value::string("x"));
  backend_->snapshot_files();
  const double before = resident_mb(false);
  for (std::int64_t n = 0; n < 30'000; ++n) {
    map.put(Value::integer(n), Value::string(text_of(static_cast<std::uint64_t>(n), 0, 2000)));
  }
  for (std::int64_t n = 0; n < 30'000; n += 17) {
    ASSERT_EQ(map.get(Value::integer(n)).as_string(),
              text_of(static_cast<std::uint64_t>(n), 0, 2000));
  }
  EXPECT_LT(resident_mb(true) - before, 50) << "of 60 MB of state";
}

// The allocator keeps what a thread has freed for that thread's successors at best; the tasks of a
// job's next attempt may get other arenas.
TEST_F(RocksDbMemory, GoesBackToTheSystemWithTheState) {
  constexpr std::uint64_t kKeys = 2'000'000;
  for (const char* type : {"rocksdb", "hashmap"}) {
    auto backend = std::make_shared<StateBackendOptions>();
    backend->type = type;
    backend->settings = {{"state.backend.rocksdb.memory.fixed-per-tm", "512 mb"}};
    options_.backend = backend;
    const double before = resident_mb(false);
    double full = 0;
    std::string kept;
    std::thread task([&] {
      backend_ = make_keyed_state_backend(options_);
      ValueState& state = backend_->value_state(descriptor(StateKind::kValue, "text"));
      for (std::uint64_t k = 0; k < kKeys; ++k) {
        use(k);
        state.update(Value::string(text_of(k, 0, 40)));
      }
      full = resident_mb(false);
      kept = std::string(100, 'x');  // behind it in the arena
      backend_.reset();
    });
    task.join();
    EXPECT_GT(full - before, 200) << type;
    EXPECT_LT(resident_mb(false) - before, 60) << type;
  }
}

}  // namespace
}  // namespace flott
