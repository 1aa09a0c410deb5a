#pragma once

// The behaviour every KeyedStateBackend must have. A backend's test file includes this header once
// and ends with
//   INSTANTIATE_TEST_SUITE_P(Heap, BackendConformance, ::testing::Values(BackendFactory{...}));

#include "base/clock.h"
#include "base/error.h"
#include "checkpoint/checkpoint_storage.h"
#include "checkpoint/snapshot_file.h"
#include "state/keyed_state_backend.h"
#include "tests/harness/fake_host.h"
#include "tests/harness/temporary_folder.h"
#include "types/key.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <future>
#include <map>
#include <memory>
#include <ostream>
#include <random>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

namespace flott {

struct BackendFactory {
  std::string name;
  std::function<std::unique_ptr<KeyedStateBackend>(const KeyedStateOptions&)> make;
  unsigned seeds = 4;  ///< of the random histories that are the longest; fewer for slow backends
  bool estimates_sizes = false;  ///< KeyedStateBackend::state_sizes()
};
inline std::ostream& operator<<(std::ostream& out, const BackendFactory& f) {
  return out << f.name;
}

using Frames = std::map<KeyGroup, std::string>;

inline Value i(std::int64_t v) {
  return Value::integer(v);
}
inline Value s(const std::string& v) {
  return Value::string(v);
}

/// Sums integers; `null` as a result when the sum is 0, to see what that does.
struct Sum final : ReduceFunction {
  Value reduce(const Value& a, const Value& b) override { return i(a.as_int() + b.as_int()); }
};
/// Collects integers in order: [1, 2]; its result is their sum.
struct Collect final : AggregateFunction {
  Value create_accumulator() override { return Value::array({}); }
  Value add(const Value& value, const Value& accumulator) override {
    std::vector<Value> items = accumulator.as_array();
    items.push_back(value);
    return Value::array(std::move(items));
  }
  Value get_result(const Value& accumulator) override {
    std::int64_t sum = 0;
    for (const Value& item : accumulator.as_array()) {
      sum += item.as_int();
    }
    return i(sum);
  }
  Value merge(const Value& a, const Value& b) override {
    std::vector<Value> items = a.as_array();
    items.insert(items.end(), b.as_array().begin(), b.as_array().end());
    return Value::array(std::move(items));
  }
};

inline StateDescriptor descriptor(StateKind kind, const std::string& name) {
  StateDescriptor d;
  d.kind = kind;
  d.name = name;
  d.value_type = LogicalType::of(TypeKind::kBigInt);
  if (kind == StateKind::kMap) {
    d.key_type = LogicalType::of(TypeKind::kString);
  }
  if (kind == StateKind::kReducing) {
    d.reduce = std::make_shared<Sum>();
  }
  if (kind == StateKind::kAggregating) {
    d.aggregate = std::make_shared<Collect>();
  }
  return d;
}

inline StateDescriptor with_ttl(StateDescriptor d,
                                std::int64_t ttl_ms,
                                StateTtlConfig::UpdateType update,
                                StateTtlConfig::Visibility visibility,
                                int cleanup = 0) {
  d.ttl.ttl_ms = ttl_ms;
  d.ttl.update_type = update;
  d.ttl.visibility = visibility;
  d.ttl.cleanup_incremental_size = cleanup;
  return d;
}

inline constexpr auto kOnWrite = StateTtlConfig::UpdateType::kOnCreateAndWrite;
inline constexpr auto kOnRead = StateTtlConfig::UpdateType::kOnReadAndWrite;
inline constexpr auto kHide = StateTtlConfig::Visibility::kNeverReturnExpired;
inline constexpr auto kShow = StateTtlConfig::Visibility::kReturnExpiredIfNotCleanedUp;

inline void set_key(KeyedStateBackend& backend, const Value& value) {
  std::string bytes;
  encode_key(value, bytes);
  backend.set_current_key(Key::of(bytes, value));
}

/// Text of the Error of `kind` that `run` throws.
inline std::string error_of(ErrorKind kind, const std::function<void()>& run) {
  try {
    run();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), kind) << error.what();
    return error.what();
  }
  ADD_FAILURE() << "no error";
  return {};
}

inline std::string text(const std::vector<Value>& values) {
  return Value::array(values).to_string();
}
inline std::string text(const std::vector<std::pair<Value, Value>>& entries) {
  return Value::map(entries).to_string();
}

/// Checkpoints of keyed state as files, through the real storage: written, read back and given to
/// new subtasks.
class FileCheckpoints {
 public:
  /// A snapshot of every subtask; whether it is stored is up to the caller.
  CheckpointData take(const std::vector<KeyedStateBackend*>& subtasks, int max_parallelism) {
    CheckpointData data;
    data.id = ++last_;
    data.job_id = "job";
    OperatorCheckpoint& op = data.operators.emplace_back();
    op.uid = op.name = "op";
    op.parallelism = static_cast<int>(subtasks.size());
    op.max_parallelism = max_parallelism;
    for (KeyedStateBackend* subtask : subtasks) {
      OperatorSnapshot& snapshot = op.subtasks.emplace_back();
      if (auto files = subtask->snapshot_files()) {
        snapshot.keyed_files.push_back(std::move(*files));
      } else {
        snapshot.keyed_state = subtask->snapshot();
      }
    }
    return data;
  }
  /// Only the last one stays.
  void store(const CheckpointData& data) {
    const std::string path = storage_->write(data);
    if (!path_.empty()) {
      storage_->discard(path_);
    }
    path_ = path;
  }
  /// What is stored goes into a new backend.
  void restore(KeyedStateBackend& into, int subtask, int parallelism) {
    const CheckpointData data = read_checkpoint(path_);
    const OperatorSnapshot snapshot = redistribute(
        data.operators.at(0), subtask, parallelism, data.operators.at(0).max_parallelism);
    into.restore(snapshot.keyed_state);
    for (const KeyedStateFiles& files : snapshot.keyed_files) {
      into.restore_files(files);
    }
  }

 private:
  const harness::TemporaryFolder folder_;
  const std::unique_ptr<CheckpointStorage> storage_ = make_file_checkpoint_storage(folder_.path());
  CheckpointId last_ = 0;
  std::string path_;
};

class BackendConformance : public ::testing::TestWithParam<BackendFactory> {
 protected:
  BackendConformance() { options_.clock = &clock_; }

  std::unique_ptr<KeyedStateBackend> make() { return GetParam().make(options_); }
  std::unique_ptr<KeyedStateBackend> make(int subtask, int parallelism) {
    KeyedStateOptions options = options_;
    options.range = key_group_range_of(subtask, options.max_parallelism, parallelism);
    return GetParam().make(options);
  }
  /// A new backend with the state of `from`.
  std::unique_ptr<KeyedStateBackend> reborn(KeyedStateBackend& from) {
    auto backend = make();
    backend->restore(from.snapshot());
    return backend;
  }

  /// Likewise by a checkpoint's files, after one that failed.
  std::unique_ptr<KeyedStateBackend> reborn_from_files(KeyedStateBackend& from) {
    FileCheckpoints checkpoints;
    checkpoints.take({&from}, options_.max_parallelism);
    checkpoints.store(checkpoints.take({&from}, options_.max_parallelism));
    auto backend = make();
    checkpoints.restore(*backend, 0, 1);
    return backend;
  }

  ManualClock clock_{1000};
  KeyedStateOptions options_;
};

using enum StateKind;

// --- Kinds --------------------------------------------------------------------------------------

TEST_P(BackendConformance, ValueStateKeepsOneValuePerKey) {
  auto backend = make();
  ValueState& state = backend->value_state(descriptor(kValue, "v"));
  set_key(*backend, s("a"));
  EXPECT_TRUE(state.value().is_null());
  state.update(i(1));
  set_key(*backend, s("b"));
  EXPECT_TRUE(state.value().is_null());
  state.update(i(2));
  set_key(*backend, s("a"));
  EXPECT_EQ(state.value(), i(1));
  state.update(Value::null());
  EXPECT_TRUE(state.value().is_null());
  EXPECT_EQ(backend->key_count(), 1u);
}

