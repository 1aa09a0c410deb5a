#include "runtime/row_sorter.h"

#include "base/error.h"
#include "harness/fake_host.h"
#include "runtime_support.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>

#include <algorithm>
#include <random>

namespace flott {
namespace {

struct Row {
  Value key;
  std::int64_t value;
  Timestamp timestamp = kNoTimestamp;
};

BatchPtr keyed(const std::vector<Row>& rows,
               const LogicalTypePtr& type = LogicalType::of(TypeKind::kBigInt)) {
  BatchBuilder builder(type);
  for (const Row& row : rows) {
    const OwnedKey key(row.key);
    builder.append(Value::integer(row.value), row.timestamp, RowKind::kInsert, &key.key);
  }
  return builder.finish();
}

Value text(const char* s) {
  return Value::string(s);
}

/// `a:1@5`, `2/` before what is of the second input.
std::string sorted(RowSorter& sorter) {
  sorter.finish();
  std::string out;
  while (const std::optional<InputBatch> chunk = sorter.next()) {
    for (std::int64_t row = 0; row < chunk->batch->num_rows(); ++row) {
      const Key key = chunk->batch->keys()->at(static_cast<std::size_t>(row));
      out += (out.empty() ? "" : " ") + std::string(chunk->input == 1 ? "2/" : "") +
             key_value(key).to_string() + ":" + chunk->batch->value_at(row).to_string();
      if (chunk->batch->timestamp_at(row) != kNoTimestamp) {
        out += "@" + std::to_string(chunk->batch->timestamp_at(row));
      }
    }
  }
  return out;
}

TEST(RowSorter, GroupsByKeyAndKeepsTheOrderWithinOne) {
  RowSorter sorter({});
  sorter.add(keyed({{text("b"), 1}, {text("a"), 2}, {text("b"), 3}}), 0);
  sorter.add(keyed({{text("a"), 4}, {text("b"), 5}}), 0);
  EXPECT_EQ(sorted(sorter), "'a':2 'a':4 'b':1 'b':3 'b':5");
  EXPECT_EQ(sorter.row_count(), 5);
}

TEST(RowSorter, SortsByTimeWithinAKey) {
  RowSorter sorter({});
  sorter.add(keyed({{text("a"), 1, 30}, {text("a"), 2, 10}, {text("b"), 3, 5}}), 0);
  sorter.add(keyed({{text("a"), 4, 20}, {text("a"), 5, 10}, {text("a"), 6}}), 0);
  EXPECT_EQ(sorted(sorter), "'a':6 'a':2@10 'a':5@10 'a':4@20 'a':1@30 'b':3@5");
}

TEST(RowSorter, IntegersSortByValueAndShortTextsFirst) {
  RowSorter sorter({});
  sorter.add(keyed({{Value::integer(256), 1},
                    {Value::integer(-1), 2},
                    {Value::integer(std::numeric_limits<std::int64_t>::max()), 3},
                    {Value::integer(std::numeric_limits<std::int64_t>::max() - 1), 4},
                    {Value::integer(std::numeric_limits<std::int64_t>::min()), 5},
                    {Value::integer(2), 6},
                    {text("zz"), 7},
                    {text("abc"), 8},
                    {text("a long key with the same beginning 2"), 9},
                    {text("a long key with the same beginning 1"), 10}}),
             0);
  EXPECT_EQ(sorted(sorter),
            "-9223372036854775808:5 -1:2 2:6 256:1 9223372036854775806:4 9223372036854775807:3 "
            "'zz':7 'abc':8 'a long key with the same beginning 1':10 "
            "'a long key with the same beginning 2':9");
}

TEST(RowSorter, MergesInputsByKeyAndTimeTheFirstBefore) {
  RowSorter sorter({});
  sorter.add(keyed({{text("a"), 1, 5}, {text("b"), 2, 1}, {text("a"), 3, 2}}), 1);
  sorter.add(keyed({{text("a"), 4, 5}, {text("a"), 5, 3}}), 0);
  EXPECT_EQ(sorted(sorter), "2/'a':3@2 'a':5@3 'a':4@5 2/'a':1@5 2/'b':2@1");
}

TEST(RowSorter, NothingGivesNothing) {
  RowSorter sorter({});
  EXPECT_EQ(sorted(sorter), "");
}

TEST(RowSorter, ManyRunsInMemoryAndInFilesGiveTheSame) {
  std::mt19937 random(7);
  std::vector<BatchPtr> batches;
  for (int b = 0; b < 40; ++b) {
    std::vector<Row> rows;
    for (int r = 0; r < 50; ++r) {
      rows.push_back({Value::integer(static_cast<std::int64_t>(random() % 97)),
                      b * 50 + r,
                      static_cast<Timestamp>(random() % 5)});
    }
    batches.push_back(keyed(rows));
  }
  const auto run = [&](RowSorter::Options options, std::size_t& files) {
    RowSorter sorter(std::move(options));
    for (std::size_t b = 0; b < batches.size(); ++b) {
      sorter.add(batches[b], static_cast<int>(b % 2));
    }
    std::string out = sorted(sorter);
    files = sorter.file_count();
    return out;
  };
  std::size_t files = 0;
  const std::string expected = run({}, files);
  EXPECT_EQ(files, 0);
  EXPECT_EQ(run({.run_rows = 64}, files), expected);
  EXPECT_EQ(files, 0);
  EXPECT_EQ(run({.memory_bytes = 20'000, .run_rows = 64}, files), expected);
  EXPECT_GT(files, 2);
  EXPECT_EQ(run({.memory_bytes = 1, .merge_files = 3}, files), expected);
  EXPECT_EQ(files, 40 + 13 + 4 + 1);
}

TEST(RowSorter, ManyFilesBecomeOne) {
  RowSorter sorter({.memory_bytes = 1, .merge_files = 4});
  std::size_t most = 0;
  for (int i = 0; i < 63; ++i) {
    sorter.add(keyed({{Value::integer(i % 5), i}}), 0);
    most = std::max(most, sorter.open_file_count());
  }
  EXPECT_EQ(most, 9) << "three of each size";
  sorter.add(keyed({{Value::integer(0), 63}}), 0);
  EXPECT_EQ(sorter.open_file_count(), 1);
  std::string expected;
  for (int key = 0; key < 5; ++key) {
    for (int i = key; i < 63; i += 5) {
      expected += (expected.empty() ? "" : " ") + fmt::format("{}:{}", key, i);
    }
    expected += key == 0 ? " 0:63" : "";
  }
  EXPECT_EQ(sorted(sorter), expected);
}

TEST(RowSorter, OthersMayRunWhileItWaitsForTheDisk) {
  FakeHost host;
  {
    const HostScope scope;
    RowSorter sorter({.memory_bytes = 1});
    const OwnedKey key(text("a"));
    BatchBuilder builder(LogicalType::object());
    builder.append(host.number(1), 1, RowKind::kInsert, &key.key);
    sorter.add(builder.finish(), 0);
    EXPECT_EQ(sorter.file_count(), 1);
    const int written = host.suspends();
    EXPECT_GT(written, 0);
    sorter.finish();
    EXPECT_TRUE(sorter.next().has_value());
    EXPECT_GT(host.suspends(), written);
    EXPECT_TRUE(host.entered());
  }
  EXPECT_FALSE(host.entered());
}

TEST(RowSorter, SaysWhenTooManyFilesAreOpen) {
#ifdef __SANITIZE_ADDRESS__
  GTEST_SKIP() << "the sanitizer looks at memory through a pipe, which takes two more files";
#endif
  RowSorter sorter({.memory_bytes = 1});
  rlimit before{};
  ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &before), 0);
  const rlimit none{3, before.rlim_max};
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &none), 0);
  std::string message;
  try {
    sorter.add(keyed({{text("a"), 1}}), 0);
  } catch (const Error& error) {
    message = error.what();
  }
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &before), 0);
  EXPECT_THAT(message, ::testing::HasSubstr("ulimit -n"));
}

