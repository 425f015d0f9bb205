// Clients about whom somebody else is asked: the end, other tokens, the connect message.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "services/edge/session/auth_service.h"
#include "services/edge/session/awaited_session.h"
#include "tests/unit/services/edge/session/auth_service_fixture.h"

namespace spillway::edge {
namespace {

using std::chrono::seconds;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

// --- The end

TEST_F(AuthServiceTest, ASessionEndsWhenTheServiceSaysSo) {
  EndpointOptions options = Asking();
  options.auth.expiry_warning = seconds(10);
  options.auth.leeway = seconds(5);
  BuildInstead(options);
  AuthVerdict verdict = Allowed("u1");
  verdict.expires_ms = NowMs() + 60'000;
  Client client = ConnectWith("opaque", verdict);
  Pass(seconds(51));
  EXPECT_THAT(client.TakeOne(), HasSubstr("expiring"));
  Pass(seconds(13));
  EXPECT_FALSE(client.transport->closed);
  Pass(seconds(2));
  EXPECT_EQ(client.transport->close_code, 4002);
  // One that has ended lets nobody in.
  verdict.expires_ms = NowMs() - 5'000;
  BeginWith("opaque");
  service_.Answer(verdict);
  EXPECT_EQ(Result(), "401 token_expired");
}

TEST_F(AuthServiceTest, TheEarlierOfTwoEndsCounts) {
  Build(Asking());  // its tokens live for an hour
  AuthVerdict verdict = Allowed();
  verdict.expires_ms = NowMs() + 60'000;
  BeginWith(Token("u1"));
  service_.Answer(verdict);
  EXPECT_THAT(OpenDecided().TakeOne(),
              HasSubstr(R"("expires":)" + std::to_string(verdict.expires_ms)));
  verdict.expires_ms = NowMs() + 7'200'000;
  BeginWith(Token("u1"));
  service_.Answer(verdict);
  EXPECT_THAT(OpenDecided().TakeOne(),
              HasSubstr(R"("expires":)" + std::to_string(NowMs() / 1000 + 3600)));
}

// --- Refresh

TEST_F(AuthServiceTest, AnotherTokenIsAskedAboutToo) {
  Build(Asking(), {{.pattern = "ops.**", .roles = {"admin"}}});
  Client client = ConnectWith(Token("u1"), Allowed());
  const std::string token = Token("u1", {{"n", "2"}});
  client.Says(RefreshBy(token));
  EXPECT_THAT(client.Take(), IsEmpty());
  ASSERT_EQ(service_.questions.size(), 2u);
  EXPECT_EQ(service_.questions[1].token, token);
  EXPECT_EQ(service_.questions[1].path, "/ws");
  EXPECT_EQ(service_.questions[1].ip, "10.0.0.1");
  // It goes on meanwhile; another one has to wait.
  client.Says(R"({"type":"ping","id":7})");
  EXPECT_THAT(client.TakeOne(), HasSubstr("pong"));
  client.Says(RefreshBy(token));
  EXPECT_THAT(client.TakeOne(), HasSubstr("refresh_under_way"));
  AuthVerdict verdict = Allowed({}, R"({"roles":["admin"]})");
  verdict.expires_ms = NowMs() + 9'000;
  service_.Answer(verdict);
  EXPECT_THAT(client.TakeOne(), HasSubstr(R"("expires":)" + std::to_string(verdict.expires_ms)));
  client.Says(R"({"type":"subscribe","channels":["ops.a"]})");
  EXPECT_EQ(client.session->Channels(), std::vector<std::string>{"ops.a"});
  client.Take();

  client.Says(RefreshBy(token));
  service_.Answer(Allowed("u2"));
  EXPECT_THAT(client.TakeOne(), HasSubstr("token_other_user"));
  client.Says(RefreshBy(token));
  service_.Answer(Refused());
  EXPECT_THAT(client.TakeOne(), HasSubstr("auth_refused"));
  const uint64_t bad = counters_.bad_messages.Value();
  client.Says(RefreshBy(token));
  service_.Answer(Unavailable());
  EXPECT_THAT(client.TakeOne(), HasSubstr("auth_service_unavailable"));
  EXPECT_EQ(counters_.bad_messages.Value(), bad);  // not its fault
  EXPECT_EQ(client.session->Channels(), std::vector<std::string>{"ops.a"});
}

TEST_F(AuthServiceTest, RefreshOfTokensThatOnlyTheServiceKnows) {
  BuildInstead(Asking());
  Client client = ConnectWith("first", Allowed("u1"));
  client.Says(RefreshBy("second"));
  service_.Answer(Allowed("u1"));
  EXPECT_THAT(client.TakeOne(), HasSubstr("refreshed"));
  client.Says(RefreshBy("third"));
  BlockUser("u1");
  service_.Answer(Allowed("u1"));
  EXPECT_THAT(client.TakeOne(), HasSubstr("user_blocked"));
}

// Whether it is the same user nobody can say then; that is no fault of the client.
TEST_F(AuthServiceTest, OneWithAnotherNameByTheServiceCannotRefreshWithoutIt) {
  EndpointOptions options = Asking();
  options.auth.accept_unchecked = true;
  Build(options);
  Client renamed = ConnectWith(Token("alice"), Allowed("u42"));
  const uint64_t bad = counters_.bad_messages.Value();
  renamed.Says(RefreshBy(Token("alice")));
  service_.Answer(Unavailable());
  EXPECT_THAT(renamed.TakeOne(), HasSubstr("auth_service_unavailable"));
  EXPECT_EQ(counters_.bad_messages.Value(), bad);
  Client same = ConnectWith(Token("bob"), Allowed());
  same.Says(RefreshBy(Token("bob")));
  service_.Answer(Unavailable());
  EXPECT_THAT(same.TakeOne(), HasSubstr("refreshed"));
}

TEST_F(AuthServiceTest, AConnectionThatEndsMeanwhileIsNotTold) {
  Build(Asking());
  for (const bool closes : {true, false}) {
    Client client = ConnectWith(Token("u1"), Allowed());
    client.Says(RefreshBy(Token("u1")));
    if (closes) {
      client.session->Close(1000, "");
    } else {
      client.session.reset();
    }
    EXPECT_TRUE(service_.waits[0]->gone());
    service_.Answer(Allowed());
    EXPECT_THAT(client.Take(), IsEmpty());
  }
}

TEST_F(AuthServiceTest, TheRefusalOfARefreshMayBeTheLastBadMessage) {
  context_.limits.max_bad_messages = 1;
  Build(Asking());
  Client client = ConnectWith(Token("u1"), Allowed());
  client.Says(RefreshBy(Token("u1")));
  service_.Answer(Refused());
  EXPECT_EQ(client.transport->close_code, 4004);
}

// --- The connect message

class AwaitedAuthTest : public AuthServiceTest {
 protected:
  AwaitedAuthTest() {
    EndpointOptions options = Asking();
    options.auth.message = true;
    Build(options);
    UpgradeDecision decision = acceptor_->OnUpgrade(RequestOf({}), 0);
    handler_.reset(dynamic_cast<AwaitedSession*>(decision.handler.release()));
    handler_->OnOpen(&transport_);
  }
  ~AwaitedAuthTest() override {
    if (handler_ != nullptr) handler_->OnClosed(1000, "");
  }
  void Says(std::string_view text) { handler_->OnMessage(text, true); }
  void Connects() { Says(R"({"type":"connect","id":1,"token":")" + Token("u1") + "\"}"); }

