// Rules of a whole edge as it is configured, and who tries to get around them over real sockets.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "tests/integration/edge/edge_fixture.h"
#include "tests/integration/edge/fake_ingest.h"
#include "tests/support/jwt_factory.h"

namespace spillway::test {
namespace {

using ::testing::HasSubstr;

class EdgeRulesTest : public EdgeTest {
 protected:
  static constexpr char kSecret[] = "a secret of at least thirty-two bytes";

  void Start() {
    const std::string auth = absl::StrCat("auth: {required: false, secret: '", kSecret,
                                          "', roles_claim: realm_access.roles}");
    endpoints_ = absl::StrCat("{path: /ws, ", auth, "}, {path: '/ws/trading/{user_id}', ", auth,
                              ", params: [{name: user_id, claim: sub}],"
                              " subscribe: ['price:{param.user_id}']}");
    channels_ =
        "{pattern: 'price:public', access: anyone},"
        "{pattern: 'price:ops', roles: [admin, super_admin]},"
        "{pattern: 'price:room-*', access: granted, patterns: true},"
        "{pattern: 'price:*', allow: 'price:{sub}', patterns: true}";
    StartEdge(ingest_.address());
    ASSERT_TRUE(WaitForReady("\"status\":\"ready\""));
  }
  using Claims = std::vector<std::pair<std::string, std::string>>;
  static std::string Token(const std::string& user, const Claims& claims = {}) {
    return UserToken(kSecret, user, 1'900'000'000, claims);
  }
  // Asks for the channel on a connection of its own: "subscribed", or the error's code.
  std::string Ask(const std::string& channel, const std::string& token) {
    BeastClient client;
    BeastClient::Options options;
    options.path = token.empty() ? "/ws" : "/ws?token=" + token;
    if (!client.Connect(port(), options)) return client.body();
    client.Receive();
    client.Send(absl::StrCat(R"({"type":"subscribe","channels":[")", channel, R"("]})"));
    const std::string answer = client.Receive().payload;
    if (answer.find(R"("type":"subscribed")") != std::string::npos) return "subscribed";
    const size_t at = answer.find("\"code\":\"");
    return at == std::string::npos ? answer
                                   : answer.substr(at + 8, answer.find('"', at + 8) - at - 8);
  }
  // The status line's number of an upgrade to this target, byte for byte.
  std::string StatusOf(const std::string& target, const std::string& headers = "") {
    const std::string answer = RawExchange(
        port(),
        absl::StrCat("GET ", target,
                     " HTTP/1.1\r\nHost: edge\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                     "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: "
                     "dGhlIHNhbXBsZSBub25jZQ==\r\n",
                     headers, "\r\n"));
    return answer.substr(0, answer.find('\r'));
  }
  uint16_t port() const { return static_cast<uint16_t>(edge_->public_port()); }

  FakeIngest ingest_{"ingest-1"};
};

TEST_F(EdgeRulesTest, EachToItsOwn) {
  Start();
  const std::string admin = R"({"roles":["user","admin"]})";
  EXPECT_EQ(Ask("price:public", ""), "subscribed");
  EXPECT_EQ(Ask("price:u1", ""), "not_allowed");
  EXPECT_EQ(Ask("price:u1", Token("u1")), "subscribed");
  EXPECT_EQ(Ask("price:u2", Token("u1")), "not_allowed");
  EXPECT_EQ(Ask("price:ops", Token("u1")), "not_allowed");
  EXPECT_EQ(Ask("price:ops", Token("ops")), "not_allowed");  // a name is no role
  EXPECT_EQ(Ask("price:ops", Token("u1", {{"realm_access", admin}})), "subscribed");
  EXPECT_EQ(Ask("price:u2", Token("u1", {{"realm_access", admin}})), "not_allowed");
  EXPECT_EQ(Ask("price:room-1", Token("u1", {{"channels", R"(["price:room-1"])"}})), "subscribed");
  EXPECT_EQ(Ask("price:room-2", Token("u1", {{"channels", R"(["price:room-1"])"}})), "not_allowed");
  EXPECT_EQ(Ask("price:u2", Token("u1", {{"channels", R"(["**"])"}})), "not_allowed");
  EXPECT_EQ(Ask("other", Token("u1", {{"channels", R"(["**"])"}})), "not_allowed");
  for (const char* name : {"price:*", "**", "price:u*", "price:u1*", "*:u2"}) {
    for (const char* sub : {"*", "u1"}) {
      EXPECT_EQ(Ask(name, Token(sub, {{"realm_access", admin}})), "pattern_not_allowed") << name;
    }
  }
  const Claims rooms = {{"channels", R"(["price:room-*"])"}};
  EXPECT_EQ(Ask("price:room-*", Token("u1", rooms)), "subscribed");
  EXPECT_EQ(Ask("price:room-1*", Token("u1", rooms)), "subscribed");
  EXPECT_EQ(Ask("price:r*", Token("u1", rooms)), "pattern_not_allowed");
  EXPECT_EQ(Ask("price:room-*", Token("u1")), "pattern_not_allowed");
  EXPECT_THAT(Ask("price:u1", Token("u1", {{"channels", "7"}})), HasSubstr("claim_invalid"));
}

TEST_F(EdgeRulesTest, ThePathIsTheTokens) {
  Start();
  BeastClient client;
  BeastClient::Options options;
  options.path = "/ws/trading/u1?token=" + Token("u1");
  ASSERT_TRUE(client.Connect(port(), options)) << client.body();
  client.Receive();
  EXPECT_THAT(client.Receive().payload, HasSubstr(R"("channel":"price:u1")"));
  ingest_.Publish("price:u2", "{}");
  ingest_.Publish("price:u1", "{\"mine\":1}");
  EXPECT_THAT(Event(client), HasSubstr("{\"mine\":1}"));

  const std::string token = "?token=" + Token("u1");
  for (const char* forbidden :
       {"/ws/trading/u2", "/ws/trading/%75%32", "/ws/trading/u1%20", "/ws/trading/U1",
        "/ws/trading/u1,u2", "/ws/trading/u1%00", "/ws/trading/.."}) {
    EXPECT_THAT(StatusOf(forbidden + token), HasSubstr(" 403 ")) << forbidden;
  }
  for (const char* nowhere : {"/ws/trading/u1/../u2", "/ws/trading/u1%2Fu2", "/ws/trading/", "//ws",
                              "/ws/trading/u1/", "/ws%00", "/ws;u2", "/ws/../ws/trading/u2"}) {
    EXPECT_THAT(StatusOf(nowhere + token), HasSubstr(" 404 ")) << nowhere;
  }
  // The path is what is checked and what is subscribed, whatever stands elsewhere.
  for (const std::string& more : {std::string("&user_id=u1"), "&user_id=u1&token=" + Token("u2")}) {
    EXPECT_THAT(StatusOf(absl::StrCat("/ws/trading/u2", token, more)), HasSubstr(" 403 ")) << more;
  }
  EXPECT_THAT(StatusOf("/ws/trading/u2" + token, "user_id: u1\r\nX-Original-URL: /ws\r\n"),
              HasSubstr(" 403 "));
  // Of two tokens the first counts, the query's before the header's, for everything.
  EXPECT_THAT(StatusOf("/ws/trading/u2" + token, "Authorization: Bearer " + Token("u2") + "\r\n"),
              HasSubstr(" 403 "));
  // No anonymous client comes to it by leaving the token out.
  EXPECT_THAT(StatusOf("/ws/trading/u1"), HasSubstr(" 403 "));
}

}  // namespace
}  // namespace spillway::test
