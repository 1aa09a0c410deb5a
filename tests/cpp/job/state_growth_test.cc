#include "job/state_growth.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace flott {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr std::int64_t kMb = 1 << 20;

StateSize sized(std::int64_t entries, std::int64_t bytes, const std::string& state = "seen") {
  return {"uid-1", "count visits", state, entries, bytes};
}

/// How many warnings a run of sizes gives, with growth in 3 checkpoints, 100 entries, 10 bytes.
std::size_t warnings(const std::vector<std::int64_t>& entries,
                     const std::vector<std::int64_t>& bytes) {
  StateGrowthWatch watch({.checkpoints = 3, .entries = 100, .bytes = 10, .percent = 25});
  std::size_t count = 0;
  for (std::size_t i = 0; i < entries.size(); ++i) {
    count += watch.observe(static_cast<CheckpointId>(i + 1), {sized(entries[i], bytes[i])}).size();
  }
  return count;
}

TEST(StateGrowth, IsToldOnceWithBothSizesAndWhatToDo) {
  StateGrowthWatch watch;
  std::vector<std::string> told;
  for (int checkpoint = 1; checkpoint <= 40; ++checkpoint) {
    for (std::string& line :
         watch.observe(checkpoint, {sized(checkpoint * 20'000, checkpoint * kMb)})) {
      told.push_back(std::move(line));
    }
    EXPECT_EQ(told.empty(), checkpoint < 11) << "the first size, and growth in ten";
  }
  ASSERT_EQ(told.size(), 1u);
  EXPECT_THAT(told[0],
              AllOf(HasSubstr("state 'seen' of operator 'count visits' (uid 'uid-1')"),
                    HasSubstr("20000 entries, 1.0 MB at checkpoint 1"),
                    HasSubstr("220000 entries, 11.0 MB at checkpoint 11"),
                    HasSubstr("StateTtlConfig"),
                    HasSubstr("clear()")));
}

TEST(StateGrowth, InBytesAloneCounts) {
  StateGrowthWatch watch;
  std::size_t told = 0;
  for (int checkpoint = 1; checkpoint <= 20; ++checkpoint) {
    told += watch.observe(checkpoint, {sized(1, checkpoint * 8 * kMb)}).size();
  }
  EXPECT_EQ(told, 1u) << "one key whose list or map grows";
}

TEST(StateGrowth, IsNotToldOfWhatIsSmall) {
  EXPECT_EQ(warnings({0, 1, 2, 3, 4, 5, 6}, {0, 0, 0, 0, 0, 0, 0}), 0u);
  EXPECT_EQ(warnings({0, 40, 80, 120, 160}, {0, 0, 0, 0, 0}), 1u);
}

TEST(StateGrowth, IsNotToldOfWhatIsCleanedUpInBetween) {
  EXPECT_EQ(warnings({0, 500, 900, 200, 600, 900, 300}, {0, 9, 9, 1, 5, 9, 3}), 0u);
  EXPECT_EQ(warnings({0, 500, 900, 900, 1300, 1700, 2100}, {0, 0, 0, 0, 0, 0, 0}), 1u);
}

TEST(StateGrowth, IsNotToldOfLittleBesideWhatTheJobBeganWith) {
  EXPECT_EQ(warnings({10'000, 10'500, 11'000, 11'500, 12'000}, {0, 0, 0, 0, 0}), 0u);
  EXPECT_EQ(warnings({10'000, 11'000, 12'000, 13'000, 14'000}, {0, 0, 0, 0, 0}), 1u);
}

TEST(StateGrowth, IsWatchedForEachStateOfItsOwn) {
  StateGrowthWatch watch({.checkpoints = 2, .entries = 10, .bytes = kMb, .percent = 25});
  EXPECT_THAT(watch.observe(1, {sized(0, 0, "a"), sized(0, 0, "b")}), IsEmpty());
  EXPECT_THAT(watch.observe(2, {sized(9, 0, "a"), sized(9, 0, "b")}), IsEmpty());
  EXPECT_THAT(watch.observe(3, {sized(18, 0, "a"), sized(9, 0, "b")}),
              ::testing::ElementsAre(HasSubstr("state 'a'")));
  EXPECT_THAT(watch.observe(4, {sized(20, 0, "a"), sized(18, 0, "b")}), IsEmpty());
  EXPECT_THAT(watch.observe(5, {sized(30, 0, "a"), sized(20, 0, "b")}),
              ::testing::ElementsAre(HasSubstr("state 'b'")));
}

}  // namespace
}  // namespace flott
