#include "services/edge/session/admission.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/services/edge/session/session_fixture.h"

namespace spillway::edge {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::UnorderedElementsAre;

std::vector<std::string> Names(std::string_view text, const ClientValues& values) {
  return ChannelTemplate::Compile(text)->Expand(values);
}

TEST(ChannelTemplate, Expands) {
  const auth::Claims claims = *auth::Claims::Parse(
      R"({"sub":"u1","acct":"a7","n":5,"list":["x","y",""],"nothing":null,"deep":{"a":1}})");
  const ClientValues client = {.claims = &claims, .params = {{"id", "p1"}, {"empty", ""}}};
  EXPECT_THAT(Names("plain", client), ElementsAre("plain"));
  EXPECT_THAT(Names("user:{sub}", client), ElementsAre("user:u1"));
  EXPECT_THAT(Names("{claim.acct}/{param.id}.z", client), ElementsAre("a7/p1.z"));
  EXPECT_THAT(Names("n:{claim.n}", client), ElementsAre("n:5"));
  EXPECT_THAT(Names("l:{claim.list}:{claim.list}", client),
              ElementsAre("l:x:x", "l:x:y", "l:y:x", "l:y:y"));
  for (const char* absent :
       {"a{claim.none}", "a{claim.nothing}", "a{claim.deep}", "a{param.none}", "a{param.empty}"}) {
    EXPECT_THAT(Names(absent, client), IsEmpty()) << absent;
  }
  EXPECT_THAT(Names("user:{sub}", {}), IsEmpty());
  EXPECT_THAT(Names("open", {}), ElementsAre("open"));
}

TEST(ChannelTemplate, ALongListIsBounded) {
  std::string list = "[";
  for (int i = 0; i < 1000; ++i) list += (i > 0 ? ",\"" : "\"") + std::to_string(i) + "\"";
  const auth::Claims claims = *auth::Claims::Parse("{\"l\":" + list + "]}");
  EXPECT_EQ(Names("a:{claim.l}:{claim.l}", {.claims = &claims, .params = {}}).size(),
            ChannelTemplate::kMaxNames);
}

TEST(ChannelTemplate, ErrorsNameThePlace) {
  const auto error = [](std::string_view text) {
    return std::string(ChannelTemplate::Compile(text).status().message());
  };
  EXPECT_EQ(error("a:{sub"), "channel template 'a:{sub', character 3: '}' is missing");
  EXPECT_EQ(error("a}"), "channel template 'a}', character 2: '}' without '{'");
  for (const char* text : {"{x}", "{}", "{claim.}", "{param.}", "{claims.a}"}) {
    EXPECT_THAT(error(text), HasSubstr("character 1: known are {sub}")) << text;
  }
  EXPECT_THAT(error(""), HasSubstr("channel template ''"));
  EXPECT_THAT(error("a..{sub}"), HasSubstr("channel template 'a..{sub}'"));
  EXPECT_THAT(error("a*"), HasSubstr("channel template 'a*'"));
}

TEST(ChannelPolicy, TheFirstMatchCounts) {
  const auto policy = ChannelPolicy::Compile({
      {.pattern = "public:secret", .access = ChannelAccess::kServer, .allow = {}},
      {.pattern = "public:**", .access = ChannelAccess::kAnyone, .allow = {}, .snapshot = true},
      {.pattern = "user:*", .access = ChannelAccess::kAuthenticated, .allow = "user:{sub}"},
  });
  ASSERT_TRUE(policy.ok());
  const auth::Claims claims = *auth::Claims::Parse(R"({"sub":"u1"})");
  const auto user = policy->GrantsOf({.claims = &claims, .params = {}});
  const auto anonymous = policy->GrantsOf({});
  const auto allowed = [&](std::string_view channel, const ChannelPolicy::Grants& grants) {
    return policy->Check(channel, grants).allowed;
  };
  EXPECT_FALSE(allowed("public:secret", user));
  EXPECT_TRUE(allowed("public:x:y", anonymous));
  EXPECT_TRUE(policy->Check("public:x", anonymous).snapshot);
  EXPECT_TRUE(allowed("user:u1", user));
  EXPECT_FALSE(allowed("user:u2", user));
  EXPECT_FALSE(allowed("user:u1", anonymous));
  EXPECT_TRUE(allowed("other", user));
  EXPECT_FALSE(allowed("other", anonymous));
  EXPECT_TRUE(policy->SnapshotOf("public:x"));
  EXPECT_FALSE(policy->SnapshotOf("other"));
}

TEST(ChannelPolicy, ANameCountsForItsOwnRuleOnly) {
  const ChannelPolicy policy = *ChannelPolicy::Compile({
      {.pattern = "a:*", .allow = "a:{claim.room}"},
      {.pattern = "**", .allow = "a:{sub}"},
  });
  const auth::Claims claims = *auth::Claims::Parse(R"({"sub":"u1","room":"r1"})");
  const auto grants = policy.GrantsOf({.claims = &claims, .params = {}});
  EXPECT_TRUE(policy.Check("a:r1", grants).allowed);
  EXPECT_FALSE(policy.Check("a:u1", grants).allowed);
}

TEST(ChannelPolicy, ErrorsNameTheRule) {
  EXPECT_THAT(
      std::string(ChannelPolicy::Compile({{.pattern = "a***", .allow = {}}}).status().message()),
      HasSubstr("channel rule 'a***': "));
  EXPECT_THAT(
      std::string(
          ChannelPolicy::Compile({{.pattern = "a:*", .allow = "a:{who}"}}).status().message()),
      HasSubstr("channel rule 'a:*': channel template 'a:{who}', character 3"));
}

TEST(Endpoint, WrongOptionsAreRefused) {
  const ChannelPolicy policy = *ChannelPolicy::Compile({});
  const JsonEncoder dialect(*JsonEnvelope::Compile({}), {});
  const auto error = [&](const EndpointOptions& options) {
    const auto endpoint = Endpoint::Create(options, {.dialect = &dialect, .policy = &policy});
    return endpoint.ok() ? "" : std::string(endpoint.status().message());
  };
  EndpointOptions good;
  good.auth.required = false;
  EXPECT_EQ(error(good), "");

  EndpointOptions bad = good;
  bad.path = "ws";
  EXPECT_EQ(error(bad), "endpoint 'ws': the path must begin with '/'");
  bad = good;
  bad.auth.required = true;
  EXPECT_EQ(error(bad),
            "endpoint '/ws': tokens are required, but there is no secret to verify them with");
  bad = good;
  bad.heartbeat.message = false;
  EXPECT_EQ(error(bad), "endpoint '/ws': heartbeat: pings need a form, message or protocol");
  bad = good;
  bad.heartbeat.timeout = bad.heartbeat.interval;
  EXPECT_THAT(error(bad), HasSubstr("the timeout must be longer"));
  bad = good;
  bad.params = {{.name = "token", .claim = {}}};
  EXPECT_THAT(error(bad), HasSubstr("'token' is the one with the token"));
  bad.params = {{.name = "a", .claim = {}}, {.name = "a", .claim = {}}};
  EXPECT_THAT(error(bad), HasSubstr("'a' is given twice"));
  bad = good;
  bad.subscribe = {"a:{nope}"};
  EXPECT_THAT(error(bad), HasSubstr("endpoint '/ws': channel template 'a:{nope}'"));
}

class AdmissionTest : public SessionTest {
 protected:
  // The `assessment` preset's endpoint.
  static EndpointOptions Assessment() {
    EndpointOptions options;
    options.params = {{.name = "assessmentId", .required = true, .claim = "assessmentId"}};
    options.subscribe = {"market", "assessment:{param.assessmentId}"};
    options.commands = false;
    return options;
  }
  std::string Granting(std::string claim_json) {
    return Token("u1", {{"assessmentId", std::move(claim_json)}});
  }
};

TEST_F(AdmissionTest, EveryTokenError) {
  Build(Assessment());
  const auto with = [&](std::string token) {
    return RefusalOf(RequestOf({{"token", std::move(token)}, {"assessmentId", "a1"}}));
  };
  EXPECT_EQ(RefusalOf(RequestOf({{"assessmentId", "a1"}})), "401 token_missing");
  EXPECT_EQ(with("junk"), "401 token_malformed");
  const int64_t now = ToUnixMillis(clock_.WallNow()) / 1000;
  EXPECT_EQ(with(test::UserToken("another secret", "u1", now + 60)), "401 token_bad_signature");
  EXPECT_EQ(with(test::UserToken(kSecret, "u1", now - 3600)), "401 token_expired");
  EXPECT_EQ(with(test::UserToken(kSecret, "u1", now + 3600, {{"nbf", std::to_string(now + 600)}})),
            "401 token_not_yet_valid");
  EXPECT_EQ(with(Granting("\"a1\"")), "");
  EXPECT_EQ(counters_.refused_token.Value(), 5u);

  const auto response =
      acceptor_->OnUpgrade(RequestOf({{"assessmentId", "a1"}}), 0).refusal.value();
  EXPECT_THAT(response.headers,
              testing::Contains(std::pair<std::string, std::string>("WWW-Authenticate", "Bearer")));
}

TEST_F(AdmissionTest, IssuerAndAudience) {
  verifier_ = *auth::JwtVerifier::Create({.secrets = {kSecret}, .issuer = "us", .audience = "them"},
                                         clock_);
  Build(EndpointOptions());
  const auto with = [&](std::vector<std::pair<std::string, std::string>> claims) {
    return RefusalOf(RequestOf({{"token", Token("u1", claims)}}));
  };
  EXPECT_EQ(with({{"iss", "\"x\""}, {"aud", "\"them\""}}), "401 token_wrong_issuer");
  EXPECT_EQ(with({{"iss", "\"us\""}, {"aud", "\"x\""}}), "401 token_wrong_audience");
  EXPECT_EQ(with({{"iss", "\"us\""}, {"aud", "\"them\""}}), "");
}

TEST_F(AdmissionTest, TheTokenMayComeByHeader) {
  Build(EndpointOptions());
  for (const char* prefix : {"Bearer ", "bearer ", "", "BEARER  "}) {
    http::Request request = RequestOf({});
    request.headers.emplace_back("authorization", prefix + Token("u1"));
    EXPECT_EQ(RefusalOf(request), "") << prefix;
  }
  http::Request request = RequestOf({});
  request.headers.emplace_back("authorization", "Bearer ");
  EXPECT_EQ(RefusalOf(request), "401 token_missing");

  EndpointOptions query_only;
  query_only.auth.header = "";
  Build(query_only);
  request.headers[0].second = Token("u1");
  EXPECT_EQ(RefusalOf(request), "401 token_missing");
}

TEST_F(AdmissionTest, AnonymousClients) {
  Build(Open());
  EXPECT_EQ(RefusalOf(RequestOf({})), "");
  EXPECT_EQ(RefusalOf(RequestOf({{"token", "junk"}})), "401 token_malformed");
  EXPECT_EQ(Connect(RequestOf({{"token", Token("u9")}})).session->user_id(), "u9");
  verifier_ = nullptr;
  Build(Open());
  EXPECT_EQ(Connect(RequestOf({{"token", "junk"}})).session->user_id(), "");
}

TEST_F(AdmissionTest, Parameters) {
  Build(Assessment());
  const auto with = [&](std::string claim_json, std::string id) {
    return RefusalOf(RequestOf({{"token", Granting(std::move(claim_json))}, {"assessmentId", id}}));
  };
  EXPECT_EQ(with("\"a1\"", "a1"), "");
  EXPECT_EQ(with("[\"a0\",\"a1\"]", "a1"), "");
  EXPECT_EQ(with("17", "17"), "");
  EXPECT_EQ(with("\"a1\"", "a2"), "403 param_not_allowed");
  EXPECT_EQ(with("[]", "a2"), "403 param_not_allowed");
  EXPECT_EQ(with("null", "a1"), "403 claim_missing");
  EXPECT_EQ(with("\"a1\"", ""), "400 param_missing");
  EXPECT_EQ(with("\"a1\"", std::string(256, 'a')), "400 param_invalid");
  // Granted, and no channel name for all that.
  EXPECT_EQ(with("\"a**\"", "a**"), "400 param_invalid");
  EXPECT_EQ(RefusalOf(RequestOf({{"token", Token("u1")}, {"assessmentId", "a1"}})),
            "403 claim_missing");
  EXPECT_EQ(RefusalOf(RequestOf({{"token", Token("u1")}})), "400 param_missing");
  EXPECT_EQ(counters_.refused_param.Value(), 8u);
}

TEST_F(AdmissionTest, UngrantedParametersStayInTheirSegment) {
  EndpointOptions options = Assessment();
  options.params[0].allow_ungranted = true;
  Build(options);
  const auto with = [&](std::string id) {
    return RefusalOf(RequestOf({{"token", Token("u1")}, {"assessmentId", std::move(id)}}));
  };
  EXPECT_EQ(with("a1"), "");
  for (const char* id : {"a:b", "a.b", "a/b", "*", "a\nb"}) {
    EXPECT_EQ(with(id), "400 param_invalid") << id;
  }
  // What the claim does say still counts.
  EXPECT_EQ(RefusalOf(RequestOf({{"token", Granting("\"a1\"")}, {"assessmentId", "a2"}})),
            "403 param_not_allowed");
}

TEST_F(AdmissionTest, AnOptionalParameterLeavesItsChannelOut) {
  EndpointOptions options = Assessment();
  options.params[0].required = false;
  Build(options);
  Client client = Connect(RequestOf({{"token", Token("u1")}}));
  EXPECT_THAT(client.session->Channels(), ElementsAre("market"));
  client = Connect(RequestOf({{"token", Granting("\"a1\"")}, {"assessmentId", "a1"}}));
  EXPECT_THAT(client.session->Channels(), UnorderedElementsAre("market", "assessment:a1"));
}

TEST_F(AdmissionTest, PathsCapacityAndShutdown) {
  Build(Open());
  EXPECT_EQ(RefusalOf(RequestOf({}, "/other")), "404 unknown_endpoint");
  EXPECT_EQ(RefusalOf(RequestOf({}, "/ws/")), "404 unknown_endpoint");
  EXPECT_EQ(gate_.count(), 0);
  {
    std::vector<Client> clients;
    for (int i = 0; i < 1'000; ++i) clients.push_back(Connect());
    EXPECT_EQ(RefusalOf(RequestOf({})), "503 too_many_connections");
    const auto response = acceptor_->OnUpgrade(RequestOf({}), 0).refusal.value();
    EXPECT_THAT(response.headers,
                testing::Contains(std::pair<std::string, std::string>("Retry-After", "5")));
    clients.back().session->OnClosed(1000, "");
    EXPECT_EQ(RefusalOf(RequestOf({})), "");  // and gone again, unopened
  }
  EXPECT_EQ(gate_.count(), 0);
  gate_.Shut(true);
  EXPECT_EQ(RefusalOf(RequestOf({})), "503 shutting_down");
  EXPECT_EQ(counters_.refused_capacity.Value(), 2u);
  EXPECT_EQ(counters_.refused_shut.Value(), 1u);
  EXPECT_EQ(counters_.refused_path.Value(), 2u);
}

TEST_F(AdmissionTest, TwoEndpointsCannotShareAPath) {
  Build(Open());
  const auto acceptor =
      EndpointAcceptor::Create({endpoints_[0].get(), endpoints_[0].get()}, {&context_}, gate_);
  EXPECT_EQ(acceptor.status().message(), "endpoint '/ws': another endpoint has this path");
}

}  // namespace
}  // namespace spillway::edge
