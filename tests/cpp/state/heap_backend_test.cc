#include "checkpoint/snapshot_file.h"
#include "tests/cpp/state/backend_conformance.h"
#include "tests/harness/hex.h"

#include <future>
#include <set>

namespace flott {

/// Whose checkpoints store nearly all keys while others change.
std::unique_ptr<KeyedStateBackend> make_backend_of_open_segments(KeyedStateOptions options) {
  options.keys_at_once = 1;
  return make_heap_keyed_state_backend(options);
}

INSTANTIATE_TEST_SUITE_P(Heap,
                         BackendConformance,
                         ::testing::Values(BackendFactory{"heap", make_heap_keyed_state_backend, 4},
                                           BackendFactory{
                                               "open_segments", make_backend_of_open_segments, 4}),
                         [](const auto& backend) { return backend.param.name; });

namespace {

// Bytes of format 1 as it was first released: whatever changes, they must stay readable.
TEST(HeapFrames, FormatOneStaysReadable) {
  const std::string stored =
      "01020176000006060100000000016c01000606010000000001094901000000000000000269020200000269540101"
      "00000000000000000a00000000000000050269026904";
  auto backend = make_heap_keyed_state_backend({});
  std::string key;
  encode_key(i(1), key);
  const KeyGroup group = key_group_of(hash_bytes(key), kDefaultMaxParallelism);
  backend->restore({{group, harness::unhex(stored)}});
  ValueState& value = backend->value_state(descriptor(StateKind::kValue, "v"));
  ListState& list = backend->list_state(descriptor(StateKind::kList, "l"));
  set_key(*backend, i(1));
  EXPECT_EQ(value.value(), i(42));
  list.set_namespace({0, 10, {}});
  EXPECT_EQ(text(list.get()), "[1, 2]");
  const auto frames = backend->snapshot();
  ASSERT_EQ(frames.size(), 1u);
  EXPECT_EQ(harness::hex(frames.begin()->second), stored) << "a new format needs a new version";
}

// --- Segments ---------------------------------------------------------------------------------

std::set<std::string> names_of(const std::optional<KeyedStateFiles>& files) {
  std::set<std::string> names;
  for (const SnapshotFile& file : files->files) {
    names.insert(file.name);
  }
  return names;
}

class HeapSegments : public ::testing::Test {
 protected:
  void update(std::int64_t key, std::int64_t to) {
    set_key(*backend_, i(key));
    value_->update(i(to));
  }
  std::int64_t restored_sum(const KeyedStateFiles& files) const {
    auto restored = make_heap_keyed_state_backend({});
    restored->restore_files(files);
    ValueState& value = restored->value_state(descriptor(StateKind::kValue, "v"));
    std::int64_t sum = 0;
    restored->for_each_key("v", [&] { sum += value.value().as_int(); });
    return sum;
  }
  std::unique_ptr<KeyedStateBackend> backend_ = make_heap_keyed_state_backend({});
  ValueState* value_ = &backend_->value_state(descriptor(StateKind::kValue, "v"));
};

TEST_F(HeapSegments, HoldOnlyTheKeysThatHaveChanged) {
  for (std::int64_t key = 0; key < 10'000; ++key) {
    update(key, 1);
  }
  const auto first = backend_->snapshot_files();
  ASSERT_EQ(first->files.size(), 1u);
  const auto same = backend_->snapshot_files();
  EXPECT_EQ(names_of(same), names_of(first)) << "nothing has changed";
  for (std::int64_t key = 0; key < 10; ++key) {
    set_key(*backend_, i(100 + key));
    EXPECT_EQ(value_->value(), i(1)) << "reading what nobody can change is no change";
  }
  EXPECT_EQ(names_of(backend_->snapshot_files()), names_of(first));
  update(1, 2);
  set_key(*backend_, i(2));
  value_->clear();
  const auto second = backend_->snapshot_files();
  ASSERT_EQ(second->files.size(), 2u);
  EXPECT_EQ(second->files[0].name, first->files[0].name);
  EXPECT_LT(second->files[1].size, 200u);
  EXPECT_EQ(restored_sum(*second), 10'000);
}

TEST_F(HeapSegments, AreMergedWhenTheyOutgrowTheBase) {
  constexpr std::int64_t kKeys = 20'000;
  for (std::int64_t key = 0; key < kKeys; ++key) {
    update(key, 0);
  }
  std::size_t most = 0;
  std::set<std::string> bases;
  std::int64_t expected = 0;
  for (int round = 1; round <= 60; ++round) {
    for (std::int64_t n = 0; n < kKeys / 10; ++n) {
      const std::int64_t key = (round * 7919 + n) % kKeys;
      update(key, round);
    }
    std::map<std::int64_t, std::int64_t> all;
    const auto files = backend_->snapshot_files();
    most = std::max(most, files->files.size());
    bases.insert(files->files.front().name);
    if (round % 12 == 0) {
      expected = 0;
      for (std::int64_t key = 0; key < kKeys; ++key) {
        set_key(*backend_, i(key));
        expected += value_->value().as_int();
      }
      EXPECT_EQ(restored_sum(*files), expected);
    }
  }
  EXPECT_LE(most, 65u);
  EXPECT_GT(bases.size(), 1u);
}

TEST_F(HeapSegments, ManySmallOnesAreMergedWithEachOther) {
  for (std::int64_t key = 0; key < 50'000; ++key) {
    update(key, 0);
  }
  std::size_t most = 0;
  const std::string base = backend_->snapshot_files()->files.front().name;
  for (int round = 1; round <= 100; ++round) {
    update(round % 5, round);
    const auto files = backend_->snapshot_files();
    most = std::max(most, files->files.size());
    EXPECT_EQ(files->files.front().name, base) << "what is large is not written again";
  }
  EXPECT_LE(most, 65u);
  EXPECT_EQ(restored_sum(*backend_->snapshot_files()), 96 + 97 + 98 + 99 + 100);
}

TEST_F(HeapSegments, KeysThatComeAndGoLeaveNoTrace) {
  update(0, 1);
  backend_->snapshot_files();
  for (std::int64_t key = 1; key < 1000; ++key) {
    update(key, 1);
    value_->clear();
  }
  EXPECT_EQ(backend_->snapshot_files()->files.size(), 1u);
}

TEST_F(HeapSegments, WhatIsReadLaterIsWhatWasThereAtTheBarrier) {
  std::vector<KeyedStateFiles> taken;
  for (int round = 1; round <= 5; ++round) {
    for (std::int64_t key = 0; key < 300; ++key) {
      update(key, round);
    }
    if (round == 3) {
      set_key(*backend_, i(299));
      value_->clear();
    }
    taken.push_back(*backend_->snapshot_files());
  }
  for (int round = 5; round >= 1; --round) {
    const KeyedStateFiles& files = taken[static_cast<std::size_t>(round - 1)];
    EXPECT_EQ(restored_sum(files), round * (round == 3 ? 299 : 300));
    for (const SnapshotFile& file : files.files) {
      EXPECT_EQ(content_of(file)->size(), file.size);
    }
  }
}

TEST_F(HeapSegments, KeysAreStoredBeforeTheyChangeWhileAnotherThreadStoresTheOthers) {
  constexpr std::int64_t kKeys = 20'000;
  std::int64_t sum = 0;  // one for each key and round, the base's too
  for (int round = 1; round <= 8; ++round) {
    for (std::int64_t key = 0; key < kKeys; ++key) {
      update(key, round);
    }
    sum = kKeys * round;
    const KeyedStateFiles files = *backend_->snapshot_files();
    std::future<std::int64_t> restored =
        std::async(std::launch::async, [&] { return restored_sum(files); });
    // Backwards, so that both meet.
    for (std::int64_t key = kKeys; key-- > 0;) {
      set_key(*backend_, i(key));
      if (key % 5 == 0) {
        value_->clear();
      } else {
        value_->update(i(-1));
      }
      update(kKeys + key, round);  // one that the segment does not have
      value_->clear();
    }
    EXPECT_EQ(restored.get(), sum) << round;
  }
}

TEST_F(HeapSegments, NativeStateIsStoredWithoutTheHostsLock) {
  FakeHost host;
  update(1, 1);
  const int enters = host.enters();
  EXPECT_EQ(backend_->snapshot().size(), 1u);
  const KeyedStateFiles files = *backend_->snapshot_files();
  EXPECT_EQ(restored_sum(files), 1);
  EXPECT_EQ(host.enters(), enters);
}

TEST_F(HeapSegments, AnOpenOneOutlivesTheBackendIfItIsWanted) {
  for (std::int64_t key = 0; key < 5'000; ++key) {
    update(key, 1);
  }
  const KeyedStateFiles files = *backend_->snapshot_files();
  EXPECT_NEAR(static_cast<double>(files.files[0].size), 5'000 * 24, 5'000 * 8) << "an estimate";
  backend_ = nullptr;
  EXPECT_EQ(restored_sum(files), 5'000);
}

TEST_F(HeapSegments, AStateThatIsDeclaredMeanwhileIsNotInThem) {
  for (std::int64_t key = 0; key < 5'000; ++key) {
    update(key, 1);
  }
  const KeyedStateFiles files = *backend_->snapshot_files();
  ValueState& other = backend_->value_state(descriptor(StateKind::kValue, "other"));
  for (std::int64_t key = 0; key < 5'000; ++key) {
    set_key(*backend_, i(key));
    other.update(i(7));
  }
  EXPECT_EQ(restored_sum(files), 5'000);
  EXPECT_EQ(restored_sum(*backend_->snapshot_files()), 5'000);
}

TEST_F(HeapSegments, DamageIsAnErrorThatNamesTheFile) {
  update(1, 1);
  KeyedStateFiles files = *backend_->snapshot_files();
  files.files[0] = settled(files.files[0]);
  const std::string intact = *files.files[0].bytes;
  for (std::size_t size = 0; size < intact.size(); ++size) {
    files.files[0].bytes = std::make_shared<const std::string>(intact.substr(0, size));
    EXPECT_THROW(restored_sum(files), Error) << size;
  }
  std::string newer = intact;
  newer[0] = 99;
  files.files[0].bytes = std::make_shared<const std::string>(newer);
  const std::string message = error_of(ErrorKind::kExternal, [&] { restored_sum(files); });
  EXPECT_NE(message.find("version is 99"), std::string::npos) << message;
  EXPECT_NE(message.find(files.files[0].name), std::string::npos) << message;
}

}  // namespace
}  // namespace flott
