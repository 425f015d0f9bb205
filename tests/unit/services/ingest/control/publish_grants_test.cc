#include "services/ingest/control/publish_grants.h"

#include <gtest/gtest.h>

#include <string>

#include "tests/support/allocations.h"

namespace spillway::ingest {
namespace {

v1::PublishConfig Config() {
  v1::PublishConfig config;
  v1::PublisherConfig& shop = *config.add_callers();
  shop.set_name("shop");
  shop.add_channels("shop:*");
  shop.add_channels("*.news.*");
  shop.add_topics("orders.*");
  v1::PublisherConfig& ticker = *config.add_callers();
  ticker.set_name("ticker");
  ticker.add_topics("**");
  return config;
}

const PublishGrant* GrantOf(const PublishGrants& grants, size_t index) {
  return grants.Of({.name = "x", .role = v1::ROLE_PUBLISHER, .index = index});
}

TEST(PublishGrantsTest, EachHasItsOwn) {
  const auto grants = PublishGrants::Create(Config());
  ASSERT_TRUE(grants.ok()) << grants.status();
  const PublishGrant& shop = *GrantOf(*grants, 0);
  EXPECT_TRUE(shop.AllowsChannel("shop:1"));
  EXPECT_TRUE(shop.AllowsChannel("eu.news.top"));
  for (const char* channel : {"shop:1:2", "shop:", "shop", "xshop:1", "news", ""}) {
    EXPECT_FALSE(shop.AllowsChannel(channel)) << channel;
  }
  EXPECT_TRUE(shop.AllowsTopic("orders.eu"));
  EXPECT_FALSE(shop.AllowsTopic("orders"));
  EXPECT_FALSE(shop.AllowsTopic("orders.eu.x"));
  EXPECT_FALSE(shop.AllowsTopic("shop:1")) << "a channel is no topic";
  const PublishGrant& ticker = *GrantOf(*grants, 1);
  EXPECT_TRUE(ticker.AllowsTopic("anything"));
  EXPECT_FALSE(ticker.AllowsChannel("anything"));
  EXPECT_EQ(GrantOf(*grants, 2), nullptr);
}

TEST(PublishGrantsTest, TheShortFormIsFirstAndMayEverything) {
  v1::PublishConfig config = Config();
  config.set_bearer_token("t");
  const auto grants = PublishGrants::Create(config);
  ASSERT_TRUE(grants.ok());
  EXPECT_TRUE(GrantOf(*grants, 0)->AllowsChannel("anything"));
  EXPECT_TRUE(GrantOf(*grants, 0)->AllowsTopic("anything"));
  EXPECT_FALSE(GrantOf(*grants, 1)->AllowsTopic("anything"));
}

TEST(PublishGrantsTest, WithoutCallersAnybodyMayEverything) {
  const auto grants = PublishGrants::Create({});
  ASSERT_TRUE(grants.ok());
  EXPECT_TRUE(GrantOf(*grants, 0)->AllowsChannel("anything"));
}

TEST(PublishGrantsTest, SaysWhatIsWrongWithWhom) {
  v1::PublishConfig config = Config();
  config.mutable_callers(1)->clear_topics();
  EXPECT_EQ(std::string(PublishGrants::Create(config).status().message()),
            "ingest.publish.callers[1]: may publish nowhere: set channels, topics or both");
  config.mutable_callers(1)->add_channels("a..b");
  EXPECT_EQ(std::string(PublishGrants::Create(config).status().message())
                .find("ingest.publish.callers[1].channels[0]: "),
            0u);
}

TEST(PublishGrantsTest, AskingAllocatesNothing) {
  const auto grants = PublishGrants::Create(Config());
  ASSERT_TRUE(grants.ok());
  const PublishGrant& shop = *GrantOf(*grants, 0);
  const size_t before = test::AllocationsSoFar().count;
  int allowed = 0;
  for (int i = 0; i < 100; ++i) {
    allowed += shop.AllowsChannel("shop:a-name-that-fits-into-no-small-string") ? 1 : 0;
    allowed += shop.AllowsChannel("some.other.name-that-fits-into-no-small-string") ? 1 : 0;
    allowed += shop.AllowsTopic("orders.a-name-that-fits-into-no-small-string") ? 1 : 0;
  }
  EXPECT_EQ(test::AllocationsSoFar().count, before);
  EXPECT_EQ(allowed, 200);
}

}  // namespace
}  // namespace spillway::ingest
