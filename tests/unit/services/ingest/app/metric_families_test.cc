#include "services/ingest/app/metric_families.h"

#include <gtest/gtest.h>

#include <set>

#include "tests/support/metric_checks.h"

namespace spillway::ingest {
namespace {

TEST(IngestFamiliesTest, ThePageIsCurrent) {
  EXPECT_EQ(test::CheckMetricsPage(SPILLWAY_SOURCE_DIR, "Ingest", IngestFamilies().all), "");
}

TEST(IngestFamiliesTest, NamesAreGoodAndGivenOnce) {
  const IngestFamilies families;
  const std::vector<std::string> names = families.all.Names();
  EXPECT_EQ(std::set<std::string>(names.begin(), names.end()).size(), names.size());
  for (const std::string& name : names) {
    EXPECT_TRUE(metrics::ValidName(name)) << name;
    EXPECT_TRUE(name.starts_with("spillway_") || name.starts_with("process_")) << name;
    EXPECT_FALSE(families.all.Find(name)->help().empty()) << name;
  }
}

}  // namespace
}  // namespace spillway::ingest
