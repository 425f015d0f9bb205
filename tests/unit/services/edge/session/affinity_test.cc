// Which node the clients of a key belong on, and what becomes of those who come elsewhere.

#include "services/edge/session/affinity.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "services/edge/session/redirect.h"
#include "tests/unit/services/edge/session/session_fixture.h"

namespace spillway::edge {
namespace {

using testing::HasSubstr;

std::string OwnerSeenBy(const std::string& self, const std::vector<AffinityNode>& nodes,
                        std::string_view key) {
  AffinityTable table(self);
  table.SetNodes(nodes);
  const auto other = table.OtherOwner(key);
  return other.has_value() ? other->node_id : self;
}

const std::vector<AffinityNode> kThree = {{"edge-0", "a:1"}, {"edge-1", "b:1"}, {"edge-2", "c:1"}};

TEST(AffinityTableTest, AllNodesComeToTheSame) {
  std::map<std::string, int> owned;
  for (int i = 0; i < 3'000; ++i) {
    const std::string key = std::to_string(i);
    const std::string owner = OwnerSeenBy("edge-0", kThree, key);
    ++owned[owner];
    for (const char* self : {"edge-1", "edge-2"}) EXPECT_EQ(OwnerSeenBy(self, kThree, key), owner);
    const std::vector<AffinityNode> shuffled = {kThree[2], kThree[0], kThree[1]};
    EXPECT_EQ(OwnerSeenBy("edge-0", shuffled, key), owner) << "whatever their order";
  }
  for (const auto& [node, count] : owned) EXPECT_NEAR(count, 1'000, 150) << node;
}

// Nodes of different versions have to agree: never change this.
TEST(AffinityTableTest, TheHashIsXxh64OfNodeAndKey) {
  EXPECT_EQ(OwnerSeenBy("x", kThree, "assessment-1"), "edge-1");
  EXPECT_EQ(OwnerSeenBy("x", kThree, "assessment-2"), "edge-2");
  EXPECT_EQ(OwnerSeenBy("x", kThree, "assessment-3"), "edge-1");
}

TEST(AffinityTableTest, OneThatGoesTakesNobodyElsesKeysWithIt) {
  const std::vector<AffinityNode> two = {kThree[0], kThree[2]};
  for (int i = 0; i < 300; ++i) {
    const std::string key = std::to_string(i);
    const std::string before = OwnerSeenBy("x", kThree, key);
    if (before != "edge-1") {
      EXPECT_EQ(OwnerSeenBy("x", two, key), before) << key;
    }
  }
}

TEST(AffinityTableTest, WithoutNodesNobodyIsSentAnywhere) {
  AffinityTable table("edge-0");
  EXPECT_FALSE(table.OtherOwner("k").has_value());
  table.SetNodes({});
  EXPECT_FALSE(table.OtherOwner("k").has_value());
}

class AffinityTest : public SessionTest {
 protected:
  void SetUp() override {
    EndpointOptions options = Open();
    options.params = {{.name = "room"}};
    options.affinity_key = "{param.room}";
    Build(options);
    context_.affinity = &table_;
    table_.SetNodes({{"elsewhere", "edge-2:8080"}});
  }
  // What a client is told, and how its connection ends; "taken": it is not.
  std::string Come(std::vector<std::pair<std::string, std::string>> query) {
    UpgradeDecision decision = acceptor_->OnUpgrade(RequestOf(std::move(query)), 0);
    if (decision.refusal.has_value()) return "refused";
    FakeTransport transport;
    decision.handler->OnOpen(&transport);
    const std::string told = transport.sent.empty() ? "" : transport.sent.back();
    const bool closed = transport.closed;
    const uint16_t code = transport.close_code;
    decision.handler->OnClosed(1000, "");
    return closed ? told + " " + std::to_string(code) : "taken";
  }

  AffinityTable table_{"here"};
};

TEST_F(AffinityTest, AClientOfAnothersKeyIsToldWhereItBelongs) {
  EXPECT_EQ(Come({{"room", "r1"}}),
            R"({"type":"redirect","node":"elsewhere","address":"edge-2:8080"} 1008)");
  EXPECT_EQ(context_.counters.affinity_redirects.Value(), 1u);
  EXPECT_EQ(gate_.count(), 0) << "it gives its place back";
  table_.SetNodes({{"elsewhere", ""}});
  EXPECT_EQ(Come({{"room", "r1"}}), R"({"type":"redirect","node":"elsewhere"} 1008)");
}

// While nodes disagree it would be sent to and fro for ever.
TEST_F(AffinityTest, OneThatWasSentHereIsTakenAndCounted) {
  EXPECT_EQ(Come({{"room", "r1"}, {"redirected", ""}}), "taken");
  EXPECT_EQ(context_.counters.affinity_mismatches.Value(), 1u);
  table_.SetNodes({{"here", ""}});
  EXPECT_EQ(Come({{"room", "r1"}, {"redirected", "1"}}), "taken");
  EXPECT_EQ(context_.counters.affinity_mismatches.Value(), 1u) << "it belongs here";
  EXPECT_EQ(Come({{"room", "r1"}}), "taken");
}

TEST_F(AffinityTest, OneWithoutAKeyBelongsNowhere) {
  EXPECT_EQ(Come({}), "taken");
  EXPECT_EQ(context_.counters.affinity_redirects.Value(), 0u);
}

// It is a key and no channel: an address, a path or a name with dots is as good as any.
TEST_F(AffinityTest, AKeyMayBeAnyText) {
  EndpointOptions options;
  options.affinity_key = "{sub}";
  Build(options);
  for (const char* user : {"a.b", "10.0.0.1:80", "x/y", "{*}", "\xc3\xa4"}) {
    EXPECT_THAT(Come({{"token", Token(user)}}), HasSubstr("redirect")) << user;
  }
}

TEST_F(AffinityTest, AParameterThatThereIsNotIsAnError) {
  EndpointOptions options = Open();
  options.params = {{.name = "room"}};
  options.affinity_key = "{param.rom}";
  EXPECT_THAT(std::string(Endpoint::Create(options, {}).status().message()),
              HasSubstr("affinity.key: {param.rom} is neither in the path nor in params"));
}

TEST(AffinityKeyTest, OfAListTheLeastItemCountsInAnyOrder) {
  const auto key = [](const char* claims) {
    const auto parsed = auth::Claims::Parse(claims);
    const std::vector<std::string> keys =
        ChannelTemplate::Compile("{claim.desks}", ChannelTemplate::Kind::kKey)
            ->Expand({.claims = &*parsed});
    return *std::min_element(keys.begin(), keys.end());
  };
  EXPECT_EQ(key(R"({"desks":["b.1","a:2"]})"), key(R"({"desks":["a:2","b.1"]})"));
}

TEST_F(AffinityTest, OneWhoseTokenComesAsAMessageIsToldThen) {
  EndpointOptions options;
  options.auth.message = true;
  options.affinity_key = "{sub}";
  Build(options);
  UpgradeDecision decision = acceptor_->OnUpgrade(RequestOf({}), 0);
  ASSERT_FALSE(decision.refusal.has_value());
  FakeTransport transport;
  decision.handler->OnOpen(&transport);
  EXPECT_FALSE(transport.closed);
  decision.handler->OnMessage(R"({"type":"connect","token":")" + Token("u1") + R"("})", true);
  EXPECT_THAT(transport.sent.back(), HasSubstr(R"("type":"redirect","node":"elsewhere")"));
  EXPECT_EQ(transport.close_code, 1008);
  decision.handler->OnClosed(1008, "");
}

TEST_F(AffinityTest, TheMarkOfOneThatWasSentMeansNothingElse) {
  EndpointOptions options = Open();
  options.affinity_key = "{sub}";
  for (const char* taken : {"token", "compress", "room"}) {
    options.params = {{.name = "room"}};
    options.affinity_param = taken;
    EXPECT_THAT(std::string(Endpoint::Create(options, {}).status().message()),
                HasSubstr("affinity.param"))
        << taken;
  }
}

TEST_F(AffinityTest, AKeyNeedsAPlaceholder) {
  for (const char* key : {"all", "{room}", "{param.a}{param.b}"}) {
    EndpointOptions options = Open();
    options.affinity_key = key;
    EXPECT_THAT(std::string(Endpoint::Create(options, {}).status().message()),
                HasSubstr("affinity.key"))
        << key;
  }
}

}  // namespace
}  // namespace spillway::edge
