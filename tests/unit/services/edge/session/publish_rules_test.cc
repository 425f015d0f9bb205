// Who may publish on which channel: the rules, and what an attacker would try against them.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "common/auth/claims.h"
#include "services/edge/session/channel_policy.h"

namespace spillway::edge {
namespace {

using ::testing::HasSubstr;

// A policy, asked on behalf of a client with these claims (JSON) and what else is known of it.
class Asked {
 public:
  explicit Asked(const std::vector<ChannelRule>& rules,
                 ChannelAccess unmatched = ChannelAccess::kServer) {
    auto policy = ChannelPolicy::Compile(rules, unmatched);
    EXPECT_TRUE(policy.ok()) << policy.status();
    if (policy.ok()) policy_ = *std::move(policy);
  }
  ChannelPolicy::PublishVerdict Verdict(std::string_view channel, std::string_view claims_json,
                                        std::vector<std::string> roles = {},
                                        const std::vector<std::string>& subscribe = {},
                                        const std::vector<std::string>& publish = {}) const {
    auth::Claims claims;
    ClientValues client;
    if (!claims_json.empty()) {
      claims = *auth::Claims::Parse(claims_json);
      client.claims = &claims;
    }
    client.roles = std::move(roles);
    for (const std::string& one : subscribe) client.granted.push_back(*ChannelPattern::Parse(one));
    for (const std::string& one : publish) {
      client.granted_publish.push_back(*ChannelPattern::Parse(one));
    }
    return policy_.CheckPublish(channel, policy_.GrantsOf(std::move(client)));
  }
  bool operator()(std::string_view channel, std::string_view claims_json,
                  std::vector<std::string> roles = {},
                  const std::vector<std::string>& subscribe = {},
                  const std::vector<std::string>& publish = {}) const {
    return Verdict(channel, claims_json, std::move(roles), subscribe, publish).target != nullptr;
  }
  const ChannelPolicy& policy() const { return policy_; }

