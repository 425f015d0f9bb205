// Tokens on a whole edge, whose keys come from an address.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <cstdlib>
#include <memory>
#include <string>
#include <thread>

#include "absl/strings/str_cat.h"
#include "common/base/mutex.h"
#include "common/fetch/http_fetcher.h"
#include "common/http/http_server.h"
#include "tests/integration/edge/edge_fixture.h"
#include "tests/integration/edge/fake_ingest.h"
#include "tests/support/certificates.h"
#include "tests/support/jwt_factory.h"
#include "tests/support/signing_key.h"

namespace spillway::test {
namespace {

using ::testing::HasSubstr;
using Kind = SigningKey::Kind;

// Serves a key set that the test may replace.
class KeyServer {
 public:
  KeyServer() {
    http::Routes routes;
    routes.Add("/jwks", [this](const http::Request&) {
      MutexLock lock(mutex_);
      http::Response response;
      response.body = text_;
      if (text_.empty()) response.status = 503;
      return response;
    });
    auto server = http::HttpServer::Start({}, std::move(routes));
    EXPECT_TRUE(server.ok()) << server.status();
    server_ = *std::move(server);
  }
  // "": it is out of order.
  void Set(const std::string& text) {
    MutexLock lock(mutex_);
    text_ = text;
  }
  std::string url() const { return absl::StrCat("http://127.0.0.1:", server_->port(), "/jwks"); }

 private:
  Mutex mutex_;
  std::string text_ SPILLWAY_GUARDED_BY(mutex_);
  std::unique_ptr<http::HttpServer> server_;
};

class EdgeTokensTest : public EdgeTest {
 protected:
  EdgeTokensTest() {
    // NOLINTNEXTLINE(concurrency-mt-unsafe): the edge does not run yet
    setenv("no_proxy", "127.0.0.1", 1);
  }
  ~EdgeTokensTest() override {
    if (edge_ != nullptr) edge_->Stop(std::chrono::seconds(5));  // before the key server
  }

