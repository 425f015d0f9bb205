#include "services/ingest/app/metric_families.h"

#include <gmock/gmock.h>

#include "tests/support/metric_checks.h"

namespace spillway::ingest {
namespace {

TEST(IngestFamiliesTest, ThePageIsCurrent) {
  EXPECT_EQ(test::CheckMetricsPage(SPILLWAY_SOURCE_DIR, "Ingest", IngestFamilies().all), "");
}

TEST(IngestFamiliesTest, NamesAreGoodAndGivenOnce) {
  EXPECT_THAT(test::BadFamilies(IngestFamilies().all), testing::IsEmpty());
}

}  // namespace
}  // namespace spillway::ingest
