// A whole edge that asks an authentication service over HTTP.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <cstdlib>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/base/mutex.h"
#include "common/http/http_server.h"
#include "tests/integration/edge/edge_fixture.h"
#include "tests/integration/edge/fake_ingest.h"
#include "tests/support/jwt_factory.h"
#include "tests/support/raw_client.h"

namespace spillway::test {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

// The service, as the test says.
class Service {
 public:
  Service() {
    http::Routes routes;
    routes.AddAsync("/check",
                    [this](const http::Request& request, std::shared_ptr<http::Exchange> exchange) {
                      MutexLock lock(mutex_);
                      questions_.push_back(request.body);
                      credentials_.emplace_back(request.Header("authorization"));
                      changed_.NotifyAll();
                      if (hold_) {
                        held_.push_back(std::move(exchange));
                      } else {
                        exchange->Respond(response_);
                      }
                    },
                    {"POST"});
    auto server = http::HttpServer::Start({}, std::move(routes));
    EXPECT_TRUE(server.ok()) << server.status();
    server_ = *std::move(server);
  }

  std::string url() const { return absl::StrCat("http://127.0.0.1:", server_->port(), "/check"); }
  // From now on.
  void Say(int status, std::string body,
           std::vector<std::pair<std::string, std::string>> headers = {}) {
    MutexLock lock(mutex_);
    hold_ = false;
    response_.status = status;
    response_.body = std::move(body);
    response_.headers = std::move(headers);
  }
  void Hold() {
    MutexLock lock(mutex_);
    hold_ = true;
  }
  // Those that are held, as it is said now.
  void Release() {
    std::vector<std::shared_ptr<http::Exchange>> held;
    http::Response response;
    {
      MutexLock lock(mutex_);
      held.swap(held_);
      response = response_;
    }
    for (const auto& exchange : held) exchange->Respond(response);
  }
  void WaitForQuestions(size_t count) {
    MutexLock lock(mutex_);
    while (questions_.size() < count) changed_.Wait(mutex_);
  }
  std::vector<std::string> questions() {
    MutexLock lock(mutex_);
    return questions_;
  }
  std::vector<std::string> credentials() {
    MutexLock lock(mutex_);
    return credentials_;
  }

 private:
  Mutex mutex_;
  CondVar changed_;
  bool hold_ SPILLWAY_GUARDED_BY(mutex_) = false;
  http::Response response_ SPILLWAY_GUARDED_BY(mutex_);
  std::vector<std::shared_ptr<http::Exchange>> held_ SPILLWAY_GUARDED_BY(mutex_);
  std::vector<std::string> questions_ SPILLWAY_GUARDED_BY(mutex_);
  std::vector<std::string> credentials_ SPILLWAY_GUARDED_BY(mutex_);
  std::unique_ptr<http::HttpServer> server_;
};

class EdgeAuthServiceTest : public EdgeTest {
 protected:
  EdgeAuthServiceTest() {
    // NOLINTNEXTLINE(concurrency-mt-unsafe): the edge does not run yet
    setenv("no_proxy", "127.0.0.1", 1);
  }
  ~EdgeAuthServiceTest() override {
    if (edge_ != nullptr) edge_->Stop(std::chrono::seconds(5));  // before the service
  }