TEST_P(BackendConformance, ValueStateGivesItsDefaultUntilUpdatedAndAfterClear) {
  auto backend = make();
  StateDescriptor d = descriptor(kValue, "v");
  d.default_value = i(7);
  ValueState& state = backend->value_state(d);
  set_key(*backend, i(1));
  EXPECT_EQ(state.value(), i(7));
  EXPECT_EQ(backend->key_count(), 0u) << "reading makes no entry";
  state.update(i(8));
  EXPECT_EQ(state.value(), i(8));
  state.clear();
  EXPECT_EQ(state.value(), i(7));
  EXPECT_EQ(backend->key_count(), 0u);
}

TEST_P(BackendConformance, EntriesAreCountedByStateKeyAndNamespace) {
  auto backend = make();
  EXPECT_FALSE(backend->declared("v").has_value());
  ValueState& value = backend->value_state(descriptor(kValue, "v"));
  ListState& list = backend->list_state(descriptor(kList, "l"));
  set_key(*backend, s("a"));
  value.update(i(1));
  for (const std::int64_t start : {0, 10}) {
    list.set_namespace({start, start + 10, {}});
    list.add(i(1));
  }
  set_key(*backend, s("b"));
  value.update(i(1));
  EXPECT_EQ(backend->entry_count(), 4u);
  value.clear();
  EXPECT_EQ(backend->entry_count(), 3u);
  const auto declared = backend->declared("l");
  ASSERT_TRUE(declared.has_value());
  EXPECT_EQ(declared->kind, kList);
}

TEST_P(BackendConformance, ListStateKeepsOrderAndNulls) {
  auto backend = make();
  ListState& state = backend->list_state(descriptor(kList, "l"));
  set_key(*backend, i(1));
  EXPECT_TRUE(state.is_empty());
  EXPECT_TRUE(state.get().empty());
  state.add_all({});
  EXPECT_EQ(backend->key_count(), 0u);
  state.add(i(3));
  state.add_all({i(1), Value::null()});
  EXPECT_EQ(text(state.get()), text(std::vector<Value>{i(3), i(1), Value::null()}));
  EXPECT_FALSE(state.is_empty());
  state.update({i(9)});
  EXPECT_EQ(text(state.get()), "[9]");
  state.update({});
  EXPECT_TRUE(state.is_empty());
  EXPECT_EQ(backend->key_count(), 0u);
}

TEST_P(BackendConformance, MapStateKeepsInsertionOrderAndUnifiesEqualKeys) {
  auto backend = make();
  MapState& state = backend->map_state(descriptor(kMap, "m"));
  set_key(*backend, i(1));
  EXPECT_TRUE(state.is_empty());
  EXPECT_TRUE(state.get(s("x")).is_null());
  state.put(s("x"), i(1));
  state.put(s("y"), i(2));
  state.put(s("x"), i(3));
  EXPECT_EQ(text(state.entries()), text({{s("x"), i(3)}, {s("y"), i(2)}}));
  state.put(i(1), i(10));
  EXPECT_TRUE(state.contains(Value::real(1.0))) << "1 and 1.0 are one key, as in Python";
  state.put(s("n"), Value::null());
  EXPECT_TRUE(state.contains(s("n")));
  EXPECT_TRUE(state.get(s("n")).is_null());
  for (const Value& key : {s("x"), s("y"), i(1), s("n"), s("absent")}) {
    state.remove(key);
  }
  EXPECT_TRUE(state.is_empty());
  EXPECT_EQ(backend->key_count(), 0u);
}

TEST_P(BackendConformance, LargeMapsStayOrderedThroughRemovals) {
  auto backend = make();
  MapState& state = backend->map_state(descriptor(kMap, "m"));
  set_key(*backend, i(1));
  std::vector<std::pair<Value, Value>> expected;
  for (int k = 0; k < 200; ++k) {
    state.put(i(k), i(k * 10));
  }
  for (int k = 0; k < 200; ++k) {
    if (k % 7 != 0) {
      state.remove(i(k));
    } else {
      expected.emplace_back(i(k), i(k * 10));
    }
  }
  state.put(i(3), i(1));
  expected.emplace_back(i(3), i(1));
  EXPECT_EQ(text(state.entries()), text(expected));
  EXPECT_EQ(state.get(i(196)), i(1960));
  EXPECT_FALSE(state.contains(i(195)));
  auto restored = reborn(*backend);
  MapState& again = restored->map_state(descriptor(kMap, "m"));
  set_key(*restored, i(1));
  EXPECT_EQ(text(again.entries()), text(expected));
}

TEST_P(BackendConformance, ReducingStateCombinesAndNullClears) {
  auto backend = make();
  AppendingState& state = backend->appending_state(descriptor(kReducing, "r"));
  set_key(*backend, i(1));
  EXPECT_TRUE(state.get().is_null());
  state.add(i(2));
  state.add(i(3));
  EXPECT_EQ(state.get(), i(5));
  EXPECT_EQ(state.accumulator(), i(5));
  state.add(Value::null());
  EXPECT_TRUE(state.get().is_null());
  EXPECT_EQ(backend->key_count(), 0u);
}

TEST_P(BackendConformance, AggregatingStateGivesTheResultOfItsAccumulator) {
  auto backend = make();
  AppendingState& state = backend->appending_state(descriptor(kAggregating, "a"));
  set_key(*backend, i(1));
  EXPECT_TRUE(state.get().is_null());
  state.add(i(2));
  state.add(i(3));
  EXPECT_EQ(state.get(), i(5));
  EXPECT_EQ(state.accumulator().to_string(), "[2, 3]");
  state.set_accumulator(Value::array({i(40)}));
  state.add(i(2));
  EXPECT_EQ(state.get(), i(42));
  state.clear();
  EXPECT_EQ(backend->key_count(), 0u);
}

// --- Namespaces ---------------------------------------------------------------------------------

TEST_P(BackendConformance, NamespacesAreApart) {
  auto backend = make();
  ValueState& value = backend->value_state(descriptor(kValue, "v"));
  ListState& list = backend->list_state(descriptor(kList, "l"));
  set_key(*backend, s("k"));
  value.update(i(-1));
  const int windows = 50;  // enough to be indexed
  for (int w = 0; w < windows; ++w) {
    value.set_namespace({w, w + 10, {}});
    list.set_namespace({w, w + 10, {}});
    value.update(i(w));
    list.add(i(w));
  }
  list.set_namespace({1, 2, "custom"});
  list.add(i(1000));
  EXPECT_EQ(backend->key_count(), 1u);
  auto check = [&](KeyedStateBackend& b) {
    ValueState& v = b.value_state(descriptor(kValue, "v"));
    ListState& l = b.list_state(descriptor(kList, "l"));
    set_key(b, s("k"));
    for (int w = 0; w < windows; ++w) {
      v.set_namespace({w, w + 10, {}});
      l.set_namespace({w, w + 10, {}});
      EXPECT_EQ(v.value(), i(w));
      EXPECT_EQ(text(l.get()), text({i(w)}));
    }
    v.set_namespace({});
    EXPECT_EQ(v.value(), i(-1));
    l.set_namespace({});
    EXPECT_TRUE(l.is_empty());
    l.set_namespace({1, 2, "custom"});
    EXPECT_EQ(text(l.get()), "[1000]");
    l.set_namespace({1, 2, "other"});
    EXPECT_TRUE(l.is_empty());
  };
  check(*backend);
  auto restored = reborn(*backend);
  check(*restored);
  for (int w = 0; w < windows; ++w) {
    value.set_namespace({w, w + 10, {}});
    value.clear();
    list.set_namespace({w, w + 10, {}});
    list.clear();
  }
  list.set_namespace({1, 2, "custom"});
  list.clear();
  value.set_namespace({});
  EXPECT_EQ(value.value(), i(-1));
  value.clear();
  EXPECT_EQ(backend->key_count(), 0u);
  EXPECT_TRUE(backend->snapshot().empty());
}

