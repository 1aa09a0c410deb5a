#include "connectors/watermark_alignment.h"

#include <gtest/gtest.h>

namespace flott {
namespace {

TEST(WatermarkAlignment, WhoIsTooFarAheadOfTheSlowestWaits) {
  WatermarkAlignment group(10, 1);
  const int slow = group.join();
  const int quick = group.join();
  group.report(slow, 100);
  group.report(quick, 110);
  EXPECT_FALSE(group.is_ahead(110));
  group.report(quick, 111);
  EXPECT_TRUE(group.is_ahead(111));
  EXPECT_FALSE(group.is_ahead(100));
  group.report(slow, 105);
  EXPECT_FALSE(group.is_ahead(111));
}

TEST(WatermarkAlignment, WhoIsIdleEndedOrWithoutWatermarkHoldsNobodyBack) {
  WatermarkAlignment group(10, 1);
  const int slow = group.join();
  const int quick = group.join();
  group.report(quick, 1000);
  EXPECT_FALSE(group.is_ahead(1000));
  group.report(slow, kMinWatermark);
  EXPECT_FALSE(group.is_ahead(1000));
  group.report(slow, 1);
  EXPECT_TRUE(group.is_ahead(1000));
  group.leave(slow);
  EXPECT_FALSE(group.is_ahead(1000));
}

}  // namespace
}  // namespace flott
