#include "state/rocksdb/slot_cache.h"

#include "state/rocksdb/cached_value.h"

#include <gtest/gtest.h>

#include <limits>
#include <map>
#include <random>
#include <string>
#include <unordered_map>

namespace flott::rocks {
namespace {

struct TestSlot : CachedSlot {
  int value = 0;
};

std::string slot_key_of(int key, const std::string& padding = {}) {
  std::string bytes;
  encode_key(Value::string(padding + std::to_string(key)), bytes);
  std::string out;
  append_key_prefix(7, bytes, out);
  out.push_back('\0');
  return out;
}

TEST(SlotIndex, AgreesWithAMapThroughInsertionsAndDeletions) {
  SlotIndex index;
  std::unordered_map<std::uint32_t, std::uint64_t> model;
  std::mt19937_64 random(1);
  for (std::uint32_t n = 0; n < 40'000; ++n) {
    // Few different tags and partitions: long runs of buckets, and equal hashes.
    const std::uint64_t hash = (random() & 0xf0000000000000ffULL) * (n % 3 == 0 ? 1 : 0x10001);
    index.insert(hash, n);
    model.emplace(n, hash);
    if (n % 4 != 0) {
      const auto gone = static_cast<std::uint32_t>(random() % (n + 1));
      if (const auto it = model.find(gone); it != model.end()) {
        index.erase(it->second, gone);
        model.erase(it);
      }
    }
  }
  for (std::uint32_t n = 0; n < 40'000; n += 7) {
    const auto it = model.find(n);
    const std::uint64_t hash = it != model.end() ? it->second : random();
    EXPECT_EQ(index.find(hash, [&](std::uint32_t slot) { return slot == n; }),
              it != model.end() ? n : SlotIndex::kNone);
  }
}

TEST(SlotCache, KeepsAddressesKeysAndKeyValues) {
  SlotCache<TestSlot> cache;
  std::map<std::string, TestSlot*> slots;
  for (int k = 0; k < 5000; ++k) {
    const std::string key = slot_key_of(k, k % 2 == 0 ? "" : "a long one, not kept in the slot ");
    TestSlot& slot = cache.insert(slot_hash(key), key, k % 3 == 0 ? "value of the key" : "");
    slot.value = k;
    slots[key] = &slot;
  }
  for (const auto& [key, slot] : slots) {
    ASSERT_EQ(cache.find(slot_hash(key), key), slot);
    ASSERT_EQ(slot->key(), key);
    ASSERT_EQ(slot->key_value(), slot->value % 3 == 0 ? "value of the key" : "");
  }
  const std::string absent = slot_key_of(5000);
  EXPECT_EQ(cache.find(slot_hash(absent), absent), nullptr);
}

TEST(SlotCache, EvictsWhatIsCleanAndWasNotUsedSinceTheLastRound) {
  SlotCache<TestSlot> cache;
  for (int k = 0; k < 3000; ++k) {
    const std::string key = slot_key_of(k);
    TestSlot& slot = cache.insert(slot_hash(key), key, {});
    slot.value = k;
    slot.used = k % 3 == 1;
    if (k % 3 == 2) {
      EXPECT_TRUE(cache.mark_dirty(slot));
      EXPECT_FALSE(cache.mark_dirty(slot));
    }
  }
  std::size_t visits = 10;
  std::vector<int> gone;
  const auto dispose = [&](TestSlot& slot) {
    gone.push_back(slot.value);
    return true;
  };
  EXPECT_FALSE(cache.sweep(visits, [] { return true; }, dispose)) << "only ten were looked at";
  EXPECT_EQ(visits, 0u);
  EXPECT_EQ(gone, (std::vector<int>{0, 3, 6, 9}));
  EXPECT_FALSE(cache.sweep(visits = 5, [] { return false; }, dispose)) << "no need";
  EXPECT_EQ(visits, 5u);

  visits = std::numeric_limits<std::size_t>::max();
  EXPECT_TRUE(cache.sweep(visits, [] { return true; }, dispose));
  EXPECT_EQ(gone.size(), 1000u) << "neither used nor dirty ones";
  EXPECT_TRUE(cache.sweep(visits, [] { return true; }, dispose));
  EXPECT_EQ(gone.size(), 2000u) << "used once, not again";
  std::vector<int> written;
  cache.take_dirty([&](const TestSlot& slot) { written.push_back(slot.value); });
  EXPECT_EQ(written.size(), 1000u);
  EXPECT_TRUE(cache.sweep(visits, [] { return true; }, dispose));
  EXPECT_EQ(gone.size(), 3000u);
  for (int k = 0; k < 3000; ++k) {
    const std::string key = slot_key_of(k);
    EXPECT_EQ(cache.find(slot_hash(key), key), nullptr);
  }
}

TEST(SlotCache, WhatIsWrittenInARoundStaysUntilItsEnd) {
  SlotCache<TestSlot> cache;
  std::size_t visits = std::numeric_limits<std::size_t>::max();
  std::size_t gone = 0;
  const auto sweep = [&] {
    gone = 0;
    cache.sweep(visits, [] { return true; }, [&](TestSlot& /*slot*/) { return ++gone > 0; });
    return gone;
  };
  // Numbers of rounds are used again.
  for (int round = 0; round < 6; ++round) {
    const auto put = [&](int from) {
      for (int k = from; k < from + 10; ++k) {
        cache.mark_dirty(cache.insert(slot_hash(slot_key_of(k)), slot_key_of(k), {}));
      }
    };
    put(0);
    cache.begin_round();
    const std::vector<TestSlot*> slots = SlotCache<TestSlot>::in_key_order(cache.take_dirty());
    put(10);
    EXPECT_EQ(sweep(), 0u) << "all are dirty";
    for (TestSlot* slot : slots) {
      cache.written(*slot);
    }
    EXPECT_EQ(sweep(), 0u) << "what was written is nowhere else yet";
    cache.end_round();
    EXPECT_EQ(sweep(), 10u);
    for (TestSlot* slot : cache.take_dirty()) {
      cache.written(*slot);
    }
    EXPECT_EQ(sweep(), 10u) << "outside of a round";
  }
}

TEST(SlotCache, GivesWhatIsDirtyInKeyOrder) {
  SlotCache<TestSlot> cache;
  std::mt19937 random(1);
  std::map<std::string, int> expected;
  for (int n = 0; n < 2000; ++n) {
    const int k = static_cast<int>(random() % 100'000);
    const std::string key = slot_key_of(k, n % 2 == 0 ? "" : "with the same first bytes ");
    if (expected.emplace(key, k).second) {
      TestSlot& slot = cache.insert(slot_hash(key), key, {});
      slot.value = k;
      cache.mark_dirty(slot);
    }
  }
  auto next = expected.begin();
  cache.take_dirty([&](const TestSlot& slot) {
    ASSERT_EQ(slot.key(), next->first);
    ++next;
  });
  EXPECT_EQ(next, expected.end());
  EXPECT_EQ(cache.dirty_count(), 0u);
}

// --- CachedValue --------------------------------------------------------------------------------

std::string encoded(const Value& value) {
  std::string out;
  value.encode(out);
  return out;
}

TEST(CachedValue, GivesBackWhatItWasGivenInEveryForm) {
  const LogicalTypePtr type = LogicalType::row(
      {"id", "text"}, {LogicalType::of(TypeKind::kBigInt), LogicalType::of(TypeKind::kString)});
  const LogicalTypePtr other = LogicalType::row({"number"}, {LogicalType::of(TypeKind::kBigInt)});
  const std::vector<Value> values = {
      Value::integer(7),
      Value::real(2.5),
      Value::string("short"),
      Value::string(std::string(100, 'x')),
      Value::string(std::string(5000, 'y')),
      Value::bytes(std::string("\0\x01", 2)),
      Value::decimal(12345, 2),
      Value::row({Value::integer(1), Value::string("a")}, type),
      Value::row({Value::integer(2), Value::null()}, type, RowKind::kDelete),
      Value::row({Value::integer(3)}, other),
      Value::row({Value::integer(4)}),
      Value::array({Value::integer(1), Value::array({})}),
      Value::map({{Value::string("k"), Value::integer(1)}}),
  };
  CommonRowType rows;
  for (const Value& value : values) {
    SCOPED_TRACE(value.to_string());
    const std::string bytes = encoded(value);
    const auto expect_same = [&](const CachedValue& cached) {
      const Value got = cached.get(rows);
      EXPECT_EQ(got.to_string(), value.to_string());
      EXPECT_EQ(encoded(got), bytes) << "also kind and type of rows";
      std::string again;
      cached.encode(rows, again);
      EXPECT_EQ(again, bytes);
    };
    CachedValue cached;
    cached.set(value, rows);
    expect_same(cached);
    cached.compact(rows, bytes);
    expect_same(cached);
    CachedValue moved(std::move(cached));
    expect_same(moved);
    const Value* in_place = moved.in_place(rows);
    ASSERT_NE(in_place, nullptr);
    EXPECT_EQ(encoded(*in_place), bytes);
    expect_same(moved);
    CachedValue loaded;
    loaded.load(bytes, rows);
    expect_same(loaded);
    loaded.compact(rows, bytes);
    loaded.set(Value::integer(1), rows);
    EXPECT_EQ(loaded.get(rows), Value::integer(1));
  }
}

TEST(CachedValue, WhatIsWrittenTakesLittleRoom) {
  CommonRowType rows;
  const LogicalTypePtr type = LogicalType::row(
      {"id", "amount"}, {LogicalType::of(TypeKind::kBigInt), LogicalType::of(TypeKind::kBigInt)});
  const Value row = Value::row({Value::integer(1'000'000), Value::integer(20)}, type);
  CachedValue cached;
  cached.set(row, rows);
  EXPECT_EQ(cached.heap_bytes(), 0u) << "it fits into the slot";
  const Value large = Value::row({Value::integer(1LL << 60), Value::integer(1LL << 60)}, type);
  cached.set(large, rows);
  const std::size_t decoded = cached.heap_bytes();
  EXPECT_GE(decoded, 64u);
  cached.compact(rows, encoded(large));
  EXPECT_LT(cached.heap_bytes(), decoded);
  EXPECT_EQ(cached.get(rows), large);

  CommonRowType unknown;
  for (const Value& stored : {row, large}) {
    CachedValue first;
    first.load(encoded(stored), unknown);
    EXPECT_EQ(first.get(unknown), stored);
    CachedValue loaded;
    loaded.load(encoded(stored), unknown);
    EXPECT_EQ(loaded.get(unknown), stored);
    EXPECT_LT(loaded.heap_bytes(), decoded) << "also what is read";
  }
}

TEST(CachedValue, RowsAreShortAgainAfterOneWasRead) {
  const LogicalTypePtr type = LogicalType::row({"n"}, {LogicalType::of(TypeKind::kBigInt)});
  const Value row = Value::row({Value::integer(1)}, type);
  CommonRowType rows;
  CachedValue read;
  read.load(encoded(row), rows);
  CachedValue cached;
  cached.set(row, rows);
  EXPECT_EQ(cached.heap_bytes(), 0u) << "its type is the same, though not at the same address";
  EXPECT_EQ(cached.get(rows), row);
}

TEST(CachedValue, DamagedRowsAreRefused) {
  CommonRowType rows;
  const Value row = Value::row({Value::integer(1)},
                               LogicalType::row({"n"}, {LogicalType::of(TypeKind::kBigInt)}));
  rows.know(row.as_row().type);
  const std::string bytes = encoded(row);
  const std::string cut_off = bytes.substr(0, bytes.size() - 1);
  std::string too_many_fields = bytes + "N";
  too_many_fields[2 + rows.bytes.size()] = 2;
  std::string unknown_flag = bytes;
  unknown_flag[1] |= 8;
  for (const std::string& damaged : {cut_off, too_many_fields, unknown_flag}) {
    CachedValue cached;
    EXPECT_THROW(cached.load(damaged, rows), Error) << damaged.size();
  }
}

}  // namespace
}  // namespace flott::rocks
