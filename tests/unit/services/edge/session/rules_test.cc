// Who may have which channel: the rules, and what an attacker would try against them.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/services/edge/session/session_fixture.h"

namespace spillway::edge {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::UnorderedElementsAre;

// A policy, asked on behalf of a client with these claims (JSON) and what else is known of it.
class Asked {
 public:
  Asked(ChannelAccess unmatched, const std::vector<ChannelRule>& rules) {
    auto policy = ChannelPolicy::Compile(rules, unmatched);
    EXPECT_TRUE(policy.ok()) << policy.status();
    if (policy.ok()) policy_ = *std::move(policy);
  }
  bool operator()(std::string_view channel, std::string_view claims_json,
                  std::vector<std::string> roles = {},
                  std::vector<std::string> granted = {}) const {
    auth::Claims claims;
    ClientValues client;
    if (!claims_json.empty()) {
      claims = *auth::Claims::Parse(claims_json);
      client.claims = &claims;
    }
    client.roles = std::move(roles);
    for (const std::string& pattern : granted) {
      client.granted.push_back(*ChannelPattern::Parse(pattern));
    }
    return policy_.Check(channel, policy_.GrantsOf(std::move(client))).allowed;
  }

 private:
  ChannelPolicy policy_;
};

constexpr ChannelAccess kNobody = ChannelAccess::kServer;
constexpr char kUser[] = R"({"sub":"u1"})";
constexpr char kAnonymous[] = "";

std::vector<std::string> Names(std::string_view text, std::string_view claims_json,
                               bool* unfit = nullptr) {
  const auth::Claims claims = *auth::Claims::Parse(claims_json);
  return ChannelTemplate::Compile(text)->Expand({.claims = &claims}, unfit);
}

TEST(RulesTest, WhatNoRuleMatchesIsForNobody) {
  const Asked asked(kNobody, {{.pattern = "a", .access = ChannelAccess::kAnyone}});
  EXPECT_TRUE(asked("a", kAnonymous));
  EXPECT_FALSE(asked("b", kUser, {"admin"}, {"**"}));
  const Asked open(ChannelAccess::kAuthenticated, {});
  EXPECT_TRUE(open("b", kUser));
  EXPECT_FALSE(open("b", kAnonymous));
}

TEST(RulesTest, TheFirstRuleThatMatchesDecidesAlone) {
  const Asked asked(
      kNobody,
      {
          {.pattern = "ops:**", .access = ChannelAccess::kAuthenticated, .roles = {"admin"}},
          {.pattern = "**", .access = ChannelAccess::kAnyone},
      });
  EXPECT_FALSE(asked("ops:x", kUser));  // though the second would let everybody
  EXPECT_TRUE(asked("ops:x", kUser, {"admin"}));
  EXPECT_TRUE(asked("other", kAnonymous));
  const Asked turned(
      kNobody,
      {
          {.pattern = "**", .access = ChannelAccess::kAnyone},
          {.pattern = "ops:**", .access = ChannelAccess::kAuthenticated, .roles = {"admin"}},
      });
  EXPECT_TRUE(turned("ops:x", kAnonymous));  // the second never counts
}

TEST(RulesTest, Roles) {
  const Asked asked(kNobody,
                    {
                        {.pattern = "ops:*",
                         .access = ChannelAccess::kAuthenticated,
                         .roles = {"admin", "super_admin"}},
                        {.pattern = "mine:*", .allow = "mine:{sub}", .roles = {"trader"}},
                        {.pattern = "any:*", .access = ChannelAccess::kAnyone, .roles = {"x"}},
                    });
  EXPECT_TRUE(asked("ops:a", kUser, {"user", "super_admin"}));
  EXPECT_FALSE(asked("ops:a", kUser, {"user"}));
  for (const char* like : {"Admin", "admin ", "admin,super_admin", "", "*"}) {
    EXPECT_FALSE(asked("ops:a", kUser, {like})) << like;
  }
  // Both must hold.
  EXPECT_TRUE(asked("mine:u1", kUser, {"trader"}));
  EXPECT_FALSE(asked("mine:u1", kUser));
  EXPECT_FALSE(asked("mine:u2", kUser, {"trader"}));
  EXPECT_FALSE(asked("any:a", kAnonymous));
}

TEST(RulesTest, TheRoleOfOneRuleSaysNothingAboutAnother) {
  const Asked asked(kNobody, {
                                 {.pattern = "a", .roles = {"ra"}},
                                 {.pattern = "b", .roles = {"rb"}},
                             });
  EXPECT_TRUE(asked("a", kUser, {"ra"}));
  EXPECT_FALSE(asked("b", kUser, {"ra"}));
}

TEST(RulesTest, WhatTheTokenLists) {
  const Asked asked(
      kNobody, {
                   {.pattern = "room:secret", .access = ChannelAccess::kServer},
                   {.pattern = "room:**", .access = ChannelAccess::kGranted},
                   {.pattern = "own:**", .access = ChannelAccess::kGranted, .allow = "own:{sub}:*"},
                   {.pattern = "open:*", .access = ChannelAccess::kAuthenticated},
               });
  EXPECT_TRUE(asked("room:1", kUser, {}, {"room:1"}));
  EXPECT_TRUE(asked("room:1:x", kUser, {}, {"a", "room:**"}));
  EXPECT_FALSE(asked("room:1:x", kUser, {}, {"room:*"}));
  EXPECT_FALSE(asked("room:2", kUser, {}, {"room:1"}));
  EXPECT_FALSE(asked("room:1", kUser));
  EXPECT_FALSE(asked("room:1", kAnonymous));
  // A token's list opens nothing that the rules do not leave to it.
  EXPECT_FALSE(asked("room:secret", kUser, {}, {"**"}));
  EXPECT_FALSE(asked("unmatched", kUser, {}, {"**"}));
  EXPECT_TRUE(asked("own:u1:a", kUser, {}, {"**"}));
  EXPECT_FALSE(asked("own:u2:a", kUser, {}, {"**"}));
  EXPECT_TRUE(asked("open:a", kUser, {}, {"room:1"}));
}

TEST(RulesTest, AllowMayBeAPattern) {
  const Asked asked(kNobody, {{.pattern = "**", .allow = "user:{sub}:**"}});
  EXPECT_TRUE(asked("user:u1:orders", kUser));
  EXPECT_TRUE(asked("user:u1:orders:7", kUser));
  for (const char* other : {"user:u1", "user:u10:orders", "user:u:u1:orders", "user:u2:orders",
                            "x:user:u1:orders", "user:U1:orders"}) {
    EXPECT_FALSE(asked(other, kUser)) << other;
  }
  const Asked lists(kNobody, {{.pattern = "desk:**", .allow = "desk:{claim.desks}:*"}});
  EXPECT_TRUE(lists("desk:b:x", R"({"desks":["a","b"]})"));
  EXPECT_FALSE(lists("desk:c:x", R"({"desks":["a","b"]})"));
  EXPECT_FALSE(lists("desk:a:x", R"({"desks":[]})"));
  EXPECT_FALSE(lists("desk:a:x", R"({"sub":"u1"})"));
}

// However an issuer lets users choose their names, one never comes to another's channels.
TEST(RulesTest, ValuesFillOneSegmentAndAreNeverPatterns) {
  const Asked asked(kNobody, {{.pattern = "**", .allow = "user:{sub}"}});
  for (const char* sub : {"*", "**", "u2:*", "u*", "", ":", "a:b", "a.b", "a/b", "u2:orders",
                          "\\u0000", "\\n", "a\\u0001b", "\\u0085"}) {
    const std::string claims = std::string(R"({"sub":")") + sub + "\"}";
    for (const char* channel : {"user:u2", "user:*", "user:u2:orders", "user:a:b", "user:a.b",
                                "user:a/b", "user", "user:"}) {
      EXPECT_FALSE(asked(channel, claims)) << sub << " " << channel;
    }
  }
  EXPECT_TRUE(asked("user:a-b_c@d|e é", R"({"sub":"a-b_c@d|e é"})"));
  const std::string long_one(250, 'x');
  EXPECT_FALSE(asked("user:" + long_one, "{\"sub\":\"" + long_one + "x\"}"));
}

TEST(RulesTest, WhoMayHaveSeparatorsSaysSo) {
  const Asked asked(kNobody, {{.pattern = "mail:**", .allow = "mail:{sub**}"}});
  EXPECT_TRUE(asked("mail:jane.doe@example.com", R"({"sub":"jane.doe@example.com"})"));
  EXPECT_FALSE(asked("mail:jane.doe@example.com", R"({"sub":"jane"})"));
  EXPECT_FALSE(asked("mail:jane.doe@example.com", R"({"sub":"**"})"));
  EXPECT_FALSE(asked("mail:jane", R"({"sub":"jane."})"));
}

TEST(RulesTest, TheNumberOfASubIsItsText) {
  const Asked asked(kNobody, {{.pattern = "**", .allow = "user:{sub}"}});
  EXPECT_TRUE(asked("user:42", R"({"sub":42})"));
  EXPECT_FALSE(asked("user:42.0", R"({"sub":42})"));
}

TEST(RulesTest, UnfitValuesAreTold) {
  bool unfit = false;
  EXPECT_THAT(Names("a:{claim.l}", R"({"l":["x","y:z","","w"]})", &unfit),
              ElementsAre("a:x", "a:w"));
  EXPECT_TRUE(unfit);
  unfit = false;
  EXPECT_THAT(Names("a:{claim.none}", "{}", &unfit), IsEmpty());
  EXPECT_THAT(Names("a:{claim.l}", R"({"l":""})", &unfit), IsEmpty());
  EXPECT_FALSE(unfit);  // absent
}

TEST(RulesTest, TemplatesThatMixUpTheirValuesAreRefused) {
  const auto error = [](std::string_view text) {
    return std::string(
        ChannelTemplate::Compile(text, ChannelTemplate::Kind::kPattern).status().message());
  };
  for (const char* two : {"a:{sub}{claim.x}", "a:{sub}-{claim.x}"}) {
    EXPECT_THAT(error(two), HasSubstr("two placeholders need a separator")) << two;
  }
  for (const char* star : {"a:{sub}*", "a:*{sub}", "a:{sub}**"}) {
    EXPECT_THAT(error(star), HasSubstr("a '*' next to a placeholder")) << star;
  }
  for (const char* any : {"a:{sub**}:*", "**:{sub**}", "a:{sub**}:{claim.x}"}) {
    EXPECT_THAT(error(any), HasSubstr("stands alone")) << any;
  }
  EXPECT_THAT(error("a:***"), HasSubstr("at most two '*'"));
  for (const char* good :
       {"a:{sub}:*", "**:{sub}", "a:{sub}.{claim.x}", "x-{sub}-y", "a:{sub**}", "*"}) {
    EXPECT_EQ(error(good), "") << good;
  }
  EXPECT_THAT(std::string(ChannelTemplate::Compile("a:*").status().message()),
              HasSubstr("must not contain '*'"));
  EXPECT_THAT(std::string(ChannelPolicy::Compile(
                              {{.pattern = "a", .access = ChannelAccess::kServer, .roles = {"x"}}})
                              .status()
                              .message()),
              HasSubstr("channel rule 'a': roles mean nothing"));
}

class EndpointRulesTest : public SessionTest {
 protected:
  static EndpointOptions Trading() {
    EndpointOptions options;
    options.path = "/ws/trading/{user_id}";
    options.params = {{.name = "user_id", .claim = "sub"}};
    options.subscribe = {"trading:{param.user_id}"};
    return options;
  }
  std::string At(std::string path, std::string token,
                 std::vector<std::pair<std::string, std::string>> more = {}) {
    more.emplace_back("token", std::move(token));
    return RefusalOf(RequestOf(std::move(more), std::move(path)));
  }
};

TEST_F(EndpointRulesTest, ThePathMustBeTheTokens) {
  Build(Trading());
  Client client = Connect(RequestOf({{"token", Token("u1")}}, "/ws/trading/u1"));
  EXPECT_THAT(client.session->Channels(), ElementsAre("trading:u1"));
  EXPECT_EQ(At("/ws/trading/u2", Token("u1")), "403 param_not_allowed");
  EXPECT_EQ(At("/ws/trading/u1", "x"), "401 token_malformed");
  for (const char* other : {"/ws/trading", "/ws/trading/", "/ws/trading/u1/", "/ws/trading/u1/x",
                            "/ws/trading//u1", "/ws/trading/{user_id}/", "/WS/trading/u1"}) {
    EXPECT_EQ(At(other, Token("u1")), "404 unknown_endpoint") << other;
  }
  EXPECT_EQ(At("/ws/trading/{user_id}", Token("u1")), "403 param_not_allowed");
  EXPECT_EQ(At("/ws/trading/{}", Token("u1")), "403 param_not_allowed");
  EXPECT_EQ(At("/ws/trading/*", Token("*")), "400 param_invalid");
  EXPECT_EQ(At("/ws/trading/a:b", Token("a:b")), "400 param_invalid");
}

TEST_F(EndpointRulesTest, TheQueryDoesNotStandInForThePath) {
  Build(Trading());
  Client client = Connect(RequestOf({{"user_id", "u2"}, {"token", Token("u1")}}, "/ws/trading/u1"));
  EXPECT_THAT(client.session->Channels(), ElementsAre("trading:u1"));
  EXPECT_EQ(At("/ws/trading/u2", Token("u1"), {{"user_id", "u1"}}), "403 param_not_allowed");
}

TEST_F(EndpointRulesTest, APlaceholderThatNoClaimStandsBehindIsOneSegment) {
  EndpointOptions options = Open();
  options.path = "/ws/market/{isin}";
  options.subscribe = {"prices.{param.isin}"};
  Build(options);
  Client client = Connect(RequestOf({}, "/ws/market/DE0001"));
  EXPECT_THAT(client.session->Channels(), ElementsAre("prices.DE0001"));
  for (const char* isin : {"a.b", "*", "a:b", "a\nb"}) {
    EXPECT_EQ(RefusalOf(RequestOf({}, std::string("/ws/market/") + isin)), "400 param_invalid")
        << isin;
  }
}

TEST_F(EndpointRulesTest, PathsOfOneShapeAreOneEndpoint) {
  EndpointOptions other = Trading();
  other.path = "/ws/trading/{x}";
  other.params = {};
  other.subscribe = {};
  Build(Trading());
  Build(other);
  const auto acceptor =
      EndpointAcceptor::Create({endpoints_[0].get(), endpoints_[1].get()}, {&context_}, gate_);
  EXPECT_EQ(acceptor.status().message(),
            "endpoint '/ws/trading/{x}': another endpoint has this path");
  EndpointOptions fixed = Open();
  fixed.path = "/ws/trading/all";
  Build(fixed);
  acceptor_ =
      *EndpointAcceptor::Create({endpoints_[0].get(), endpoints_[2].get()}, {&context_}, gate_);
  EXPECT_EQ(RefusalOf(RequestOf({}, "/ws/trading/all")), "");  // the literal one comes first
  EXPECT_EQ(RefusalOf(RequestOf({}, "/ws/trading/u1")), "401 token_missing");
}

TEST_F(EndpointRulesTest, RolesAndListsComeFromTheToken) {
  OfferNoSlots();
  EndpointOptions options = Open();
  options.auth.roles_claim = "realm_access.roles";
  Build(options, {{.pattern = "ops:*", .roles = {"admin"}},
                  {.pattern = "room:*", .access = ChannelAccess::kGranted},
                  {.pattern = "user:*", .allow = "user:{sub}"},
                  {.pattern = "**", .access = ChannelAccess::kServer}});
  const auto may = [&](const std::vector<std::pair<std::string, std::string>>& claims) {
    Client client = Connect(RequestOf({{"token", Token("u1", claims)}}));
    client.Take();
    client.Says(
        R"({"type":"subscribe","channels":["ops:x","room:1","user:u1","user:u2","other"]})");
    return client.session->Channels();
  };
  EXPECT_THAT(may({}), ElementsAre("user:u1"));
  EXPECT_THAT(may({{"realm_access", R"({"roles":["admin"]})"}}),
              UnorderedElementsAre("ops:x", "user:u1"));
  EXPECT_THAT(may({{"roles", R"(["admin"])"}}), ElementsAre("user:u1"));
  EXPECT_THAT(may({{"channels", R"(["room:1","ops:x","user:u2","other"])"}}),
              UnorderedElementsAre("room:1", "user:u1"));
  EXPECT_EQ(RefusalOf(RequestOf({{"token", Token("u1", {{"channels", "\"room:1\""}})}})),
            "403 claim_invalid");
}

TEST_F(EndpointRulesTest, AClaimThatNoRuleLooksAtMayBeAnything) {
  Build(Open(), {{.pattern = "**", .access = ChannelAccess::kAuthenticated}});
  EXPECT_EQ(RefusalOf(RequestOf({{"token", Token("u1", {{"channels", "\"room:1\""}})}})), "");
}

// The same channel by each way that there is to one.
TEST_F(EndpointRulesTest, AnothersChannelByEveryRoute) {
  OfferSlot("user:*", false);
  EndpointOptions options = Open();
  options.params = {{.name = "user"}, {.name = "mine", .claim = "sub"}};
  options.subscribe = {"user:{param.mine}"};
  Build(options, {{.pattern = "user:*", .allow = "user:{sub}"}});
  const auto url = [&](std::vector<std::pair<std::string, std::string>> query) {
    query.emplace_back("token", Token("u1"));
    return RefusalOf(RequestOf(std::move(query)));
  };
  EXPECT_EQ(url({{"mine", "u2"}}), "403 param_not_allowed");
  EXPECT_EQ(url({{"mine", "u1"}, {"mine", "u2"}}), "");  // the first counts, as it was checked
  Client client = Connect(RequestOf({{"mine", "u1"}, {"mine", "u2"}, {"token", Token("u1")}}));
  EXPECT_THAT(client.session->Channels(), ElementsAre("user:u1"));
  client.Take();
  for (
      const char* said : {
          R"({"type":"subscribe","channels":["user:u2"]})",
          R"({"type":"subscribe","channels":["user:u2"],"snapshot":true})",
          R"({"type":"subscribe","channels":["user:u2"],"positions":{"user:u2":[{"source":"ticks/0@0","offset":-1}]}})",
          R"({"type":"update","channels":["user:u2"],"frequency":"low"})",
          R"({"type":"unsubscribe","channels":["user:u2"]})",
          R"({"type":"ack","positions":{"user:u2":[{"slot":3,"offset":1}]}})",
          R"({"type":"subscribe","channels":["user:*"]})",
          R"({"type":"subscribe","channels":["user:u1","user:u2"]})",
      }) {
    client.Says(said);
    EXPECT_THAT(client.session->Channels(), ElementsAre("user:u1")) << said;
    EXPECT_THAT(client.Take(), testing::Contains(HasSubstr("\"error\""))) << said;
  }
  EXPECT_THAT(upstream_.reads, IsEmpty());
  EXPECT_THAT(upstream_.judged, IsEmpty());
}

}  // namespace
}  // namespace spillway::edge