 private:
  ChannelPolicy policy_;
};

constexpr char kUser[] = R"({"sub":"u1"})";
constexpr char kAnonymous[] = "";

PublishRule By(ChannelAccess access) { return {.access = access}; }

TEST(PublishRulesTest, WithoutARuleThatLetsThemNobodyMay) {
  const Asked asked({{.pattern = "a", .access = ChannelAccess::kAnyone},
                     {.pattern = "b", .publish = By(ChannelAccess::kAuthenticated)}},
                    ChannelAccess::kAuthenticated);
  EXPECT_FALSE(asked("a", kUser, {"admin"}, {"**"}, {"**"}));
  EXPECT_FALSE(asked("unmatched", kUser, {"admin"}, {"**"}, {"**"}));
  EXPECT_TRUE(asked("b", kUser));
  EXPECT_FALSE(asked("b", kAnonymous));
}

TEST(PublishRulesTest, TheFirstRuleThatMatchesDecidesAlone) {
  const Asked asked({{.pattern = "ops.**", .roles = {"admin"}},
                     {.pattern = "**", .publish = By(ChannelAccess::kAnyone)}});
  EXPECT_FALSE(asked("ops.alerts", kUser, {"admin"}));
  EXPECT_TRUE(asked("chat", kAnonymous));
}

// An operator who forgets to say it again has not opened an admin's channel.
TEST(PublishRulesTest, WhatItDoesNotSayIsAsForSubscribers) {
  const Asked roles(
      {{.pattern = "ops.**", .roles = {"admin"}, .publish = By(ChannelAccess::kAuthenticated)}});
  EXPECT_FALSE(roles("ops.alerts", kUser));
  EXPECT_TRUE(roles("ops.alerts", kUser, {"admin"}));
  const Asked own({{.pattern = "user:**",
                    .allow = "user:{sub}:**",
                    .publish = By(ChannelAccess::kAuthenticated)}});
  EXPECT_TRUE(own("user:u1:notes", kUser));
  EXPECT_FALSE(own("user:u2:notes", kUser));
  EXPECT_FALSE(own("user:u1x:notes", kUser));
  EXPECT_FALSE(own("user:*:notes", R"({"sub":"*"})"));
  EXPECT_FALSE(own("user:u2:notes", R"({"sub":"u2:notes"})"));
}

TEST(PublishRulesTest, WhatItSaysCountsAlone) {
  const Asked asked({{.pattern = "room:*",
                      .allow = "room:{claim.reads}",
                      .roles = {"reader"},
                      .publish = PublishRule{.access = ChannelAccess::kAuthenticated,
                                             .allow = "room:{claim.writes}",
                                             .roles = {"writer"}}}});
  constexpr char kBoth[] = R"({"sub":"u1","reads":["a"],"writes":["b"]})";
  EXPECT_TRUE(asked("room:b", kBoth, {"writer"}));
  EXPECT_FALSE(asked("room:b", kBoth, {"reader"}));
  EXPECT_FALSE(asked("room:a", kBoth, {"reader", "writer"}));
  const auto may_read = [&](const char* channel, std::vector<std::string> roles) {
    const auth::Claims claims = *auth::Claims::Parse(kBoth);
    return asked.policy()
        .Check(channel, asked.policy().GrantsOf({.claims = &claims, .roles = std::move(roles)}))
        .allowed;
  };
  EXPECT_TRUE(may_read("room:a", {"reader"}));
  EXPECT_FALSE(may_read("room:b", {"reader", "writer"}));
  EXPECT_FALSE(may_read("room:a", {"writer"}));
}

TEST(PublishRulesTest, AStarMeansThatNoRoleIsNeeded) {
  const Asked asked(
      {{.pattern = "reports",
        .roles = {"admin"},
        .publish = PublishRule{.access = ChannelAccess::kAuthenticated, .roles = {"*"}}}});
  EXPECT_TRUE(asked("reports", kUser));
  EXPECT_FALSE(asked("reports", kAnonymous));
}

// What a token lists to subscribe to is not to publish to.
TEST(PublishRulesTest, TheTokensListSaysItForPublishing) {
  const Asked asked({{.pattern = "room:**",
                      .access = ChannelAccess::kGranted,
                      .publish = By(ChannelAccess::kGranted)}});
  EXPECT_FALSE(asked("room:1", kUser));
  EXPECT_FALSE(asked("room:1", kUser, {}, {"room:*"}));
  EXPECT_TRUE(asked("room:1", kUser, {}, {}, {"room:*"}));
  EXPECT_FALSE(asked("room:1:x", kUser, {}, {}, {"room:*"}));
  EXPECT_TRUE(asked.policy().looks_at_tokens_list());
}

// A channel that nobody may subscribe to can be where clients send to.
TEST(PublishRulesTest, AChannelOfTheServerCanBeAnInbox) {
  const Asked asked({{.pattern = "inbox",
                      .access = ChannelAccess::kServer,
                      .publish = By(ChannelAccess::kAuthenticated)}});
  EXPECT_TRUE(asked("inbox", kUser));
}

TEST(PublishRulesTest, TheTargetIsThatOfTheRule) {
  const Asked asked({{.pattern = "chat:*",
                      .publish = PublishRule{.access = ChannelAccess::kAuthenticated,
                                             .target = {.topic = "chat"}}},
                     {.pattern = "typing",
                      .publish = PublishRule{.access = ChannelAccess::kAuthenticated,
                                             .target = {.event = "typing"}}}});
  const auto chat = asked.Verdict("chat:42", kUser);
  ASSERT_NE(chat.target, nullptr);
  EXPECT_TRUE(chat.target->durable());
  EXPECT_EQ(chat.target->topic, "chat");
  EXPECT_EQ(chat.rest, "42");
  const auto typing = asked.Verdict("typing", kUser);
  ASSERT_NE(typing.target, nullptr);
  EXPECT_FALSE(typing.target->durable());
  EXPECT_EQ(typing.rest, "");
}

TEST(PublishRulesTest, RatesOfBothKindsHaveNumbersOfTheirOwn) {
  const Rate one = Rate::Of(1, std::chrono::seconds(1), 0);
  const Asked asked({{.pattern = "a", .subscribes = one},
                     {.pattern = "b",
                      .subscribes = one,
                      .publish = PublishRule{.access = ChannelAccess::kAnyone, .rate = one}}});
  EXPECT_EQ(asked.policy().rates(), 3);
  EXPECT_EQ(asked.policy().RateOf("b").index, 1);
  const auto verdict = asked.Verdict("b", kAnonymous);
  EXPECT_EQ(verdict.rate.index, 2);
  EXPECT_TRUE(verdict.rate.rate.limits());
}

TEST(PublishRulesTest, MistakesAreNamed) {
  const auto error = [](PublishRule publish) {
    return std::string(ChannelPolicy::Compile({{.pattern = "a:*", .publish = std::move(publish)}})
                           .status()
                           .message());
  };
  EXPECT_THAT(error(By(ChannelAccess::kServer)),
              HasSubstr("channel rule 'a:*'.publish: access: server would let nobody publish"));
  EXPECT_THAT(error({.allow = "a:{sub"}), HasSubstr("channel rule 'a:*'.publish: "));
}

}  // namespace
}  // namespace spillway::edge