  void Start() {
    endpoints_ =
        absl::StrCat("{path: /ws, auth: {issuers: [{issuer: idp, audience: us, jwks_url: '",
                     keys_.url(), "', retry: 200ms, refresh: 1h}]}}");
    StartEdge(ingest_.address());
  }
  static std::string Claims() {
    const auto now = ToUnixMillis(Clock::Real().WallNow()) / 1000;
    return absl::StrCat(R"({"sub":"u1","iss":"idp","aud":["us"],"exp":)", now + 600, "}");
  }
  // "connected", or the status and code of the refusal.
  std::string ConnectWith(const std::string& token) {
    BeastClient client;
    BeastClient::Options options;
    options.path = "/ws?token=" + token;
    if (!client.Connect(static_cast<uint16_t>(edge_->public_port()), options)) {
      const std::string& body = client.body();
      const size_t at = body.find("\"code\":\"") + 8;
      return absl::StrCat(client.status(), " ", body.substr(at, body.find('"', at) - at));
    }
    EXPECT_THAT(client.Receive().payload, HasSubstr(R"("user":"u1")"));
    return "connected";
  }
  // Again, as a client would, until this is the result.
  bool Until(const std::string& token, const std::string& wanted) {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    std::string result;
    while (std::chrono::steady_clock::now() < deadline) {
      result = ConnectWith(token);
      if (result == wanted) return true;
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    ADD_FAILURE() << result << " in place of " << wanted;
    return false;
  }

  FakeIngest ingest_{"ingest-1"};
  KeyServer keys_;
};

TEST_F(EdgeTokensTest, KeysByAddressAndTheirRotation) {
  const SigningKey first(Kind::kRsa);
  const SigningKey second(Kind::kRsa);
  keys_.Set(KeySetOf({first.Jwk("first", R"(,"alg":"RS256","use":"sig")")}));
  Start();
  ASSERT_TRUE(WaitForReady("\"keys\":\"loaded\""));
  EXPECT_EQ(ConnectWith(first.Token("RS256", Claims(), "first")), "connected");
  EXPECT_EQ(ConnectWith(first.Token("PS256", Claims(), "first")), "401 token_bad_signature");

  // The issuer takes a second key into use, then gives the first one up. What asks for keys anew is
  // a name that is not known.
  const std::string by_first = first.Token("RS256", Claims(), "first");
  const std::string by_second = second.Token("RS256", Claims(), "second");
  keys_.Set(KeySetOf({first.Jwk("first"), second.Jwk("second")}));
  ASSERT_TRUE(Until(by_second, "connected"));
  EXPECT_EQ(ConnectWith(by_first), "connected");
  keys_.Set(KeySetOf({second.Jwk("second")}));
  ASSERT_TRUE(Until(second.Token("RS256", Claims(), "third"), "503 token_keys_unavailable"));
  ASSERT_TRUE(Until(by_first, "401 token_bad_signature"));
  EXPECT_EQ(ConnectWith(by_second), "connected");

  // Its address is down: who has a known key comes in all the same.
  keys_.Set("");
  ASSERT_TRUE(Until(second.Token("RS256", Claims(), "fourth"), "503 token_keys_unavailable"));
  ASSERT_TRUE(WaitForReady("\"keys\":\"stale\""));
  EXPECT_EQ(ConnectWith(by_second), "connected");
  const std::string metrics = Get(edge_->ops_port(), "/metrics");
  EXPECT_THAT(metrics, HasSubstr(R"(spillway_edge_tokens_total{outcome="accepted"})"));
  EXPECT_THAT(metrics,
              HasSubstr(R"(spillway_edge_tokens_total{outcome="token_keys_unavailable"})"));
  EXPECT_THAT(metrics, HasSubstr("spillway_edge_token_keys 1\n"));
  EXPECT_THAT(metrics, HasSubstr(R"(spillway_edge_token_key_loads_total{outcome="failed"})"));
}

TEST_F(EdgeTokensTest, WithoutKeysClientsAreToldToComeAgain) {
  const SigningKey key(Kind::kEd25519);
  Start();
  ASSERT_TRUE(WaitForReady("\"keys\":\"1 missing\""));
  const std::string token = key.Token("EdDSA", Claims(), "a");
  EXPECT_EQ(ConnectWith(token), "503 token_keys_unavailable");
  EXPECT_EQ(ConnectWith("junk"), "401 token_malformed");
  keys_.Set(KeySetOf({key.Jwk("a")}));
  ASSERT_TRUE(Until(token, "connected"));
  ASSERT_TRUE(WaitForReady("\"status\":\"ready\""));
}

// Every place of a token, and its whole life, of clients that share no code with the edge.
TEST_F(EdgeTokensTest, TokensComeAreRefreshedAndEnd) {
  const std::string secret = "a secret of at least thirty-two bytes";
  endpoints_ = absl::StrCat("{path: /ws, auth: {message: true, leeway: 0s, secret: '", secret,
                            "', expiry_warning: 1h}}");
  StartEdge(ingest_.address());
  ASSERT_TRUE(WaitForReady("\"status\":\"ready\""));
  const auto token = [&](const std::string& user, int64_t life) {
    return UserToken(secret, user, ToUnixMillis(Clock::Real().WallNow()) / 1000 + life);
  };
  const auto connect = [&](BeastClient& client, const std::string& subprotocol) {
    BeastClient::Options options;
    options.path = "/ws";
    options.subprotocol = subprotocol;
    return client.Connect(static_cast<uint16_t>(edge_->public_port()), options);
  };

  BeastClient browser;
  ASSERT_TRUE(connect(browser, "json.v1, bearer." + token("u1", 7200)));
  EXPECT_EQ(browser.response_header("Sec-WebSocket-Protocol"), "json.v1");
  EXPECT_THAT(browser.Receive().payload, HasSubstr(R"("user":"u1")"));

  BeastClient late;
  ASSERT_TRUE(connect(late, ""));
  ASSERT_TRUE(late.Send(R"({"type":"connect","token":")" + token("u2", 60) + "\"}"));
  EXPECT_THAT(late.Receive().payload, HasSubstr(R"("user":"u2")"));
  EXPECT_THAT(late.Receive().payload, HasSubstr("expiring"));
  Subscribe(late, "price:BTC");
  ASSERT_TRUE(late.Send(R"({"type":"refresh","id":1,"token":")" + token("u1", 60) + "\"}"));
  EXPECT_THAT(late.Receive().payload, HasSubstr("token_other_user"));
  ASSERT_TRUE(late.Send(R"({"type":"refresh","id":2,"token":")" + token("u2", 4) + "\"}"));
  EXPECT_THAT(late.Receive().payload, HasSubstr(R"({"type":"refreshed","id":2,)"));
  EXPECT_THAT(late.Receive().payload, HasSubstr("expiring"));
  ingest_.Publish("price:BTC", "1");
  EXPECT_THAT(Event(late), HasSubstr("price:BTC"));
  ClientResult last;
  do {
    last = late.Receive();
  } while (last.ok);
  EXPECT_EQ(last.close_code, 4002);

  BeastClient stranger;
  ASSERT_TRUE(connect(stranger, ""));
  ASSERT_TRUE(stranger.Send(R"({"type":"subscribe","channels":["price:BTC"]})"));
  EXPECT_THAT(stranger.Receive().payload, HasSubstr("connect_first"));
  EXPECT_EQ(stranger.Receive().close_code, 4001);
}

// Our own listener is the TLS server here.
TEST_F(EdgeTokensTest, CertificatesOfAddressesAreChecked) {
  const Certificates own(dir_.path());
  StartEdge(ingest_.address(), absl::StrCat("  tls: {cert_file: '", own.server_cert(),
                                            "', key_file: '", own.server_key(), "'}\n"));
  fetch::HttpFetcher fetcher;
  const auto get = [&](const std::string& host, const std::string& ca) {
    return fetcher.Get(absl::StrCat("https://", host, ":", edge_->public_port(), "/health"),
                       {.ca_file = ca});
  };
  EXPECT_TRUE(get("127.0.0.1", own.ca()).ok()) << get("127.0.0.1", own.ca()).status();
  EXPECT_THAT(std::string(get("127.0.0.1", "").status().message()), HasSubstr("certificate"));
  TempDir elsewhere;
  const Certificates other(elsewhere.path(), {.authority = "another authority"});
  EXPECT_FALSE(get("127.0.0.1", other.ca()).ok());
  EXPECT_FALSE(get("127.0.0.2", own.ca()).ok());  // not the certificate's name
}

}  // namespace
}  // namespace spillway::test
