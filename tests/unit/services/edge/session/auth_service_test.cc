// Clients about whom somebody else is asked: the upgrade.

#include "services/edge/session/auth_service.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "tests/unit/services/edge/session/auth_service_fixture.h"

namespace spillway::edge {
namespace {

using std::chrono::seconds;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using Kind = AuthVerdict::Kind;

// --- The upgrade

TEST_F(AuthServiceTest, AClientWithAGoodTokenIsAskedAbout) {
  Build(Asking());
  const std::string token = Token("u1");
  http::Request request = RequestOf({{"token", token}});
  request.headers = {{"origin", "https://a.example"},
                     {"user-agent", "x/1"},
                     {"x-correlation-id", "c1"},
                     {"sec-websocket-protocol", "json.v1"}};
  Begin(request);
  EXPECT_EQ(Result(), "waiting");
  EXPECT_EQ(gate_.count(), 1);
  ASSERT_EQ(service_.questions.size(), 1u);
  const AuthQuestion& question = service_.questions[0];
  EXPECT_EQ(question.token, token);
  EXPECT_EQ(question.user, "u1");
  EXPECT_EQ(question.path, "/ws");
  EXPECT_EQ(question.ip, "10.0.0.1");
  EXPECT_EQ(question.origin, "https://a.example");
  EXPECT_EQ(question.user_agent, "x/1");
  EXPECT_EQ(question.correlation_id, "c1");
  service_.Answer(Allowed());
  EXPECT_EQ(Result(), "");
  EXPECT_EQ(decided_->correlation_id, "c1");
  EXPECT_EQ(decided_->subprotocol, "json.v1");
  Client client = OpenDecided();
  EXPECT_THAT(client.TakeOne(), HasSubstr(R"("user":"u1")"));
}

// What is kept of it as long as its connection is bounded.
TEST_F(AuthServiceTest, LongHeadersAreCut) {
  Build(Asking());
  http::Request request = RequestOf({{"token", Token("u1")}});
  request.headers = {{"origin", std::string(5000, 'o')}, {"user-agent", std::string(5000, 'u')}};
  Begin(request);
  ASSERT_EQ(service_.questions.size(), 1u);
  EXPECT_EQ(service_.questions[0].origin, std::string(512, 'o'));
  EXPECT_EQ(service_.questions[0].user_agent, std::string(512, 'u'));
}

TEST_F(AuthServiceTest, ABadTokenIsNot) {
  Build(Asking());
  BlockUser("u1");
  EXPECT_EQ(RefusalOf(RequestOf({{"token", Token("u1")}})), "403 user_blocked");
  EXPECT_EQ(RefusalOf(RequestOf({{"token", "junk"}})), "401 token_malformed");
  EXPECT_EQ(RefusalOf(RequestOf({})), "401 token_missing");
  EXPECT_THAT(service_.questions, IsEmpty());
}

TEST_F(AuthServiceTest, WhatIsKnownAlreadyTakesNoTurn) {
  Build(Asking());
  service_.at_once = std::make_shared<AuthVerdict>(Allowed());
  EXPECT_THAT(Connect(RequestOf({{"token", Token("u1")}})).TakeOne(), HasSubstr("\"u1\""));
  service_.at_once = std::make_shared<AuthVerdict>(Refused());
  EXPECT_EQ(RefusalOf(RequestOf({{"token", Token("u1")}})), "403 auth_refused");
}

TEST_F(AuthServiceTest, ARefusalCountsAsABadTokenDoes) {
  Build(Asking());
  BeginWith(Token("u1"));
  service_.Answer(Refused(401));
  EXPECT_EQ(Result(), "401 auth_refused");
  EXPECT_EQ(gate_.count(), 0);
  BeginWith(Token("u2"));
  service_.Answer(Refused());
  EXPECT_EQ(Result(), "403 auth_refused");
  EXPECT_EQ(counters_.refused_by_service.Value(), 2u);
  EXPECT_EQ(RefusalOf(RequestOf({{"token", Token("u3")}})), "403 ip_blocked");
}

// Else bad tokens would cost nothing to those who do not wait for the answer.
TEST_F(AuthServiceTest, ARefusalCountsThoughTheClientHasGone) {
  BuildInstead(Asking());
  for (int i = 0; i < 2; ++i) {
    BeginWith("guess" + std::to_string(i));
    pending_.reset();
    EXPECT_EQ(gate_.count(), 0);
    service_.Answer(Refused(401));
  }
  EXPECT_EQ(RefusalOf(RequestOf({{"token", "good"}})), "403 ip_blocked");
}

TEST_F(AuthServiceTest, OneThatIsLetInCountsForNothingWhenItHasGone) {
  BuildInstead(Asking());
  for (int i = 0; i < 3; ++i) {
    BeginWith("good" + std::to_string(i));
    pending_.reset();
    service_.Answer(Allowed("u1"));
  }
  EXPECT_EQ(limits_->ips.failed(), 0u);
}

TEST_F(AuthServiceTest, AUserWhoIsBlockedMeanwhileByTheTokensNameIsNotLetIn) {
  Build(Asking());
  BeginWith(Token("u1"));
  BlockUser("u1");
  service_.Answer(Allowed("other-name"));
  EXPECT_EQ(Result(), "403 user_blocked");
}

// Else many at once would be a way around the bound.
TEST_F(AuthServiceTest, AnAddressThatIsBlockedMeanwhileIsNotLetIn) {
  Build(Asking());
  BeginWith(Token("u1"));
  const auto first = std::move(pending_);
  limits_->ips.CountFailure("10.0.0.1");
  limits_->ips.CountFailure("10.0.0.1");
  service_.Answer(Allowed());
  EXPECT_EQ(Result(), "403 ip_blocked");
}

TEST_F(AuthServiceTest, WithoutAnAnswerClientsAreToldToComeAgain) {
  Build(Asking());
  for (const auto& [kind, result] : {std::pair(Kind::kUnavailable, "503 auth_service_unavailable"),
                                     std::pair(Kind::kBusy, "503 auth_service_busy")}) {
    BeginWith(Token("u1"));
    service_.Answer(Unavailable(kind));
    EXPECT_EQ(Result(), result);
    const int after = std::stoi(RetryAfter());
    EXPECT_GE(after, 8);
    EXPECT_LE(after, 12);
    decided_.reset();
  }
  EXPECT_EQ(counters_.refused_unchecked.Value(), 2u);
  EXPECT_EQ(limits_->ips.failed(), 0u);
}

TEST_F(AuthServiceTest, OrAreTakenAsTheirTokenSays) {
  EndpointOptions options = Asking();
  options.auth.accept_unchecked = true;
  Build(options);
  BeginWith(Token("u1"));
  service_.Answer(Unavailable());
  EXPECT_EQ(Result(), "");
  EXPECT_THAT(OpenDecided().TakeOne(), HasSubstr(R"("user":"u1")"));
  // Who brings many along would let himself in.
  BeginWith(Token("u1"));
  service_.Answer(Unavailable(Kind::kBusy));
  EXPECT_EQ(Result(), "503 auth_service_busy");
}

TEST_F(AuthServiceTest, AClientThatGoesMeanwhileIsNotTold) {
  Build(Asking());
  BeginWith(Token("u1"));
  pending_.reset();
  EXPECT_EQ(gate_.count(), 0);
  EXPECT_TRUE(service_.waits[0]->gone());
  service_.Answer(Allowed());
  EXPECT_EQ(Result(), "waiting");
}

TEST_F(AuthServiceTest, ANodeThatGoesAwayMeanwhileTakesNobody) {
  Build(Asking());
  BeginWith(Token("u1"));
  gate_.Shut(true);
  service_.Answer(Allowed());
  EXPECT_EQ(Result(), "503 shutting_down");
}

TEST_F(AuthServiceTest, TheServiceNamesUserAndClaims) {
  std::vector<ChannelRule> rules = {{.pattern = "ops.**", .roles = {"admin"}},
                                    {.pattern = "user:*", .allow = "user:{sub}"}};
  Build(Asking(), rules);
  Client client = ConnectWith(Token("u1", {{"roles", R"(["guest"])"}}),
                              Allowed("u9", R"({"roles":["admin"],"iss":"nobody"})"));
  EXPECT_EQ(client.session->user_id(), "u9");
  client.Says(R"({"type":"subscribe","channels":["ops.a","user:u9"]})");
  EXPECT_EQ(registry_.CountOfUser("u9"), 1u);
  EXPECT_EQ(client.session->Channels(), (std::vector<std::string>{"ops.a", "user:u9"}));
  // Blocks are of the user that it names.
  BlockUser("u9");
  EXPECT_TRUE(client.session->CloseIfBlocked(limits_->blocks));
  BeginWith(Token("u1"));
  service_.Answer(Allowed("u9"));
  EXPECT_EQ(Result(), "403 user_blocked");
}

TEST_F(AuthServiceTest, AClaimThatIsNullIsTakenAway) {
  Build(Asking(), {{.pattern = "ops.**", .roles = {"admin"}}});
  Client client =
      ConnectWith(Token("u1", {{"roles", R"(["admin"])"}}), Allowed({}, R"({"roles":null})"));
  client.Says(R"({"type":"subscribe","channels":["ops.a"]})");
  EXPECT_THAT(client.TakeOne(), HasSubstr("not_allowed"));
}

// --- Instead of keys

TEST_F(AuthServiceTest, InsteadOfKeysTheServiceDecidesAboutTokensOfAnyForm) {
  BuildInstead(Asking(), {{.pattern = "user:*", .allow = "user:{sub}"}});
  BeginWith("opaque");
  EXPECT_EQ(service_.questions[0].token, "opaque");
  EXPECT_EQ(service_.questions[0].user, "");
  service_.Answer(Allowed("u1"));
  Client client = OpenDecided();
  EXPECT_THAT(client.TakeOne(), HasSubstr(R"("user":"u1")"));
  client.Says(R"({"type":"subscribe","channels":["user:u1"]})");
  EXPECT_EQ(client.session->Channels(), std::vector<std::string>{"user:u1"});
  BeginWith("other");
  service_.Answer(Unavailable());
  EXPECT_EQ(Result(), "503 auth_service_unavailable");
}

TEST_F(AuthServiceTest, WhatCanBeNoTokenIsNotAskedAbout) {
  limits_.reset();
  BuildInstead(Asking());
  EXPECT_EQ(RefusalOf(RequestOf({})), "401 token_missing");
  EXPECT_EQ(RefusalOf(RequestOf({{"token", std::string(8193, 'a')}})), "401 token_malformed");
  for (const char* token : {"a b", "a\r\nX-Admin: 1", "\xc3\xa4", "a\x7f"}) {
    EXPECT_EQ(RefusalOf(RequestOf({{"token", token}})), "401 token_malformed");
  }
  EXPECT_THAT(service_.questions, IsEmpty());
}

TEST_F(AuthServiceTest, TokensThatItKnowsCanBeRevoked) {
  BuildInstead(Asking());
  v1::ControlEntry entry;
  entry.set_kind(v1::CONTROL_KIND_TOKEN_REVOCATION);
  entry.set_subject("t1");
  entry.set_issued_us(NowMs() * 1000);
  limits_->blocks.Merge(entry);
  BeginWith("opaque");
  service_.Answer(Allowed("u1", R"({"jti":"t1"})"));
  EXPECT_EQ(Result(), "401 token_revoked");
}

TEST_F(AuthServiceTest, AnonymousClientsAreAskedAboutWhereThatIsSet) {
  EndpointOptions options = Asking();
  options.auth.required = false;
  Build(options);
  EXPECT_THAT(Connect(RequestOf({})).TakeOne(), HasSubstr("connected"));
  EXPECT_THAT(service_.questions, IsEmpty());
  options.auth.service_anonymous = true;
  Build(options);
  Begin(RequestOf({}));
  EXPECT_EQ(service_.questions[0].token, "");
  service_.Answer(Refused());
  EXPECT_EQ(Result(), "403 auth_refused");
  decided_.reset();
  Begin(RequestOf({}));
  service_.Answer(Allowed());
  EXPECT_EQ(OpenDecided().session->user_id(), "");
  Begin(RequestOf({}));
  service_.Answer(Allowed("guest-1"));
  EXPECT_EQ(OpenDecided().session->user_id(), "guest-1");
}

// --- Configuration

TEST_F(AuthServiceTest, EndpointsThatCannotBeAreRefused) {
  const EndpointParts parts{.dialect = encoders_.back().get(),
                            .variant = variant_,
                            .policy = nullptr,
                            .verifier = verifier_.get()};
  EndpointOptions options = Asking(AuthServiceUse::kInstead);
  EXPECT_THAT(std::string(Endpoint::Create(options, parts).status().message()),
              HasSubstr("no keys"));
  EndpointParts without = parts;
  without.verifier = nullptr;
  EXPECT_TRUE(Endpoint::Create(options, without).ok());
  options.auth.accept_unchecked = true;
  EXPECT_FALSE(Endpoint::Create(options, without).ok());
  context_.auth = nullptr;
  Build(Open());
  auto endpoint = Endpoint::Create(Asking(), parts);
  ASSERT_TRUE(endpoint.ok());
  EXPECT_THAT(
      std::string(
          EndpointAcceptor::Create({endpoint->get()}, {&context_}, gate_).status().message()),
      HasSubstr("no service"));
}

}  // namespace
}  // namespace spillway::edge
