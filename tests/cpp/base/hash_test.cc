#include "base/hash.h"

#include <gtest/gtest.h>

#include <set>
#include <string>
#include <vector>

namespace flott {
namespace {

// Key groups of stored checkpoints depend on these values: if this test fails, it is the function
// that is wrong.
TEST(HashBytes, StaysTheSameForEver) {
  EXPECT_EQ(hash_bytes(""), 11286133854226296554ULL);
  EXPECT_EQ(hash_bytes("a"), 17321110110426049066ULL);
  EXPECT_EQ(hash_bytes("12345678"), 17248288694679706512ULL);
  EXPECT_EQ(hash_bytes("organisation-0042"), 8144292292926704147ULL);
}

TEST(HashBytes, LengthCounts) {
  std::set<std::uint64_t> seen;
  for (std::size_t length = 0; length <= 64; ++length) {
    seen.insert(hash_bytes(std::string(length, '\0')));
  }
  EXPECT_EQ(seen.size(), 65U);
}

TEST(HashBytes, SpreadsConsecutiveKeysEvenlyOverKeyGroups) {
  constexpr std::size_t kGroups = 128;
  constexpr std::size_t kKeys = 128'000;
  std::vector<std::size_t> counts(kGroups);
  for (std::size_t i = 0; i < kKeys; ++i) {
    ++counts[hash_bytes("key-" + std::to_string(i)) % kGroups];
  }
  for (const std::size_t count : counts) {  // 1000 expected, standard deviation 31.5
    EXPECT_GT(count, 800U);
    EXPECT_LT(count, 1200U);
  }
}

TEST(Crc32c, AgreesWithTheStandardsTestVectors) {
  EXPECT_EQ(crc32c(""), 0U);
  EXPECT_EQ(crc32c("123456789"), 0xe3069283U);
  EXPECT_EQ(crc32c(std::string(32, '\0')), 0x8a9136aaU);  // RFC 3720, B.4
  EXPECT_EQ(crc32c(std::string(32, '\xff')), 0x62a8ab43U);
}

}  // namespace
}  // namespace flott
