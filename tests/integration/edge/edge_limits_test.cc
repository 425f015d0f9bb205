// Limits and doors of a whole edge, over real sockets.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <string>
#include <thread>
#include <vector>

#include "tests/integration/edge/edge_fixture.h"
#include "tests/integration/edge/fake_ingest.h"
#include "tests/support/jwt_factory.h"

namespace spillway::test {
namespace {

using ::testing::HasSubstr;

class EdgeLimitsTest : public EdgeTest {
 protected:
  static constexpr char kSecret[] = "a secret of at least thirty-two bytes";

  void Start(const std::string& limits) {
    StartEdge(ingest_.address(), absl::StrCat("  limits: {", limits, "}\n"));
    ASSERT_TRUE(WaitForReady("\"status\":\"ready\""));
  }
  uint16_t port() const { return static_cast<uint16_t>(edge_->public_port()); }

  static std::string Token(const std::string& user) {
    return UserToken(kSecret, user, 1'900'000'000);
  }
  // "101", or the status and the body of the refusal.
  std::string Try(const std::string& path, BeastClient::Options options = {}) {
    BeastClient client;
    options.path = path;
    if (client.Connect(port(), options)) return "101";
    retry_after_ = client.response_header("Retry-After");
    return absl::StrCat(client.status(), " ", client.body());
  }
  // Until the metric says so.
  bool WaitForMetric(const std::string& line) {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    while (Get(edge_->ops_port(), "/metrics").find(line + "\n") == std::string::npos) {
      if (std::chrono::steady_clock::now() > deadline) return false;
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
    }
    return true;
  }

  FakeIngest ingest_{"ingest-1"};
  std::string retry_after_;
};

// Those who are in are served while very many more knock than are let in.
TEST_F(EdgeLimitsTest, AConnectStormLeavesTheEstablishedServed) {
  Start("handshakes: {count: 1, per: 1h, burst: 21}");
  BeastClient inside;
  Connect(inside);
  Subscribe(inside, "price:BTC");

  constexpr int kThreads = 4;
  constexpr int kEach = 60;
  std::atomic<int> in{0};
  std::atomic<int> refused{0};
  std::atomic<int> other{0};
  std::vector<std::thread> storm;
  for (int t = 0; t < kThreads; ++t) {
    storm.emplace_back([&] {
      std::vector<std::unique_ptr<BeastClient>> kept;
      for (int i = 0; i < kEach; ++i) {
        auto client = std::make_unique<BeastClient>();
        BeastClient::Options options;
        options.path = "/ws";
        if (client->Connect(port(), options)) {
          ++in;
          kept.push_back(std::move(client));
          continue;
        }
        const std::string wait = client->response_header("Retry-After");
        const bool told = client->status() == 503 && wait >= "1" && wait <= "5" &&
                          client->body().find("\"too_many_handshakes\"") != std::string::npos;
        ++(told ? refused : other);
      }
    });
  }
  constexpr int kEvents = 300;
  for (int i = 0; i < kEvents; ++i) ingest_.Publish("price:BTC", absl::StrCat("{\"n\":", i, "}"));
  for (int i = 0; i < kEvents; ++i) {
    const std::string event = Event(inside);
    ASSERT_NE(event.find(absl::StrCat("{\"n\":", i, "}")), std::string::npos) << event;
  }
  for (std::thread& thread : storm) thread.join();
  EXPECT_EQ(in, 20);
  EXPECT_EQ(refused, kThreads * kEach - 20);
  EXPECT_EQ(other, 0);
  EXPECT_TRUE(WaitForMetric(absl::StrCat("spillway_edge_admissions_refused_total{reason=\"rate\"} ",
                                         kThreads * kEach - 20)));
}

TEST_F(EdgeLimitsTest, BadTokensBlockTheirAddress) {
  endpoints_ = absl::StrCat("{path: /ws, auth: {secret: '", kSecret, "'}}, ",
                            "{path: /open, auth: {required: false}}");
  Start("ip_failures: 3, ip_block_time: 1h");
  BeastClient inside;
  BeastClient::Options options;
  options.path = "/ws?token=" + Token("u1");
  ASSERT_TRUE(inside.Connect(port(), options));
  EXPECT_THAT(inside.Receive().payload, HasSubstr("connected"));
  for (int i = 0; i < 3; ++i) {
    EXPECT_THAT(
        Try("/ws?token=" + UserToken("another secret, as long as that one", "u1", 1'900'000'000)),
        HasSubstr("401 {\"error\":{\"code\":\"token_bad_signature\""));
  }
  EXPECT_THAT(Try("/ws?token=" + Token("u1")),
              HasSubstr("403 {\"error\":{\"code\":\"ip_blocked\""));
  EXPECT_GT(std::stoi(retry_after_), 3000);
  EXPECT_THAT(Try("/open"), HasSubstr("ip_blocked"));
  inside.Send(R"({"type":"ping"})");
  EXPECT_THAT(inside.Receive().payload, HasSubstr("pong"));
  EXPECT_TRUE(WaitForMetric("spillway_edge_ips_blocked 1"));
  EXPECT_TRUE(WaitForMetric("spillway_edge_ip_blocks_total 1"));
  EXPECT_TRUE(WaitForMetric("spillway_edge_admissions_refused_total{reason=\"blocked\"} 2"));
}

TEST_F(EdgeLimitsTest, ConnectionsOfAUserAndOfAnAddress) {
  endpoints_ = absl::StrCat("{path: /ws, auth: {required: false, secret: '", kSecret, "'}}");
  Start("connections_per_user: 1, connections_per_ip: 3");
  BeastClient clients[3];
  BeastClient::Options options;
  options.path = "/ws?token=" + Token("u1");
  ASSERT_TRUE(clients[0].Connect(port(), options));
  EXPECT_THAT(Try(options.path),
              HasSubstr("429 {\"error\":{\"code\":\"too_many_connections_of_user\""));
  EXPECT_EQ(retry_after_, "5");
  for (int i = 1; i < 3; ++i) Connect(clients[i]);
  EXPECT_THAT(Try("/ws"), HasSubstr("429 {\"error\":{\"code\":\"too_many_connections_of_ip\""));
  // A place is free again when the connection is gone.
  clients[0].Abandon();
  ASSERT_TRUE(WaitForMetric("spillway_edge_connections 2"));
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  std::string tried;
  do {
    tried = Try(options.path);
  } while (tried != "101" && std::chrono::steady_clock::now() < deadline);
  EXPECT_EQ(tried, "101");
}

// Limits by address are of the client behind a trusted proxy, and only there of what a header says.
TEST_F(EdgeLimitsTest, AddressesComeFromTrustedProxies) {
  StartEdge(ingest_.address(),
            "  trusted_proxies: [127.0.0.1]\n  limits: {connections_per_ip: 1}\n");
  ASSERT_TRUE(WaitForReady("\"status\":\"ready\""));
  const auto from = [](const std::string& ip) {
    return BeastClient::Options{.path = "/ws", .headers = {{"X-Forwarded-For", ip}}};
  };
  BeastClient first;
  ASSERT_TRUE(first.Connect(port(), from("203.0.113.7")));
  EXPECT_THAT(Try("/ws", from("203.0.113.7")), HasSubstr("too_many_connections_of_ip"));
  EXPECT_THAT(Try("/ws", from("198.51.100.9, 203.0.113.7")),
              HasSubstr("too_many_connections_of_ip"));
  EXPECT_EQ(Try("/ws", from("203.0.113.8")), "101");
}

TEST_F(EdgeLimitsTest, WhoSaysWhereItIsCannotHideFromLimits) {
  Start("connections_per_ip: 1");
  BeastClient first;
  Connect(first);
  for (int i = 0; i < 5; ++i) {
    EXPECT_THAT(Try("/ws", {.headers = {{"X-Forwarded-For", absl::StrCat("203.0.113.", i)},
                                        {"X-Real-IP", "1.1.1.1"}}}),
                HasSubstr("too_many_connections_of_ip"));
  }
}

TEST_F(EdgeLimitsTest, OnlyListedPagesMayConnect) {
  endpoints_ = "{path: /ws, auth: {required: false}, origins: ['https://*.example.com']}";
  Start("");
  EXPECT_EQ(Try("/ws"), "101");
  EXPECT_EQ(Try("/ws", {.headers = {{"Origin", "https://app.example.com"}}}), "101");
  EXPECT_THAT(Try("/ws", {.headers = {{"Origin", "https://example.com.evil"}}}),
              HasSubstr("403 {\"error\":{\"code\":\"origin_not_allowed\""));
  EXPECT_THAT(Try("/ws", {.headers = {{"Origin", "https://app.example.com"},
                                      {"Origin", "https://evil.example"}}}),
              HasSubstr("origin_not_allowed"));
}

}  // namespace
}  // namespace spillway::test
