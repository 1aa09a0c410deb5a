#include "types/logical_type.h"

#include "base/bytes.h"
#include "base/error.h"
#include "tests/cpp/types/samples.h"

#include <gtest/gtest.h>

#include <functional>

namespace flott {
namespace {

using T = LogicalType;

std::string message_of(const std::function<void()>& call) {
  try {
    call();
  } catch (const Error& e) {
    return e.what();
  }
  return "no error";
}

TEST(LogicalType, PrintsSqlSpelling) {
  EXPECT_EQ(T::of(TypeKind::kBigInt, false)->to_string(), "BIGINT NOT NULL");
  EXPECT_EQ(T::decimal(10, 2)->to_string(), "DECIMAL(10, 2)");
  EXPECT_EQ(T::of(TypeKind::kString)->to_string(), "STRING");
  EXPECT_EQ(T::bounded(TypeKind::kString, 3, false)->to_string(), "VARCHAR(3)");
  EXPECT_EQ(T::bounded(TypeKind::kString, 3, true)->to_string(), "CHAR(3)");
  EXPECT_EQ(T::bounded(TypeKind::kBytes, 3, true)->to_string(), "BINARY(3)");
  EXPECT_EQ(T::bounded(TypeKind::kBytes, 3, false)->to_string(), "VARBINARY(3)");
  EXPECT_EQ(T::temporal(TypeKind::kTimestampLtz, 3)->to_string(), "TIMESTAMP_LTZ(3)");
  EXPECT_EQ(T::of(TypeKind::kTimestamp)->to_string(), "TIMESTAMP(6)");
  EXPECT_EQ(T::map(T::of(TypeKind::kString, false), T::of(TypeKind::kBigInt))->to_string(),
            "MAP<STRING NOT NULL, BIGINT>");
  EXPECT_EQ(T::row({"a", "b c"}, {T::of(TypeKind::kInt), T::of(TypeKind::kString)})->to_string(),
            "ROW<a INT, `b c` STRING>");
  EXPECT_EQ(T::tuple({T::of(TypeKind::kInt), T::object()})->to_string(), "TUPLE<INT, RAW>");
}

TEST(LogicalType, ComparesByValue) {
  const auto types = sample_types();
  const auto again = sample_types();
  for (std::size_t i = 0; i < types.size(); ++i) {
    for (std::size_t j = 0; j < types.size(); ++j) {
      EXPECT_EQ(*types[i] == *again[j], i == j)
          << types[i]->to_string() << " " << again[j]->to_string();
    }
    EXPECT_FALSE(*types[i] == *types[i]->with_nullable(false));
  }
  EXPECT_FALSE(*T::row({"a"}, {T::of(TypeKind::kInt)}) == *T::row({"b"}, {T::of(TypeKind::kInt)}));
}

TEST(LogicalType, BytesRoundTrip) {
  for (const LogicalTypePtr& type : sample_types()) {
    for (const bool nullable : {true, false}) {
      const LogicalTypePtr t = type->with_nullable(nullable);
      std::string bytes;
      t->encode(bytes);
      BytesReader in(bytes);
      EXPECT_EQ(*T::decode(in), *t) << t->to_string();
      EXPECT_TRUE(in.empty());
    }
  }
}

TEST(LogicalType, DamagedBytesAreAnError) {
  std::mt19937_64 random(7);
  for (const LogicalTypePtr& type : sample_types()) {
    std::string bytes;
    type->encode(bytes);
    for (std::size_t size = 0; size < bytes.size(); ++size) {
      BytesReader in(std::string_view(bytes).substr(0, size));
      EXPECT_THROW(T::decode(in), Error);
    }
    for (int i = 0; i < 300; ++i) {
      std::string damaged = bytes;
      damaged[random() % damaged.size()] = static_cast<char>(random());
      BytesReader in(damaged);
      try {
        T::decode(in);
      } catch (const Error& e) {
        EXPECT_EQ(e.kind(), ErrorKind::kExternal);
      }
    }
  }
  std::string deep;
  for (int i = 0; i < 5000; ++i) {
    deep += std::string("\x12\x01\x00\x00\x00\x01", 6);  // arrays of arrays
  }
  BytesReader in(deep);
  EXPECT_THROW(T::decode(in), Error);
}

TEST(LogicalType, WrongParametersAreRefused) {
  EXPECT_EQ(message_of([] { T::decimal(39, 0); }),
            "the precision of DECIMAL must be between 1 and 38, not 39");
  EXPECT_THROW(T::decimal(0, 0), Error);
  EXPECT_THROW(T::decimal(5, 6), Error);
  EXPECT_THROW(T::temporal(TypeKind::kTimestamp, 10), Error);
  EXPECT_THROW(T::temporal(TypeKind::kInt, 3), Error);
  EXPECT_THROW(T::of(TypeKind::kArray), Error);
  EXPECT_THROW(T::array(nullptr), Error);
  EXPECT_EQ(message_of([] { T::row({"a", "a"}, {T::object(), T::object()}); }),
            "ROW has two fields named 'a'; names must differ");
  EXPECT_EQ(message_of([] { T::row({"a"}, {}); }),
            "ROW has 1 field names but 0 field types; give one name a type");
}

TEST(LogicalType, KnowsWhetherOpaqueValuesAreInside) {
  EXPECT_FALSE(T::object()->is_native());
  EXPECT_FALSE(T::row({"a"}, {T::array(T::object())})->is_native());
  EXPECT_FALSE(T::map(T::of(TypeKind::kString), T::object())->with_nullable(false)->is_native());
  EXPECT_TRUE(T::row({"a"}, {T::array(T::of(TypeKind::kInt))})->is_native());
}

TEST(LogicalType, FindsFields) {
  const auto row = T::row({"a", "b"}, {T::object(), T::object()});
  EXPECT_EQ(row->field_index("b"), 1);
  EXPECT_EQ(row->field_index("c"), -1);
  EXPECT_EQ(T::tuple({T::object(), T::object()})->field_index("f1"), 1);
}

TEST(RowKind, ShortStrings) {
  EXPECT_EQ(short_string(RowKind::kInsert), "+I");
  EXPECT_EQ(short_string(RowKind::kUpdateBefore), "-U");
  EXPECT_EQ(short_string(RowKind::kUpdateAfter), "+U");
  EXPECT_EQ(short_string(RowKind::kDelete), "-D");
}

}  // namespace
}  // namespace flott
