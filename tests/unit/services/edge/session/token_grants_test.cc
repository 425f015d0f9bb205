#include "services/edge/session/token_grants.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

namespace spillway::edge {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

std::vector<std::string> Roles(std::string_view json, std::string_view name) {
  return RolesOf(*auth::Claims::Parse(json), name);
}

TEST(RolesOf, OneOrAList) {
  EXPECT_THAT(Roles(R"({"roles":"admin"})", "roles"), ElementsAre("admin"));
  EXPECT_THAT(Roles(R"({"roles":["user","admin"]})", "roles"), ElementsAre("user", "admin"));
  EXPECT_THAT(Roles(R"({"roles":[]})", "roles"), IsEmpty());
  EXPECT_THAT(Roles(R"({"sub":"u"})", "roles"), IsEmpty());
  EXPECT_THAT(Roles(R"({"roles":["user"]})", ""), IsEmpty());
}

// One text is one role, whatever is in it.
TEST(RolesOf, NothingIsTakenApartOrTurnedIntoARole) {
  EXPECT_THAT(Roles(R"({"roles":"user admin"})", "roles"), ElementsAre("user admin"));
  EXPECT_THAT(Roles(R"({"roles":"[\"admin\"]"})", "roles"), ElementsAre("[\"admin\"]"));
  for (const char* other :
       {"null", "true", "7", R"({"admin":true})", R"([["admin"],{"a":"admin"},7])"}) {
    EXPECT_THAT(Roles(std::string(R"({"roles":)") + other + "}", "roles"), IsEmpty()) << other;
  }
}

TEST(RolesOf, AWayIntoObjects) {
  const char* token = R"({"realm_access":{"roles":["a","b"],"deep":{"er":"c"}},"x":"y",
                          "https://example.com/roles":["d"],"a.b":"exact","a":{"b":"inside"}})";
  EXPECT_THAT(Roles(token, "realm_access.roles"), ElementsAre("a", "b"));
  EXPECT_THAT(Roles(token, "realm_access.deep.er"), ElementsAre("c"));
  EXPECT_THAT(Roles(token, "https://example.com/roles"), ElementsAre("d"));
  EXPECT_THAT(Roles(token, "a.b"), ElementsAre("exact"));
  for (const char* none : {"realm_access", "realm_access.", "realm_access.none", ".", "x.y",
                           "realm_access.roles.0", "none.roles"}) {
    EXPECT_THAT(Roles(token, none), IsEmpty()) << none;
  }
}

TEST(RolesOf, AreBounded) {
  std::string list = "[\"r0\"";
  for (int i = 1; i < 500; ++i) list += ",\"r" + std::to_string(i) + "\"";
  EXPECT_EQ(Roles("{\"roles\":" + list + "]}", "roles").size(), kMaxRoles);
}

std::string Granted(std::string_view claim_json) {
  const auto granted = GrantedChannels(
      *auth::Claims::Parse("{\"channels\":" + std::string(claim_json) + "}"), "channels");
  if (!granted.ok()) return std::string(granted.status().message());
  std::string all;
  for (const ChannelPattern& pattern : granted->subscribe) all += pattern.text() + " ";
  for (const ChannelPattern& pattern : granted->publish) all += "+" + pattern.text() + " ";
  return all;
}

TEST(GrantedChannels, PatternsAndObjects) {
  EXPECT_EQ(Granted(R"(["a","b:*","c:**"])"), "a b:* c:** ");
  EXPECT_EQ(Granted(R"([{"channel":"a:*"},{"channel":"b","allow":["subscribe","publish"]}])"),
            "a:* b +b ");
  EXPECT_EQ(Granted(R"([{"channel":"a","allow":["publish"]},{"channel":"b","allow":[]},
                        {"channel":"c","allow":["history"]},"d"])"),
            "d +a ");
  EXPECT_EQ(Granted("[]"), "");
  EXPECT_EQ(Granted("null"), "");
  const auto none = GrantedChannels(*auth::Claims::Parse("{}"), "channels");
  EXPECT_THAT(none->subscribe, IsEmpty());
  EXPECT_THAT(none->publish, IsEmpty());
}

TEST(GrantedChannels, WhatIsNoSuchListIsTold) {
  EXPECT_EQ(Granted(R"("a")"), "it must be a list");
  EXPECT_EQ(Granted(R"({"a":["subscribe"]})"), "it must be a list");
  EXPECT_THAT(Granted("[7]"), HasSubstr("its entries must be channel patterns"));
  EXPECT_THAT(Granted("[{}]"), HasSubstr("its entries must be channel patterns"));
  EXPECT_THAT(Granted(R"([{"channel":7}])"), HasSubstr("its entries"));
  EXPECT_EQ(Granted(R"([{"channel":"a","allow":"subscribe"}])"),
            "'allow' must be a list of operations");
  EXPECT_EQ(Granted(R"([{"channel":"a","allow":[1]}])"), "'allow' must be a list of operations");
  EXPECT_THAT(Granted(R"(["a***"])"), HasSubstr("a channel pattern"));
  EXPECT_THAT(Granted(R"(["a..b"])"), HasSubstr("not a channel pattern"));
  std::string many = "[\"a\"";
  for (size_t i = 0; i < kMaxGrantedChannels; ++i) many += ",\"a\"";
  EXPECT_EQ(Granted(many + "]"), "it may have 100 entries");
}

}  // namespace
}  // namespace spillway::edge
