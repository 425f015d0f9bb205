// Clients that send their token as a message.

#include "services/edge/session/awaited_session.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "tests/unit/services/edge/session/session_fixture.h"

namespace spillway::edge {
namespace {

using std::chrono::seconds;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class AwaitedSessionTest : public SessionTest {
 protected:
  AwaitedSessionTest() { limits_options_.unauthenticated = 2; }

  static EndpointOptions ByMessage() {
    EndpointOptions options;
    options.auth.message = true;
    options.heartbeat.interval = options.heartbeat.timeout = seconds(0);
    return options;
  }
  void BuildWithLimits(EndpointOptions options, std::vector<ChannelRule> rules = {}) {
    Build(std::move(options), std::move(rules));
    limits_ = std::make_unique<ConnectionLimits>(limits_options_, clock_);
    auto acceptor =
        EndpointAcceptor::Create({endpoints_.back().get()}, {&context_}, gate_, limits_.get());
    ASSERT_TRUE(acceptor.ok()) << acceptor.status();
    acceptor_ = *std::move(acceptor);
  }

  struct Awaited {
    std::unique_ptr<FakeTransport> transport = std::make_unique<FakeTransport>();
    std::unique_ptr<AwaitedSession> handler;

    void Says(std::string_view text) { handler->OnMessage(text, true); }
    std::string TakeOne() {
      const auto messages = transport->Take();
      return messages.size() == 1 ? messages[0] : ::testing::PrintToString(messages);
    }
    void Ends() { handler->OnClosed(1000, ""); }
  };
  Awaited Await(const http::Request& request = RequestOf({})) {
    Awaited client;
    UpgradeDecision decision = acceptor_->OnUpgrade(request, 0);
    EXPECT_FALSE(decision.refusal.has_value());
    client.handler.reset(dynamic_cast<AwaitedSession*>(decision.handler.release()));
    EXPECT_NE(client.handler, nullptr);
    if (client.handler != nullptr) client.handler->OnOpen(client.transport.get());
    return client;
  }
  static std::string ConnectBy(const std::string& token) {
    return R"({"type":"connect","token":")" + token + "\"}";
  }

