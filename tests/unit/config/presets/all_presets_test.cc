// What every shipped preset has to hold, for both tiers.

#include <algorithm>
#include <filesystem>

#include "common/app/metric_names.h"
#include "services/edge/app/metric_families.h"
#include "services/ingest/app/metric_families.h"
#include "tests/unit/config/presets/preset_fixture.h"

namespace spillway {
namespace {

class AllPresetsTest : public PresetFixture, public testing::WithParamInterface<std::string> {
 protected:
  AllPresetsTest() { environment_.variables = {{"JWT_SECRET", "s"}, {"ADMIN_TOKEN", "t"}}; }

  // One that goes beside another has no endpoints and routes of its own.
  config::Loaded LoadIt(const std::string& section) {
    if (GetParam() == "websocket_rest")
      return Load(std::vector<std::string>{"assessment", GetParam()}, section);
    return Load(GetParam(), section);
  }
};

std::vector<std::string> Presets() {
  std::vector<std::string> names;
  for (const auto& file :
       std::filesystem::directory_iterator(std::string(SPILLWAY_SOURCE_DIR) + "/config/presets")) {
    names.push_back(file.path().stem().string());
  }
  std::sort(names.begin(), names.end());
  return names;
}

TEST_P(AllPresetsTest, NamesMetricsOfTheEdge) {
  const config::Loaded loaded = LoadIt("edge");
  EXPECT_EQ(app::CheckMetricNames(loaded.config.edge().metrics(), edge::EdgeFamilies().all,
                                  "edge.metrics.names", loaded.locations),
            absl::OkStatus());
}

TEST_P(AllPresetsTest, NamesMetricsOfTheIngest) {
  const config::Loaded loaded = LoadIt("ingest");
  EXPECT_EQ(app::CheckMetricNames(loaded.config.ingest().metrics(), ingest::IngestFamilies().all,
                                  "ingest.metrics.names", loaded.locations),
            absl::OkStatus());
}

INSTANTIATE_TEST_SUITE_P(All, AllPresetsTest, testing::ValuesIn(Presets()),
                         [](const auto& info) { return info.param; });

}  // namespace
}  // namespace spillway