TEST_P(BackendConformance, MergingNamespacesMovesAccumulatorsIntoTheTarget) {
  for (const StateKind kind : {kReducing, kAggregating}) {
    auto backend = make();
    AppendingState& state = backend->appending_state(descriptor(kind, "m"));
    set_key(*backend, i(1));
    const Window a{0, 10, {}}, b{5, 15, {}}, c{12, 20, {}}, empty{100, 110, {}};
    for (const auto& [window, v] : {std::pair(a, 1), std::pair(b, 2), std::pair(c, 3)}) {
      state.set_namespace(window);
      state.add(i(v));
    }
    state.merge_namespaces(a, {b, empty, c, a});
    state.set_namespace(a);
    EXPECT_EQ(state.get(), i(6));
    for (const Window& gone : {b, c, empty}) {
      state.set_namespace(gone);
      EXPECT_TRUE(state.get().is_null());
    }
    state.merge_namespaces(empty, {a});
    state.set_namespace(empty);
    EXPECT_EQ(state.get(), i(6));
    state.merge_namespaces(a, {b, c});
    state.set_namespace(a);
    EXPECT_TRUE(state.get().is_null()) << "nothing merged makes nothing";
    state.set_namespace(empty);
    state.clear();
    EXPECT_EQ(backend->key_count(), 0u);
  }
}

TEST_P(BackendConformance, AFunctionThatThrowsLeavesStateAsItWas) {
  struct Failing final : ReduceFunction {
    Value reduce(const Value&, const Value&) override { throw Error(ErrorKind::kUserCode, "no"); }
  };
  auto backend = make();
  StateDescriptor d = descriptor(kReducing, "r");
  d.reduce = std::make_shared<Failing>();
  AppendingState& state = backend->appending_state(d);
  set_key(*backend, i(1));
  state.add(i(1));
  state.set_namespace({0, 10, {}});
  state.add(i(2));
  EXPECT_EQ(error_of(ErrorKind::kUserCode, [&] { state.add(i(3)); }), "no");
  EXPECT_EQ(error_of(ErrorKind::kUserCode, [&] { state.merge_namespaces({}, {{0, 10, {}}}); }),
            "no");
  EXPECT_EQ(state.get(), i(2));
  state.set_namespace({});
  EXPECT_EQ(state.get(), i(1));
}

// --- Keys ---------------------------------------------------------------------------------------

TEST_P(BackendConformance, TheCurrentKeyOutlivesTheRecordAndItsState) {
  auto backend = make();
  EXPECT_TRUE(backend->current_key().is_null());
  ValueState& state = backend->value_state(descriptor(kValue, "v"));
  {
    const Value key = s("a key that is longer than any inline storage of a string would be");
    set_key(*backend, key);
  }
  const std::string shown = backend->current_key().to_string();
  const Key held = backend->current();
  state.update(i(1));
  set_key(*backend, s("other"));
  set_key(*backend, s("a key that is longer than any inline storage of a string would be"));
  state.clear();
  EXPECT_EQ(backend->current_key().to_string(), shown);
  EXPECT_EQ(backend->current().hash, held.hash);
  EXPECT_EQ(backend->current().hash, hash_bytes(backend->current().bytes));
  state.update(i(2));
  EXPECT_EQ(state.value(), i(2));
  set_key(*backend, s("other"));
  EXPECT_TRUE(state.value().is_null());
}

TEST_P(BackendConformance, UseWithoutAKeySaysWhatToDo) {
  auto backend = make();
  ValueState& state = backend->value_state(descriptor(kValue, "counter"));
  for (const auto& use :
       std::vector<std::function<void()>>{[&] { state.value(); }, [&] { state.update(i(1)); }}) {
    const std::string message = error_of(ErrorKind::kInvalidArgument, use);
    EXPECT_NE(message.find("'counter'"), std::string::npos);
    EXPECT_NE(message.find("no current key"), std::string::npos);
  }
}

TEST_P(BackendConformance, ForEachKeyVisitsKeysOfThatStateAndAllowsChanges) {
  auto backend = make();
  ValueState& a = backend->value_state(descriptor(kValue, "a"));
  ListState& b = backend->list_state(descriptor(kList, "b"));
  for (int k = 0; k < 20; ++k) {
    set_key(*backend, i(k));
    k % 2 == 0 ? a.update(i(k)) : b.add(i(k));
  }
  set_key(*backend, i(4));
  std::vector<std::int64_t> seen;
  backend->for_each_key("a", [&] {
    seen.push_back(backend->current_key().as_int());
    a.clear();
    set_key(*backend, i(100 + seen.back()));
    a.update(i(1));
  });
  std::sort(seen.begin(), seen.end());
  EXPECT_EQ(seen, (std::vector<std::int64_t>{0, 2, 4, 6, 8, 10, 12, 14, 16, 18}));
  EXPECT_EQ(backend->current_key(), i(4)) << "the current key is as before";
  EXPECT_EQ(backend->key_count(), 20u);
  backend->for_each_key("unknown", [] { FAIL(); });
}

TEST_P(BackendConformance, ClearAllDropsTheStateOfAllKeysAndKeepsTheCurrentKey) {
  auto backend = make();
  ValueState& a = backend->value_state(descriptor(kValue, "a"));
  ListState& b = backend->list_state(descriptor(kList, "b"));
  for (int k = 0; k < 20; ++k) {
    set_key(*backend, i(k));
    a.update(i(k));
    b.set_namespace(Window{k, k + 1, {}});
    b.add(i(k));
  }
  backend->clear_all();
  EXPECT_EQ(backend->key_count(), 0u);
  EXPECT_EQ(backend->entry_count(), 0u);
  EXPECT_EQ(backend->current_key(), i(19));
  EXPECT_TRUE(a.value().is_null());
  a.update(i(5));
  EXPECT_EQ(a.value(), i(5));
  EXPECT_EQ(backend->key_count(), 1u);
}

TEST_P(BackendConformance, StatesDeclaredWhileKeysExistWork) {
  auto backend = make();
  ValueState& first = backend->value_state(descriptor(kValue, "s0"));
  set_key(*backend, i(1));
  first.update(i(0));
  for (int n = 1; n < 8; ++n) {
    ValueState& more = backend->value_state(descriptor(kValue, "s" + std::to_string(n)));
    EXPECT_TRUE(more.value().is_null());
    more.update(i(n));
  }
  for (int n = 0; n < 8; ++n) {
    EXPECT_EQ(backend->value_state(descriptor(kValue, "s" + std::to_string(n))).value(), i(n));
  }
}

// --- Declarations -------------------------------------------------------------------------------

TEST_P(BackendConformance, ANameIsOneStateOfOneKindAndType) {
  auto backend = make();
  ValueState& state = backend->value_state(descriptor(kValue, "x"));
  EXPECT_EQ(&backend->value_state(descriptor(kValue, "x")), &state);
  const std::string kinds =
      error_of(ErrorKind::kInvalidArgument, [&] { backend->list_state(descriptor(kList, "x")); });
  EXPECT_NE(kinds.find("'x'"), std::string::npos);
  EXPECT_NE(kinds.find("list state of BIGINT"), std::string::npos) << kinds;
  EXPECT_NE(kinds.find("value state of BIGINT"), std::string::npos) << kinds;
  StateDescriptor other = descriptor(kValue, "x");
  other.value_type = LogicalType::of(TypeKind::kString);
  const std::string types =
      error_of(ErrorKind::kInvalidArgument, [&] { backend->value_state(other); });
  EXPECT_NE(types.find("BIGINT"), std::string::npos) << types;
  EXPECT_NE(types.find("STRING"), std::string::npos) << types;
  error_of(ErrorKind::kInvalidArgument, [&] { backend->value_state(descriptor(kList, "y")); });
  error_of(ErrorKind::kInvalidArgument, [&] { backend->value_state(descriptor(kValue, "")); });
  StateDescriptor bare = descriptor(kReducing, "r");
  bare.reduce = nullptr;
  error_of(ErrorKind::kInvalidArgument, [&] { backend->appending_state(bare); });
  backend->appending_state(descriptor(kReducing, "r"));
}