  ConnectionLimits::Options limits_options_;
  std::unique_ptr<ConnectionLimits> limits_;
};

TEST_F(AwaitedSessionTest, TheTokenComesByMessage) {
  BuildWithLimits(ByMessage());
  Awaited client = Await();
  EXPECT_THAT(client.transport->Take(), IsEmpty());
  EXPECT_EQ(limits_->unauthenticated.count(), 1);
  EXPECT_EQ(registry_.size(), 0u);
  client.Says(ConnectBy(Token("u1")));
  EXPECT_THAT(client.TakeOne(), HasSubstr(R"("user":"u1")"));
  EXPECT_EQ(limits_->unauthenticated.count(), 0);
  EXPECT_EQ(registry_.size(), 1u);
  EXPECT_EQ(gate_.count(), 1);
  // From now on it is a session like any.
  client.Says(R"({"type":"ping","id":1})");
  EXPECT_THAT(client.TakeOne(), HasSubstr("pong"));
  client.Says(ConnectBy(Token("u1")));
  EXPECT_THAT(client.TakeOne(), HasSubstr("already_connected"));
  Pass(seconds(20));
  EXPECT_FALSE(client.transport->closed);
  client.Ends();
  EXPECT_EQ(registry_.size(), 0u);
  EXPECT_EQ(gate_.count(), 0);
}

TEST_F(AwaitedSessionTest, AFewPingsAreAnsweredBefore) {
  BuildWithLimits(ByMessage());
  Awaited client = Await();
  for (int i = 0; i < 15; ++i) EXPECT_TRUE(client.handler->OnPing());
  client.handler->OnPong();
  EXPECT_FALSE(client.transport->closed);
  EXPECT_FALSE(client.handler->OnPing());
  EXPECT_THAT(client.TakeOne(), HasSubstr("connect_first"));
  EXPECT_EQ(client.transport->close_code, 4001);
  EXPECT_FALSE(client.handler->OnPing());
  client.Ends();
}

TEST_F(AwaitedSessionTest, NothingElseIsTaken) {
  BuildWithLimits(ByMessage());
  const auto refused = [&](std::string_view message, const char* code, uint16_t close) {
    Awaited client = Await();
    client.Says(message);
    EXPECT_THAT(client.TakeOne(), HasSubstr(std::string(R"("code":")") + code + "\"")) << message;
    EXPECT_EQ(client.transport->close_code, close) << message;
    client.Says(ConnectBy(Token("u1")));  // too late
    EXPECT_THAT(client.transport->Take(), IsEmpty());
    EXPECT_EQ(client.handler->session(), nullptr);
    client.Ends();
    EXPECT_EQ(gate_.count(), 0);
    EXPECT_EQ(wheel_.size(), 0u);
  };
  refused(R"({"type":"subscribe","channels":["a"]})", "connect_first", 4001);
  refused(R"({"type":"ping"})", "connect_first", 4001);
  refused(R"({"type":"refresh","token":"a"})", "connect_first", 4001);
  refused("junk", "bad_json", 4004);
  refused(R"({"type":"connect","token":1})", "bad_message", 4004);
  refused(R"({"type":"connect","token":"a","token":"b"})", "bad_message", 4004);
  refused(R"({"type":"connect","more":1})", "unknown_key", 4004);
  refused(R"({"type":"connect"})", "token_missing", 4001);
  refused(ConnectBy("junk"), "token_malformed", 4001);
  refused(ConnectBy(test::UserToken("other", "u1", 1'900'000'000)), "token_bad_signature", 4001);
  EXPECT_EQ(counters_.refused_token.Value(), 3u);
  EXPECT_EQ(limits_->unauthenticated.count(), 0);
}

TEST_F(AwaitedSessionTest, IsBoundInTimeAndNumber) {
  BuildWithLimits(ByMessage());
  Awaited one = Await();
  Awaited two = Await();
  EXPECT_EQ(RefusalOf(RequestOf({})), "503 too_many_unauthenticated");
  EXPECT_EQ(RefusalOf(RequestOf({{"token", Token("u1")}})), "");  // who has one is not held up
  EXPECT_EQ(counters_.refused_unauthenticated.Value(), 1u);
  Pass(seconds(9));
  EXPECT_FALSE(one.transport->closed);
  Pass(seconds(2));
  EXPECT_THAT(one.TakeOne(), HasSubstr("connect_timeout"));
  EXPECT_EQ(one.transport->close_code, 4001);
  EXPECT_EQ(counters_.connect_timeouts.Value(), 2u);
  one.Ends();
  two.Ends();
  EXPECT_EQ(limits_->unauthenticated.count(), 0);
  Await().Ends();
}

TEST_F(AwaitedSessionTest, ParametersLimitsAndBlocksHoldForThem) {
  EndpointOptions options = ByMessage();
  options.params = {{.name = "id", .required = true, .claim = "id"}};
  options.subscribe = {"thing:{param.id}"};
  limits_options_.ips.failures = 2;
  limits_options_.users.connections = 1;
  BuildWithLimits(options);
  const std::string good = ConnectBy(Token("u1", {{"id", "\"1\""}}));
  Awaited first = Await(RequestOf({{"id", "1"}}, "/ws", "10.0.0.2"));
  first.Says(good);
  EXPECT_THAT(first.handler->session()->Channels(), ElementsAre("thing:1"));
  Awaited second = Await(RequestOf({{"id", "1"}}, "/ws", "10.0.0.2"));
  second.Says(good);
  EXPECT_THAT(second.TakeOne(), HasSubstr("too_many_connections_of_user"));
  EXPECT_EQ(second.transport->close_code, 1013);
  for (int i = 0; i < 2; ++i) {
    Awaited guesser = Await(RequestOf({{"id", "2"}}));
    guesser.Says(good);
    EXPECT_THAT(guesser.TakeOne(), HasSubstr("param_not_allowed"));
    guesser.Ends();
  }
  EXPECT_EQ(RefusalOf(RequestOf({{"id", "1"}})), "403 ip_blocked");
  first.Ends();
  second.Ends();
}

TEST_F(AwaitedSessionTest, WithoutATokenWhereNoneIsNeeded) {
  EndpointOptions options = ByMessage();
  options.auth.required = false;
  BuildWithLimits(options);
  Awaited client = Await();
  client.Says(R"({"type":"connect"})");
  EXPECT_THAT(client.TakeOne(), HasSubstr(R"("user":null)"));
}

TEST_F(AwaitedSessionTest, TheOtherPlacesStillCount) {
  BuildWithLimits(ByMessage());
  Client by_query = Connect(RequestOf({{"token", Token("u1")}}));
  EXPECT_EQ(by_query.session->user_id(), "u1");
  http::Request request = RequestOf({});
  request.headers.emplace_back("sec-websocket-protocol", "json.v1, bearer." + Token("u2"));
  UpgradeDecision decision = acceptor_->OnUpgrade(request, 0);
  EXPECT_EQ(decision.subprotocol, "json.v1");  // never the token
  request.headers.back().second = "bearer." + Token("u2");
  decision = acceptor_->OnUpgrade(request, 0);
  EXPECT_FALSE(decision.refusal.has_value());
  EXPECT_EQ(decision.subprotocol, "");
  EXPECT_EQ(RefusalOf(RequestOf({{"token", "junk"}})), "401 token_malformed");
}

TEST_F(AwaitedSessionTest, ACookieNeedsOrigins) {
  EndpointOptions options = Open();
  options.auth.cookie = "sid";
  const auto made = Endpoint::Create(
      options, {.dialect = encoders_.back().get(), .variant = variant_, .policy = nullptr});
  EXPECT_THAT(std::string(made.status().message()), HasSubstr("auth.cookie needs origins"));
  options.auth.required = true;
  options.origins = {"https://app.example"};
  Build(options);
  http::Request request = RequestOf({});
  request.headers = {{"cookie", "sid=" + Token("u1")}, {"origin", "https://app.example"}};
  EXPECT_EQ(RefusalOf(request), "");
  request.headers[1].second = "https://evil.example";
  EXPECT_EQ(RefusalOf(request), "403 origin_not_allowed");
}

}  // namespace
}  // namespace spillway::edge
