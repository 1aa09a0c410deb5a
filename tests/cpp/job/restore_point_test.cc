#include "job/restore_point.h"

#include "base/error.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

namespace flott {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

/// Reads "chk-<n>" as an empty checkpoint with that id, unless it is damaged.
std::function<CheckpointData(const std::string&)> reader(std::set<std::string> damaged = {}) {
  return [damaged = std::move(damaged)](const std::string& path) {
    if (damaged.contains(path)) {
      throw DamagedCheckpoint(path, path + "/op-0.state is damaged");
    }
    CheckpointData out;
    out.id = std::stol(path.substr(4));
    return out;
  };
}

std::string failure_of(const RestoreChoices& choices, std::set<std::string> damaged) {
  try {
    choose_restore_point(choices, reader(std::move(damaged)));
  } catch (const Error& e) {
    EXPECT_EQ(e.kind(), ErrorKind::kInvalidArgument) << "no restart helps";
    return e.what();
  }
  return "no error";
}

TEST(RestorePoint, IsTheNewestCheckpointOfTheJob) {
  const RestoreChoices choices{"job", {"chk-4", "chk-5"}, "chk-1", {}};
  EXPECT_EQ(choose_restore_point(choices, reader())->id, 5);
}

TEST(RestorePoint, IsWhatTheJobWasStartedFromUntilItHasOneOfItsOwn) {
  EXPECT_EQ(choose_restore_point({"job", {}, "chk-1", {}}, reader())->id, 1);
  EXPECT_FALSE(choose_restore_point({"job", {}, "", {}}, reader()));
}

TEST(RestorePoint, PassesOverADamagedOneWhereNoSinkHasPublished) {
  const RestoreChoices choices{"job", {"chk-3", "chk-4", "chk-5"}, "", {}};
  EXPECT_EQ(choose_restore_point(choices, reader({"chk-5"}))->id, 4);
  EXPECT_EQ(choose_restore_point(choices, reader({"chk-4", "chk-5"}))->id, 3)
      << "files that both share are refused in both";
}

TEST(RestorePoint, NeverGoesBehindWhatASinkHasPublished) {
  const RestoreChoices choices{"job", {"chk-4", "chk-5"}, "", {"sink 'out'"}};
  EXPECT_EQ(choose_restore_point(choices, reader())->id, 5);
  EXPECT_THAT(failure_of(choices, {"chk-5"}),
              AllOf(HasSubstr("chk-5/op-0.state is damaged"),
                    HasSubstr("sink 'out'"),
                    HasSubstr("chk-4"),
                    HasSubstr("a second time")));
}

TEST(RestorePoint, IsRefusedForGoodWhenWhatTheJobWasStartedFromIsGone) {
  EXPECT_THAT(
      failure_of({"job", {}, "chk-1", {}}, {"chk-1"}),
      AllOf(HasSubstr("chk-1/op-0.state is damaged"), HasSubstr("no checkpoint of its own")));
}

TEST(RestorePoint, AnErrorOfTheDiskIsNoDamage) {
  for (const RestoreChoices& choices : {RestoreChoices{"job", {"chk-4", "chk-5"}, "", {}},
                                        RestoreChoices{"job", {}, "chk-1", {}}}) {
    int reads = 0;
    try {
      choose_restore_point(choices, [&](const std::string& path) -> CheckpointData {
        ++reads;
        throw_error(ErrorKind::kExternal, "cannot open {}: too many open files", path);
      });
      FAIL() << "no error";
    } catch (const Error& e) {
      EXPECT_EQ(e.kind(), ErrorKind::kExternal) << "the next attempt may read it";
      EXPECT_THAT(e.what(), HasSubstr("too many open files"));
    }
    EXPECT_EQ(reads, 1) << "an older one does not stand in for it";
  }
}

TEST(RestorePoint, IsNotTheBeginningWhenAllAreDamaged) {
  const RestoreChoices choices{"job", {"chk-4", "chk-5"}, "", {}};
  EXPECT_THAT(failure_of(choices, {"chk-4", "chk-5"}),
              AllOf(HasSubstr("chk-5/op-0.state"),
                    HasSubstr("chk-4/op-0.state"),
                    HasSubstr("loses the state")));
}

}  // namespace
}  // namespace flott
