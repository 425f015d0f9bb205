// Clients that stop reading, over real sockets: what they read later is all that was published, or
// told as a gap in its place.

#include <gtest/gtest.h>
#include <simdjson.h>

#include <map>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "tests/integration/edge/edge_fixture.h"
#include "tests/integration/edge/fake_ingest.h"

namespace spillway::test {
namespace {

constexpr char kLimits[] =
    "  admin: {listen: '127.0.0.1:0'}\n"
    "  limits: {outbox_bytes: 128KiB, outbox_messages: 400, tcp_notsent_lowat: 16KiB}\n";

class SlowClientTest : public EdgeTest {
 protected:
  struct Channel {
    std::vector<int64_t> published;
    std::map<std::string, int64_t> latest;  // by key
    std::set<int64_t> received;
    std::vector<std::pair<int64_t, int64_t>> gaps;
    int64_t at = -1;
  };

  void ConnectSlow(BeastClient& client) {
    BeastClient::Options options;
    options.path = "/ws";
    options.receive_buffer = 4096;
    ASSERT_TRUE(client.Connect(static_cast<uint16_t>(edge_->public_port()), options));
    ASSERT_TRUE(client.Receive().ok);
  }
  void Publish(const std::string& channel, const std::string& key = "") {
    const int64_t offset = static_cast<int64_t>(total_++);
    Channel& of = channels_of_[channel];
    of.published.push_back(offset);
    of.latest[key] = offset;
    ingest_.Publish(channel, payload_, key);
  }
  bool WaitForTaken() {
    const std::string all = absl::StrCat("spillway_edge_events_received_total ", total_, "\n");
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    while (std::chrono::steady_clock::now() < deadline) {
      if (Get(edge_->ops_port(), "/metrics").find(all) != std::string::npos) return true;
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    return false;
  }
  // Reads until the channel is at its last event.
  void ReadAll(BeastClient& client, const std::string& until) {
    simdjson::dom::parser parser;
    while (channels_of_[until].at < channels_of_[until].published.back()) {
      const ClientResult result = client.Receive();
      ASSERT_TRUE(result.ok) << result.close_code;
      const simdjson::dom::element message = parser.parse(result.payload);
      const std::string_view type = message["type"].get_string();
      if (type != "event" && type != "gap") continue;
      Channel& channel = channels_of_[std::string(message["channel"].get_string().value())];
      if (type == "gap") {
        EXPECT_EQ(message["reason"].get_string().value(), "slow");
        EXPECT_EQ(message["source"].get_string().value(), "prices/0@0");
        const int64_t from = message["from"].get_int64();
        const int64_t to = message["to"].get_int64();
        EXPECT_GT(from, channel.at) << result.payload;
        channel.gaps.emplace_back(from, to);
        channel.at = to;
      } else {
        const int64_t offset = message["offset"].get_int64();
        ASSERT_GT(offset, channel.at) << result.payload;
        channel.received.insert(offset);
        channel.at = offset;
      }
    }
  }
  void ExpectAllAccountedFor(const std::string& name) {
    const Channel& channel = channels_of_[name];
    for (const int64_t offset : channel.published) {
      bool told = false;
      for (const auto& [from, to] : channel.gaps) told |= offset >= from && offset <= to;
      EXPECT_NE(told, channel.received.contains(offset)) << name << " " << offset;
    }
  }

  FakeIngest ingest_{"ingest-1"};
  const std::string payload_ = "\"" + std::string(500, 'x') + "\"";
  std::map<std::string, Channel> channels_of_;
  int total_ = 0;
};

TEST_F(SlowClientTest, GetsEveryEventOrAGapInItsPlace) {
  channels_ =
      "{pattern: 'quote:*', access: anyone, slow: conflate},"
      "{pattern: 'oldest:*', access: anyone, slow: drop_oldest, priority: low},"
      "{pattern: 'newest:*', access: anyone, slow: drop_newest},"
      "{pattern: 'fill:*', access: anyone, priority: high}";
  StartEdge(ingest_.address(), kLimits);
  ASSERT_TRUE(WaitForReady("\"status\":\"ready\""));
  BeastClient client;
  ConnectSlow(client);
  BeastClient reader;
  Connect(reader);
  for (const char* channel : {"quote:a", "oldest:a", "newest:a", "fill:a"}) {
    Subscribe(client, channel);
    Subscribe(reader, channel);
    ASSERT_TRUE(ingest_.WaitForInterest(channel));
  }
  for (int i = 0; i < 2000; ++i) {
    Publish("quote:a", absl::StrCat("k", i % 20));
    Publish("oldest:a");
    Publish("newest:a");
    if (i % 40 == 0) Publish("fill:a");
    // One who reads is not concerned.
    const int events = i % 40 == 0 ? 4 : 3;
    for (int n = 0; n < events; ++n) ASSERT_NE(Event(reader).find("\"data\""), std::string::npos);
  }
  ASSERT_TRUE(WaitForTaken());
  const std::string metrics = Get(edge_->ops_port(), "/metrics");
  EXPECT_EQ(metrics.find("spillway_edge_slow_events_total{outcome=\"conflated\"} 0\n"),
            std::string::npos);
  EXPECT_NE(metrics.find("spillway_edge_slow_consumer_closes_total 0\n"), std::string::npos);
  // The last of all channels that comes.
  Publish("oldest:a");
  ASSERT_NO_FATAL_FAILURE(ReadAll(client, "oldest:a"));
  for (const char* channel : {"quote:a", "oldest:a", "newest:a", "fill:a"}) {
    ExpectAllAccountedFor(channel);
  }
  EXPECT_TRUE(channels_of_["fill:a"].gaps.empty());
  for (const char* channel : {"quote:a", "oldest:a", "newest:a"}) {
    EXPECT_FALSE(channels_of_[channel].gaps.empty()) << channel;
  }
  for (const auto& [key, offset] : channels_of_["quote:a"].latest) {
    EXPECT_TRUE(channels_of_["quote:a"].received.contains(offset)) << key;
  }
  // It is live again.
  Publish("quote:a", "k0");
  EXPECT_NE(Event(client).find("\"channel\":\"quote:a\""), std::string::npos);
}

TEST_F(SlowClientTest, IsDisconnectedWhereNothingMayBeLeftOut) {
  StartEdge(ingest_.address(), kLimits);
  ASSERT_TRUE(WaitForReady("\"status\":\"ready\""));
  BeastClient client;
  ConnectSlow(client);
  Subscribe(client, "fill:a");
  ASSERT_TRUE(ingest_.WaitForInterest("fill:a"));
  for (int i = 0; i < 2000; ++i) Publish("fill:a");
  ASSERT_TRUE(WaitForTaken());
  // What was sent is without a hole; then it is told why no more comes.
  int64_t next = 0;
  for (;;) {
    const ClientResult result = client.Receive();
    if (!result.ok) {
      EXPECT_EQ(result.close_code, 4008);
      break;
    }
    ASSERT_NE(result.payload.find(absl::StrCat("\"offset\":", next, ",")), std::string::npos);
    ++next;
  }
  EXPECT_GT(next, 10);
  EXPECT_LT(next, 2000);
}

TEST_F(SlowClientTest, IsDisconnectedWhenItTakesNothingForTooLong) {
  channels_ = "{pattern: '**', access: anyone, slow: drop_oldest}";
  StartEdge(ingest_.address(),
            "  admin: {listen: '127.0.0.1:0'}\n"
            "  limits: {outbox_bytes: 128KiB, tcp_notsent_lowat: 16KiB, write_timeout: 300ms}\n");
  ASSERT_TRUE(WaitForReady("\"status\":\"ready\""));
  BeastClient client;
  ConnectSlow(client);
  Subscribe(client, "a");
  ASSERT_TRUE(ingest_.WaitForInterest("a"));
  for (int i = 0; i < 1000; ++i) Publish("a");
  ASSERT_TRUE(WaitForTaken());
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  std::string metrics;
  while (metrics.find("spillway_edge_write_timeouts_total 1\n") == std::string::npos &&
         std::chrono::steady_clock::now() < deadline) {
    metrics = Get(edge_->ops_port(), "/metrics");
  }
  EXPECT_NE(metrics.find("spillway_edge_write_timeouts_total 1\n"), std::string::npos);
  ClientResult result;
  do {
    result = client.Receive();
  } while (result.ok);
  EXPECT_EQ(result.close_code, 4008);
}

}  // namespace
}  // namespace spillway::test
