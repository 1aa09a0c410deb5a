#include "base/fault_point.h"

#include "base/error.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>

namespace flott {
namespace {

TEST(FaultPoint, DoesNothingUnlessAskedTo) {
  fault_point(FaultPoint::kDuringCommit);
  SUCCEED();
}

// The plan is made once a process: each of these has a process of its own.

TEST(FaultPointDeathTest, EndsTheProcessAtTheNthTime) {
  testing::FLAGS_gtest_death_test_style = "threadsafe";
  EXPECT_EXIT(
      {
        ::setenv("FLOTT_FAULT", "before-barrier:9,during-commit:2", 1);
        fault_point(FaultPoint::kBeforeBarrier);
        fault_point(FaultPoint::kDuringCommit);
        fault_point(FaultPoint::kDuringCommit);
        std::exit(0);
      },
      testing::KilledBySignal(SIGKILL),
      "");
  EXPECT_EXIT(
      {
        ::setenv("FLOTT_FAULT", "during-commit:2", 1);
        fault_point(FaultPoint::kDuringCommit);
        fault_point(FaultPoint::kDuringRecovery);
        std::exit(0);
      },
      testing::ExitedWithCode(0),
      "");
}

TEST(FaultPointDeathTest, StopsTheProcessUntilItIsLetGoOn) {
  testing::FLAGS_gtest_death_test_style = "threadsafe";
  EXPECT_EXIT(
      {
        ::setenv("FLOTT_FAULT", "during-commit:2:stop", 1);
        fault_point(FaultPoint::kDuringCommit);
        const pid_t child = ::fork();
        if (child == 0) {
          fault_point(FaultPoint::kDuringCommit);
          fault_point(FaultPoint::kDuringCommit);
          std::_Exit(7);
        }
        int status = 0;
        ::waitpid(child, &status, WUNTRACED);
        if (!WIFSTOPPED(status)) {
          std::exit(1);
        }
        ::kill(child, SIGCONT);
        ::waitpid(child, &status, 0);
        std::exit(WIFEXITED(status) ? WEXITSTATUS(status) : 1);
      },
      testing::ExitedWithCode(7),
      "");
}

TEST(FaultPointDeathTest, RefusesNamesAndNumbersItDoesNotKnow) {
  testing::FLAGS_gtest_death_test_style = "threadsafe";
  for (const char* wrong :
       {"midnight", "during-commit:0", "during-commit:x", "during-commit:0:stop"}) {
    EXPECT_EXIT(
        {
          ::setenv("FLOTT_FAULT", wrong, 1);
          try {
            fault_point(FaultPoint::kDuringCommit);
          } catch (const Error& error) {
            std::exit(error.kind() == ErrorKind::kInvalidArgument ? 7 : 1);
          }
          std::exit(0);
        },
        testing::ExitedWithCode(7),
        "");
  }
}

}  // namespace
}  // namespace flott
