#include "windows/assigner.h"

#include "base/error.h"
#include "window_cases.h"
#include "windows/saturating.h"

#include <gtest/gtest.h>

namespace flott::harness {
namespace {

std::string assigned(WindowAssigner& assigner, Timestamp timestamp, Timestamp now = 0) {
  std::vector<Window> windows;
  assigner.assign(Value{}, timestamp, now, windows);
  std::string text;
  for (const Window& window : windows) {
    text += "[" + to_text(window.start) + "," + to_text(window.end) + ")";
  }
  return text;
}

TEST(TumblingWindows, AssignByTimestampWithOffsets) {
  struct Case {
    std::int64_t size, offset;
    Timestamp timestamp;
    const char* windows;
  };
  for (const Case& c : {
           Case{5000, 0, 0, "[0,5000)"},
           Case{5000, 0, 4999, "[0,5000)"},
           Case{5000, 0, 5000, "[5000,10000)"},
           Case{5000, 0, -1, "[-5000,0)"},
           Case{5000, 0, -5000, "[-5000,0)"},
           Case{5000, 0, -5001, "[-10000,-5000)"},
           Case{5000, 100, 0, "[-4900,100)"},
           Case{5000, 100, 5099, "[100,5100)"},
           Case{5000, 100, 5100, "[5100,10100)"},
           Case{5000, -100, 4899, "[-100,4900)"},
           Case{5000, -100, 4900, "[4900,9900)"},
           Case{1, 0, 7, "[7,8)"},
           // UTC-8 days, as the offset of a time zone is written
           Case{86'400'000, -57'600'000, 0, "[-57600000,28800000)"},
           Case{5000, 0, kMaxTimestamp, "[9223372036854775000,max)"},
       }) {
    EXPECT_EQ(assigned(*make_tumbling_windows(kEvent, c.size, c.offset), c.timestamp), c.windows)
        << c.size << " " << c.offset << " " << c.timestamp;
  }
}

TEST(TumblingWindows, RememberingTheLastWindowChangesNothing) {
  const auto assigner = make_tumbling_windows(kEvent, 10, 3);
  for (const Timestamp t : {5, 12, 13, 12, -8, 3, 2, 22, 23}) {
    EXPECT_EQ(assigned(*assigner, t), assigned(*make_tumbling_windows(kEvent, 10, 3), t)) << t;
  }
}

TEST(TumblingWindows, ProcessingTimeTakesTheClock) {
  EXPECT_EQ(assigned(*make_tumbling_windows(kProcessing, 1000, 0), 77, 2500), "[2000,3000)");
}

TEST(SlidingWindows, AssignTheLatestFirst) {
  struct Case {
    std::int64_t size, slide, offset;
    Timestamp timestamp;
    const char* windows;
  };
  for (const Case& c : {
           Case{5, 2, 0, 1, "[0,5)[-2,3)"},
           Case{5, 2, 0, 4, "[4,9)[2,7)[0,5)"},
           Case{5, 2, 0, 3, "[2,7)[0,5)"},
           Case{4000, 1000, 0, 3000, "[3000,7000)[2000,6000)[1000,5000)[0,4000)"},
           Case{5, 2, 1, 1, "[1,6)[-1,4)[-3,2)"},
           Case{5, 2, -1, 1, "[1,6)[-1,4)[-3,2)"},
           Case{2, 5, 0, 1, "[0,2)"},
           Case{2, 5, 0, 3, ""},  // gaps between windows
           Case{5, 5, 0, -1, "[-5,0)"},
       }) {
    EXPECT_EQ(assigned(*make_sliding_windows(kEvent, c.size, c.slide, c.offset), c.timestamp),
              c.windows)
        << c.size << " " << c.slide << " " << c.offset << " " << c.timestamp;
  }
}

TEST(SlidingWindows, EndsOfTheRangeAreSafe) {
  // The start would lie below the range; what matters is that nothing wraps around.
  EXPECT_EQ(assigned(*make_sliding_windows(kEvent, 4, 4, 0), kMinTimestamp + 1), "");
  EXPECT_FALSE(assigned(*make_sliding_windows(kEvent, 10, 5, 0), kMaxTimestamp).empty());
}

TEST(SessionWindows, ReachFromTheRecordOverTheGap) {
  EXPECT_EQ(assigned(*make_session_windows(kEvent, 3000), 1000), "[1000,4000)");
  EXPECT_EQ(assigned(*make_session_windows(kProcessing, 3000), 1000, 50), "[50,3050)");
  EXPECT_TRUE(make_session_windows(kEvent, 1)->is_merging());
}

TEST(SessionWindows, DynamicGapSeesTheRecord) {
  const auto assigner =
      make_dynamic_session_windows(kEvent, gap_with([](const Value& v) { return v.as_int(); }));
  std::vector<Window> windows;
  assigner->assign(Value::integer(7), 100, 0, windows);
  EXPECT_EQ(windows[0], (Window{100, 107, {}}));
  EXPECT_THROW(assigner->assign(Value::integer(0), 100, 0, windows), Error);
}

TEST(GlobalWindows, AreOneWindow) {
  EXPECT_EQ(assigned(*make_global_windows(), 5), "[min,max)");
  EXPECT_FALSE(make_global_windows()->is_event_time());
}

TEST(Assigners, RefuseWrongParametersInUpstreamsTerms) {
  const auto message = [](auto make) -> std::string {
    try {
      make();
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::kInvalidArgument);
      return error.what();
    }
    return "no error";
  };
  const auto has = [&](auto make, const char* part) {
    EXPECT_NE(message(make).find(part), std::string::npos) << message(make);
  };
  has([] { make_tumbling_windows(kEvent, 0, 0); }, "TumblingEventTimeWindows parameters");
  has([] { make_tumbling_windows(kProcessing, 5, 5); }, "abs(offset) < size");
  has([] { make_tumbling_windows(kEvent, 5, -5); }, "abs(offset) < size");
  has([] { make_sliding_windows(kEvent, 0, 5, 0); }, "size > 0");
  has([] { make_sliding_windows(kEvent, 5, 2, 2); }, "abs(offset) < slide");
  has([] { make_sliding_windows(kEvent, 5, 0, 0); }, "SlidingEventTimeWindows");
  has([] { make_session_windows(kEvent, 0); }, "0 < size");
  has([] { make_count_tumbling_windows(0); }, "0 < size");
  has([] { make_count_sliding_windows(2, 0); }, "0 < slide");
}

TEST(EventTimeAssigners, ARecordWithoutTimestampIsAnErrorThatSaysWhatToDo) {
  try {
    assigned(*make_tumbling_windows(kEvent, 5, 0), kNoTimestamp);
    FAIL();
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("assign_timestamps_and_watermarks"),
              std::string::npos);
  }
}