  FakeTransport transport_;
  std::unique_ptr<AwaitedSession> handler_;
};

TEST_F(AwaitedAuthTest, IsAskedAboutAndWhatCameMeanwhileIsNotLost) {
  Connects();
  Says(R"({"type":"ping","id":2})");
  Says(R"({"type":"subscribe","id":3,"channels":["a"]})");
  EXPECT_THAT(transport_.Take(), IsEmpty());
  EXPECT_EQ(limits_->unauthenticated.count(), 1);
  Pass(seconds(11));  // longer than it may take to send the message
  OfferNoSlots();
  service_.Answer(Allowed());
  EXPECT_THAT(transport_.Take(),
              ElementsAre(HasSubstr("connected"), HasSubstr("pong"), HasSubstr("subscribed")));
  EXPECT_EQ(limits_->unauthenticated.count(), 0);
}

TEST_F(AwaitedAuthTest, IsRefusedWithACode) {
  Connects();
  service_.Answer(Refused());
  EXPECT_THAT(transport_.Take(), ElementsAre(HasSubstr("auth_refused")));
  EXPECT_EQ(transport_.close_code, 4001);
  EXPECT_EQ(gate_.count(), 1);
  handler_->OnClosed(4001, "");
  EXPECT_EQ(gate_.count(), 0);
}

TEST_F(AwaitedAuthTest, IsToldToTryAgain) {
  Connects();
  service_.Answer(Unavailable());
  EXPECT_THAT(transport_.Take(), ElementsAre(HasSubstr("auth_service_unavailable")));
  EXPECT_EQ(transport_.close_code, 1013);
}

TEST_F(AwaitedAuthTest, MayNotSendMuchMeanwhile) {
  Connects();
  for (size_t i = 0; i < AwaitedSession::kMaxHeld; ++i) Says("{}");
  EXPECT_FALSE(transport_.closed);
  Says("{}");
  EXPECT_THAT(transport_.Take(), ElementsAre(HasSubstr("connect_first")));
  EXPECT_EQ(transport_.close_code, 4001);
  EXPECT_TRUE(service_.waits[0]->gone());
  service_.Answer(Allowed());
  EXPECT_EQ(handler_->session(), nullptr);
}

TEST_F(AwaitedAuthTest, NorLongMessages) {
  Connects();
  Says(std::string(AwaitedSession::kMaxHeldBytes + 1, 'x'));
  EXPECT_TRUE(transport_.closed);
}

TEST_F(AwaitedAuthTest, DoesNotWaitForEver) {
  Connects();
  Pass(std::chrono::minutes(3));
  EXPECT_THAT(transport_.Take(), ElementsAre(HasSubstr("auth_service_unavailable")));
  EXPECT_EQ(transport_.close_code, 1013);
  EXPECT_TRUE(service_.waits[0]->gone());
}

TEST_F(AwaitedAuthTest, MayGoMeanwhile) {
  Connects();
  handler_->OnClosed(1006, "");
  EXPECT_TRUE(service_.waits[0]->gone());
  EXPECT_EQ(gate_.count(), 0);
  handler_.reset();
  service_.Answer(Allowed());
}

}  // namespace
}  // namespace spillway::edge
