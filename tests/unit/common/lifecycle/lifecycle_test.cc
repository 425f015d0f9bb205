#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <future>
#include <string>
#include <vector>

#include "common/lifecycle/readiness.h"
#include "common/lifecycle/shutdown.h"
#include "common/lifecycle/signals.h"
#include "tests/support/fake_clock.h"

namespace spillway::lifecycle {
namespace {

using std::chrono::milliseconds;
using testing::ElementsAre;
using testing::HasSubstr;
using Level = Readiness::Level;

TEST(ReadinessTest, IsReadyWhenEveryDependencyIs) {
  test::FakeClock clock;
  Readiness readiness(clock, {});
  EXPECT_TRUE(readiness.ready());
  readiness.Expect("kafka", "disconnected");
  EXPECT_FALSE(readiness.ready());
  EXPECT_EQ(
      readiness.Render().json,
      R"({"status":"not_ready","timestamp":"2026-01-01T00:00:00.000Z","kafka":"disconnected",)"
      R"("dependencies":{"kafka":"disconnected"},"details":{}})");
  readiness.Set("kafka", "connected", Level::kOk);
  EXPECT_TRUE(readiness.ready());
  readiness.Expect("kafka", "unknown");  // comes too late to change anything
  EXPECT_EQ(readiness.Render().json,
            R"({"status":"ready","timestamp":"2026-01-01T00:00:00.000Z","kafka":"connected",)"
            R"("dependencies":{"kafka":"connected"},"details":{}})");
  readiness.Set("kafka", "disconnected", Level::kFailed, "no broker \"answers\"");
  EXPECT_FALSE(readiness.ready());
  EXPECT_THAT(readiness.Render().json,
              HasSubstr(R"("details":{"kafka":"no broker \"answers\""}})"));
}

TEST(ReadinessTest, DegradedStaysReady) {
  test::FakeClock clock;
  Readiness readiness(clock, {});
  readiness.Set("ingest", "partial", Level::kDegraded, "ingest-2 is gone");
  const auto document = readiness.Render();
  EXPECT_TRUE(document.ready);
  EXPECT_THAT(document.json, HasSubstr(R"({"status":"degraded",)"));

  Readiness two_words(clock, {.report_degraded = false, .info = {}});
  two_words.Set("ingest", "partial", Level::kDegraded);
  EXPECT_THAT(two_words.Render().json, HasSubstr(R"({"status":"ready",)"));
}

TEST(ReadinessTest, DrainingIsNotReady) {
  test::FakeClock clock;
  Readiness readiness(clock, {});
  readiness.Set("kafka", "connected", Level::kOk);
  readiness.Drain();
  const auto document = readiness.Render();
  EXPECT_FALSE(document.ready);
  EXPECT_THAT(document.json, HasSubstr(R"("draining":true,"kafka":"connected")"));
}

TEST(ReadinessTest, NamesNeverRepeatAtTheTop) {
  test::FakeClock clock;
  Readiness readiness(clock, {.report_degraded = true, .info = {{"node", "n1"}, {"status", "x"}}});
  readiness.Set("node", "up", Level::kOk);
  readiness.Set("status", "odd", Level::kOk);
  EXPECT_EQ(readiness.Render().json,
            R"({"status":"ready","timestamp":"2026-01-01T00:00:00.000Z","node":"n1",)"
            R"("dependencies":{"node":"up","status":"odd"},"details":{}})");
}

TEST(ShutdownTest, RunsStepsInOrderWithWhatIsLeft) {
  test::FakeClock clock;
  Shutdown shutdown(clock);
  std::vector<std::string> calls;
  const auto step = [&](std::string name, milliseconds takes) {
    return [&calls, &clock, name, takes](milliseconds left) {
      calls.push_back(name + ":" + std::to_string(left.count()));
      clock.Advance(takes);
    };
  };
  shutdown.Add("a", step("a", milliseconds(100)), milliseconds(300));
  shutdown.Add("b", step("b", milliseconds(950)));
  shutdown.Add("c", step("c", milliseconds(0)));
  EXPECT_FALSE(shutdown.Run(milliseconds(1000)));
  EXPECT_THAT(calls, ElementsAre("a:300", "b:900", "c:0"));
  EXPECT_TRUE(shutdown.Run(milliseconds(1)));  // nothing twice
  EXPECT_EQ(calls.size(), 3u);
}

TEST(ShutdownTest, IsInTimeWhenTheDeadlineHolds) {
  test::FakeClock clock;
  Shutdown shutdown(clock);
  shutdown.Add("a", [&clock](milliseconds) { clock.Advance(milliseconds(10)); });
  EXPECT_TRUE(shutdown.Run(milliseconds(10)));
}

TEST(SignalsTest, TheFirstSignalIsOneCall) {
  for (const int number : {SIGTERM, SIGINT}) {
    std::promise<int> got;
    auto signals = Signals::Install([&got](int signal) { got.set_value(signal); });
    ASSERT_TRUE(signals.ok()) << signals.status();
    EXPECT_FALSE(Signals::Install([](int) {}).ok());
    raise(SIGPIPE);  // ignored
    raise(number);
    EXPECT_EQ(got.get_future().get(), number);
  }
}

TEST(SignalsTest, EndsWithoutASignal) {
  bool called = false;
  {
    auto signals = Signals::Install([&called](int) { called = true; });
  }
  EXPECT_FALSE(called);
}

TEST(SignalsDeathTest, ASecondSignalEndsTheProcessAtOnce) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_EXIT(
      {
        std::promise<void> never;
        auto signals = Signals::Install([&never](int) { never.get_future().wait(); });
        raise(SIGTERM);
        raise(SIGTERM);
      },
      testing::ExitedWithCode(143), "");
  EXPECT_EXIT(
      {
        auto signals = Signals::Install([](int) {});
        raise(SIGTERM);
        raise(SIGINT);
      },
      testing::ExitedWithCode(130), "");
}

}  // namespace
}  // namespace spillway::lifecycle
