// What `metrics.names` may say, with the exact lines that the operator sees.
#include "common/app/metric_names.h"

#include <gtest/gtest.h>

#include "common/config/loader.h"
#include "tests/unit/common/config/fake_environment.h"

namespace spillway::app {
namespace {

struct Case {
  const char* name;
  const char* names;  // lines below metrics.names, which stands in line 3
  const char* lines;  // empty: good
};

class MetricNamesTest : public testing::TestWithParam<Case> {};

TEST_P(MetricNamesTest, SaysExactly) {
  metrics::Families families;
  families.Gauge("spillway_connections", "");
  families.Counter("spillway_events_total", "");
  config::FakeEnvironment environment;
  environment.files["f.yaml"] = std::string("ingest:\n  metrics:\n    names:\n") + GetParam().names;
  config::Sources sources;
  sources.files = {"f.yaml"};
  const auto loaded = config::Load(sources, environment);
  ASSERT_TRUE(loaded.ok()) << loaded.status();
  const absl::Status status = CheckMetricNames(loaded->config.ingest().metrics(), families,
                                               "ingest.metrics.names", loaded->locations);
  EXPECT_EQ(std::string(status.message()), GetParam().lines);
  EXPECT_EQ(status.code(),
            *GetParam().lines == '\0' ? absl::StatusCode::kOk : absl::StatusCode::kInvalidArgument);
}

INSTANTIATE_TEST_SUITE_P(
    All, MetricNamesTest,
    testing::Values(
        Case{"None", "", ""},
        Case{"Good",
             "      spillway_connections: connections\n      spillway_events_total: e:x_1\n", ""},
        Case{"OfTheRegistryItself", "      spillway_metrics_rejected_total: rejected\n", ""},
        Case{"Misspelt", "      spillway_events_total: events\n      spillway_conections: c\n",
             "f.yaml:5: ingest.metrics.names.spillway_conections: there is no such metric; did you "
             "mean \"spillway_connections\"? --print-metrics lists all"},
        Case{"FarFromAll", "      cpu: c\n",
             "f.yaml:4: ingest.metrics.names.cpu: there is no such metric; --print-metrics lists "
             "all"},
        Case{"BadName", "      spillway_connections: open-connections\n",
             "f.yaml:4: ingest.metrics.names.spillway_connections: expected a metric name of "
             "letters, digits, _ and :, not beginning with a digit, found \"open-connections\""},
        Case{"AMetricsOwn", "      spillway_connections: spillway_events_total\n",
             "f.yaml:4: ingest.metrics.names.spillway_connections: expected a name of its own, "
             "found \"spillway_events_total\", which is a metric"},
        Case{"Twice", "      spillway_events_total: x\n      spillway_connections: x\n",
             "f.yaml:4: ingest.metrics.names.spillway_events_total: expected a name of its own, "
             "found \"x\", which is given to spillway_connections"},
        Case{"All", "      a: b\n      spillway_connections: 1\n",
             "f.yaml:4: ingest.metrics.names.a: there is no such metric; --print-metrics lists "
             "all\n"
             "f.yaml:5: ingest.metrics.names.spillway_connections: expected a metric name of "
             "letters, digits, _ and :, not beginning with a digit, found \"1\""}),
    [](const auto& info) { return std::string(info.param.name); });

}  // namespace
}  // namespace spillway::app
