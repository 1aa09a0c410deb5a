#include "base/error.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace flott {
namespace {

using testing::AllOf;
using testing::HasSubstr;

TEST(Error, CarriesKindMessageAndWhetherToRetry) {
  const Error plain(ErrorKind::kUserCode, "the function failed");
  EXPECT_EQ(plain.kind(), ErrorKind::kUserCode);
  EXPECT_STREQ(plain.what(), "the function failed");
  EXPECT_FALSE(plain.retryable());
  EXPECT_TRUE(Error(ErrorKind::kExternal, "broker gone", Retryable::kYes).retryable());
}

TEST(Error, ThrowErrorFormatsItsArguments) {
  try {
    throw_error(ErrorKind::kInvalidArgument, "size must be positive, not {} ({})", -1, "tumbling");
    FAIL() << "nothing was thrown";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kInvalidArgument);
    EXPECT_STREQ(error.what(), "size must be positive, not -1 (tumbling)");
  }
}

TEST(StreamCheck, NamesConditionPlaceAndValues) {
  const int left = 3;
  try {
    STREAM_CHECK(left == 0, "all items taken: {} left", left);
    FAIL() << "nothing was thrown";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kInternal);
    EXPECT_THAT(error.what(),
                AllOf(HasSubstr("all items taken: 3 left"),
                      HasSubstr("left == 0"),
                      HasSubstr("error_test.cc")));
  }
}

TEST(StreamCheck, EvaluatesItsMessageOnlyOnFailure) {
  int evaluated = 0;
  STREAM_CHECK(true, "{}", ++evaluated);
  EXPECT_EQ(evaluated, 0);
}

}  // namespace
}  // namespace flott