// --- Time to live -------------------------------------------------------------------------------

TEST_P(BackendConformance, TtlOfValueState) {
  struct Case {
    StateTtlConfig::UpdateType update;
    StateTtlConfig::Visibility visibility;
    bool read_at_60;       ///< a read in between
    std::int64_t look_at;  ///< after the write, ttl 100
    const char* first;
    const char* second;  ///< a second look
  };
  const Case cases[] = {
      {kOnWrite, kHide, false, 99, "1", "1"},
      {kOnWrite, kHide, false, 100, "null", "null"},
      {kOnWrite, kHide, true, 100, "null", "null"},
      {kOnWrite, kShow, false, 100, "1", "null"},
      {kOnWrite, kShow, false, 99, "1", "1"},
      {kOnRead, kHide, true, 159, "1", "1"},
      {kOnRead, kHide, true, 160, "null", "null"},
      {kOnRead, kShow, true, 160, "1", "null"},
      {kOnRead, kHide, false, 100, "null", "null"},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(::testing::Message()
                 << static_cast<int>(c.update) << static_cast<int>(c.visibility) << c.read_at_60
                 << ' ' << c.look_at);
    auto run = [&](const std::function<void(KeyedStateBackend&)>& write,
                   const std::function<Value(KeyedStateBackend&)>& read) {
      clock_.set(1000);
      auto backend = make();
      set_key(*backend, i(1));
      write(*backend);
      if (c.read_at_60) {
        clock_.set(1060);
        read(*backend);
      }
      clock_.set(1000 + c.look_at);
      const auto show = [](const Value& v) {
        return v.is_null() ? std::string("null") : v.to_string();
      };
      EXPECT_EQ(show(read(*backend)), c.first);
      EXPECT_EQ(show(read(*backend)), c.second);
      EXPECT_EQ(backend->key_count(), std::string(c.second) == "null" ? 0u : 1u);
    };
    const auto d = [&](StateKind kind) {
      return with_ttl(descriptor(kind, "t"), 100, c.update, c.visibility);
    };
    run([&](auto& b) { b.value_state(d(kValue)).update(i(1)); },
        [&](auto& b) { return b.value_state(d(kValue)).value(); });
    run([&](auto& b) { b.appending_state(d(kReducing)).add(i(1)); },
        [&](auto& b) { return b.appending_state(d(kReducing)).get(); });
    run([&](auto& b) { b.appending_state(d(kAggregating)).add(i(1)); },
        [&](auto& b) { return b.appending_state(d(kAggregating)).get(); });
    run([&](auto& b) { b.map_state(d(kMap)).put(s("k"), i(1)); },
        [&](auto& b) { return b.map_state(d(kMap)).get(s("k")); });
    run([&](auto& b) { b.map_state(d(kMap)).put(s("k"), i(1)); },
        [&](auto& b) {
          const auto entries = b.map_state(d(kMap)).entries();
          return entries.empty() ? Value() : entries[0].second;
        });
    run([&](auto& b) { b.list_state(d(kList)).add(i(1)); },
        [&](auto& b) {
          const auto items = b.list_state(d(kList)).get();
          return items.empty() ? Value() : items[0];
        });
  }
}

TEST_P(BackendConformance, TtlIsPerListElement) {
  for (const auto visibility : {kHide, kShow}) {
    clock_.set(1000);
    auto backend = make();
    ListState& list =
        backend->list_state(with_ttl(descriptor(kList, "l"), 100, kOnWrite, visibility));
    set_key(*backend, i(1));
    list.add(i(1));
    clock_.set(1050);
    list.add(i(2));
    clock_.set(1100);
    const std::string both = visibility == kHide ? "[2]" : "[1, 2]";
    EXPECT_EQ(text(list.get()), both);
    EXPECT_EQ(text(list.get()), both)
        << "expired elements stay visible beside others until cleaned up";
    EXPECT_FALSE(list.is_empty());
    clock_.set(1150);
    EXPECT_EQ(list.is_empty(), visibility == kHide);
    EXPECT_EQ(text(list.get()), visibility == kHide ? "[]" : "[1, 2]");
    EXPECT_EQ(text(list.get()), "[]");
    EXPECT_EQ(backend->key_count(), 0u);
  }
}

TEST_P(BackendConformance, TtlIsPerMapEntry) {
  auto backend = make();
  MapState& map = backend->map_state(with_ttl(descriptor(kMap, "m"), 100, kOnWrite, kHide));
  set_key(*backend, i(1));
  map.put(s("old"), i(1));
  map.put(s("renewed"), i(2));
  clock_.advance(50);
  map.put(s("renewed"), i(3));
  map.put(s("young"), i(4));
  clock_.advance(50);
  EXPECT_FALSE(map.contains(s("old")));
  EXPECT_EQ(text(map.entries()), text({{s("renewed"), i(3)}, {s("young"), i(4)}}));
  clock_.advance(50);
  EXPECT_TRUE(map.is_empty());
  EXPECT_TRUE(map.entries().empty());
  EXPECT_EQ(backend->key_count(), 0u);
}

TEST_P(BackendConformance, AnExpiredAccumulatorStartsAnew) {
  auto backend = make();
  AppendingState& sum =
      backend->appending_state(with_ttl(descriptor(kReducing, "r"), 100, kOnWrite, kHide));
  AppendingState& all =
      backend->appending_state(with_ttl(descriptor(kAggregating, "a"), 100, kOnWrite, kHide));
  set_key(*backend, i(1));
  sum.add(i(1));
  all.add(i(1));
  clock_.advance(100);
  sum.add(i(5));
  all.add(i(5));
  EXPECT_EQ(sum.get(), i(5));
  EXPECT_EQ(all.get(), i(5));
  clock_.advance(99);
  sum.add(i(1));
  clock_.advance(99);
  EXPECT_EQ(sum.get(), i(6)) << "each write renews";
}

TEST_P(BackendConformance, TtlThatNeverEndsDoesNotOverflow) {
  auto backend = make();
  ValueState& state =
      backend->value_state(with_ttl(descriptor(kValue, "v"), kMaxTimestamp, kOnWrite, kHide));
  set_key(*backend, i(1));
  state.update(i(1));
  clock_.set(kMaxTimestamp - 1);
  EXPECT_EQ(state.value(), i(1));
}

TEST_P(BackendConformance, IncrementalCleanUpKeepsStateFlat) {
  for (const StateKind kind : {kValue, kList, kMap, kReducing}) {
    clock_.set(1000);
    auto backend = make();
    const StateDescriptor d = with_ttl(descriptor(kind, "t"), 100, kOnWrite, kHide, 5);
    std::size_t most = 0;
    for (int n = 0; n < 5000; ++n) {
      clock_.advance(1);
      set_key(*backend, i(n));
      if (kind == kValue) {
        backend->value_state(d).update(i(n));
      } else if (kind == kList) {
        backend->list_state(d).set_namespace({n, n + 1, {}});
        backend->list_state(d).add(i(n));
      } else if (kind == kMap) {
        backend->map_state(d).put(s("x"), i(n));
      } else {
        backend->appending_state(d).add(i(n));
      }
      most = std::max(most, backend->key_count());
    }
    EXPECT_GE(most, 100u);
    EXPECT_LE(most, 300u) << static_cast<int>(kind);
  }
}

