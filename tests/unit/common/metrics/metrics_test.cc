#include "common/metrics/metrics.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>

namespace spillway::metrics {
namespace {

using testing::HasSubstr;
using testing::Not;

class RegistryTest : public testing::Test {
 protected:
  Families families_;
  Registry registry_{families_};
};
using AliasTest = RegistryTest;
using ProcessMetricsTest = RegistryTest;

TEST_F(RegistryTest, ExportsTextByFamily) {
  Counter sent;
  sent.Add(3);
  AtomicCounter failed;
  failed.Add();
  Gauge open;
  open.Set(7);
  open.Add(-2);
  const Family& sent_total = families_.Counter("sent_total", "Messages sent.", {"worker"});
  const Handle a = registry_.Add(sent_total, {{"worker", "0"}}, &sent);
  const Handle b = registry_.Add(sent_total, {{"worker", "1"}}, [] { return 4.0; });
  const Handle c = registry_.Add(families_.Counter("failed_total", "Failures."), {}, &failed);
  const Handle d =
      registry_.Add(families_.Gauge("open", "Connections.", {"path"}), {{"path", "/a\"b"}}, &open);
  ASSERT_TRUE(registry_.status().ok());
  EXPECT_EQ(registry_.Scrape(),
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

TEST_F(RegistryTest, HistogramsOfThreadsAreAddedUp) {
  Histogram one({0.1, 1});
  Histogram two({0.1, 1});
  one.Observe(0.1);  // upper bounds are inclusive
  one.Observe(0.5);
  two.Observe(3, 2);
  const Handle handle = registry_.Add(families_.Histogram("latency_seconds", "Latency.", {"d"}),
                                      {{"d", "x"}}, {&one, &two});
  EXPECT_THAT(registry_.Scrape(), HasSubstr("latency_seconds_count{d=\"x\"} 4\n"
                                            "latency_seconds_sum{d=\"x\"} 6.6\n"
                                            "latency_seconds_bucket{d=\"x\",le=\"0.1\"} 1\n"
                                            "latency_seconds_bucket{d=\"x\",le=\"1\"} 2\n"
                                            "latency_seconds_bucket{d=\"x\",le=\"+Inf\"} 4\n"));
}

TEST_F(RegistryTest, AHandlesEndRemovesItsMetric) {
  const Family& gone = families_.Gauge("gone", "");
  Handle moved;
  {
    Handle handle = registry_.Add(gone, {}, [] { return 1.0; });
    moved = std::move(handle);
  }
  EXPECT_THAT(registry_.Scrape(), HasSubstr("gone 1\n"));
  moved.Reset();
  EXPECT_THAT(registry_.Scrape(), Not(HasSubstr("gone")));
  // The labels are free again.
  const Handle again = registry_.Add(gone, {}, [] { return 2.0; });
  EXPECT_TRUE(again);
  EXPECT_TRUE(registry_.status().ok());
}

TEST_F(RegistryTest, AHandleMayOutliveTheRegistry) {
  auto registry = std::make_unique<Registry>(families_);
  Handle handle = registry->Add(families_.Gauge("g", ""), {}, [] { return 1.0; });
  registry.reset();
  handle.Reset();
}

struct BadCase {
  const char* name;
  std::vector<std::string> declared;
  Labels labels;
  const char* why;
};

class BadFamilyTest : public testing::TestWithParam<BadCase> {};

TEST_P(BadFamilyTest, IsRefused) {
  Families families;
  Registry registry(families);
  const Family& family = families.Gauge(GetParam().name, "", GetParam().declared);
  EXPECT_FALSE(registry.Add(family, GetParam().labels, [] { return 1.0; }));
  EXPECT_THAT(std::string(registry.status().message()), HasSubstr(GetParam().why));
}

INSTANTIATE_TEST_SUITE_P(
    All, BadFamilyTest,
    testing::Values(BadCase{"", {}, {}, "has an invalid name"},
                    BadCase{"1a", {}, {}, "has an invalid name"},
                    BadCase{"a-b", {}, {}, "has an invalid name"},
                    BadCase{"a b", {}, {}, "has an invalid name"},
                    BadCase{"a", {"__x"}, {{"__x", "1"}}, "has an invalid label"},
                    BadCase{"a", {"x:y"}, {{"x:y", "1"}}, "has an invalid label"},
                    BadCase{"a", {""}, {{"", "1"}}, "has an invalid label"},
                    BadCase{"a", {"x"}, {{"x", "1"}, {"x", "2"}}, "has label 'x' twice"},
                    BadCase{"a", {}, {{"x", "1"}}, "other labels"},
                    BadCase{"a", {"x"}, {}, "other labels"},
                    BadCase{"a", {"x"}, {{"y", "1"}}, "other labels"}));

TEST_F(RegistryTest, RefusesWhatIsNotDeclared) {
  Families others;
  EXPECT_FALSE(registry_.Add(others.Gauge("g", ""), {}, [] { return 1.0; }));
  EXPECT_THAT(std::string(registry_.status().message()), HasSubstr("not declared"));
}

TEST_F(RegistryTest, RefusesAFamilyThatIsDeclaredTwice) {
  const Handle first = registry_.Add(families_.Gauge("g", ""), {}, [] { return 1.0; });
  EXPECT_TRUE(first);
  EXPECT_FALSE(registry_.Add(families_.Counter("g", ""), {}, [] { return 1.0; }));
  EXPECT_THAT(std::string(registry_.status().message()), HasSubstr("declared twice"));
}

TEST_F(RegistryTest, RefusesDuplicatesAndTypeConflicts) {
  const auto one = [] { return 1.0; };
  const Family& gauge = families_.Gauge("g", "", {"a", "b"});
  const Handle first = registry_.Add(gauge, {{"a", "1"}, {"b", "2"}}, one);
  EXPECT_FALSE(registry_.Add(gauge, {{"b", "2"}, {"a", "1"}}, one));
  EXPECT_THAT(std::string(registry_.status().message()), HasSubstr("registered twice"));
  Counter counter;
  AtomicCounter atomic;
  Gauge value;
  EXPECT_FALSE(registry_.Add(gauge, {{"a", "2"}, {"b", "2"}}, &counter));
  EXPECT_FALSE(registry_.Add(gauge, {{"a", "2"}, {"b", "2"}}, &atomic));
  EXPECT_FALSE(registry_.Add(families_.Counter("c", ""), {}, &value));
  const Handle other = registry_.Add(gauge, {{"a", "2"}, {"b", "2"}}, one);
  EXPECT_TRUE(other);
  const Family& histogram = families_.Histogram("h", "");
  Histogram unsorted({2, 1});
  EXPECT_FALSE(registry_.Add(histogram, {}, &unsorted));
  EXPECT_FALSE(registry_.Add(histogram, {}, one));
  Histogram good({1});
  EXPECT_FALSE(registry_.Add(gauge, {{"a", "3"}, {"b", "3"}}, &good));
  EXPECT_FALSE(registry_.Add(families_.Histogram("h2", "", {"le"}), {{"le", "1"}}, &good));
}

TEST_F(RegistryTest, CollectorsMakeSeriesWhenScraped) {
  const Family& lag = families_.Gauge("lag", "Lag.", {"topic"});
  const Family& histogram = families_.Histogram("h", "");
  Families others;
  const Family& undeclared = others.Counter("stray_total", "");
  int topics = 1;
  const Handle handle = registry_.AddCollector([&](Sink& sink) {
    for (int i = 0; i < topics; ++i) sink.Add(lag, {{"topic", "t" + std::to_string(i)}}, i);
    sink.Add(undeclared, {}, 1);
    sink.Add(histogram, {}, 1);
    sink.Add(lag, {}, 1);                 // without its label
    sink.Add(lag, {{"topic", "t0"}}, 9);  // is there
  });
  EXPECT_THAT(registry_.Scrape(),
              AllOf(HasSubstr("lag{topic=\"t0\"} 0\n"), Not(HasSubstr("t1")),
                    Not(HasSubstr("stray")), HasSubstr("spillway_metrics_rejected_total 4\n")));
  topics = 2;
  EXPECT_THAT(registry_.Scrape(), HasSubstr("lag{topic=\"t1\"} 1\n"));
}

TEST_F(RegistryTest, FamiliesAreListed) {
  families_.Gauge("b", "Second.", {"x", "y"});
  families_.Histogram("a", "First.");
  EXPECT_THAT(families_.Names(), testing::ElementsAre("a", "b", "spillway_metrics_rejected_total"));
  EXPECT_THAT(families_.Table(), testing::StartsWith("| Name | Type | Meaning |\n"
                                                     "| --- | --- | --- |\n"
                                                     "| `a` | histogram | First. |\n"
                                                     "| `b` | gauge | Second. By `x`, `y`. |\n"));
  EXPECT_EQ(families_.Find("a")->help(), "First.");
  EXPECT_EQ(families_.Find("c"), nullptr);
}

TEST_F(AliasTest, ExportsUnderFurtherNames) {
  Histogram histogram({1});
  histogram.Observe(0.5);
  const Family& conns = families_.Gauge("conns", "Ours.", {"w"});
  families_.Gauge("absent", "Without series.");
  const Handle a = registry_.Add(conns, {{"w", "0"}}, [] { return 2.0; });
  const Handle b = registry_.Add(conns, {{"w", "1"}}, [] { return 3.0; });
  const Handle c = registry_.Add(families_.Histogram("dur_seconds", "Durations."), {}, &histogram);
  ASSERT_TRUE(registry_
                  .SetAliases({{"conns",
                                {{"their_total", "Theirs.", std::vector<std::string>{}},
                                 {"same", "", std::nullopt}}},
                               {"dur_seconds", {{"their_seconds", "", std::nullopt}}},
                               {"absent", {{"never", "", std::nullopt}}}})
                  .ok());
  const std::string text = registry_.Scrape();
  EXPECT_THAT(text,
              HasSubstr("# HELP their_total Theirs.\n# TYPE their_total gauge\ntheir_total 5\n"));
  EXPECT_THAT(
      text, HasSubstr("# HELP same Ours.\n# TYPE same gauge\nsame{w=\"0\"} 2\nsame{w=\"1\"} 3\n"));
  EXPECT_THAT(text, HasSubstr("conns{w=\"0\"} 2\n"));
  EXPECT_THAT(text, HasSubstr("their_seconds_bucket{le=\"1\"} 1\n"));
  EXPECT_THAT(text, Not(HasSubstr("never")));
}

TEST_F(AliasTest, SumsByTheLabelsThatStay) {
  const Family& lag = families_.Gauge("lag", "", {"partition", "topic"});
  const Handle handle = registry_.AddCollector([&lag](Sink& sink) {
    sink.Add(lag, {{"partition", "0"}, {"topic", "a"}}, 1);
    sink.Add(lag, {{"partition", "1"}, {"topic", "a"}}, 2);
    sink.Add(lag, {{"partition", "0"}, {"topic", "b"}}, 4);
  });
  ASSERT_TRUE(
      registry_.SetAliases({{"lag", {{"topic_lag", "", std::vector<std::string>{"topic"}}}}}).ok());
  EXPECT_THAT(registry_.Scrape(),
              HasSubstr("topic_lag{topic=\"a\"} 3\ntopic_lag{topic=\"b\"} 4\n"));
}

TEST_F(AliasTest, SumsHistograms) {
  Histogram one({1, 2});
  Histogram two({1, 2});
  one.Observe(1);
  two.Observe(1.5);
  const Family& family = families_.Histogram("h", "", {"w"});
  const Handle a = registry_.Add(family, {{"w", "0"}}, &one);
  const Handle b = registry_.Add(family, {{"w", "1"}}, &two);
  ASSERT_TRUE(registry_.SetAliases({{"h", {{"all", "", std::vector<std::string>{}}}}}).ok());
  EXPECT_THAT(registry_.Scrape(), HasSubstr("all_count 2\nall_sum 2.5\nall_bucket{le=\"1\"} 1\n"
                                            "all_bucket{le=\"2\"} 2\nall_bucket{le=\"+Inf\"} 2\n"));
}

TEST_F(AliasTest, RefusesBadNamesAndKeepsTheOld) {
  families_.Gauge("h", "");
  const Handle handle = registry_.Add(families_.Gauge("g", ""), {}, [] { return 1.0; });
  ASSERT_TRUE(registry_.SetAliases({{"g", {{"old", "", std::nullopt}}}}).ok());
  EXPECT_FALSE(registry_.SetAliases({{"g", {{"a-b", "", std::nullopt}}}}).ok());
  EXPECT_FALSE(registry_.SetAliases({{"g", {{"x", "", {}}, {"x", "", {}}}}}).ok());
  EXPECT_FALSE(registry_.SetAliases({{"g", {{"h", "", {}}}}}).ok());
  EXPECT_EQ(registry_.SetAliases({{"gg", {{"x", "", {}}}}}).message(), "there is no metric 'gg'");
  EXPECT_THAT(registry_.Scrape(), HasSubstr("old 1\n"));
}

TEST_F(ProcessMetricsTest, ReadsProc) {
  const ProcessFamilies process(families_);
  const Handle handle = AddProcessMetrics(registry_, process);
  const std::string text = registry_.Scrape();
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
