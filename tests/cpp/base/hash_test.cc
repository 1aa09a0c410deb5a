#include "base/hash.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <functional>
#include <set>
#include <string>
#include <vector>

namespace flott {
namespace {

// Key groups of stored checkpoints depend on these values: if this test fails, it is the function
// that is wrong.
TEST(HashBytes, StaysTheSameForEver) {
  EXPECT_EQ(hash_bytes(""), 18045060210114981133ULL);
  EXPECT_EQ(hash_bytes("a"), 1753341062677616126ULL);
  EXPECT_EQ(hash_bytes("12345678"), 2310687361502974628ULL);
  EXPECT_EQ(hash_bytes("organisation-0042"), 8853008801386597697ULL);
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
  const auto text_key = [](std::size_t i) { return "key-" + std::to_string(i); };
  const auto integer_key = [](std::size_t i) {
    std::string bytes(9, 'I');
    std::memcpy(bytes.data() + 1, &i, 8);
    return bytes;
  };
  for (const auto& key : {std::function<std::string(std::size_t)>(text_key), {integer_key}}) {
    for (const int shift : {0, 32, 57}) {  // all bits are good; key groups take the upper ones
      std::ranges::fill(counts, 0);
      for (std::size_t i = 0; i < kKeys; ++i) {
        ++counts[(hash_bytes(key(i)) >> shift) % kGroups];
      }
      for (const std::size_t count : counts) {  // 1000 expected, standard deviation 31.5
        EXPECT_GT(count, 800U);
        EXPECT_LT(count, 1200U);
      }
    }
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