TEST_P(BackendConformance, CleaningUpLeavesWhatIsBeingReadToItsReader) {
  auto backend = make();
  const StateDescriptor d = with_ttl(descriptor(kValue, "v"), 100, kOnWrite, kShow, 5);
  ValueState& state = backend->value_state(d);
  set_key(*backend, i(1));
  state.update(i(1));
  set_key(*backend, i(2));
  state.update(i(2));
  clock_.advance(150);
  EXPECT_EQ(state.value(), i(2)) << "expired, and shown once";
  EXPECT_TRUE(state.value().is_null());
}

TEST_P(BackendConformance, ExpiredEntriesAreLeftOutOfSnapshots) {
  auto backend = make();
  const auto d = [](StateKind kind) {
    return with_ttl(descriptor(kind, "t"), 100, kOnWrite, kHide);
  };
  ListState& list = backend->list_state(d(kList));
  set_key(*backend, i(1));
  list.add(i(1));
  set_key(*backend, i(2));
  list.add(i(2));
  clock_.advance(60);
  list.add(i(3));
  clock_.advance(40);
  auto restored = reborn(*backend);
  EXPECT_EQ(restored->key_count(), 1u);
  ListState& again = restored->list_state(d(kList));
  set_key(*restored, i(2));
  EXPECT_EQ(text(again.get()), "[3]");
  clock_.advance(60);
  EXPECT_EQ(text(again.get()), "[]") << "the access time came along";
  EXPECT_TRUE(backend->snapshot().empty());
}

TEST_P(BackendConformance, TtlMayBeSwitchedOnAndOffAcrossARestore) {
  auto plain = make();
  set_key(*plain, i(1));
  plain->value_state(descriptor(kValue, "v")).update(i(1));
  auto timed = reborn(*plain);
  const auto d = with_ttl(descriptor(kValue, "v"), 100, kOnWrite, kHide);
  ValueState& state = timed->value_state(d);
  set_key(*timed, i(1));
  clock_.advance(99);
  EXPECT_EQ(state.value(), i(1));
  auto plain_again = reborn(*timed);
  clock_.advance(1);
  EXPECT_TRUE(state.value().is_null()) << "lives from the restore on";
  ValueState& kept = plain_again->value_state(descriptor(kValue, "v"));
  set_key(*plain_again, i(1));
  EXPECT_EQ(kept.value(), i(1));
}

TEST_P(BackendConformance, TtlMustBePositive) {
  auto backend = make();
  const std::string message = error_of(ErrorKind::kInvalidArgument, [&] {
    backend->value_state(with_ttl(descriptor(kValue, "v"), 0, kOnWrite, kHide));
  });
  EXPECT_NE(message.find("'v'"), std::string::npos);
}

// --- Snapshots ----------------------------------------------------------------------------------

TEST_P(BackendConformance, StateIsRestoredWhetherDeclaredBeforeOrAfter) {
  auto backend = make();
  set_key(*backend, s("k"));
  backend->value_state(descriptor(kValue, "v")).update(i(1));
  backend->map_state(descriptor(kMap, "m")).put(s("x"), i(2));
  const Frames frames = backend->snapshot();
  for (const bool before : {true, false}) {
    auto restored = make();
    if (before) {
      restored->map_state(descriptor(kMap, "m"));
      restored->value_state(descriptor(kValue, "v"));
    }
    restored->restore(frames);
    EXPECT_EQ(restored->key_count(), 1u);
    set_key(*restored, s("k"));
    EXPECT_EQ(restored->value_state(descriptor(kValue, "v")).value(), i(1));
    EXPECT_EQ(restored->map_state(descriptor(kMap, "m")).get(s("x")), i(2));
    EXPECT_EQ(restored->current_key(), s("k"));
  }
}

TEST_P(BackendConformance, NamesNobodyDeclaresAgainAreCarriedOn) {
  auto backend = make();
  const auto timed = with_ttl(descriptor(kList, "timed"), 100, kOnWrite, kHide);
  set_key(*backend, s("k"));
  backend->value_state(descriptor(kValue, "v")).update(i(1));
  backend->list_state(timed).add(i(5));
  auto ignorant = reborn(*backend);
  auto more_ignorant = reborn(*ignorant);
  auto knowing = reborn(*more_ignorant);
  ListState& list = knowing->list_state(timed);
  set_key(*knowing, s("k"));
  EXPECT_EQ(knowing->value_state(descriptor(kValue, "v")).value(), i(1));
  EXPECT_EQ(text(list.get()), "[5]");
  clock_.advance(100);
  EXPECT_EQ(text(list.get()), "[]") << "the access time was carried on, too";
}

TEST_P(BackendConformance, RestoringAsAnotherTypeNamesStateAndBothTypes) {
  auto backend = make();
  set_key(*backend, s("k"));
  backend->value_state(descriptor(kValue, "total")).update(i(1));
  const Frames frames = backend->snapshot();
  StateDescriptor other = descriptor(kValue, "total");
  other.value_type = LogicalType::of(TypeKind::kString);
  for (const bool before : {true, false}) {
    const std::string message = error_of(ErrorKind::kInvalidArgument, [&] {
      auto restored = make();
      if (before) {
        restored->value_state(other);
      }
      restored->restore(frames);
      restored->value_state(other);
    });
    for (const char* part : {"'total'", "BIGINT", "STRING", "checkpoint"}) {
      EXPECT_NE(message.find(part), std::string::npos) << message;
    }
  }
}

TEST_P(BackendConformance, FloatsAreRestoredAsDoublesAndNotTheOtherWayRound) {
  const auto real = LogicalType::of(TypeKind::kFloat);
  const auto wide = LogicalType::of(TypeKind::kDouble);
  const auto row_of = [](const LogicalTypePtr& type) {
    return LogicalType::row({"n", "parts"},
                            {LogicalType::of(TypeKind::kBigInt), LogicalType::array(type)});
  };
  StateDescriptor sum = descriptor(kValue, "sum");
  StateDescriptor rows = descriptor(kMap, "rows");
  sum.value_type = real;
  rows.value_type = row_of(real);
  auto backend = make();
  set_key(*backend, s("k"));
  backend->value_state(sum).update(Value::real(1.5));
  backend->map_state(rows).put(s("x"), Value::row({i(1), Value::array({Value::real(2.5)})}));
  const Frames floats = backend->snapshot();
  sum.value_type = wide;
  rows.value_type = row_of(wide);
  Frames doubles;
  for (const bool before : {true, false}) {
    auto restored = make();
    if (before) {
      restored->value_state(sum);
      restored->map_state(rows);
    }
    restored->restore(floats);
    set_key(*restored, s("k"));
    EXPECT_EQ(restored->value_state(sum).value(), Value::real(1.5));
    EXPECT_EQ(restored->map_state(rows).get(s("x")).field(1).to_string(), "[2.5]");
    doubles = restored->snapshot();
  }
  sum.value_type = real;
  const std::string message = error_of(ErrorKind::kInvalidArgument, [&] {
    auto restored = make();
    restored->restore(doubles);
    restored->value_state(sum);
  });
  EXPECT_NE(message.find("'sum' is declared as value state of FLOAT"), std::string::npos)
      << message;
}

