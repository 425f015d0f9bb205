#include "services/ingest/app/catalogue_keeper.h"

#include <gtest/gtest.h>

#include "tests/unit/services/ingest/normalise/route_fixture.h"

namespace spillway::ingest {
namespace {

class CatalogueKeeperTest : public RouteFixture {
 protected:
  std::shared_ptr<const RouteTable> Routes() {
    return *Compile(
        "- name: prices\n  topics: [prices, orders]\n"
        "  emit: [{channels: [\"p:{/symbol}\"], snapshot: {mode: by_key}}]");
  }
};

TopicInfo Topic(std::string name, int32_t partitions) {
  return {.name = std::move(name), .partitions = partitions, .status = absl::OkStatus()};
}

TEST_F(CatalogueKeeperTest, IsIncompleteUntilKafkaAnswers) {
  CatalogueKeeper keeper(Routes());
  const auto change = keeper.Update({});
  EXPECT_FALSE(change.catalogue.complete());
  EXPECT_TRUE(change.added.empty());
}

TEST_F(CatalogueKeeperTest, NumbersEveryPartitionOnceAndCallsLaterOnesYoung) {
  CatalogueKeeper keeper(Routes());
  Metadata metadata;
  metadata.up = true;
  metadata.topics = {Topic("prices", 2)};
  metadata.missing = {"orders"};
  auto change = keeper.Update(metadata);
  ASSERT_TRUE(change.catalogue.complete());
  ASSERT_EQ(change.added.size(), 2u);
  EXPECT_TRUE(change.added[0].info.keeps_latest);
  EXPECT_FALSE(change.catalogue.topics(0).slots(0).young());
  ASSERT_EQ(change.catalogue.problems_size(), 1);
  EXPECT_EQ(change.catalogue.problems(0).topic(), "orders");

  EXPECT_FALSE(keeper.Update(metadata).changed);

  metadata.topics = {Topic("orders", 1), Topic("prices", 3)};
  metadata.missing.clear();
  change = keeper.Update(metadata);
  EXPECT_TRUE(change.changed);
  ASSERT_EQ(change.added.size(), 2u);
  for (const ShardSlot& slot : change.added) EXPECT_GE(slot.info.id, 3u);
  EXPECT_TRUE(change.catalogue.topics(0).slots(0).young());
  EXPECT_EQ(change.catalogue.problems_size(), 0);
}

TEST_F(CatalogueKeeperTest, KeepsWhatItCannotSeeAndDropsWhatIsGone) {
  CatalogueKeeper keeper(Routes());
  Metadata metadata;
  metadata.up = true;
  metadata.topics = {Topic("orders", 1), Topic("prices", 1)};
  keeper.Update(metadata);
  Metadata down;
  down.reason = "no broker";
  EXPECT_TRUE(keeper.Update(down).removed.empty());
  // A topic whose metadata is an error for the moment is not gone.
  Metadata troubled;
  troubled.up = true;
  troubled.topics = {Topic("prices", 1)};
  troubled.troubled = {
      {.name = "orders", .partitions = 0, .status = absl::UnavailableError("no leader")}};
  EXPECT_TRUE(keeper.Update(troubled).removed.empty());
  troubled.troubled.clear();
  troubled.missing = {"orders"};
  const auto change = keeper.Update(troubled);
  EXPECT_EQ(change.removed.size(), 1u);
  EXPECT_EQ(change.catalogue.topics_size(), 1);
}

}  // namespace
}  // namespace spillway::ingest
