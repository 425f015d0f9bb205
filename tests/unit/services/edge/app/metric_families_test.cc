#include "services/edge/app/metric_families.h"

#include <gmock/gmock.h>

#include "tests/support/metric_checks.h"

namespace spillway::edge {
namespace {

TEST(EdgeFamiliesTest, ThePageIsCurrent) {
  EXPECT_EQ(test::CheckMetricsPage(SPILLWAY_SOURCE_DIR, "Edge", EdgeFamilies().all), "");
}

TEST(EdgeFamiliesTest, NamesAreGoodAndGivenOnce) {
  EXPECT_THAT(test::BadFamilies(EdgeFamilies().all), testing::IsEmpty());
}

}  // namespace
}  // namespace spillway::edge
