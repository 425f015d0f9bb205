#include "services/ingest/app/catalogue_keeper.h"

#include <gtest/gtest.h>

#include "tests/unit/services/ingest/normalise/route_fixture.h"

namespace spillway::ingest {
namespace {

using namespace std::chrono_literals;

class CatalogueKeeperTest : public RouteFixture {
 protected:
  std::shared_ptr<const RouteTable> Routes() {
    return *Compile(
        "- name: prices\n  topics: [prices, orders]\n  topics_regex: 'odd[.].*'\n"
        "  emit: [{channels: [\"p:{/symbol}\"], snapshot: {mode: by_key}}]");
  }
};

TopicInfo Topic(std::string name, int32_t partitions) {
  return {.name = std::move(name), .partitions = partitions, .status = absl::OkStatus()};
}

// Keeps the time of the keeper's listings.
class Listings {
 public:
  explicit Listings(CatalogueKeeper& keeper) : keeper_(keeper) {}
  CatalogueKeeper::Change After(std::chrono::milliseconds time, const Metadata& metadata) {
    passed_ += time;
    return keeper_.Update(metadata, now(), WallTime() + passed_);
  }
  MonoTime now() const { return MonoTime() + passed_; }

 private:
  CatalogueKeeper& keeper_;
  std::chrono::milliseconds passed_{1'000'000};
};

Metadata Listed(std::vector<TopicInfo> topics) {
  Metadata metadata;
  metadata.up = true;
  metadata.topics = std::move(topics);
  return metadata;
}

const v1::CatalogueSlot& FirstSlot(const CatalogueKeeper::Change& change) {
  return change.catalogue.topics(0).slots(0);
}

TEST_F(CatalogueKeeperTest, IsIncompleteUntilKafkaAnswers) {
  CatalogueKeeper keeper(Routes());
  const auto change = Listings(keeper).After(1s, {});
  EXPECT_FALSE(change.catalogue.complete());
  EXPECT_TRUE(change.added.empty());
}

TEST_F(CatalogueKeeperTest, NumbersEveryPartitionOnceAndCallsNewOnesYoung) {
  CatalogueKeeper keeper(Routes());
  Listings listings(keeper);
  Metadata metadata = Listed({Topic("prices", 2)});
  metadata.missing = {"orders"};
  auto change = listings.After(1s, metadata);
  ASSERT_TRUE(change.catalogue.complete());
  ASSERT_EQ(change.added.size(), 2u);
  EXPECT_TRUE(change.added[0].info.keeps_latest);
  EXPECT_FALSE(FirstSlot(change).young());
  ASSERT_EQ(change.catalogue.problems_size(), 1);
  EXPECT_EQ(change.catalogue.problems(0).topic(), "orders");

  EXPECT_FALSE(listings.After(10s, metadata).changed);

  change = listings.After(10s, Listed({Topic("orders", 1), Topic("prices", 3)}));
  EXPECT_TRUE(change.changed);
  ASSERT_EQ(change.added.size(), 2u);
  for (const ShardSlot& slot : change.added) EXPECT_GE(slot.info.id, 3u);
  EXPECT_TRUE(FirstSlot(change).young()) << "Kafka had said that there is none";
  EXPECT_FALSE(change.catalogue.topics(1).slots(0).young());
  EXPECT_TRUE(change.catalogue.topics(1).slots(2).young()) << "a partition that was added";
  EXPECT_TRUE(change.undecided.empty());
  EXPECT_EQ(change.catalogue.problems_size(), 0);
}

// It may hold a million old records, which nobody wants as news.
TEST_F(CatalogueKeeperTest, TellsWhatARouteKeeps) {
  CatalogueKeeper keeper(*Compile(
      "- {name: a, topics: [a], emit: [{channels: [x]}]}\n"
      "- {name: b, topics: [b], history: {age: 2m, snapshot_bytes: 1MiB}, emit: [{channels: [x]}]}",
      "  history: {bytes_per_partition: 2MiB, reread_records: 7, reread_bytes: 3MiB}\n"));
  const auto change = Listings(keeper).After(1s, Listed({Topic("a", 1), Topic("b", 1)}));
  ASSERT_EQ(change.added.size(), 2u);
  EXPECT_EQ(change.added[0].info.history.value().latest_bytes, 64u << 20);
  const HistoryBounds own = change.added[1].info.history.value();
  EXPECT_EQ(own.log.max_bytes, 2u << 20);
  EXPECT_EQ(own.log.max_age_us, 120'000'000);
  EXPECT_EQ(own.latest_bytes, 1u << 20);
  EXPECT_EQ(own.reread_records, 7);
  EXPECT_EQ(own.reread_window_bytes, 3u << 20);
}

TEST_F(CatalogueKeeperTest, ATopicThatWasDeniedIsNeverYoung) {
  CatalogueKeeper keeper(Routes());
  Listings listings(keeper);
  Metadata metadata = Listed({Topic("prices", 1)});
  metadata.denied = {"orders"};
  listings.After(1s, metadata);
  metadata.denied.clear();
  metadata.troubled = {
      {.name = "orders", .partitions = 0, .status = absl::UnavailableError("no leader")}};
  listings.After(10s, metadata);
  const auto change = listings.After(10s, Listed({Topic("orders", 1), Topic("prices", 1)}));
  ASSERT_EQ(change.catalogue.topics(0).topic(), "orders");
  EXPECT_FALSE(FirstSlot(change).young());
  EXPECT_TRUE(change.undecided.empty());
}

// Kafka lists no topic that may not be seen, so one that matches a pattern may be new, or old and
// allowed only now.
TEST_F(CatalogueKeeperTest, ATopicOfAPatternIsLookedIntoBeforeItIsTold) {
  for (const bool young : {false, true}) {
    CatalogueKeeper keeper(Routes());
    Listings listings(keeper);
    listings.After(1s, Listed({Topic("prices", 1)}));
    auto change = listings.After(10s, Listed({Topic("odd.1", 1), Topic("prices", 1)}));
    EXPECT_FALSE(change.changed);
    ASSERT_EQ(change.added.size(), 1u);
    ASSERT_EQ(change.undecided.size(), 1u);
    EXPECT_EQ(change.undecided[0].topic, "odd.1");
    EXPECT_EQ(change.undecided[0].unix_ms, 1'001'000 - 60'000) << "when it was not there";
    change = keeper.Decide(change.undecided[0].slot, young);
    EXPECT_TRUE(change.changed);
    ASSERT_EQ(change.catalogue.topics(0).topic(), "odd.1");
    EXPECT_EQ(FirstSlot(change).young(), young);
    EXPECT_TRUE(
        listings.After(10s, Listed({Topic("odd.1", 1), Topic("prices", 1)})).undecided.empty());
  }
}

TEST_F(CatalogueKeeperTest, AsksAgainWhatCouldNotBeFoundOut) {
  CatalogueKeeper keeper(Routes());
  Listings listings(keeper);
  listings.After(1s, Listed({}));
  const Metadata found = Listed({Topic("odd.1", 1)});
  const auto change = listings.After(10s, found);
  ASSERT_EQ(change.undecided.size(), 1u);
  EXPECT_TRUE(listings.After(10s, found).undecided.empty()) << "it is being asked";
  keeper.NotDecided(change.undecided[0].slot, listings.now());
  EXPECT_TRUE(listings.After(10ms, found).undecided.empty());
  EXPECT_EQ(listings.After(1s, found).undecided.size(), 1u);
}

TEST_F(CatalogueKeeperTest, KeepsWhatItCannotSee) {
  CatalogueKeeper keeper(Routes());
  Listings listings(keeper);
  listings.After(1s, Listed({Topic("orders", 1), Topic("prices", 1)}));
  Metadata down;
  down.reason = "no broker";
  EXPECT_TRUE(listings.After(100s, down).removed.empty());
  // A topic whose metadata is an error for the moment is not gone.
  Metadata troubled = Listed({Topic("prices", 1)});
  troubled.troubled = {
      {.name = "orders", .partitions = 0, .status = absl::UnavailableError("no leader")}};
  for (int i = 0; i < 10; ++i) EXPECT_TRUE(listings.After(100s, troubled).removed.empty());
}

TEST_F(CatalogueKeeperTest, OneListingWithoutATopicChangesNothing) {
  CatalogueKeeper keeper(Routes());
  Listings listings(keeper);
  const Metadata both = Listed({Topic("orders", 1), Topic("prices", 1)});
  listings.After(1s, both);
  for (int i = 0; i < 5; ++i) {
    const auto without = listings.After(100s, Listed({Topic("prices", 1)}));
    EXPECT_FALSE(without.changed);
    EXPECT_TRUE(without.removed.empty());
    const auto back = listings.After(10s, both);
    EXPECT_FALSE(back.changed);
    EXPECT_TRUE(back.added.empty());
  }
}

TEST_F(CatalogueKeeperTest, DropsWhatStaysAwayAndKeepsItsNumbers) {
  CatalogueKeeper keeper(Routes());
  Listings listings(keeper);
  const Metadata both = Listed({Topic("orders", 1), Topic("prices", 1)});
  const SlotId number = FirstSlot(listings.After(1s, both)).slot();
  Metadata without = Listed({Topic("prices", 1)});
  without.missing = {"orders"};
  listings.After(1s, without);
  for (int i = 0; i < 29; ++i) {
    EXPECT_TRUE(listings.After(1s, without).removed.empty())
        << "listings can follow each other fast";
  }
  auto change = listings.After(1s, without);
  EXPECT_EQ(change.removed, std::vector<SlotId>{number});
  EXPECT_EQ(change.catalogue.topics_size(), 1);
  EXPECT_TRUE(listings.After(1s, without).removed.empty());

  change = listings.After(1s, both);
  ASSERT_EQ(change.added.size(), 1u);
  EXPECT_EQ(change.added[0].info.id, number);
  ASSERT_EQ(change.catalogue.topics_size(), 2);
  EXPECT_EQ(FirstSlot(change).slot(), number);
  EXPECT_FALSE(FirstSlot(change).young());
}

TopicInfo Cleaned(std::string name, int32_t partitions, std::optional<bool> compacted) {
  TopicInfo topic = Topic(std::move(name), partitions);
  topic.compacted = compacted;
  return topic;
}

TEST_F(CatalogueKeeperTest, SaysWhetherATopicIsCompactedAsKafkaSaysIt) {
  CatalogueKeeper keeper(Routes());
  Listings listings(keeper);
  auto change = listings.After(1s, Listed({Cleaned("prices", 2, true)}));
  ASSERT_EQ(change.added.size(), 2u);
  EXPECT_EQ(change.added[0].info.compaction, Compaction::kYes);
  EXPECT_TRUE(change.compaction.empty());
  change = listings.After(1s, Listed({Cleaned("prices", 2, std::nullopt)}));
  EXPECT_TRUE(change.compaction.empty()) << "what is not said stays";
  change = listings.After(1s, Listed({Cleaned("prices", 3, false)}));
  ASSERT_EQ(change.compaction.size(), 2u);
  EXPECT_EQ(change.compaction[0].second, Compaction::kUnknown) << "what it removed is missing still";
  ASSERT_EQ(change.added.size(), 1u);
  EXPECT_EQ(change.added[0].info.compaction, Compaction::kUnknown);
}

TEST_F(CatalogueKeeperTest, ATopicThatNeverWasCompactedKeepsItsRecords) {
  CatalogueKeeper keeper(Routes());
  Listings listings(keeper);
  auto change = listings.After(1s, Listed({Cleaned("prices", 1, std::nullopt)}));
  ASSERT_EQ(change.added.size(), 1u);
  EXPECT_EQ(change.added[0].info.compaction, Compaction::kUnknown);
  change = listings.After(1s, Listed({Cleaned("prices", 1, false)}));
  ASSERT_EQ(change.compaction.size(), 1u);
  EXPECT_EQ(change.compaction[0].second, Compaction::kNo);
}

TEST_F(CatalogueKeeperTest, ARouteMayKnowBetter) {
  CatalogueKeeper keeper(
      *Compile("- name: prices\n  topics: [prices]\n  compacted: true\n  emit: [{channels: [p]}]"));
  Listings listings(keeper);
  const auto change = listings.After(1s, Listed({Cleaned("prices", 1, false)}));
  ASSERT_EQ(change.added.size(), 1u);
  EXPECT_EQ(change.added[0].info.compaction, Compaction::kYes);
}

// It was deleted and made anew.
TEST_F(CatalogueKeeperTest, DropsPartitionsThatATopicHasNoMore) {
  CatalogueKeeper keeper(Routes());
  Listings listings(keeper);
  auto change = listings.After(1s, Listed({Topic("prices", 3)}));
  const SlotId first = FirstSlot(change).slot();
  const Metadata fewer = Listed({Topic("prices", 1)});
  EXPECT_FALSE(listings.After(10s, fewer).changed) << "one listing can be incomplete";
  EXPECT_FALSE(listings.After(20s, fewer).changed);
  EXPECT_FALSE(listings.After(1s, Listed({Topic("prices", 3)})).changed);
  for (int i = 0; i < 30; ++i) EXPECT_FALSE(listings.After(1s, fewer).changed);
  change = listings.After(1s, fewer);
  EXPECT_EQ(change.removed, (std::vector<SlotId>{first + 1, first + 2}));
  EXPECT_EQ(change.catalogue.topics(0).slots_size(), 1);
  EXPECT_FALSE(listings.After(1s, fewer).changed);

  change = listings.After(1s, Listed({Topic("prices", 2)}));
  ASSERT_EQ(change.added.size(), 1u);
  EXPECT_EQ(change.added[0].info.id, first + 1);
  EXPECT_TRUE(change.removed.empty());
  ASSERT_EQ(change.catalogue.topics(0).slots_size(), 2);
  EXPECT_FALSE(change.catalogue.topics(0).slots(1).young()) << "it may never have been away";
}

TEST_F(CatalogueKeeperTest, ATopicMayComeBackWithFewerPartitions) {
  CatalogueKeeper keeper(Routes());
  Listings listings(keeper);
  listings.After(1s, Listed({Topic("orders", 1), Topic("prices", 2)}));
  const Metadata without = Listed({Topic("orders", 1)});
  for (int i = 0; i < 40; ++i) listings.After(1s, without);
  const auto change = listings.After(1s, Listed({Topic("orders", 1), Topic("prices", 1)}));
  EXPECT_EQ(change.added.size(), 1u);
  EXPECT_TRUE(change.removed.empty());
  EXPECT_EQ(change.catalogue.topics(1).slots_size(), 1);
}

}  // namespace
}  // namespace spillway::ingest