TEST(MergeWindows, IntersectingAndTouchingOnesMerge) {
  const auto merge = [](std::vector<Window> windows) {
    std::string text;
    for (const auto& m : make_session_windows(kEvent, 1)->merge(std::move(windows))) {
      text += "[" + to_text(m.result.start) + "," + to_text(m.result.end) + ")x" +
              std::to_string(m.merged.size()) + " ";
    }
    return text;
  };
  EXPECT_EQ(merge({}), "");
  EXPECT_EQ(merge({{0, 5, {}}}), "");
  EXPECT_EQ(merge({{0, 5, {}}, {6, 9, {}}}), "");
  EXPECT_EQ(merge({{5, 9, {}}, {0, 5, {}}}), "[0,9)x2 ");
  EXPECT_EQ(merge({{0, 5, {}}, {10, 15, {}}, {4, 11, {}}}), "[0,15)x3 ");
  EXPECT_EQ(merge({{0, 5, {}}, {3, 7, {}}, {20, 25, {}}, {24, 30, {}}, {40, 41, {}}}),
            "[0,7)x2 [20,30)x2 ");
  EXPECT_EQ(merge({{0, 5, {}}, {0, 5, {}}}), "");
}

TEST(Saturating, StopsAtTheEnds) {
  EXPECT_EQ(saturating_add(kMaxTimestamp, 1), kMaxTimestamp);
  EXPECT_EQ(saturating_add(kMinTimestamp, -1), kMinTimestamp);
  EXPECT_EQ(saturating_subtract(kMinTimestamp, 1), kMinTimestamp);
  EXPECT_EQ(saturating_subtract(kMaxTimestamp, -1), kMaxTimestamp);
  EXPECT_EQ(saturating_add(1, 2), 3);
}

}  // namespace
}  // namespace flott::harness
