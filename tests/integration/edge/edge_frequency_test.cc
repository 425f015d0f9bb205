// Update frequencies over sockets.

#include <gtest/gtest.h>

#include <string>

#include "tests/integration/edge/edge_fixture.h"
#include "tests/integration/edge/fake_ingest.h"

namespace spillway::test {
namespace {

using EdgeFrequencyTest = EdgeTest;

TEST_F(EdgeFrequencyTest, TheLatestOfEachKeyAndThenEverything) {
  FakeIngest ingest("ingest-1");
  // No turn of it comes by itself.
  StartEdge(ingest.address(), "  frequencies: {background: 1h}\n  checkpoint_interval: 1h\n");
  ASSERT_TRUE(WaitForReady("\"status\":\"ready\""));
  BeastClient high;
  BeastClient lane;
  Connect(high);
  Connect(lane);
  Subscribe(high, "price:all");
  lane.Send(R"({"type":"subscribe","channels":["price:all"],"frequency":"background"})");
  ASSERT_NE(lane.Receive().payload.find(R"("frequency":"background")"), std::string::npos);

  for (int i = 0; i < 10; ++i) {
    ingest.Publish("price:all", absl::StrCat("{\"n\":", i, "}"), i % 2 == 0 ? "BTC" : "ETH");
  }
  for (int i = 0; i < 10; ++i) {
    EXPECT_NE(Event(high).find(absl::StrCat("{\"n\":", i, "}")), std::string::npos);
  }
  // Counts are as of the last tick.
  const std::string all = R"(spillway_edge_lane_conflated_total{frequency="background"} 8)";
  std::string metrics;
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(10);
  while (metrics.find(all) == std::string::npos && std::chrono::steady_clock::now() < deadline) {
    metrics = Get(edge_->ops_port(), "/metrics");
  }
  EXPECT_NE(metrics.find(all), std::string::npos);
  EXPECT_NE(metrics.find("spillway_edge_lane_events 2\n"), std::string::npos);

  lane.Send(R"({"type":"update","id":2,"channels":["price:all"],"frequency":"high"})");
  EXPECT_NE(lane.Receive().payload.find("{\"n\":8}"), std::string::npos);
  EXPECT_NE(lane.Receive().payload.find("{\"n\":9}"), std::string::npos);
  EXPECT_EQ(lane.Receive().payload,
            R"({"type":"updated","id":2,"channel":"price:all","frequency":"high"})");
  ingest.Publish("price:all", "{\"n\":10}", "BTC");
  EXPECT_NE(lane.Receive().payload.find("{\"n\":10}"), std::string::npos);
}

TEST_F(EdgeFrequencyTest, ALaneIsSentAtItsTurn) {
  FakeIngest ingest("ingest-1");
  StartEdge(ingest.address(), "  frequencies: {normal: 100ms}\n");
  ASSERT_TRUE(WaitForReady("\"status\":\"ready\""));
  BeastClient client;
  Connect(client);
  client.Send(R"({"type":"subscribe","channels":["price:all"],"frequency":"normal"})");
  client.Receive();
  int last = -1;
  for (int i = 0; i < 200; ++i) {
    ingest.Publish("price:all", absl::StrCat(i), "BTC");
  }
  // However many turns they fell into: ascending, to the last.
  while (last < 199) {
    const std::string event = Event(client);
    const size_t at = event.find("\"data\":");
    ASSERT_NE(at, std::string::npos) << event;
    const int n = std::stoi(event.substr(at + 7));
    ASSERT_GT(n, last);
    last = n;
  }
}

}  // namespace
}  // namespace spillway::test