  // `more` of edge.auth_service.
  void Start(const std::string& more = "", const std::string& auth = "service: instead") {
    endpoints_ = absl::StrCat("{path: /ws, auth: {", auth, "}}");
    StartEdge(ingest_.address(),
              absl::StrCat("  auth_service: {url: '", service_.url(), "'", more, "}\n"));
  }
  // "connected as USER", or the status and code of the refusal.
  std::string ConnectWith(const std::string& token) {
    BeastClient client;
    return ConnectBy(client, token);
  }
  std::string ConnectBy(BeastClient& client, const std::string& token) {
    BeastClient::Options options;
    options.path = "/ws?token=" + token;
    if (!client.Connect(static_cast<uint16_t>(edge_->public_port()), options)) {
      const std::string& body = client.body();
      const size_t at = body.find("\"code\":\"") + 8;
      return absl::StrCat(client.status(), " ", body.substr(at, body.find('"', at) - at));
    }
    const std::string hello = client.Receive().payload;
    const size_t at = hello.find("\"user\":\"");
    return at == std::string::npos
               ? "connected"
               : "connected as " + hello.substr(at + 8, hello.find('"', at + 8) - at - 8);
  }
  // Until the metric is there.
  bool WaitForMetric(const std::string& line) {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    std::string metrics;
    while (std::chrono::steady_clock::now() < deadline) {
      metrics = Get(edge_->ops_port(), "/metrics");
      if (metrics.find(line) != std::string::npos) return true;
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
    ADD_FAILURE() << "no " << line << " in " << metrics;
    return false;
  }

  FakeIngest ingest_{"ingest-1"};
  Service service_;
};

TEST_F(EdgeAuthServiceTest, DecidesAboutTokensAndIsAskedOnce) {
  Start(", bearer_token: the-edge");
  service_.Say(200, R"({"allowed":true,"user":"u1","claims":{"roles":["x"]}})");
  EXPECT_EQ(ConnectWith("opaque"), "connected as u1");
  EXPECT_EQ(ConnectWith("opaque"), "connected as u1");
  ASSERT_EQ(service_.questions().size(), 1u);
  EXPECT_THAT(service_.questions()[0],
              HasSubstr(R"({"token":"opaque","path":"/ws","ip":"127.0.0.1")"));
  EXPECT_EQ(service_.credentials()[0], "Bearer the-edge");
  service_.Say(401, R"({"reason":"unknown"})");
  EXPECT_EQ(ConnectWith("other"), "401 auth_refused");
  service_.Say(200, R"({"allowed":false})");
  EXPECT_EQ(ConnectWith("third"), "403 auth_refused");
  const std::string metrics = Get(edge_->ops_port(), "/metrics");
  EXPECT_THAT(metrics, HasSubstr(R"(spillway_edge_auth_checks_total{outcome="allowed"} 1)"));
  EXPECT_THAT(metrics, HasSubstr(R"(spillway_edge_auth_checks_total{outcome="cached"} 1)"));
  EXPECT_THAT(metrics, HasSubstr(R"(spillway_edge_auth_checks_total{outcome="refused"} 2)"));
  EXPECT_THAT(metrics, HasSubstr("spillway_edge_auth_cache_entries 3"));
  EXPECT_THAT(metrics, HasSubstr("spillway_edge_auth_check_seconds_count 3"));
  EXPECT_THAT(metrics,
              HasSubstr(R"(spillway_edge_admissions_refused_total{reason="auth_service"} 2)"));
  EXPECT_THAT(Get(edge_->public_port(), "/ready"), Not(HasSubstr("auth")));
}

TEST_F(EdgeAuthServiceTest, WhatItSaysMayBeAnythingAndIsThenNoAnswer) {
  Start(", failures: 100, max_answer_bytes: 200");
  service_.Say(200, R"({"allowed":true,"reason":")" + std::string(1000, 'x') + "\"}");
  EXPECT_EQ(ConnectWith("a"), "503 auth_service_unavailable");
  service_.Say(200, "<html>");
  EXPECT_EQ(ConnectWith("a"), "503 auth_service_unavailable");
  service_.Say(307, "", {{"Location", service_.url()}});
  EXPECT_EQ(ConnectWith("a"), "503 auth_service_unavailable");
  service_.Say(500, R"({"allowed":true})");
  EXPECT_EQ(ConnectWith("a"), "503 auth_service_unavailable");
  EXPECT_EQ(service_.questions().size(), 4u);
  // Nothing of a token leaves its place.
  service_.Say(200, R"({"allowed":true})");
  EXPECT_EQ(ConnectWith("a%0d%0aX-Admin:%201"), "401 token_malformed");
  EXPECT_EQ(ConnectWith("a%22,%22user%22:%22root"), "connected");
  EXPECT_THAT(service_.questions().back(), HasSubstr(R"("token":"a\",\"user\":\"root")"));
}

TEST_F(EdgeAuthServiceTest, IsLeftAloneWhenItFailsAndAskedAgain) {
  Start(", failures: 2, pause: 200ms");
  service_.Say(500, "");
  EXPECT_EQ(ConnectWith("a"), "503 auth_service_unavailable");
  BeastClient refused;
  EXPECT_EQ(ConnectBy(refused, "a"), "503 auth_service_unavailable");
  EXPECT_NE(refused.response_header("Retry-After"), "");
  EXPECT_TRUE(WaitForMetric("spillway_edge_auth_breaker_openings_total 1"));
  service_.Say(200, R"({"allowed":true,"user":"u1"})");
  std::string result;
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  while (result != "connected as u1" && std::chrono::steady_clock::now() < deadline) {
    result = ConnectWith("a");
  }
  EXPECT_EQ(result, "connected as u1");
  EXPECT_TRUE(WaitForMetric("spillway_edge_auth_breaker 0"));
}

TEST_F(EdgeAuthServiceTest, OneThatIsTooSlowHasFailed) {
  Start(", timeout: 50ms");
  service_.Hold();
  EXPECT_EQ(ConnectWith("a"), "503 auth_service_unavailable");
  EXPECT_TRUE(WaitForMetric(R"(spillway_edge_auth_checks_total{outcome="failed"} 1)"));
  service_.Release();
}

// The client sends on at once: nothing of it is lost. Others are served meanwhile.
TEST_F(EdgeAuthServiceTest, WhoIsCheckedHoldsNobodyUp) {
  Start();
  service_.Hold();
  RawClient waits(static_cast<uint16_t>(edge_->public_port()));
  const std::string ping = R"({"type":"ping","id":7})";
  std::string frame = {'\x81', static_cast<char>(0x80 | ping.size()), 0, 0, 0, 0};
  frame += ping;
  waits.Send(
      "GET /ws?token=slow HTTP/1.1\r\nHost: edge\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
      "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n" +
      frame);
  service_.WaitForQuestions(1);
  service_.Say(200, R"({"allowed":true,"user":"u2"})");
  EXPECT_EQ(ConnectWith("b"), "connected as u2");
  service_.Release();
  EXPECT_THAT(waits.ReadUntil("\r\n\r\n"), HasSubstr("101 Switching"));
  EXPECT_THAT(waits.ReadUntil("\"id\":7"), HasSubstr("pong"));
}

TEST_F(EdgeAuthServiceTest, ClientsThatGoMeanwhileLeaveNothingBehind) {
  Start();
  service_.Hold();
  for (int i = 0; i < 3; ++i) {
    RawClient client(static_cast<uint16_t>(edge_->public_port()));
    client.Send(absl::StrCat(
        "GET /ws?token=t", i,
        " HTTP/1.1\r\nHost: edge\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"));
    service_.WaitForQuestions(static_cast<size_t>(i) + 1);
  }
  EXPECT_TRUE(WaitForMetric("spillway_edge_handshakes 0"));
  service_.Say(200, R"({"allowed":true,"user":"u1"})");
  service_.Release();
  EXPECT_TRUE(WaitForMetric("spillway_edge_auth_waiting 0"));
  EXPECT_TRUE(WaitForMetric("spillway_edge_connections 0"));
  EXPECT_EQ(ConnectWith("t1"), "connected as u1");
}

TEST_F(EdgeAuthServiceTest, TheEdgeEndsWhileClientsAreChecked) {
  Start(", timeout: 4s");
  service_.Hold();
  RawClient client(static_cast<uint16_t>(edge_->public_port()));
  client.Send(
      "GET /ws?token=t HTTP/1.1\r\nHost: edge\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
      "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n");
  service_.WaitForQuestions(1);
  EXPECT_TRUE(edge_->Stop(std::chrono::seconds(5)));
  edge_.reset();
  EXPECT_EQ(client.ReadAll(), "");
  service_.Release();
}

// By message, and beside keys.
TEST_F(EdgeAuthServiceTest, IsAskedAboutTheConnectMessageAndAboutRefresh) {
  const std::string secret = "a secret of at least thirty-two bytes";
  Start("", absl::StrCat("message: true, secret: '", secret, "'"));
  const auto token = [&](const std::string& user, int64_t life) {
    return UserToken(secret, user, ToUnixMillis(Clock::Real().WallNow()) / 1000 + life);
  };
  service_.Say(200, R"({"allowed":true})");
  BeastClient client;
  BeastClient::Options options;
  options.path = "/ws";
  ASSERT_TRUE(client.Connect(static_cast<uint16_t>(edge_->public_port()), options));
  ASSERT_TRUE(client.Send(R"({"type":"connect","token":")" + token("u1", 600) + "\"}"));
  ASSERT_TRUE(client.Send(R"({"type":"ping","id":1})"));
  EXPECT_THAT(client.Receive().payload, HasSubstr(R"("user":"u1")"));
  EXPECT_THAT(client.Receive().payload, HasSubstr("pong"));
  EXPECT_THAT(service_.questions()[0], HasSubstr(R"("user":"u1","path":"/ws")"));
  ASSERT_TRUE(client.Send(R"({"type":"refresh","id":2,"token":")" + token("u1", 700) + "\"}"));
  EXPECT_THAT(client.Receive().payload, HasSubstr(R"({"type":"refreshed","id":2)"));
  EXPECT_EQ(service_.questions().size(), 2u);
  service_.Say(403, "");
  ASSERT_TRUE(client.Send(R"({"type":"refresh","id":3,"token":")" + token("u1", 800) + "\"}"));
  EXPECT_THAT(client.Receive().payload, HasSubstr("auth_refused"));
  EXPECT_EQ(ConnectWith(token("u1", 900)), "403 auth_refused");
  EXPECT_EQ(ConnectWith("junk"), "401 token_malformed");
}

}  // namespace
}  // namespace spillway::test
