// The load tool against a server in this process: what goes wrong there has to be found.
#include "tools/load/load_run.h"

#include <gmock/gmock.h>
#include <simdjson.h>
#include <unistd.h>

#include "tests/integration/load/raw_server.h"

namespace spillway::load {
namespace {

using ::testing::HasSubstr;

class LoadRunTest : public ::testing::Test {
 protected:
  LoadRunTest() {
    options_.clients.dialect = "raw";
    options_.clients.clients = 10;
    options_.clients.connect_rate = 0;
    options_.connect_timeout = 10;
    options_.warmup = 0.1;
    options_.seconds = 0.4;
    options_.silence = 3;
    options_.pids = {{"self", getpid()}};
    Streams("channel=c:{n},channels=5,per_client=2,via=socket,rate=200");
  }

  void Streams(std::string_view text) { options_.clients.streams = *ParseStreams(text); }

  // The run's report, parsed; it must have been possible.
  simdjson::dom::element Run(RawServer& server) {
    options_.clients.targets = {*ParseTarget(server.url())};
    const auto dialect = *MakeDialect(options_.clients.dialect);
    const auto state = *RunState::Create(options_.clients.workers, options_.clients.streams);
    LoadRun run(options_, *dialect, *state);
    const absl::StatusOr<JsonReport> report = run.Run();
    EXPECT_TRUE(report.ok()) << report.status();
    text_ = report.ok() ? report->text() : "{}";
    flawless_ = run.flawless();
    return parser_.parse(text_).value();
  }
  uint64_t Check(simdjson::dom::element report, std::string_view name) {
    return report["checks"][name].get_uint64().value();
  }

  RunOptions options_;
  simdjson::dom::parser parser_;
  std::string text_;
  bool flawless_ = false;
};

TEST_F(LoadRunTest, EverythingArrivesOnceAndInOrder) {
  RawServer server;
  const auto report = Run(server);
  EXPECT_TRUE(flawless_) << text_;
  EXPECT_EQ(Check(report, "expected"), 100u * 4);  // 0.5 s at 200/s, four subscribers each
  EXPECT_EQ(Check(report, "delivered"), 400u);
  EXPECT_EQ(report["publish"]["published"].get_uint64().value(), 100u);
  EXPECT_EQ(report["latency_us"]["all"]["count"].get_uint64().value(), 80u * 4);
  EXPECT_GT(report["latency_us"]["all"]["p50"].get_double().value(), 0);
  EXPECT_EQ(report["connect_us"]["count"].get_uint64().value(), 10u);
  EXPECT_GT(report["window"]["cpu_us_per_delivery"]["self"]["total"].get_double().value(), 0);
  EXPECT_GT(report["memory"]["self"]["pss_after"].get_uint64().value(), 0u);
}

TEST_F(LoadRunTest, WorkersShareTheClients) {
  options_.clients.workers = 3;
  RawServer server;
  EXPECT_EQ(Check(Run(server), "delivered"), 400u);
  EXPECT_TRUE(flawless_) << text_;
}

TEST_F(LoadRunTest, WhatIsMissingIsLost) {
  RawServer server([](uint64_t number) { return number == 7 || number == 100 ? 0 : 1; });
  const auto report = Run(server);
  EXPECT_EQ(Check(report, "lost"), 8u);
  EXPECT_EQ(Check(report, "lost_at_the_end"), 4u);
  EXPECT_EQ(Check(report, "delivered"), 392u);
  EXPECT_FALSE(flawless_);
}

TEST_F(LoadRunTest, WhatComesTwiceIsADuplicate) {
  RawServer server([](uint64_t number) { return number == 7 ? 2 : 1; });
  EXPECT_EQ(Check(Run(server), "duplicates"), 4u);
  EXPECT_FALSE(flawless_);
}

TEST_F(LoadRunTest, LostConnectionsAreCountedAndOpenedAgainIfAskedTo) {
  RawServer server;
  server.close_after = 20;
  Streams("channel=c,via=socket,rate=200");
  EXPECT_EQ(Check(Run(server), "connections_lost"), 10u);
  EXPECT_FALSE(flawless_);
  RawServer another;
  another.close_after = 20;
  options_.clients.reconnect = 0.05;
  const auto report = Run(another);
  EXPECT_EQ(Check(report, "connections_lost"), 10u);
  EXPECT_EQ(Check(report, "ready"), 10u);
}

TEST_F(LoadRunTest, ChurnClosesAndOpensAgain) {
  RawServer server;
  options_.clients.churn = 50;
  const auto report = Run(server);
  EXPECT_GT(Check(report, "reconnected_on_purpose"), 0u);
  EXPECT_EQ(Check(report, "ready"), 10u);
  EXPECT_EQ(Check(report, "lost"), 0u);
  EXPECT_EQ(Check(report, "connections_lost"), 0u);
}

TEST_F(LoadRunTest, SlowClientsReadLaterAndCountForThemselves) {
  RawServer server;
  options_.clients.slow_share = 0.2;
  options_.clients.slow_after = 0.1;
  options_.clients.slow_for = 0.3;
  const auto report = Run(server);
  EXPECT_TRUE(flawless_) << text_;
  EXPECT_EQ(report["latency_us"]["slow_clients"]["count"].get_uint64().value(), 80u * 4 / 5);
  EXPECT_GT(report["latency_us"]["slow_clients"]["max"].get_double().value(), 250'000);
  EXPECT_EQ(report["latency_us"]["all"]["count"].get_uint64().value(), 80u * 4 * 4 / 5);
}

TEST_F(LoadRunTest, StreamsAreMeasuredApart) {
  RawServer server;
  Streams(
      "name=a,channel=a,via=socket,rate=100;name=b,channel=b,via=socket,rate=50,burst=2,"
      "burst_at=0,burst_for=0.5");
  const auto report = Run(server);
  EXPECT_TRUE(flawless_) << text_;
  EXPECT_EQ(report["latency_us"]["a"]["count"].get_uint64().value(), 400u);
  EXPECT_EQ(report["publish"]["streams"]["b"]["published"].get_uint64().value(), 50u);
}

TEST_F(LoadRunTest, ClientsThatCannotConnectAreNotReady) {
  std::string url;
  {
    RawServer gone;
    url = gone.url();
  }
  RawServer server;
  Streams("");
  options_.clients.targets = {*ParseTarget(url)};
  const auto dialect = *MakeDialect("raw");
  const auto state = *RunState::Create(1, {});
  LoadRun run(options_, *dialect, *state);
  const absl::StatusOr<JsonReport> report = run.Run();
  ASSERT_TRUE(report.ok());
  EXPECT_FALSE(run.flawless());
  EXPECT_THAT(report->text(), HasSubstr("connect: Connection refused"));
}

}  // namespace
}  // namespace spillway::load