TEST_P(BackendConformance, NativeStateIsRestoredWithoutTheHostsLock) {
  FakeHost host;
  auto before = make();
  const auto fill = [](KeyedStateBackend& backend) {
    set_key(backend, s("a"));
    backend.value_state(descriptor(kValue, "v")).update(Value::row({i(1), s("x")}));
    backend.list_state(descriptor(kList, "l")).add(s("y"));
    backend.map_state(descriptor(kMap, "m")).put(s("k"), i(2));
    set_key(backend, Value::row({i(1), s("b")}));
    backend.value_state(descriptor(kValue, "v")).update(i(3));
  };
  fill(*before);
  const std::map<KeyGroup, std::string> frames = before->snapshot();
  auto after = make();
  const int enters = host.enters();
  after->restore(frames);
  EXPECT_EQ(host.enters(), enters);
  EXPECT_EQ(after->snapshot(), frames);

  const auto files = before->snapshot_files();
  ASSERT_TRUE(files.has_value());
  auto from_files = make();
  const int entered = host.enters();
  from_files->restore_files(*files);
  EXPECT_EQ(host.enters(), entered);
  set_key(*from_files, s("a"));
  EXPECT_EQ(from_files->map_state(descriptor(kMap, "m")).get(s("k")), i(2));
}

TEST_P(BackendConformance, OpaqueKeysAndValuesAreRestored) {
  FakeHost host;
  {
    auto before = make();
    for (int n = 0; n < 100; ++n) {
      set_key(*before, host.number(n));
      before->value_state(descriptor(kValue, "v")).update(host.list({n}));
      before->list_state(descriptor(kList, "l")).add(host.text("y"));
      before->map_state(descriptor(kMap, "m")).put(host.text("k"), host.number(n));
    }
    for (const bool by_files : {false, true}) {
      auto after = by_files ? reborn_from_files(*before) : reborn(*before);
      EXPECT_FALSE(host.entered());
      for (int n = 0; n < 100; ++n) {
        set_key(*after, host.number(n));
        EXPECT_EQ(after->value_state(descriptor(kValue, "v")).value(), host.list({n}));
        EXPECT_EQ(after->map_state(descriptor(kMap, "m")).get(host.text("k")), host.number(n));
      }
    }
  }
  EXPECT_EQ(host.live(), 0);
}

TEST_P(BackendConformance, ARestoreEndsWhenTheJobIsCancelled) {
  auto before = make();
  set_key(*before, s("a"));
  before->value_state(descriptor(kValue, "v")).update(i(1));
  const std::map<KeyGroup, std::string> frames = before->snapshot();
  const auto files = before->snapshot_files();
  const std::atomic<bool> cancelled{true};
  options_.cancelled = &cancelled;
  EXPECT_THROW(make()->restore(frames), CancelledException);
  ASSERT_TRUE(files.has_value());
  EXPECT_THROW(make()->restore_files(*files), CancelledException);
}

TEST_P(BackendConformance, DamagedFramesAreAnError) {
  auto backend = make();
  set_key(*backend, s("k"));
  backend->value_state(descriptor(kValue, "v")).update(i(1));
  backend->list_state(descriptor(kList, "l")).add(s("text"));
  const Frames frames = backend->snapshot();
  ASSERT_EQ(frames.size(), 1u);
  const auto& [group, frame] = *frames.begin();
  for (std::size_t size = 0; size < frame.size(); ++size) {
    auto restored = make();
    const std::string cut = frame.substr(0, size);
    EXPECT_THROW(restored->restore({{group, cut}}), Error) << size;
  }
  std::string newer = frame;
  newer[0] = 99;
  const std::string message =
      error_of(ErrorKind::kExternal, [&] { make()->restore({{group, newer}}); });
  EXPECT_NE(message.find("version is 99"), std::string::npos) << message;
}

// --- Random operations against a model
// ------------------------------------------------------------

/// What the states of RandomOperations must hold: by (key, window).
struct Model {
  struct Content {
    std::int64_t value = 0;
    std::vector<std::int64_t> list;
    std::vector<std::pair<std::int64_t, std::int64_t>> map;
    std::int64_t sum = 0;
    bool has_value = false, has_sum = false;
    std::vector<std::int64_t> collected;
    bool empty() const {
      return !has_value && list.empty() && map.empty() && !has_sum && collected.empty();
    }
  };
  std::map<std::pair<std::int64_t, std::int64_t>, Content> at;
};

class ModelledBackend {
 public:
  explicit ModelledBackend(std::unique_ptr<KeyedStateBackend> backend)
      : backend_(std::move(backend)),
        value_(backend_->value_state(descriptor(kValue, "v"))),
        list_(backend_->list_state(descriptor(kList, "l"))),
        map_(backend_->map_state(descriptor(kMap, "m"))),
        sum_(backend_->appending_state(descriptor(kReducing, "r"))),
        all_(backend_->appending_state(descriptor(kAggregating, "a"))) {}

  KeyedStateBackend& backend() { return *backend_; }

  void step(std::mt19937& random, std::int64_t key, Model& model) {
    const auto pick = [&](int n) {
      return static_cast<std::int64_t>(random() % static_cast<unsigned>(n));
    };
    const std::int64_t window = pick(20);
    Model::Content& m = model.at[{key, window}];
    use(key, window);
    const std::int64_t v = pick(1000);
    switch (pick(10)) {
      case 0:
        value_.update(i(v));
        m.value = v;
        m.has_value = true;
        break;
      case 1:
        value_.clear();
        m.has_value = false;
        break;
      case 2:
        list_.add(i(v));
        m.list.push_back(v);
        break;
      case 3:
        list_.update({i(v), i(1)});
        m.list = {v, 1};
        break;
      case 4: {
        const std::int64_t k = pick(15);
        map_.put(i(k), i(v));
        const auto it =
            std::find_if(m.map.begin(), m.map.end(), [&](auto& e) { return e.first == k; });
        it == m.map.end() ? void(m.map.emplace_back(k, v)) : void(it->second = v);
        break;
      }
      case 5: {
        const std::int64_t k = pick(15);
        map_.remove(i(k));
        std::erase_if(m.map, [&](const auto& e) { return e.first == k; });
        break;
      }
      case 6:
        sum_.add(i(v));
        m.sum = (m.has_sum ? m.sum : 0) + v;
        m.has_sum = true;
        break;
      case 7:
        all_.add(i(v));
        m.collected.push_back(v);
        break;
      case 8: {
        const std::int64_t other = pick(20);
        if (other == window) {
          break;
        }
        sum_.merge_namespaces(namespace_of(window), {namespace_of(other)});
        all_.merge_namespaces(namespace_of(window), {namespace_of(other)});
        Model::Content& o = model.at[{key, other}];
        if (o.has_sum) {
          m.sum = (m.has_sum ? m.sum : 0) + o.sum;
          m.has_sum = true;
        }
        m.collected.insert(m.collected.end(), o.collected.begin(), o.collected.end());
        o.has_sum = false;
        o.collected.clear();
        break;
      }
      default:
        value_.clear();
        list_.clear();
        map_.clear();
        sum_.clear();
        all_.clear();
        m = {};
    }
  }

  void expect_equal(std::int64_t key, std::int64_t window, const Model::Content& m) {
    use(key, window);
    SCOPED_TRACE(::testing::Message() << "key " << key << " window " << window);
    ASSERT_EQ(value_.value().to_string(), (m.has_value ? i(m.value) : Value()).to_string());
    std::vector<Value> list;
    for (const auto v : m.list) {
      list.push_back(i(v));
    }
    ASSERT_EQ(text(list_.get()), text(list));
    std::vector<std::pair<Value, Value>> map;
    for (const auto& [k, v] : m.map) {
      map.emplace_back(i(k), i(v));
    }
    ASSERT_EQ(text(map_.entries()), text(map));
    ASSERT_EQ(sum_.get().to_string(), (m.has_sum ? i(m.sum) : Value()).to_string());
    std::vector<Value> collected;
    for (const auto v : m.collected) {
      collected.push_back(i(v));
    }
    ASSERT_EQ(all_.accumulator().to_string(),
              (collected.empty() ? Value() : Value::array(collected)).to_string());
  }
  void clear_all(std::int64_t key) {
    for (std::int64_t window = 0; window < 20; ++window) {
      use(key, window);
      value_.clear();
      list_.clear();
      map_.clear();
      sum_.clear();
      all_.clear();
    }
  }

