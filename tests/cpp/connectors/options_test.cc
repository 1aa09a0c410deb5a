#include "connectors/options.h"

#include "tests/cpp/connectors/reading.h"

#include <gtest/gtest.h>

namespace flott {
namespace {

TEST(Options, ListsAreSplitAtCommasAndTrimmed) {
  const Options options = test::options_of({{"topics", " a, b\\,c ,,d"}});
  EXPECT_EQ(options.get_list("topics"), (std::vector<std::string>{"a", "b,c", "d"}));
  EXPECT_TRUE(options.get_list("missing").empty());
}

TEST(Options, SubTakesTheOptionsBelowAPrefix) {
  const Options options = test::options_of(
      {{"format", "json"}, {"format.a", "1"}, {"format.b.c", "2"}, {"formatx", "3"}});
  EXPECT_EQ(options.sub("format").values(),
            (std::map<std::string, std::string>{{"a", "1"}, {"b.c", "2"}}));
}

TEST(Options, WrongValuesNameKeyAndText) {
  const Options options = test::options_of({{"n", "12x"}, {"b", "yes"}});
  EXPECT_EQ(test::error_of([&] { options.get_int("n", 0); }),
            "the option 'n' must be an integer, but is '12x'");
  EXPECT_EQ(test::error_of([&] { options.get_bool("b", false); }),
            "the option 'b' must be true or false, but is 'yes'");
  EXPECT_NE(test::error_of([&] { options.get("path"); }).find("'path' is missing"),
            std::string::npos);
  EXPECT_EQ(options.get_int("other", 7), 7);
}

}  // namespace
}  // namespace flott
