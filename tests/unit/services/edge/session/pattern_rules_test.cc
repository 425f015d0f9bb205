// Who may subscribe to which pattern, and what an attacker would try with one.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/services/edge/session/session_fixture.h"

namespace spillway::edge {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

class Asked {
 public:
  explicit Asked(const std::vector<ChannelRule>& rules,
                 ChannelAccess unmatched = ChannelAccess::kServer)
      : policy_(*ChannelPolicy::Compile(rules, unmatched)) {}

  bool operator()(std::string_view name, std::string_view sub = "u1",
                  std::vector<std::string> roles = {},
                  std::vector<std::string> granted = {}) const {
    ClientValues client;
    auth::Claims claims;
    if (!sub.empty()) {
      claims = *auth::Claims::Parse("{\"sub\":\"" + std::string(sub) + "\"}");
      client.claims = &claims;
    }
    client.roles = std::move(roles);
    for (const std::string& pattern : granted) {
      client.granted.push_back(*ChannelPattern::Parse(pattern));
    }
    return policy_.Check(name, policy_.GrantsOf(std::move(client))).allowed;
  }
  const ChannelPolicy& policy() const { return policy_; }

 private:
  ChannelPolicy policy_;
};

TEST(PatternRulesTest, OnlyWhereARuleSaysSo) {
  const Asked closed({{.pattern = "prices.*", .access = ChannelAccess::kAnyone}});
  EXPECT_TRUE(closed("prices.BTC"));
  EXPECT_FALSE(closed("prices.*"));
  EXPECT_FALSE(closed("prices.B*"));
  const Asked open({{.pattern = "prices.*", .access = ChannelAccess::kAnyone, .patterns = true}});
  EXPECT_TRUE(open("prices.*", ""));
  EXPECT_TRUE(open("prices.B*"));
  for (const char* wider : {"prices.**", "**", "*.BTC", "p*.*", "prices*.*", "prices**", "trades.*",
                            "prices.*.x", "*"}) {
    EXPECT_FALSE(open(wider)) << wider;
  }
}

TEST(PatternRulesTest, WhatNoRuleMatchesIsForNobody) {
  const Asked asked({}, ChannelAccess::kAnyone);
  EXPECT_TRUE(asked("a.b"));
  EXPECT_FALSE(asked("a.*"));
  EXPECT_FALSE(asked("**"));
}

TEST(PatternRulesTest, EveryRuleWithASayInItMustLetItThrough) {
  const Asked asked({
      {.pattern = "ops.secret", .access = ChannelAccess::kServer},
      {.pattern = "ops.*", .roles = {"admin"}, .patterns = true},
      {.pattern = "prices.vip", .roles = {"vip"}, .patterns = true},
      {.pattern = "prices.raw", .access = ChannelAccess::kAnyone},
      {.pattern = "prices.**", .access = ChannelAccess::kAnyone, .patterns = true},
      {.pattern = "prices.late", .access = ChannelAccess::kServer},
      {.pattern = "**", .access = ChannelAccess::kAnyone, .patterns = true},
  });
  EXPECT_FALSE(asked("ops.*", "u1", {"admin"})) << "one of them is for nobody";
  EXPECT_TRUE(asked("ops.a*", "u1", {"admin"}));
  EXPECT_FALSE(asked("ops.a*"));
  EXPECT_FALSE(asked("prices.*", "u1", {"vip"})) << "prices.raw is for no pattern";
  EXPECT_FALSE(asked("prices.v*"));
  EXPECT_TRUE(asked("prices.v*", "u1", {"vip"}));
  EXPECT_TRUE(asked("prices.x*"));
  EXPECT_TRUE(asked("prices.l*")) << "what comes after the one that decides has no say";
  EXPECT_TRUE(asked("news.*"));
  for (const char* all : {"**", "*.*", "*.r*", "*s.**"}) {
    EXPECT_FALSE(asked(all, "u1", {"admin", "vip"})) << all;
  }
}

// However a private channel is asked for, it is another user's or none.
TEST(PatternRulesTest, NobodyReachesAnothersByAPattern) {
  const std::vector<std::string> tries = {
      "user:*",     "user:**",   "user:u*",   "user:*2",  "user:u2*", "**",        "*:*",
      "*:u2",       "**:u2",     "us*:u2",    "user*",    "user**",   "**2",       "*:u1",
      "user:u1*",   "user:u1**", "user:*u1",  "user:u*1", "user:*:*", "user:u1:*", "u*r:u1",
      "user:u1:**", "user:**:x", "user:u2:*", "user:*:u1"};
  for (const bool patterns : {false, true}) {
    const Asked own({{.pattern = "user:*", .allow = "user:{sub}", .patterns = patterns},
                     {.pattern = "**", .access = ChannelAccess::kAnyone, .patterns = true}});
    EXPECT_TRUE(own("user:u1"));
    EXPECT_FALSE(own("user:u2"));
    for (const std::string& pattern : tries) {
      // What shares no channel with user:* is no user's.
      const bool private_too =
          ChannelPattern::Parse(pattern)->Intersects(*ChannelPattern::Parse("user:*"));
      EXPECT_EQ(own(pattern), !private_too) << pattern;
    }
    const Asked below({{.pattern = "user:**", .allow = "user:{sub}:**", .patterns = patterns}});
    for (const std::string& pattern : tries) {
      const bool is_own = pattern == "user:u1:*" || pattern == "user:u1:**";
      EXPECT_EQ(below(pattern), patterns && is_own) << pattern;
    }
    for (const char* sub : {"*", "**", "u*", "u2:*"}) EXPECT_FALSE(below("user:u2:*", sub)) << sub;
  }
}

TEST(PatternRulesTest, WhatTheTokenListsMustHaveAllOfIt) {
  const Asked asked({{.pattern = "room:**", .access = ChannelAccess::kGranted, .patterns = true}});
  EXPECT_TRUE(asked("room:a:*", "u1", {}, {"room:a:*"}));
  EXPECT_TRUE(asked("room:a:*", "u1", {}, {"x", "room:a:**"}));
  EXPECT_FALSE(asked("room:a:**", "u1", {}, {"room:a:*"}));
  EXPECT_FALSE(asked("room:*", "u1", {}, {"room:a", "room:b"}));
  EXPECT_TRUE(asked("room:*", "u1", {}, {"**"}));
  EXPECT_FALSE(asked("**", "u1", {}, {"**"}));
  EXPECT_FALSE(asked("room:*"));
}

TEST(PatternRulesTest, SettingsAreThoseOfTheRuleThatHasAllOfIt) {
  const Asked asked({
      {.pattern = "a.x", .patterns = true, .compress = false, .settings = {.ephemeral = true}},
      {.pattern = "a.y", .patterns = true, .frequency = Frequency::kHigh, .fixed_frequency = true},
      {.pattern = "a.*",
       .patterns = true,
       .snapshot = true,
       .frequency = Frequency::kLow,
       .settings = {.slow = SlowPolicy::kConflate, .priority = Priority::kHigh}},
  });
  const ChannelPolicy& policy = asked.policy();
  EXPECT_EQ(policy.PatternOf("a.*"), "a.*");
  EXPECT_TRUE(policy.SnapshotOf("a.*"));
  EXPECT_EQ(policy.FrequencyOf("a.*"), Frequency::kLow);
  EXPECT_EQ(policy.SettingsOf("a.*").slow, SlowPolicy::kConflate);
  EXPECT_EQ(policy.SettingsOf("a.*").priority, Priority::kHigh);
  // What one of its channels must have, or must not, it has, or has not.
  EXPECT_TRUE(policy.SettingsOf("a.*").ephemeral);
  EXPECT_FALSE(policy.SettingsOf("a.z*").ephemeral);
  EXPECT_FALSE(policy.CompressOf("a.*"));
  EXPECT_TRUE(policy.CompressOf("a.z*"));
  EXPECT_FALSE(policy.MayHave("a.*", Frequency::kLow));
  EXPECT_TRUE(policy.MayHave("a.*", Frequency::kHigh));
  EXPECT_TRUE(policy.MayHave("a.z*", Frequency::kLow));
}

class PatternSessionTest : public SessionTest {
 protected:
  void SetUp() override {
    SessionTest::SetUp();
    OfferSlot("**", false);
    Build(Open(), {{.pattern = "p.**", .access = ChannelAccess::kAnyone, .patterns = true},
                   {.pattern = "**", .access = ChannelAccess::kAnyone}});
  }
  // The code of the error that is the only answer; else the answer.
  static std::string Ask(Client& client, const std::string& names) {
    client.Says(R"({"type":"subscribe","channels":[)" + names + "]}");
    const std::string answer = client.TakeOne();
    const size_t at = answer.find("\"code\":\"");
    return at == std::string::npos ? answer
                                   : answer.substr(at + 8, answer.find('"', at + 8) - at - 8);
  }
};

TEST_F(PatternSessionTest, WhatIsNoPatternIsABadChannel) {
  Client client = Connect();
  for (const char* bad : {"p.***", "*..a", "a.*.", ":*", "*\\n"}) {
    EXPECT_EQ(Ask(client, "\"" + std::string(bad) + "\""), "bad_channel") << bad;
  }
  std::string many = "p";
  for (int i = 0; i < 9; ++i) many += ".*";
  EXPECT_EQ(Ask(client, "\"" + many + "\""), "bad_channel");
  EXPECT_EQ(Ask(client, "\"q.*\""), "pattern_not_allowed");
}

TEST_F(PatternSessionTest, IsToldUnderItsName) {
  Client client = Connect();
  client.Says(R"({"type":"subscribe","id":7,"channels":["p.*"]})");
  hub_.OnInterest("p.*", 3, 41, clock_.Now());
  EXPECT_THAT(
      client.TakeOne(),
      HasSubstr(R"("type":"subscribed","id":7,"channel":"p.*","snapshot":false,"position")"));
  EXPECT_EQ(client.session->Channels(), std::vector<std::string>{"p.*"});
  client.Says(R"({"type":"update","id":8,"channels":["p.*"],"frequency":"low"})");
  EXPECT_THAT(client.TakeOne(), HasSubstr(R"("type":"updated","id":8,"channel":"p.*")"));
  client.Says(R"({"type":"unsubscribe","id":9,"channels":["p.*"]})");
  EXPECT_THAT(client.TakeOne(), HasSubstr(R"("type":"unsubscribed","id":9,"channel":"p.*")"));
}

TEST_F(PatternSessionTest, AConnectionHasAFew) {
  context_.limits.max_patterns = 2;
  Client client = Connect();
  EXPECT_EQ(Ask(client, "\"q.*\""), "pattern_not_allowed");
  for (const char* name : {"p.a*", "p.b*"}) {
    client.Says(R"({"type":"subscribe","channels":[")" + std::string(name) + "\"]}");
  }
  client.Take();
  EXPECT_EQ(client.session->Info().subscriptions, 2u);
  EXPECT_EQ(Ask(client, "\"p.c*\""), "too_many_patterns");
  EXPECT_EQ(counters_.patterns_refused.Value(), 1u);
  client.Says(R"({"type":"unsubscribe","channels":["p.a*","p.b*"]})");
  client.Says(R"({"type":"subscribe","channels":["p.a*","p.b*"]})");
  client.Take();
  EXPECT_EQ(client.session->Info().subscriptions, 2u) << "as many in one command as there may be";
  client.Says(R"({"type":"unsubscribe","channels":["p.a*"]})");
  client.Says(R"({"type":"subscribe","channels":["p.c*","c"]})");
  client.Take();
  EXPECT_EQ(client.session->Info().subscriptions, 3u);
  // One command asks for no more than could be had, so that nobody has rules tried without end.
  client.Says(R"({"type":"unsubscribe","channels":["p.b*","p.c*"]})");
  client.Take();
  client.Says(R"({"type":"subscribe","channels":["q.a*","q.b*","q.c*"]})");
  const std::vector<std::string> answers = client.Take();
  ASSERT_EQ(answers.size(), 3u);
  EXPECT_THAT(answers[1], HasSubstr("pattern_not_allowed"));
  EXPECT_THAT(answers[2], HasSubstr("too_many_patterns"));
}

TEST_F(PatternSessionTest, ARefreshEndsWhatItDoesNotAllow) {
  Build(Open(), {{.pattern = "room:**", .access = ChannelAccess::kGranted, .patterns = true}});
  Client client =
      Connect(RequestOf({{"token", Token("u1", {{"channels", R"(["room:a:*","room:b:*"])"}})}}));
  client.Says(R"({"type":"subscribe","channels":["room:a:*","room:b:*"]})");
  client.Take();
  EXPECT_EQ(client.session->Info().subscriptions, 2u);
  client.Says(R"({"type":"refresh","token":")" +
              Token("u1", {{"channels", R"(["room:a:**","room:b:x"])"}}) + "\"}");
  EXPECT_EQ(client.session->Channels(), std::vector<std::string>{"room:a:*"});
}

}  // namespace
}  // namespace spillway::edge