 private:
  static Window namespace_of(std::int64_t window) {
    return window == 0 ? Window{}
                       : Window{window * 10, window * 10 + 10, window % 3 == 0 ? "c" : ""};
  }
  void use(std::int64_t key, std::int64_t window) {
    set_key(*backend_, i(key));
    for (State* state : std::initializer_list<State*>{&value_, &list_, &map_, &sum_, &all_}) {
      state->set_namespace(namespace_of(window));
    }
  }
  std::unique_ptr<KeyedStateBackend> backend_;
  ValueState& value_;
  ListState& list_;
  MapState& map_;
  AppendingState& sum_;
  AppendingState& all_;
};

TEST_P(BackendConformance, RandomOperationsAgreeWithAModelThroughRescaling) {
  constexpr std::int64_t kKeys = 60;
  for (unsigned seed = 1; seed <= 5; ++seed) {
    std::mt19937 random(seed);
    Model model;
    std::vector<ModelledBackend> subtasks;
    subtasks.emplace_back(make(0, 1));
    const auto owner = [&](std::int64_t key) -> ModelledBackend& {
      std::string bytes;
      encode_key(i(key), bytes);
      const KeyGroup group = key_group_of(hash_bytes(bytes), options_.max_parallelism);
      return subtasks[static_cast<std::size_t>(
          subtask_of(group, options_.max_parallelism, static_cast<int>(subtasks.size())))];
    };
    for (const int next_parallelism : {3, 2, 1}) {
      for (int n = 0; n < 3000; ++n) {
        const auto key = static_cast<std::int64_t>(random() % kKeys);
        owner(key).step(random, key, model);
      }
      Frames all;
      for (ModelledBackend& subtask : subtasks) {
        all.merge(subtask.backend().snapshot());
      }
      subtasks.clear();
      for (int subtask = 0; subtask < next_parallelism; ++subtask) {
        auto backend = make(subtask, next_parallelism);
        backend->restore(all);
        subtasks.emplace_back(std::move(backend));
      }
      std::map<std::int64_t, bool> live;
      for (const auto& [at, content] : model.at) {
        owner(at.first).expect_equal(at.first, at.second, content);
        live[at.first] = live[at.first] || !content.empty();
      }
      std::size_t keys = 0;
      for (ModelledBackend& subtask : subtasks) {
        keys += subtask.backend().key_count();
      }
      EXPECT_EQ(keys, static_cast<std::size_t>(std::count_if(live.begin(), live.end(), [](auto& e) {
                  return e.second;
                })));
    }
    for (std::int64_t key = 0; key < kKeys; ++key) {
      owner(key).clear_all(key);
    }
    EXPECT_EQ(subtasks[0].backend().key_count(), 0u) << "nothing is left behind";
    EXPECT_TRUE(subtasks[0].backend().snapshot().empty());
  }
}

// --- Checkpoints as files (frames, of backends that store nothing else) ----------------------

