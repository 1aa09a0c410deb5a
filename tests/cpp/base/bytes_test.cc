#include "base/bytes.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <limits>
#include <string>

namespace flott {
namespace {

TEST(Bytes, EveryKindOfValueComesBack) {
  std::string stored;
  BytesWriter writer(stored);
  writer.u8(255);
  writer.u32(0xdeadbeefU);
  writer.u64(std::numeric_limits<std::uint64_t>::max());
  writer.i64(std::numeric_limits<std::int64_t>::min());
  writer.f64(-0.5);
  writer.string("");
  writer.string(std::string("a\0b", 3));

  BytesReader reader(stored);
  EXPECT_EQ(reader.u8(), 255);
  EXPECT_EQ(reader.u32(), 0xdeadbeefU);
  EXPECT_EQ(reader.u64(), std::numeric_limits<std::uint64_t>::max());
  EXPECT_EQ(reader.i64(), std::numeric_limits<std::int64_t>::min());
  EXPECT_EQ(reader.f64(), -0.5);
  EXPECT_EQ(reader.string(), "");
  EXPECT_EQ(reader.string(), std::string("a\0b", 3));
  EXPECT_TRUE(reader.empty());
}

TEST(Bytes, NumbersAreStoredLittleEndian) {
  std::string stored;
  BytesWriter(stored).u32(0x01020304U);
  EXPECT_EQ(stored, "\x04\x03\x02\x01");
}

class VarintTest : public testing::TestWithParam<std::uint64_t> {};

TEST_P(VarintTest, ComesBack) {
  std::string stored;
  BytesWriter(stored).varint(GetParam());
  BytesReader reader(stored);
  EXPECT_EQ(reader.varint(), GetParam());
  EXPECT_TRUE(reader.empty());
}

INSTANTIATE_TEST_SUITE_P(Boundaries,
                         VarintTest,
                         testing::Values(0, 1, 127, 128, 16383, 16384, 1ULL << 63, ~0ULL));

TEST(Bytes, TruncatedInputIsAnErrorAtEveryLength) {
  std::string stored;
  BytesWriter writer(stored);
  writer.varint(300);
  writer.string("payload");
  writer.u64(1);
  for (std::size_t length = 0; length < stored.size(); ++length) {
    BytesReader reader(std::string_view(stored).substr(0, length));
    EXPECT_THROW(
        {
          reader.varint();
          reader.string();
          reader.u64();
        },
        Error)
        << "cut to " << length << " bytes";
  }
}

TEST(Bytes, AVarintThatDoesNotEndIsAnError) {
  const std::string stored(11, '\xff');
  BytesReader reader(stored);
  EXPECT_THROW(reader.varint(), Error);
}

TEST(Bytes, ACountBeyondTheInputIsAnErrorBeforeAnythingIsAllocated) {
  std::string stored;
  BytesWriter(stored).varint(1ULL << 40);
  BytesReader reader(stored);
  EXPECT_THROW(reader.count(), Error);
}

TEST(Bytes, ALengthNearTheLargestNumberDoesNotWrapAround) {
  std::string stored;
  BytesWriter(stored).varint(~0ULL);
  BytesReader reader(stored);
  EXPECT_THROW(reader.string(), Error);
}

}  // namespace
}  // namespace flott
