// A session's token: its end, and the one that takes its place.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "services/edge/session/session.h"
#include "tests/unit/services/edge/session/session_fixture.h"

namespace spillway::edge {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

constexpr int kLeeway = 30;  // the fixture's verifier's

class SessionTokenTest : public SessionTest {
 protected:
  static EndpointOptions WithTokens() {
    EndpointOptions options;
    options.heartbeat.interval = options.heartbeat.timeout = milliseconds(0);
    options.auth.expiry_warning = seconds(10);
    return options;
  }
  // Of u1, for so many seconds from now on.
  std::string For(int64_t life, const std::vector<std::pair<std::string, std::string>>& more = {},
                  const char* user = "u1") {
    return test::UserToken(kSecret, user, Seconds() + life, more);
  }
  int64_t Seconds() const { return ToUnixMillis(clock_.WallNow()) / 1000; }
  Client With(const std::string& token) { return Connect(RequestOf({{"token", token}})); }
  static std::string Refresh(const std::string& token) {
    return R"({"type":"refresh","id":7,"token":")" + token + "\"}";
  }
};

TEST_F(SessionTokenTest, EndsWithTheToken) {
  Build(WithTokens());
  Client client = With(For(60));
  EXPECT_THAT(client.TakeOne(), HasSubstr(R"("time":1767225600000,"expires":1767225660000})"));
  Pass(milliseconds(49'900));
  EXPECT_THAT(client.Take(), IsEmpty());
  Pass(milliseconds(200));
  EXPECT_EQ(client.TakeOne(), R"({"type":"expiring","expires":1767225660000})");
  Pass(seconds(10 + kLeeway - 1));
  EXPECT_FALSE(client.transport->closed);
  Pass(seconds(1));
  EXPECT_TRUE(client.transport->closed);
  EXPECT_EQ(client.transport->close_code, 4002);
  EXPECT_THAT(client.Take(), IsEmpty());
  EXPECT_EQ(counters_.token_expiries.Value(), 1u);
  EXPECT_EQ(wheel_.size(), 0u);
}

TEST_F(SessionTokenTest, WithHeartbeatsToo) {
  EndpointOptions options = WithTokens();
  options.heartbeat.interval = seconds(30);
  Build(options);
  Client client = With(For(75));
  client.Take();
  Pass(seconds(70));
  const auto sent = client.Take();
  ASSERT_THAT(sent, SizeIs(3));  // two pings
  EXPECT_THAT(sent[2], HasSubstr("expiring"));
  Pass(seconds(5 + kLeeway + 1));
  EXPECT_EQ(client.transport->close_code, 4002);
}

TEST_F(SessionTokenTest, MayOutliveTheToken) {
  EndpointOptions options = WithTokens();
  options.auth.end_at_expiry = false;
  Build(options);
  Client client = With(For(60));
  EXPECT_THAT(client.TakeOne(), ::testing::Not(HasSubstr("expires")));
  Pass(seconds(120));
  EXPECT_FALSE(client.transport->closed);
  EXPECT_THAT(client.Take(), IsEmpty());
  EXPECT_EQ(wheel_.size(), 0u);
}

TEST_F(SessionTokenTest, ATokenWithoutEndNeverEnds) {
  Build(WithTokens());
  Client forever = With(test::SignedToken(kSecret, R"({"sub":"u1"})"));
  Client nearly = With(test::SignedToken(kSecret, R"({"sub":"u1","exp":1e18})"));
  EXPECT_THAT(forever.TakeOne(), ::testing::Not(HasSubstr("expires")));
  EXPECT_EQ(wheel_.size(), 0u);
}

TEST_F(SessionTokenTest, TheWallClockMayBeSet) {
  Build(WithTokens());
  Client client = With(For(100'000));
  client.Take();
  clock_.ShiftWall(seconds(200'000));
  Pass(seconds(3'601));
  EXPECT_EQ(client.transport->close_code, 4002);
}

TEST_F(SessionTokenTest, IsRefreshed) {
  Build(WithTokens());
  Client client = With(For(60));
  Pass(seconds(55));
  client.Take();
  client.Says(Refresh(For(60)));
  EXPECT_EQ(client.TakeOne(), R"({"type":"refreshed","id":7,"expires":1767225715000})");
  Pass(seconds(44));
  EXPECT_THAT(client.Take(), IsEmpty());
  Pass(seconds(7));
  EXPECT_EQ(client.TakeOne(), R"({"type":"expiring","expires":1767225715000})");
  client.Says(Refresh(test::SignedToken(kSecret, R"({"sub":"u1"})")));
  EXPECT_EQ(client.TakeOne(), R"({"type":"refreshed","id":7})");
  Pass(seconds(3600));
  EXPECT_FALSE(client.transport->closed);
  EXPECT_EQ(counters_.tokens_refreshed.Value(), 2u);
  EXPECT_EQ(counters_.tokens[0].Value(), 3u);
}

TEST_F(SessionTokenTest, WhatRefreshRefuses) {
  Build(WithTokens());
  Client client = With(For(60));
  client.Take();
  const auto refused = [&](const std::string& token, const std::string& code) {
    client.Says(Refresh(token));
    const std::string answer = client.TakeOne();
    EXPECT_THAT(answer, HasSubstr(R"({"type":"error","id":7,"code":")" + code + "\""));
    EXPECT_THAT(answer, ::testing::Not(HasSubstr(token)));
  };
  refused("junk", "token_malformed");
  refused(For(-60), "token_expired");
  refused(test::UserToken("another secret", "u1", Seconds() + 60), "token_bad_signature");
  refused(For(60, {}, "u2"), "token_other_user");
  client.Says(R"({"type":"refresh","id":7})");
  EXPECT_THAT(client.TakeOne(), HasSubstr("missing_field"));
  client.Says(R"({"type":"refresh","token":1})");
  EXPECT_THAT(client.TakeOne(), HasSubstr("bad_message"));
  client.Says(R"({"type":"refresh","token":"a","token":"b"})");
  EXPECT_THAT(client.TakeOne(), HasSubstr("bad_message"));
  client.Says(R"({"type":"refresh","token":"a","more":1})");
  EXPECT_THAT(client.TakeOne(), HasSubstr("unknown_key"));
  // The old one counts.
  Pass(seconds(60 + kLeeway));
  EXPECT_EQ(client.transport->close_code, 4002);
  // Who keeps trying is closed.
  Client guesser = With(For(60));
  for (int i = 0; i < 16; ++i) guesser.Says(Refresh("junk"));
  EXPECT_EQ(guesser.transport->close_code, 4004);
}

TEST_F(SessionTokenTest, TheIssuerStaysTheSame) {
  const auto keys = [](const char* secret) {
    return std::make_shared<auth::KeySource>(
        *auth::KeySet::FromSecrets({secret}, auth::AlgorithmSet::All()));
  };
  verifier_ = *auth::JwtVerifier::Create(
      {.secrets = {},
       .issuer = {},
       .audience = {},
       .issuers = {{"one", "", keys("1")}, {"two", "", keys("2")}, {"one", "", keys("3")}}},
      clock_);
  Build(WithTokens());
  const auto by = [&](const char* secret, const char* issuer) {
    return test::UserToken(secret, "u1", Seconds() + 60, {{"iss", issuer}});
  };
  Client client = With(by("1", "\"one\""));
  client.Take();
  client.Says(Refresh(by("2", "\"two\"")));
  EXPECT_THAT(client.TakeOne(), HasSubstr("token_other_user"));
  client.Says(Refresh(by("3", "\"one\"")));  // with its next key
  EXPECT_THAT(client.TakeOne(), HasSubstr("refreshed"));
}

TEST_F(SessionTokenTest, AnonymousClientsCannotBecomeSomebody) {
  Build(Open());
  Client client = Connect();
  client.Says(Refresh(For(60)));
  EXPECT_THAT(client.TakeOne(), HasSubstr("token_other_user"));
}

TEST_F(SessionTokenTest, SubscriptionsAreCheckedAgain) {
  EndpointOptions options = WithTokens();
  options.subscribe = {"room:{claim.room}"};
  Build(options, {{.pattern = "room:*", .access = ChannelAccess::kServer, .allow = {}},
                  {.pattern = "team:*", .allow = "team:{claim.team}"}});
  OfferNoSlots();
  const auto token = [&](const char* room, const char* team) {
    return For(60, {{"room", room}, {"team", team}});
  };
  Client client = With(token("[\"a\",\"b\"]", "\"x\""));
  client.Says(R"({"type":"subscribe","channels":["team:x","open"]})");
  client.Take();
  EXPECT_THAT(client.session->Channels(), ElementsAre("open", "room:a", "room:b", "team:x"));

  client.Says(Refresh(token("\"b\"", "\"y\"")));
  const auto sent = client.Take();
  ASSERT_THAT(sent, SizeIs(5));
  EXPECT_THAT(sent[0], HasSubstr("refreshed"));
  EXPECT_THAT(sent[1], HasSubstr(R"({"type":"error","code":"no_longer_allowed")"));
  EXPECT_THAT(sent[1], HasSubstr(R"("channel":"room:a"})"));
  EXPECT_EQ(sent[2], R"({"type":"unsubscribed","channel":"room:a"})");
  EXPECT_THAT(sent[3], HasSubstr("team:x"));
  EXPECT_EQ(sent[4], R"({"type":"unsubscribed","channel":"team:x"})");
  EXPECT_THAT(client.session->Channels(), ElementsAre("open", "room:b"));
  client.Says(R"({"type":"subscribe","channels":["team:y"]})");
  client.Says(R"({"type":"subscribe","channels":["team:x"]})");
  EXPECT_THAT(client.session->Channels(), ElementsAre("open", "room:b", "team:y"));
}

TEST_F(SessionTokenTest, ParametersAreCheckedAgain) {
  EndpointOptions options = WithTokens();
  options.params = {{.name = "id", .required = true, .claim = "ids"}};
  options.subscribe = {"thing:{param.id}"};
  options.commands = false;
  Build(options, {{.pattern = "thing:*", .access = ChannelAccess::kServer, .allow = {}}});
  Client client = Connect(RequestOf({{"token", For(60, {{"ids", "[\"1\"]"}})}, {"id", "1"}}));
  client.Take();
  client.Says(Refresh(For(60, {{"ids", "[\"2\"]"}})));
  EXPECT_THAT(client.TakeOne(), HasSubstr("param_not_allowed"));
  client.Says(Refresh(For(60, {{"ids", "[\"2\",\"1\"]"}})));
  EXPECT_THAT(client.TakeOne(), HasSubstr("refreshed"));
  EXPECT_THAT(client.session->Channels(), ElementsAre("thing:1"));
}

}  // namespace
}  // namespace spillway::edge
