#include "common/metrics/metrics.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>

namespace spillway::metrics {
namespace {

using testing::HasSubstr;
using testing::Not;

TEST(RegistryTest, ExportsTextByFamily) {
  Registry registry;
  Counter sent;
  sent.Add(3);
  AtomicCounter failed;
  failed.Add();
  Gauge open;
  open.Set(7);
  open.Add(-2);
  const Handle a = registry.AddCounter("sent_total", "Messages sent.", {{"worker", "0"}}, &sent);
  const Handle b =
      registry.AddCounter("sent_total", "Messages sent.", {{"worker", "1"}}, [] { return 4.0; });
  const Handle c = registry.AddCounter("failed_total", "Failures.", {}, &failed);
  const Handle d = registry.AddGauge("open", "Connections.", {{"path", "/a\"b"}}, &open);
  ASSERT_TRUE(registry.status().ok());
  EXPECT_EQ(registry.Scrape(),
            "# HELP failed_total Failures.\n"
            "# TYPE failed_total counter\n"
            "failed_total 1\n"
            "# HELP open Connections.\n"
            "# TYPE open gauge\n"
            "open{path=\"/a\\\"b\"} 5\n"
            "# HELP sent_total Messages sent.\n"
            "# TYPE sent_total counter\n"
            "sent_total{worker=\"0\"} 3\n"
            "sent_total{worker=\"1\"} 4\n"
            "# HELP spillway_metrics_rejected_total Series left out of scrapes: a bad name, a type "
            "conflict or a duplicate.\n"
            "# TYPE spillway_metrics_rejected_total counter\n"
            "spillway_metrics_rejected_total 0\n");
}

TEST(RegistryTest, HistogramsOfThreadsAreAddedUp) {
  Registry registry;
  Histogram one({0.1, 1});
  Histogram two({0.1, 1});
  one.Observe(0.1);  // upper bounds are inclusive
  one.Observe(0.5);
  two.Observe(3, 2);
  const Handle handle =
      registry.AddHistogram("latency_seconds", "Latency.", {{"d", "x"}}, {&one, &two});
  EXPECT_THAT(registry.Scrape(), HasSubstr("latency_seconds_count{d=\"x\"} 4\n"
                                           "latency_seconds_sum{d=\"x\"} 6.6\n"
                                           "latency_seconds_bucket{d=\"x\",le=\"0.1\"} 1\n"
                                           "latency_seconds_bucket{d=\"x\",le=\"1\"} 2\n"
                                           "latency_seconds_bucket{d=\"x\",le=\"+Inf\"} 4\n"));
}

TEST(RegistryTest, AHandlesEndRemovesItsMetric) {
  Registry registry;
  Handle moved;
  {
    Handle handle = registry.AddGauge("gone", "", {}, [] { return 1.0; });
    moved = std::move(handle);
  }
  EXPECT_THAT(registry.Scrape(), HasSubstr("gone 1\n"));
  moved.Reset();
  EXPECT_THAT(registry.Scrape(), Not(HasSubstr("gone")));
  // The name is free again, for another type too.
  const Handle again = registry.AddCounter("gone", "", {}, [] { return 2.0; });
  EXPECT_TRUE(again);
  EXPECT_TRUE(registry.status().ok());
}

TEST(RegistryTest, AHandleMayOutliveTheRegistry) {
  auto registry = std::make_unique<Registry>();
  Handle handle = registry->AddGauge("g", "", {}, [] { return 1.0; });
  registry.reset();
  handle.Reset();
}

struct BadCase {
  const char* name;
  Labels labels;
};

class BadNameTest : public testing::TestWithParam<BadCase> {};

TEST_P(BadNameTest, IsRefused) {
  Registry registry;
  EXPECT_FALSE(registry.AddGauge(GetParam().name, "", GetParam().labels, [] { return 1.0; }));
  EXPECT_FALSE(registry.status().ok());
}

INSTANTIATE_TEST_SUITE_P(All, BadNameTest,
                         testing::Values(BadCase{"", {}}, BadCase{"1a", {}}, BadCase{"a-b", {}},
                                         BadCase{"a b", {}}, BadCase{"a", {{"__x", "1"}}},
                                         BadCase{"a", {{"x:y", "1"}}}, BadCase{"a", {{"", "1"}}},
                                         BadCase{"a", {{"x", "1"}, {"x", "2"}}}));

TEST(RegistryTest, RefusesDuplicatesAndTypeConflicts) {
  Registry registry;
  const auto one = [] { return 1.0; };
  const Handle first = registry.AddGauge("g", "", {{"a", "1"}, {"b", "2"}}, one);
  EXPECT_FALSE(registry.AddGauge("g", "", {{"b", "2"}, {"a", "1"}}, one));
  EXPECT_THAT(std::string(registry.status().message()), HasSubstr("registered twice"));
  EXPECT_FALSE(registry.AddCounter("g", "", {{"a", "2"}}, one));
  const Handle other = registry.AddGauge("g", "", {{"a", "2"}}, one);
  EXPECT_TRUE(other);
  Histogram unsorted({2, 1});
  EXPECT_FALSE(registry.AddHistogram("h", "", {}, &unsorted));
  Histogram good({1});
  EXPECT_FALSE(registry.AddHistogram("h", "", {{"le", "1"}}, &good));
}

TEST(RegistryTest, CollectorsMakeSeriesWhenScraped) {
  Registry registry;
  int topics = 1;
  const Handle handle = registry.AddCollector([&topics](Sink& sink) {
    for (int i = 0; i < topics; ++i) {
      sink.Gauge("lag", "Lag.", {{"topic", "t" + std::to_string(i)}}, i);
    }
    sink.Counter("bad name", "", {}, 1);
    sink.Counter("lag", "", {}, 1);               // is a gauge
    sink.Gauge("lag", "", {{"topic", "t0"}}, 9);  // is there
  });
  EXPECT_THAT(registry.Scrape(), AllOf(HasSubstr("lag{topic=\"t0\"} 0\n"), Not(HasSubstr("t1")),
                                       HasSubstr("spillway_metrics_rejected_total 3\n")));
  topics = 2;
  EXPECT_THAT(registry.Scrape(), HasSubstr("lag{topic=\"t1\"} 1\n"));
}

TEST(AliasTest, ExportsUnderFurtherNames) {
  Registry registry;
  Histogram histogram({1});
  histogram.Observe(0.5);
  const Handle a = registry.AddGauge("conns", "Ours.", {{"w", "0"}}, [] { return 2.0; });
  const Handle b = registry.AddGauge("conns", "Ours.", {{"w", "1"}}, [] { return 3.0; });
  const Handle c = registry.AddHistogram("dur_seconds", "Durations.", {}, &histogram);
  ASSERT_TRUE(registry
                  .SetAliases({{"conns",
                                {{"their_total", "Theirs.", std::vector<std::string>{}},
                                 {"same", "", std::nullopt}}},
                               {"dur_seconds", {{"their_seconds", "", std::nullopt}}},
                               {"absent", {{"never", "", std::nullopt}}}})
                  .ok());
  const std::string text = registry.Scrape();
  EXPECT_THAT(text,
              HasSubstr("# HELP their_total Theirs.\n# TYPE their_total gauge\ntheir_total 5\n"));
  EXPECT_THAT(
      text, HasSubstr("# HELP same Ours.\n# TYPE same gauge\nsame{w=\"0\"} 2\nsame{w=\"1\"} 3\n"));
  EXPECT_THAT(text, HasSubstr("conns{w=\"0\"} 2\n"));
  EXPECT_THAT(text, HasSubstr("their_seconds_bucket{le=\"1\"} 1\n"));
  EXPECT_THAT(text, Not(HasSubstr("never")));
}

TEST(AliasTest, SumsByTheLabelsThatStay) {
  Registry registry;
  const Handle handle = registry.AddCollector([](Sink& sink) {
    sink.Gauge("lag", "", {{"partition", "0"}, {"topic", "a"}}, 1);
    sink.Gauge("lag", "", {{"partition", "1"}, {"topic", "a"}}, 2);
    sink.Gauge("lag", "", {{"partition", "0"}, {"topic", "b"}}, 4);
  });
  ASSERT_TRUE(
      registry.SetAliases({{"lag", {{"topic_lag", "", std::vector<std::string>{"topic"}}}}}).ok());
  EXPECT_THAT(registry.Scrape(), HasSubstr("topic_lag{topic=\"a\"} 3\ntopic_lag{topic=\"b\"} 4\n"));
}

TEST(AliasTest, SumsHistograms) {
  Registry registry;
  Histogram one({1, 2});
  Histogram two({1, 2});
  one.Observe(1);
  two.Observe(1.5);
  const Handle a = registry.AddHistogram("h", "", {{"w", "0"}}, &one);
  const Handle b = registry.AddHistogram("h", "", {{"w", "1"}}, &two);
  ASSERT_TRUE(registry.SetAliases({{"h", {{"all", "", std::vector<std::string>{}}}}}).ok());
  EXPECT_THAT(registry.Scrape(), HasSubstr("all_count 2\nall_sum 2.5\nall_bucket{le=\"1\"} 1\n"
                                           "all_bucket{le=\"2\"} 2\nall_bucket{le=\"+Inf\"} 2\n"));
}

TEST(AliasTest, RefusesBadNamesAndKeepsTheOld) {
  Registry registry;
  const Handle handle = registry.AddGauge("g", "", {}, [] { return 1.0; });
  ASSERT_TRUE(registry.SetAliases({{"g", {{"old", "", std::nullopt}}}}).ok());
  EXPECT_FALSE(registry.SetAliases({{"g", {{"a-b", "", std::nullopt}}}}).ok());
  EXPECT_FALSE(registry.SetAliases({{"g", {{"x", "", {}}, {"x", "", {}}}}}).ok());
  EXPECT_FALSE(registry.SetAliases({{"g", {{"h", "", {}}}}, {"h", {{"i", "", {}}}}}).ok());
  EXPECT_THAT(registry.Scrape(), HasSubstr("old 1\n"));
}

TEST(AliasTest, AMetricWinsOverAnAlias) {
  Registry registry;
  const Handle a = registry.AddGauge("a", "", {}, [] { return 1.0; });
  const Handle b = registry.AddGauge("b", "", {}, [] { return 2.0; });
  ASSERT_TRUE(registry.SetAliases({{"a", {{"b", "", std::nullopt}}}}).ok());
  EXPECT_THAT(registry.Scrape(), AllOf(HasSubstr("b 2\n"), Not(HasSubstr("b 1\n"))));
}

TEST(ProcessMetricsTest, ReadsProc) {
  Registry registry;
  const Handle handle = AddProcessMetrics(registry);
  const std::string text = registry.Scrape();
  for (const char* name : {"process_cpu_seconds_total ", "process_resident_memory_bytes ",
                           "process_virtual_memory_bytes ", "process_open_fds ", "process_max_fds ",
                           "process_threads 1\n", "process_start_time_seconds "}) {
    EXPECT_THAT(text, HasSubstr(std::string("\n") + name));
  }
  EXPECT_THAT(text, Not(HasSubstr("process_resident_memory_bytes 0\n")));
  EXPECT_THAT(text, HasSubstr("spillway_metrics_rejected_total 0\n"));
}

}  // namespace
}  // namespace spillway::metrics