TEST_P(BackendConformance, TellsHowMuchIsInStatesThatNothingCleansUp) {
  auto backend = make();
  ValueState& value = backend->value_state(descriptor(kValue, "value"));
  StateDescriptor texts = descriptor(kList, "list");
  texts.value_type = LogicalType::of(TypeKind::kString);
  ListState& list = backend->list_state(texts);
  ValueState& timed =
      backend->value_state(with_ttl(descriptor(kValue, "timed"), 100, kOnWrite, kHide));
  StateDescriptor windows = descriptor(kValue, "windows");
  windows.ends_by_itself = true;
  ValueState& ends = backend->value_state(windows);
  FileCheckpoints checkpoints;
  const auto sizes = [&](KeyedStateBackend& of) {
    checkpoints.store(checkpoints.take({&of}, options_.max_parallelism));
    std::map<std::string, KeyedStateSize> out;
    for (const KeyedStateSize& size : of.state_sizes()) {
      out[size.state] = size;
    }
    return out;
  };
  for (std::int64_t key = 0; key < 1000; ++key) {
    set_key(*backend, i(key));
    value.update(i(key));
    timed.update(i(key));
    ends.update(i(key));
  }
  auto now = sizes(*backend);
  EXPECT_EQ(now.size(), 2u) << "neither with TTL nor what ends by itself";
  EXPECT_EQ(now["value"].entries, 1000);
  EXPECT_GT(now["value"].bytes, 1000);
  EXPECT_EQ(now["list"].entries, 0);
  EXPECT_EQ(now["list"].bytes, 0);
  if (GetParam().estimates_sizes) {
    return;
  }

  // One key that holds more and more.
  std::int64_t before = 0;
  for (int round = 0; round < 3; ++round) {
    for (int n = 0; n < 100; ++n) {
      list.add(s(std::string(1000, static_cast<char>('a' + n % 26)) + std::to_string(n)));
    }
    const std::int64_t bytes = sizes(*backend)["list"].bytes;
    EXPECT_GT(bytes, before);
    before = bytes;
  }
  EXPECT_EQ(sizes(*backend)["list"].entries, 1);
  EXPECT_GE(before, 300'000);
  EXPECT_LT(before, 320'000);
  // Overwriting is no growth, and nor is a savepoint; what is removed does not count.
  const std::int64_t value_bytes = now["value"].bytes;
  for (std::int64_t key = 0; key < 1000; ++key) {
    set_key(*backend, i(key));
    value.update(i(key));
  }
  backend->snapshot();
  EXPECT_EQ(sizes(*backend)["value"].bytes, value_bytes);
  const auto restored = [&] {
    auto again = make();
    checkpoints.restore(*again, 0, 1);
    again->value_state(descriptor(kValue, "value"));
    again->list_state(texts);
    return again;
  };
  for (int round = 0; round < 2; ++round) {
    auto again = restored();
    now = sizes(*again);
    EXPECT_EQ(now["value"].entries, 1000);
    EXPECT_EQ(now["value"].bytes, value_bytes);
    EXPECT_EQ(now["list"].bytes, before);
    ValueState& restored_value = again->value_state(descriptor(kValue, "value"));
    for (std::int64_t key = 0; key < 1000; ++key) {
      set_key(*again, i(key));
      restored_value.clear();
      again->list_state(texts).clear();
    }
    EXPECT_EQ(again->state_sizes().size(), 2u);
    for (const KeyedStateSize& size : again->state_sizes()) {
      EXPECT_EQ(size.entries, 0) << size.state;
      EXPECT_EQ(size.bytes, 0) << size.state;
    }
    checkpoints.store(checkpoints.take({backend.get()}, options_.max_parallelism));
  }
}

TEST_P(BackendConformance, FilesHoldWhatHasChangedAndNotWhatIsGone) {
  FileCheckpoints checkpoints;
  auto backend = make();
  ValueState& value = backend->value_state(descriptor(kValue, "v"));
  const auto restored = [&] {
    checkpoints.store(checkpoints.take({backend.get()}, options_.max_parallelism));
    auto again = make();
    checkpoints.restore(*again, 0, 1);
    return again;
  };
  const auto value_in = [&](KeyedStateBackend& in, std::int64_t key) {
    set_key(in, i(key));
    return in.value_state(descriptor(kValue, "v")).value();
  };
  for (std::int64_t key = 0; key < 100; ++key) {
    set_key(*backend, i(key));
    value.update(i(key));
  }
  EXPECT_EQ(restored()->key_count(), 100u);
  set_key(*backend, i(7));
  value.update(i(77));
  set_key(*backend, i(8));
  value.clear();
  set_key(*backend, i(9));
  value.clear();
  set_key(*backend, i(200));
  value.update(i(200));
  set_key(*backend, i(201));
  value.update(i(201));
  value.clear();
  auto second = restored();
  EXPECT_EQ(second->key_count(), 99u);
  EXPECT_EQ(value_in(*second, 7), i(77));
  EXPECT_TRUE(value_in(*second, 8).is_null());
  set_key(*backend, i(9));
  value.update(i(99));  // gone in one checkpoint, back in the next
  auto third = restored();
  EXPECT_EQ(third->key_count(), 100u);
  EXPECT_EQ(value_in(*third, 9), i(99));
  EXPECT_EQ(value_in(*third, 200), i(200));
  EXPECT_EQ(restored()->key_count(), 100u) << "nothing has changed";
  backend->clear_all();
  EXPECT_EQ(restored()->key_count(), 0u);
  set_key(*backend, i(5));
  value.update(i(55));
  auto last = restored();
  EXPECT_EQ(last->key_count(), 1u);
  EXPECT_EQ(value_in(*last, 5), i(55));
}

TEST_P(BackendConformance, AFailedCheckpointLosesNothing) {
  FileCheckpoints checkpoints;
  auto backend = make();
  ListState& list = backend->list_state(descriptor(kList, "l"));
  for (int n = 0; n < 6; ++n) {
    set_key(*backend, i(n % 2));
    list.add(i(n));
    const CheckpointData data = checkpoints.take({backend.get()}, options_.max_parallelism);
    if (n == 1 || n == 5) {  // the others never arrive at the storage
      checkpoints.store(data);
    }
  }
  auto restored = make();
  checkpoints.restore(*restored, 0, 1);
  ListState& again = restored->list_state(descriptor(kList, "l"));
  set_key(*restored, i(0));
  EXPECT_EQ(text(again.get()), "[0, 2, 4]");
  set_key(*restored, i(1));
  EXPECT_EQ(text(again.get()), "[1, 3, 5]");
}

TEST_P(BackendConformance, StatesDeclaredBetweenCheckpointsAreInTheNext) {
  auto backend = make();
  set_key(*backend, s("k"));
  backend->value_state(descriptor(kValue, "v")).update(i(1));
  backend->map_state(descriptor(kMap, "m")).put(s("x"), i(2));
  auto again = reborn_from_files(*backend);  // nothing is declared there
  auto files_of_undeclared = reborn_from_files(*again);
  set_key(*again, s("k"));
  EXPECT_EQ(again->map_state(descriptor(kMap, "m")).get(s("x")), i(2));
  again->list_state(descriptor(kList, "l")).add(i(3));
  for (KeyedStateBackend* from : {again.get(), files_of_undeclared.get()}) {
    auto third = reborn_from_files(*from);
    set_key(*third, s("k"));
    EXPECT_EQ(third->map_state(descriptor(kMap, "m")).get(s("x")), i(2));
    EXPECT_EQ(third->value_state(descriptor(kValue, "v")).value(), i(1));
    EXPECT_EQ(text(third->list_state(descriptor(kList, "l")).get()),
              from == again.get() ? "[3]" : "[]");
  }
}

TEST_P(BackendConformance, AccessTimesAreInFiles) {
  const auto timed = with_ttl(descriptor(kValue, "timed"), 100, kOnRead, kHide);
  FileCheckpoints checkpoints;
  auto backend = make();
  ValueState& value = backend->value_state(timed);
  for (int key = 0; key < 3; ++key) {
    set_key(*backend, i(key));
    value.update(i(key));
  }
  checkpoints.store(checkpoints.take({backend.get()}, options_.max_parallelism));
  clock_.advance(60);
  set_key(*backend, i(1));
  EXPECT_EQ(value.value(), i(1)) << "renews it";
  checkpoints.store(checkpoints.take({backend.get()}, options_.max_parallelism));
  auto restored = make();
  checkpoints.restore(*restored, 0, 1);
  ValueState& again = restored->value_state(timed);
  clock_.advance(60);
  for (int key = 0; key < 3; ++key) {
    set_key(*restored, i(key));
    EXPECT_EQ(again.value(), key == 1 ? i(1) : Value()) << key;
  }
}

TEST_P(BackendConformance, FilesOfAnotherBackendAreRefusedWithItsName) {
  KeyedStateFiles files;
  files.backend = "somebody's";
  files.range = options_.range;
  const std::string message =
      error_of(ErrorKind::kInvalidArgument, [&] { make()->restore_files(files); });
  EXPECT_NE(message.find("'somebody's'"), std::string::npos) << message;
  EXPECT_NE(message.find("state.backend.type"), std::string::npos) << message;
}

TEST_P(BackendConformance, RandomOperationsAgreeWithAModelThroughFilesAndRescaling) {
  constexpr std::int64_t kKeys = 60;
  for (unsigned seed = 1; seed <= GetParam().seeds; ++seed) {
    SCOPED_TRACE(seed);
    std::mt19937 random(seed);
    FileCheckpoints checkpoints;
    Model model;
    Model stored;
    std::vector<ModelledBackend> subtasks;
    const auto owner = [&](std::vector<ModelledBackend>& among, std::int64_t key) {
      std::string bytes;
      encode_key(i(key), bytes);
      const KeyGroup group = key_group_of(hash_bytes(bytes), options_.max_parallelism);
      return &among[static_cast<std::size_t>(
          subtask_of(group, options_.max_parallelism, static_cast<int>(among.size())))];
    };
    const auto restored = [&](int parallelism) {
      std::vector<ModelledBackend> out;
      for (int subtask = 0; subtask < parallelism; ++subtask) {
        auto backend = make(subtask, parallelism);
        checkpoints.restore(*backend, subtask, parallelism);
        out.emplace_back(std::move(backend));
      }
      for (const auto& [at, content] : stored.at) {
        owner(out, at.first)->expect_equal(at.first, at.second, content);
      }
      return out;
    };
    const auto some_steps = [&] {
      // Few keys of many, so that the checkpoints in a row differ in little.
      const auto from = static_cast<std::int64_t>(random() % kKeys);
      for (std::uint64_t n = random() % 80; n > 0; --n) {
        const auto key =
            static_cast<std::int64_t>((static_cast<std::uint64_t>(from) + random() % 10) % kKeys);
        owner(subtasks, key)->step(random, key, model);
      }
    };
    subtasks.emplace_back(make(0, 1));
    for (const int next_parallelism : {3, 2, 1}) {
      for (int round = 0; round < 25; ++round) {
        some_steps();
        if (random() % 8 == 0) {
          const auto key = static_cast<std::int64_t>(random() % kKeys);
          owner(subtasks, key)->clear_all(key);
          for (auto& [at, content] : model.at) {
            content = at.first == key ? Model::Content() : content;
          }
        }
        std::vector<KeyedStateBackend*> backends;
        for (ModelledBackend& subtask : subtasks) {
          if (random() % 10 == 0) {
            subtask.backend().snapshot();  // a savepoint in between makes no difference
          }
          backends.push_back(&subtask.backend());
        }
        const CheckpointData data = checkpoints.take(backends, options_.max_parallelism);
        if (random() % 3 == 0) {
          continue;  // failed
        }
        // It holds what was there when it was taken, whatever happens until it is written.
        stored = model;
        const auto when = random() % 3;
        if (when == 0) {
          some_steps();
        }
        std::future<void> writing =
            std::async(when == 1 ? std::launch::async : std::launch::deferred,
                       [&] { checkpoints.store(data); });
        if (when == 1) {
          some_steps();
        }
        writing.get();
        if (random() % 6 == 0) {
          restored(1 + static_cast<int>(random() % 4));
          if (HasFatalFailure()) {
            return;
          }
        }
      }
      subtasks.clear();
      subtasks = restored(next_parallelism);
      model = stored;
      if (HasFatalFailure()) {
        return;
      }
    }
  }
}

}  // namespace flott
