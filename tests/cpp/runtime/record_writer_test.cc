#include "runtime/record_writer.h"

#include "base/error.h"
#include "harness/fake_host.h"
#include "runtime_support.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <numeric>

namespace flott {
namespace {

using ::testing::HasSubstr;

struct Writer {
  Writer(PartitionStrategy strategy,
         std::size_t channel_count,
         int subtask = 0,
         LogicalTypePtr type = LogicalType::of(TypeKind::kBigInt),
         bool object_reuse = false,
         std::function<std::unique_ptr<CustomPartitioner>()> custom = nullptr)
      : channels(channel_count) {
    RecordWriter::Options options;
    options.partitioner = {strategy, std::move(custom)};
    options.channels = channels.all;
    options.subtask = subtask;
    options.type = std::move(type);
    options.object_reuse = object_reuse;
    writer = std::make_unique<RecordWriter>(std::move(options));
  }
  void emit(std::int64_t v, const Key* key = nullptr) {
    writer->emit({Value::integer(v), kNoTimestamp, RowKind::kInsert, key});
  }
  /// How many rows each channel got.
  std::vector<std::int64_t> row_counts() {
    writer->flush();
    std::vector<std::int64_t> out;
    for (const auto& channel : channels.all) {
      std::int64_t rows = 0;
      while (auto element = channel->poll()) {
        rows += std::get<BatchPtr>(*element)->num_rows();
      }
      out.push_back(rows);
    }
    return out;
  }
  std::string text() {
    writer->flush();
    std::string out;
    for (std::size_t i = 0; i < channels.all.size(); ++i) {
      out += (i > 0 ? " / " : "") + drain(channels[i]);
    }
    return out;
  }
  Channels channels;
  std::unique_ptr<RecordWriter> writer;
};

std::vector<std::int64_t> up_to(std::int64_t n) {
  std::vector<std::int64_t> out(static_cast<std::size_t>(n));
  std::iota(out.begin(), out.end(), 0);
  return out;
}

TEST(RecordWriter, RebalanceGoesRoundStartingAtTheSubtask) {
  Writer a(PartitionStrategy::kRebalance, 3, 0);
  Writer b(PartitionStrategy::kRebalance, 3, 1);
  for (std::int64_t v = 0; v < 7; ++v) {
    a.emit(v);
    b.emit(v);
  }
  EXPECT_EQ(a.text(), "0 3 6 / 1 4 / 2 5");
  EXPECT_EQ(b.text(), "2 5 / 0 3 6 / 1 4");
  a.writer->emit_batch(ints({1, 2, 3, 4}));
  EXPECT_EQ(a.text(), "3 / 1 4 / 2") << "batches go on where rows were";
}

TEST(RecordWriter, GlobalAndForwardUseOneChannel) {
  Writer global(PartitionStrategy::kGlobal, 3);
  global.emit(1);
  global.writer->emit_batch(ints({2, 3}));
  EXPECT_EQ(global.text(), "1 | 2 3 /  / ");
  Writer forward(PartitionStrategy::kForward, 1);
  forward.emit(1);
  forward.writer->emit_batch(ints({2, 3}));
  EXPECT_EQ(forward.text(), "1 | 2 3");
}

TEST(RecordWriter, ShuffleSpreadsEvenly) {
  Writer rows(PartitionStrategy::kShuffle, 4);
  Writer batches(PartitionStrategy::kShuffle, 4);
  for (std::int64_t v = 0; v < 8'000; ++v) {
    rows.emit(v);
  }
  batches.writer->emit_batch(ints(up_to(8'000)));
  for (Writer* w : {&rows, &batches}) {
    const std::vector<std::int64_t> counts = w->row_counts();
    EXPECT_EQ(std::accumulate(counts.begin(), counts.end(), std::int64_t{0}), 8'000);
    for (const std::int64_t count : counts) {
      EXPECT_NEAR(static_cast<double>(count), 2'000, 250);
    }
  }
}

TEST(RecordWriter, HashFollowsTheKeyGroupInRowsAndBatches) {
  Writer rows(PartitionStrategy::kHash, 4);
  Writer batches(PartitionStrategy::kHash, 4);
  auto keys = std::make_shared<KeyColumn>();
  for (std::int64_t v = 0; v < 100; ++v) {
    const OwnedKey key(Value::integer(v));
    rows.emit(v, &key.key);
    keys->append(key.key);
  }
  batches.writer->emit_batch(ints(up_to(100))->with_keys(keys));
  rows.writer->flush();
  for (std::size_t i = 0; i < 4; ++i) {
    std::vector<std::int64_t> from_rows;
    std::vector<std::int64_t> from_batch;
    for (auto* const side : {&rows, &batches}) {
      while (auto element = side->channels[i].poll()) {
        const BatchPtr batch = std::get<BatchPtr>(*element);
        ASSERT_TRUE(batch->keys()) << "the receiver needs them";
        for (std::int64_t row = 0; row < batch->num_rows(); ++row) {
          const std::int64_t v = batch->value_at(row).as_int();
          (side == &rows ? from_rows : from_batch).push_back(v);
          const Key key = batch->keys()->at(static_cast<std::size_t>(row));
          EXPECT_EQ(key_value(key).as_int(), v);
          EXPECT_EQ(subtask_of(key_group_of(key.hash, 128), 128, 4), static_cast<int>(i));
        }
      }
    }
    EXPECT_EQ(from_rows, from_batch);
    EXPECT_FALSE(from_rows.empty());
  }
}

TEST(RecordWriter, HashWithoutAKeyIsAnInternalError) {
  Writer w(PartitionStrategy::kHash, 2);
  EXPECT_THROW(w.emit(1), Error);
  EXPECT_THROW(w.writer->emit_batch(ints({1})), Error);
}

TEST(RecordWriter, BroadcastGivesEveryChannelEverything) {
  Writer w(PartitionStrategy::kBroadcast, 3);
  w.emit(1);
  w.writer->emit_batch(ints({2, 3}));
  w.emit(4);
  EXPECT_EQ(w.text(), "1 | 2 3 | 4 / 1 | 2 3 | 4 / 1 | 2 3 | 4");
}

class Modulo final : public CustomPartitioner {
 public:
  explicit Modulo(std::int64_t by) : by_(by) {}
  int partition(const Value& value, int) override { return static_cast<int>(value.as_int() % by_); }

 private:
  std::int64_t by_;
};

TEST(RecordWriter, CustomAsksThePartitioner) {
  Writer w(PartitionStrategy::kCustom, 3, 0, LogicalType::of(TypeKind::kBigInt), false, [] {
    return std::make_unique<Modulo>(3);
  });
  w.emit(5);
  w.writer->emit_batch(ints({0, 1, 2, 3}));
  EXPECT_EQ(w.text(), "0 3 / 1 / 5 | 2");
  EXPECT_FALSE(w.writer->uses_host());
}

TEST(RecordWriter, ACustomPartitionOutOfRangeIsTheUsersError) {
  // Also with one channel, where nothing is to be chosen.
  for (const std::size_t channels : {std::size_t{1}, std::size_t{2}}) {
    for (const std::int64_t value : {-1, 2, 100}) {
      Writer w(
          PartitionStrategy::kCustom, channels, 0, LogicalType::of(TypeKind::kBigInt), false, [] {
            return std::make_unique<Modulo>(1'000);
          });
      try {
        w.emit(value);
        FAIL() << value;
      } catch (const Error& e) {
        EXPECT_EQ(e.kind(), ErrorKind::kUserCode);
        EXPECT_THAT(e.what(), HasSubstr(fmt::format("returned {} for {}", value, value)));
        EXPECT_THAT(e.what(), HasSubstr(fmt::format("[0, {})", channels)));
      }
      EXPECT_THROW(w.writer->emit_batch(ints({0, value})), Error);
    }
  }
}

TEST(RecordWriter, RowsAndBatchesKeepTheirOrderPerChannel) {
  Writer w(PartitionStrategy::kRebalance, 2);
  std::int64_t next = 0;
  for (int round = 0; round < 5; ++round) {
    for (int i = 0; i < 3; ++i) {
      w.emit(next++);
    }
    w.writer->emit_batch(ints({next, next + 1, next + 2, next + 3}));
    next += 4;
  }
  w.writer->flush();
  for (std::size_t i = 0; i < 2; ++i) {
    std::int64_t last = -1;
    while (auto element = w.channels[i].poll()) {
      const BatchPtr batch = std::get<BatchPtr>(*element);
      for (std::int64_t row = 0; row < batch->num_rows(); ++row) {
        EXPECT_GT(batch->value_at(row).as_int(), last);
        last = batch->value_at(row).as_int();
      }
    }
  }
}

TEST(RecordWriter, ControlElementsComeBehindWhatWasEmitted) {
  Writer w(PartitionStrategy::kRebalance, 2);
  w.emit(1);
  w.emit(2);
  w.emit(3);
  w.writer->broadcast(Watermark{5});
  w.writer->broadcast(CheckpointBarrier{1, 0});
  w.emit(4);
  EXPECT_EQ(w.text(), "1 3 | watermark 5 | barrier 1 / 2 | watermark 5 | barrier 1 | 4");
}

TEST(RecordWriter, LongRunsOfRowsAreHandedOverInPieces) {
  Writer w(PartitionStrategy::kForward, 1);
  for (std::int64_t v = 0; v < 2'500; ++v) {
    w.emit(v);
  }
  EXPECT_EQ(std::get<BatchPtr>(*w.channels[0].poll())->num_rows(), 1'024);
  EXPECT_EQ(std::get<BatchPtr>(*w.channels[0].poll())->num_rows(), 1'024);
  EXPECT_TRUE(w.channels[0].empty()) << "the rest waits for flush";
  EXPECT_EQ(w.row_counts()[0], 452);
}

TEST(RecordWriter, TimestampsAndKindsTravel) {
  Writer w(PartitionStrategy::kForward, 1);
  w.writer->emit({Value::integer(1), 7, RowKind::kDelete, nullptr});
  w.writer->emit({Value::integer(2), 8, RowKind::kInsert, nullptr});
  w.writer->flush();
  EXPECT_EQ(std::get<BatchPtr>(*w.channels[0].poll())->to_string(), "-D 1 @7\n2 @8");
}

TEST(RecordWriter, HasRoomWhenEveryChannelHas) {
  Writer w(PartitionStrategy::kRebalance, 2);
  EXPECT_TRUE(w.writer->has_room());
  w.channels.all[1]->push(ints(std::vector<std::int64_t>(1 << 18, 0)));
  EXPECT_FALSE(w.writer->has_room());
  w.channels.all[1]->poll();
  EXPECT_TRUE(w.writer->has_room());
}

TEST(RecordWriter, BroadcastReceiversDoNotShareMutableObjects) {
  FakeHost host;
  for (const bool as_batch : {false, true}) {
    Writer w(PartitionStrategy::kBroadcast, 3, 0, LogicalType::object());
    const Value mine = host.list({1, 2});
    if (as_batch) {
      BatchBuilder builder(LogicalType::object());
      builder.append(mine);
      w.writer->emit_batch(builder.finish());
    } else {
      w.writer->emit({mine, kNoTimestamp, RowKind::kInsert, nullptr});
    }
    w.writer->flush();
    std::vector<Value> received;
    for (std::size_t i = 0; i < 3; ++i) {
      received.push_back(std::get<BatchPtr>(*w.channels[i].poll())->value_at(0));
    }
    FakeHost::list_of(received[0]).push_back(99);
    EXPECT_EQ(host.repr(received[1].as_object()), "[1, 2]");
    EXPECT_EQ(host.repr(received[2].as_object()), "[1, 2]");
  }
  EXPECT_EQ(host.live(), 0);
}

TEST(RecordWriter, WhatTheEmitterChangesLaterIsNotSeen) {
  FakeHost host;
  {
    Writer w(PartitionStrategy::kForward, 1, 0, LogicalType::object());
    const Value mine = host.list({1});
    w.writer->emit({mine, kNoTimestamp, RowKind::kInsert, nullptr});
    FakeHost::list_of(mine).push_back(2);
    EXPECT_EQ(w.text(), "[1]");
    Writer reuse(PartitionStrategy::kForward, 1, 0, LogicalType::object(), true);
    const int copies = host.copies();
    reuse.writer->emit({mine, kNoTimestamp, RowKind::kInsert, nullptr});
    EXPECT_EQ(host.copies(), copies) << "object reuse takes values as they are";
  }
  EXPECT_EQ(host.live(), 0);
}

TEST(RecordWriter, HostObjectsOnANativeStreamStayInOrder) {
  FakeHost host;
  {
    Writer w(PartitionStrategy::kForward, 1);
    w.emit(1);
    w.writer->emit({host.number(2), kNoTimestamp, RowKind::kInsert, nullptr});
    w.writer->emit({host.number(3), kNoTimestamp, RowKind::kInsert, nullptr});
    w.emit(4);
    EXPECT_EQ(w.text(), "1 | 2 3 | 4");
    // Nothing is left behind.
    EXPECT_EQ(w.row_counts(), (std::vector<std::int64_t>{0}));
    w.emit(5);
    EXPECT_EQ(w.text(), "5");
  }
  EXPECT_EQ(host.live(), 0);
}

TEST(RecordWriter, ShipStrategyNames) {
  EXPECT_EQ(ship_strategy_name(PartitionStrategy::kForward), "FORWARD");
  EXPECT_EQ(ship_strategy_name(PartitionStrategy::kHash), "HASH");
  EXPECT_EQ(ship_strategy_name(PartitionStrategy::kCustom), "CUSTOM");
}

}  // namespace
}  // namespace flott
