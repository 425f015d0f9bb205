// What a node bounds by user, address and time: at the door, and on a connection.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/services/edge/session/denials.h"
#include "tests/unit/services/edge/session/session_fixture.h"

namespace spillway::edge {
namespace {

using std::chrono::minutes;
using std::chrono::seconds;
using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

class LimitsTest : public SessionTest {
 protected:
  void Limit(ConnectionLimits::Options options, EndpointOptions endpoint,
             std::vector<ChannelRule> rules = {}) {
    options.users.channel_rates = 0;
    for (const ChannelRule& rule : rules) {
      options.users.channel_rates += rule.subscribes.limits() ? 1 : 0;
    }
    limits_ = std::make_unique<ConnectionLimits>(options, clock_);
    Build(std::move(endpoint), std::move(rules));
  }
  http::Request From(std::string ip, std::string token) {
    return RequestOf({{"token", std::move(token)}}, "/ws", std::move(ip));
  }
  Client ConnectAs(std::string_view user) {
    Client client = Connect(From("10.0.0.1", Token(user)));
    client.Take();
    return client;
  }
  // "" if there is none.
  std::string RetryAfterOf(const http::Request& request) {
    const UpgradeDecision decision = acceptor_->OnUpgrade(request, 0);
    if (!decision.refusal.has_value()) return "let in";
    for (const auto& [name, value] : decision.refusal->headers) {
      if (name == "Retry-After") return value;
    }
    return "";
  }
};

TEST_F(LimitsTest, ConnectionsOfAUser) {
  Limit({.users = {.connections = 2}}, EndpointOptions());
  Client first = ConnectAs("u1");
  Client second = ConnectAs("u1");
  EXPECT_EQ(RefusalOf(From("10.0.0.9", Token("u1"))), "429 too_many_connections_of_user");
  EXPECT_EQ(RetryAfterOf(From("10.0.0.9", Token("u1"))), "5");
  EXPECT_EQ(RefusalOf(From("10.0.0.9", Token("u2"))), "");
  EXPECT_EQ(counters_.refused_user.Value(), 2u);
  EXPECT_EQ(gate_.count(), 2);  // the refused hold no place
  second.session->OnClosed(1000, "");
  EXPECT_EQ(RefusalOf(From("10.0.0.9", Token("u1"))), "");
}

// Pings would each make a pong, and neither is a message that could be refused.
TEST_F(LimitsTest, ControlFramesAreMessagesOfTheirConnection) {
  Denials denials;
  context_.events = &denials;
  context_.limits.messages = Rate::Of(1, seconds(1), 3);
  context_.limits.max_bad_messages = 4;
  Limit({.users = {.messages = Rate::Of(1, minutes(1), 1)}}, EndpointOptions());
  Client client = ConnectAs("u1");
  EXPECT_TRUE(client.session->OnPing());
  client.session->OnPong();
  EXPECT_TRUE(client.session->OnPing());
  EXPECT_FALSE(client.session->OnPing());
  Pass(seconds(1));
  EXPECT_TRUE(client.session->OnPing());
  EXPECT_EQ(counters_.user_rate_limited.Value(), 0u) << "libraries send them by themselves";
  client.session->OnPong();
  client.session->OnPong();
  EXPECT_FALSE(client.transport->closed);
  EXPECT_FALSE(client.session->OnPing());
  EXPECT_EQ(client.transport->close_code, 4004);
  EXPECT_EQ(counters_.rate_limited.Value(), 4u);
  EXPECT_THAT(denials.all, ElementsAre("u1 misuse_closed bad_command "));
  EXPECT_THAT(client.Take(), IsEmpty());
  EXPECT_FALSE(client.session->OnPing()) << "it is closing";
}

TEST_F(LimitsTest, ConnectionsOfAnAddress) {
  Limit({.ips = {.connections = 1}}, Open());
  Client first = Connect(RequestOf({}, "/ws", "10.0.0.1"));
  EXPECT_EQ(RefusalOf(RequestOf({}, "/ws", "10.0.0.1")), "429 too_many_connections_of_ip");
  EXPECT_EQ(RefusalOf(RequestOf({}, "/ws", "10.0.0.2")), "");
  EXPECT_EQ(counters_.refused_ip.Value(), 1u);
  EXPECT_EQ(gate_.count(), 1);
  first.session.reset();
  EXPECT_EQ(RefusalOf(RequestOf({}, "/ws", "10.0.0.1")), "");
  EXPECT_EQ(gate_.count(), 0);
}

TEST_F(LimitsTest, AConnectionThatIsRefusedLaterHoldsNoPlaceOfItsAddress) {
  Limit({.ips = {.connections = 1}}, EndpointOptions());
  for (int i = 0; i < 5; ++i) {
    EXPECT_EQ(RefusalOf(From("10.0.0.1", "junk")), "401 token_malformed");
  }
  EXPECT_EQ(RefusalOf(From("10.0.0.1", Token("u1"))), "");
}

TEST_F(LimitsTest, HandshakesBeforeTokensAreLookedAt) {
  Limit({.handshakes = Rate::Of(10, seconds(1), 3)}, EndpointOptions());
  for (int i = 0; i < 3; ++i) EXPECT_EQ(RefusalOf(From("10.0.0.1", "x")), "401 token_malformed");
  EXPECT_EQ(RefusalOf(From("10.0.0.1", Token("u1"))), "503 too_many_handshakes");
  const int wait = std::stoi(RetryAfterOf(From("10.0.0.2", Token("u1"))));
  EXPECT_GE(wait, 1);
  EXPECT_LE(wait, 5);
  EXPECT_EQ(counters_.refused_rate.Value(), 2u);
  Pass(std::chrono::milliseconds(100));
  EXPECT_EQ(RefusalOf(From("10.0.0.1", Token("u1"))), "");
  EXPECT_EQ(RefusalOf(From("10.0.0.1", Token("u1"))), "503 too_many_handshakes");
}

TEST_F(LimitsTest, ThoseWhoAreRefusedTooOftenAreBlocked) {
  Limit({.ips = {.failures = 3, .window = seconds(60), .block = minutes(10)}}, EndpointOptions());
  Client inside = Connect(From("10.0.0.1", Token("u1")));
  for (int i = 0; i < 3; ++i) EXPECT_EQ(RefusalOf(From("10.0.0.1", "x")), "401 token_malformed");
  EXPECT_EQ(RefusalOf(From("10.0.0.1", Token("u1"))), "403 ip_blocked");
  EXPECT_EQ(RetryAfterOf(From("10.0.0.1", Token("u1"))), "600");
  EXPECT_EQ(RefusalOf(From("10.0.0.2", Token("u1"))), "");
  EXPECT_EQ(RefusalOf(RequestOf({}, "/none", "10.0.0.1")), "403 ip_blocked");
  EXPECT_EQ(counters_.refused_blocked.Value(), 3u);
  EXPECT_FALSE(inside.transport->closed);  // who is in stays in
  Pass(minutes(10));
  EXPECT_EQ(RefusalOf(From("10.0.0.1", Token("u1"))), "");
}

TEST_F(LimitsTest, WhatIsNoAttemptAtAnothersDoesNotBlock) {
  Limit({.handshakes = Rate::Of(1'000, seconds(1), 12), .ips = {.failures = 1}}, EndpointOptions());
  const int64_t now = ToUnixMillis(clock_.WallNow()) / 1000;
  const auto expired = test::UserToken(kSecret, "u1", now - 3600);
  const auto early =
      test::UserToken(kSecret, "u1", now + 3600, {{"nbf", std::to_string(now + 600)}});
  for (int i = 0; i < 5; ++i) {
    EXPECT_EQ(RefusalOf(From("10.0.0.1", expired)), "401 token_expired");
    EXPECT_EQ(RefusalOf(From("10.0.0.1", early)), "401 token_not_yet_valid");
    EXPECT_EQ(RefusalOf(RequestOf({}, "/none")), "404 unknown_endpoint");
  }
  EXPECT_EQ(RefusalOf(From("10.0.0.1", Token("u1"))), "");
  EXPECT_EQ(RefusalOf(From("10.0.0.1", Token("u1"))), "");
  EXPECT_EQ(RefusalOf(From("10.0.0.1", Token("u1"))), "503 too_many_handshakes");
  Pass(seconds(1));
  EXPECT_EQ(RefusalOf(From("10.0.0.1", "")), "401 token_missing");
  EXPECT_EQ(RefusalOf(From("10.0.0.1", Token("u1"))), "403 ip_blocked");
}

TEST_F(LimitsTest, PagesOfOtherOrigins) {
  EndpointOptions options = Open();
  options.origins = {"https://app.example.com"};
  Limit({.ips = {.failures = 2}}, options);
  http::Request request = RequestOf({});
  EXPECT_EQ(RefusalOf(request), "");
  request.headers = {{"origin", "https://app.example.com"}};
  EXPECT_EQ(RefusalOf(request), "");
  request.headers = {{"origin", "https://evil.example"}};
  EXPECT_EQ(RefusalOf(request), "403 origin_not_allowed");
  EXPECT_EQ(RefusalOf(request), "403 origin_not_allowed");
  EXPECT_EQ(RefusalOf(request), "403 origin_not_allowed");
  EXPECT_EQ(counters_.refused_origin.Value(), 3u);
  // A page could have the user blocked in whose browser it is.
  EXPECT_EQ(RefusalOf(RequestOf({})), "");
}

TEST_F(LimitsTest, MessagesOfAUserOverAllItsConnections) {
  Limit({.users = {.messages = Rate::Of(10, seconds(1), 4)}}, Open());
  Client first = ConnectAs("u1");
  Client second = ConnectAs("u1");
  Client other = ConnectAs("u2");
  for (int i = 0; i < 2; ++i) {
    first.Says(R"({"type":"ping"})");
    second.Says(R"({"type":"ping"})");
    EXPECT_THAT(first.TakeOne(), HasSubstr("\"pong\""));
    EXPECT_THAT(second.TakeOne(), HasSubstr("\"pong\""));
  }
  first.Says(R"({"type":"ping"})");
  EXPECT_THAT(first.TakeOne(), HasSubstr(R"("code":"rate_limited")"));
  EXPECT_EQ(counters_.rate_limited.Value(), 1u);
  EXPECT_EQ(counters_.user_rate_limited.Value(), 1u);
  other.Says(R"({"type":"ping"})");
  EXPECT_THAT(other.TakeOne(), HasSubstr("\"pong\""));
  Pass(std::chrono::milliseconds(100));
  second.Says(R"({"type":"ping"})");
  EXPECT_THAT(second.TakeOne(), HasSubstr("\"pong\""));
}

TEST_F(LimitsTest, SubscribesOfAUserAllowedOrNot) {
  OfferNoSlots();
  Limit({.users = {.subscribes = Rate::Of(1, seconds(1), 3)}}, Open(),
        {{.pattern = "secret:**", .access = ChannelAccess::kServer}});
  Client first = ConnectAs("u1");
  Client second = ConnectAs("u1");
  first.Says(R"({"type":"subscribe","channels":["a","secret:b"]})");
  const auto answers = first.Take();
  ASSERT_THAT(answers, SizeIs(2));
  EXPECT_THAT(answers[0], HasSubstr(R"("type":"subscribed")"));
  EXPECT_THAT(answers[1], HasSubstr(R"("code":"not_allowed")"));
  second.Says(R"({"type":"subscribe","id":5,"channels":["a","b","c"]})");
  const auto more = second.Take();
  ASSERT_THAT(more, SizeIs(3));
  EXPECT_THAT(more[0], HasSubstr(R"("type":"subscribed")"));
  EXPECT_THAT(more[1], HasSubstr(R"("id":5,"code":"subscribe_rate_limited")"));
  EXPECT_THAT(more[2], HasSubstr(R"("channel":"c")"));
  EXPECT_EQ(counters_.subscribes_limited_user.Value(), 2u);
  EXPECT_FALSE(second.transport->closed);
  EXPECT_EQ(counters_.bad_messages.Value(), 0u);
  Pass(seconds(1));
  second.Says(R"({"type":"subscribe","channels":["c"]})");
  EXPECT_THAT(second.TakeOne(), HasSubstr(R"("type":"subscribed")"));
}

TEST_F(LimitsTest, SubscribesByTheChannelsRule) {
  OfferNoSlots();
  Limit({}, Open(),
        {{.pattern = "free:*", .access = ChannelAccess::kAnyone},
         {.pattern = "rare:*",
          .access = ChannelAccess::kAnyone,
          .subscribes = Rate::Of(1, seconds(10), 1)},
         {.pattern = "some:*",
          .access = ChannelAccess::kAnyone,
          .subscribes = Rate::Of(1, seconds(10), 2)}});
  Client first = ConnectAs("u1");
  first.Says(R"({"type":"subscribe","channels":["free:1","free:2","free:3","rare:1","some:1"]})");
  EXPECT_THAT(first.Take(), Each(HasSubstr("subscribed")));
  first.Says(R"({"type":"subscribe","channels":["rare:2"]})");
  EXPECT_THAT(first.TakeOne(), HasSubstr("subscribe_rate_limited"));
  first.Says(R"({"type":"subscribe","channels":["some:2"]})");
  EXPECT_THAT(first.TakeOne(), HasSubstr("\"subscribed\""));
  // Another connection of the user shares the rate, another user and one without a name do not.
  Client second = ConnectAs("u1");
  second.Says(R"({"type":"subscribe","channels":["rare:1"]})");
  EXPECT_THAT(second.TakeOne(), HasSubstr("subscribe_rate_limited"));
  EXPECT_EQ(counters_.subscribes_limited_channel.Value(), 2u);
  Client other = ConnectAs("u2");
  other.Says(R"({"type":"subscribe","channels":["rare:1"]})");
  EXPECT_THAT(other.TakeOne(), HasSubstr("\"subscribed\""));
  Client anonymous = Connect();
  anonymous.Says(R"({"type":"subscribe","channels":["rare:1","rare:2"]})");
  EXPECT_THAT(anonymous.Take(), SizeIs(2));
  EXPECT_EQ(counters_.subscribes_limited_channel.Value(), 3u);
}

TEST_F(LimitsTest, WithoutLimitsThereAreNone) {
  Limit({}, Open());
  gate_.Shut(false);
  std::vector<Client> clients;
  for (int i = 0; i < 90; ++i) clients.push_back(ConnectAs("u1"));
  for (int i = 0; i < 1000; ++i) clients[0].Says(R"({"type":"ping"})");
  EXPECT_THAT(clients[0].Take(), Each(HasSubstr("\"pong\"")));
  EXPECT_EQ(limits_->users.size(), 0u);
}

// One client's flood is others' trouble, too; theirs is not held against them.
TEST_F(LimitsTest, MessagesOfAllClientsOfANode) {
  Limit({}, Open());
  context_.limits.node_messages = Rate::Of(2, seconds(1), 2);
  context_.limits.max_bad_messages = 2;
  Client first = Connect();
  Client second = Connect();
  first.Says(R"({"type":"ping"})");
  second.Says(R"({"type":"ping"})");
  EXPECT_THAT(first.TakeOne(), HasSubstr("pong"));
  EXPECT_THAT(second.TakeOne(), HasSubstr("pong"));
  for (int i = 0; i < 5; ++i) {
    first.Says(R"({"type":"ping"})");
    EXPECT_THAT(first.TakeOne(), HasSubstr("node_rate_limited"));
  }
  first.Says(R"({"type":"pong"})");
  EXPECT_THAT(first.Take(), IsEmpty()) << "what a connection lives by is not counted";
  EXPECT_FALSE(first.transport->closed);
  EXPECT_EQ(counters_.node_rate_limited.Value(), 5u);
  EXPECT_EQ(counters_.bad_messages.Value(), 0u);
  clock_.Advance(seconds(1));
  second.Says(R"({"type":"ping"})");
  EXPECT_THAT(second.TakeOne(), HasSubstr("pong"));
}

}  // namespace
}  // namespace spillway::edge