TEST(RowSorter, RowsOfObjectsComeBackFromFiles) {
  FakeHost host;
  {
    RowSorter sorter({.memory_bytes = 1});
    for (const std::int64_t n : {3, 1, 2}) {
      const OwnedKey key(text(n == 2 ? "b" : "a"));
      BatchBuilder builder(LogicalType::object());
      builder.append(host.number(n), n, RowKind::kUpdateAfter, &key.key);
      sorter.add(builder.finish(), 0);
    }
    EXPECT_EQ(sorter.file_count(), 3);
    sorter.finish();
    std::vector<std::int64_t> seen;
    while (const std::optional<InputBatch> chunk = sorter.next()) {
      for (std::int64_t row = 0; row < chunk->batch->num_rows(); ++row) {
        EXPECT_EQ(chunk->batch->kind_at(row), RowKind::kUpdateAfter);
        seen.push_back(std::get<std::int64_t>(FakeHost::payload(chunk->batch->value_at(row))));
      }
    }
    EXPECT_THAT(seen, ::testing::ElementsAre(1, 3, 2));
  }
  EXPECT_EQ(host.live(), 0);
}

TEST(RowSorter, SaysWhereItCannotWrite) {
  RowSorter sorter({.memory_bytes = 1, .directory = "/does/not/exist"});
  try {
    sorter.add(keyed({{text("a"), 1}}), 0);
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kExternal);
    EXPECT_THAT(error.what(), ::testing::HasSubstr("'/does/not/exist'"));
    EXPECT_THAT(error.what(), ::testing::HasSubstr("TMPDIR"));
  }
}

}  // namespace
}  // namespace flott
