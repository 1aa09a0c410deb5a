#include "types/batch.h"

#include "base/error.h"
#include "tests/cpp/types/samples.h"
#include "tests/harness/fake_host.h"

#include <gtest/gtest.h>

namespace flott {
namespace {

LogicalTypePtr pair_type() {
  return LogicalType::row({"a", "b"},
                          {LogicalType::of(TypeKind::kInt), LogicalType::of(TypeKind::kString)});
}

Value pair(std::int64_t a, std::string b) {
  return Value::row({Value::integer(a), Value::string(std::move(b))});
}

void append_keyed(BatchBuilder& builder, const Value& value, Timestamp timestamp, RowKind kind) {
  std::string bytes;
  const Value key_value = value.field(0);
  encode_key(key_value, bytes);
  const Key key = Key::of(bytes, key_value);
  builder.append(value, timestamp, kind, &key);
}

TEST(Batch, SplitsRowsOverColumns) {
  BatchBuilder builder(pair_type());
  builder.append(pair(1, "a"), 12);
  builder.append(Value::array({Value::null(), Value::string("b")}), 13, RowKind::kDelete);
  builder.append(Value::map({{Value::string("b"), Value::string("c")}}), 14);
  const BatchPtr batch = builder.finish();
  EXPECT_EQ(batch->to_string(), "+I[1, 'a'] @12\n-D[null, 'b'] @13\n+I[null, 'c'] @14");
  EXPECT_EQ(batch->columns().size(), 2U);
  EXPECT_EQ(batch->value_at(1).field(1).as_string(), "b");
  EXPECT_TRUE(builder.empty());
  EXPECT_EQ(builder.finish(), nullptr);
}

TEST(Batch, RowsOfBatchesAreCopiedByColumn) {
  BatchBuilder builder(pair_type());
  builder.append(pair(1, "a"));
  builder.append(pair(2, "b"));
  const BatchPtr batch = builder.finish();
  BatchBuilder again(pair_type());
  again.append(batch->value_at(1));
  BatchBuilder swapped(LogicalType::row(
      {"b", "a"}, {LogicalType::of(TypeKind::kString), LogicalType::of(TypeKind::kBigInt)}));
  swapped.append(batch->value_at(0));
  EXPECT_EQ(again.finish()->to_string(), "+I[2, 'b']");
  EXPECT_EQ(swapped.finish()->to_string(), "+I['a', 1]");
}

TEST(Batch, TimestampsAndKindsOnlyWhereSomeRowHasThem) {
  BatchBuilder builder(LogicalType::of(TypeKind::kBigInt));
  builder.append(Value::integer(1));
  BatchPtr batch = builder.finish();
  EXPECT_FALSE(batch->has_timestamps());
  EXPECT_TRUE(batch->kinds().empty());
  EXPECT_EQ(batch->timestamp_at(0), kNoTimestamp);
  EXPECT_EQ(batch->to_string(), "1");
  builder.append(Value::integer(1));
  builder.append(Value::integer(2), 5, RowKind::kUpdateAfter);
  builder.append(Value::integer(3));
  batch = builder.finish();
  EXPECT_EQ(batch->timestamps(), (std::vector<Timestamp>{kNoTimestamp, 5, kNoTimestamp}));
  EXPECT_EQ(batch->to_string(), "1\n+U 2 @5\n3");
}

TEST(Batch, TakesAndSlicesEverythingOfARow) {
  BatchBuilder builder(pair_type());
  for (int i = 0; i < 5; ++i) {
    append_keyed(builder,
                 pair(i, std::string(static_cast<std::size_t>(i), 'x')),
                 10 + i,
                 i % 2 == 0 ? RowKind::kInsert : RowKind::kDelete);
  }
  const BatchPtr batch = builder.finish();
  const std::vector<std::uint32_t> rows = {4, 1};
  const BatchPtr taken = batch->take(rows);
  EXPECT_EQ(taken->to_string(), "+I[4, 'xxxx'] @14\n-D[1, 'x'] @11");
  EXPECT_EQ(taken->keys()->at(0).value->as_int(), 4);
  EXPECT_EQ(taken->keys()->hash_at(1), batch->keys()->hash_at(1));
  const BatchPtr slice = batch->slice(1, 3);
  EXPECT_EQ(slice->to_string(), "-D[1, 'x'] @11\n+I[2, 'xx'] @12");
  EXPECT_EQ(slice->keys()->at(1).bytes, batch->keys()->at(2).bytes);
  EXPECT_EQ(batch->slice(0, 5), batch);
  EXPECT_EQ(batch->slice(2, 2)->num_rows(), 0);
  EXPECT_THROW(batch->slice(3, 6), Error);
}

TEST(Batch, SharesColumnsWithNewTimestampsAndKeys) {
  BatchBuilder builder(pair_type());
  builder.append(pair(1, "a"));
  const BatchPtr batch = builder.finish();
  const BatchPtr stamped = batch->with_timestamps({7});
  EXPECT_EQ(stamped->to_string(), "+I[1, 'a'] @7");
  EXPECT_EQ(stamped->columns(), batch->columns());
  EXPECT_THROW(batch->with_timestamps({7, 8}), Error);
  auto keys = std::make_shared<KeyColumn>();
  keys->append("k", Value::string("k"));
  EXPECT_EQ(stamped->with_keys(keys)->keys()->at(0).bytes, "k");
  EXPECT_GT(batch->size_bytes(), 0U);
}

TEST(Batch, RefusesColumnsThatDoNotFit) {
  EXPECT_THROW(Batch::make(pair_type(), {}, 0), Error);
  ColumnBuilder column(LogicalType::of(TypeKind::kInt));
  column.append_int(1);
  EXPECT_THROW(Batch::make(LogicalType::of(TypeKind::kInt), {column.finish()}, 2), Error);
}

TEST(BatchBuilder, FailedRowLeavesNothing) {
  BatchBuilder builder(pair_type());
  builder.append(pair(1, "a"));
  for (const Value& bad : {Value::row({Value::integer(1), Value::integer(2)}),
                           Value::row({Value::integer(1)}),
                           Value::null(),
                           Value::integer(1)}) {
    EXPECT_THROW(builder.append(bad), Error);
  }
  try {
    builder.append(Value::row({Value::integer(1), Value::integer(2)}));
  } catch (const Error& e) {
    EXPECT_STREQ(e.what(), "field 'b': value 2 does not fit the type STRING");
  }
  builder.column(0).append_int(9);  // a decoder that gives up
  builder.abort_row();
  builder.append(pair(2, "b"));
  EXPECT_EQ(builder.finish()->to_string(), "+I[1, 'a']\n+I[2, 'b']");
}

TEST(BatchBuilder, RowKindOfAValueIsKept) {
  BatchBuilder builder(pair_type());
  builder.append(Value::row({Value::integer(1), Value::null()}, nullptr, RowKind::kUpdateBefore));
  EXPECT_EQ(builder.finish()->kind_at(0), RowKind::kUpdateBefore);
}

TEST(BatchBuilder, ObjectsAreGivenAwayWithoutCounting) {
  FakeHost host;
  {
    BatchBuilder builder(LogicalType::object());
    for (int i = 0; i < 100; ++i) {
      builder.append(host.number(i), i, RowKind::kInsert, nullptr);
    }
    EXPECT_EQ(host.retains(), 0);
    EXPECT_EQ(host.enters(), 0);
    const std::size_t building = builder.size_bytes();
    const BatchPtr batch = builder.finish();
    EXPECT_GE(batch->size_bytes() * 2, building);
    EXPECT_EQ(host.live(), 100);
    const std::vector<std::uint32_t> rows = {1, 2};
    const BatchPtr taken = batch->take(rows);
    EXPECT_EQ(host.enters(), 1);  // once a batch
    EXPECT_EQ(taken->to_string(), "1 @1\n2 @2");
    EXPECT_LT(taken->size_bytes(), batch->size_bytes());
  }
  EXPECT_EQ(host.live(), 0);
}

TEST(BatchBuilder, ObjectsBecomeRows) {
  FakeHost host;
  {
    const auto type = LogicalType::row(
        {"a", "b"}, {LogicalType::of(TypeKind::kInt), LogicalType::of(TypeKind::kTinyInt)});
    BatchBuilder builder(type);
    builder.append(host.list({1, 256}));
    EXPECT_THROW(builder.append(host.list({1})), Error);
    EXPECT_THROW(builder.append(host.text("x")), Error);
    EXPECT_EQ(builder.finish()->to_string(), "+I[1, 0]");
  }
  EXPECT_EQ(host.live(), 0);
}

TEST(BatchBuilder, ObjectColumnDoesNotPinABatch) {
  BatchBuilder rows(pair_type());
  rows.append(pair(1, "a"));
  const BatchPtr batch = rows.finish();
  BatchBuilder objects(LogicalType::object());
  objects.append(batch->value_at(0));
  const BatchPtr out = objects.finish();
  EXPECT_EQ(out->value_at(0).kind(), ValueKind::kRow);
  EXPECT_EQ(out->value_at(0), batch->value_at(0));
}

TEST(Batch, NativeBatchesNeverTakeTheHostsLock) {
  FakeHost host;
  BatchBuilder builder(pair_type());
  append_keyed(builder, pair(1, "a"), 1, RowKind::kInsert);
  append_keyed(builder, pair(2, "b"), 2, RowKind::kInsert);
  const BatchPtr batch = builder.finish();
  const std::vector<std::uint32_t> rows = {1};
  batch->take(rows);
  batch->slice(0, 1);
  EXPECT_EQ(host.enters(), 0);
}

}  // namespace
}  // namespace flott
