// HubShard: the snapshot that a subscription begins with.

#include <gmock/gmock.h>

#include "tests/unit/services/edge/hub/hub_fakes.h"

namespace spillway::edge {
namespace {

using std::chrono::milliseconds;
using testing::ElementsAre;
using testing::IsEmpty;

class HubSnapshot : public HubTest {
 protected:
  // Its snapshot, read 1, comes in pieces of two events.
  void SubscribeWithSmallPieces() {
    HubShard::Options options;
    options.snapshot_piece_events = 2;
    Build(options);
    Slots(1, {0});
    Progress(0, 9);
    Subscribe(client_, /*snapshot=*/true);
    Interest(9);
    client_.Take();
  }
};

TEST_F(HubSnapshot, ASnapshotGoesFirst) {
  Slots(1, {0});
  Progress(0, 9);
  Subscribe(client_, /*snapshot=*/true);
  Interest(9);
  EXPECT_THAT(client_.Take(), ElementsAre("subscribed c snapshot 0:pending"));
  EXPECT_THAT(upstream_.Take(), ElementsAre("add c", "snapshot 1 c 0:9"));
  Events({10, 11, 12});  // while it is read
  Answer(1, 0, {4, 8, 11}, 11);
  EXPECT_THAT(client_.Take(), ElementsAre("snapshot 0:4 0:8 0:11 as of 0:11 complete", "0:12"));
  Events({13});
  EXPECT_THAT(client_.Take(), ElementsAre("0:13"));
}

// Its topic was made anew: the client was never told where it begins in the old one.
TEST_F(HubSnapshot, ASlotThatEndsWhileItIsReadHasTheSnapshotReadAnew) {
  Slots(2, {0, 1});
  Progress(0, 9);
  Progress(1, 5);
  Subscribe(client_, /*snapshot=*/true);
  Interest(9);
  Interest(5, 1);
  EXPECT_THAT(upstream_.Take(), ElementsAre("add c", "snapshot 1 c 0:9 1:5"));
  Answer(1, 0, {4}, 9);
  client_.Take();
  hub_->OnGap(0, 10, kNoEnd, kReset, now_);
  auto table = std::make_shared<SlotTable>(*table_);
  table->slots[0] = nullptr;
  hub_->OnSlots(table, now_);
  EXPECT_THAT(upstream_.Take(), ElementsAre("snapshot 2 c 1:5"));
  Answer(1, 1, {2}, 5);
  EXPECT_THAT(client_.Take(), IsEmpty());
  Answer(2, 1, {3}, 6);
  EXPECT_THAT(client_.Take(), ElementsAre("snapshot 1:3 as of 1:6 complete"));
}

TEST_F(HubSnapshot, ASlotThatEndsWhileItsSnapshotIsSentIsNotInIt) {
  Slots(2, {0, 1});
  Progress(0, 9);
  Progress(1, 5);
  client_.can_pull = false;
  Subscribe(client_, /*snapshot=*/true);
  Interest(9);
  Interest(5, 1);
  client_.Take();
  Answer(1, 0, {4}, 9);
  Answer(1, 1, {2}, 5);
  hub_->OnGap(0, 10, kNoEnd, kReset, now_);
  client_.can_pull = true;
  hub_->OnWritable(&client_, now_);
  EXPECT_THAT(client_.Take(), ElementsAre("snapshot 1:2 as of 1:5 complete"));
}

TEST_F(HubSnapshot, ASnapshotAheadOfTheWorkerHoldsBackWhatItHas) {
  Slots(1, {0});
  Progress(0, 9);
  Subscribe(client_, /*snapshot=*/true);
  Interest(9);
  Answer(1, 0, {15}, 15);
  client_.Take();
  Events({12, 15, 16});
  EXPECT_THAT(client_.Take(), ElementsAre("0:16"));
  Events({17});
  EXPECT_THAT(client_.Take(), ElementsAre("0:17"));
}

TEST_F(HubSnapshot, ASnapshotIsReadAtLeastAsFreshAsTheWorker) {
  Slots(1, {0});
  KeepOpen(9);
  Events({10, 20});
  Subscribe(client_, /*snapshot=*/true);
  EXPECT_THAT(upstream_.Take(), ElementsAre("snapshot 1 c 0:20"));
}

TEST_F(HubSnapshot, ASnapshotThatReachesBackSaysSo) {
  Slots(1, {0});
  Subscribe(client_, /*snapshot=*/true);
  Interest(9);
  Answer(1, 0, {}, 9, /*complete=*/false);
  EXPECT_THAT(client_.Take(),
              ElementsAre("subscribed c snapshot 0:pending", "snapshot as of 0:9 since 0"));
}

TEST_F(HubSnapshot, NoSnapshotIsSentWhereNoneIsKept) {
  Slots(1);
  Subscribe(client_, /*snapshot=*/true);
  Interest(9);
  EXPECT_THAT(client_.Take(), ElementsAre("subscribed c 0:9"));
}

TEST_F(HubSnapshot, AMixOfSlotsWithAndWithoutSnapshots) {
  Slots(2, {0});
  Progress(0, 9);
  Progress(1, 5);
  Subscribe(client_, /*snapshot=*/true);
  Interest(9, 0);
  Interest(5, 1);
  EXPECT_THAT(client_.Take(), ElementsAre("subscribed c snapshot 0:pending 1:5"));
  Events({6}, 1);  // waits for the snapshot, then comes from the ring
  EXPECT_THAT(client_.Take(), IsEmpty());
  Answer(1, 0, {2}, 9);
  EXPECT_THAT(client_.Take(), ElementsAre("snapshot 0:2 as of 0:9 complete", "1:6"));
}

TEST_F(HubSnapshot, AnAnswerInTwoHalvesIsOneSnapshot) {
  Slots(2, {0, 1});
  Subscribe(client_, /*snapshot=*/true);
  Interest(9, 0);
  Interest(5, 1);
  client_.Take();
  EXPECT_THAT(upstream_.Take(), ElementsAre("add c", "snapshot 1 c 0:9 1:5"));
  Answer(1, 0, {2}, 9);
  EXPECT_THAT(client_.Take(), IsEmpty());
  Answer(1, 1, {3}, 5);
  EXPECT_THAT(client_.Take(), ElementsAre("snapshot 0:2 1:3 as of 0:9 1:5 complete"));
}

TEST_F(HubSnapshot, WithoutItsSnapshotItGoesOnLive) {
  Slots(1, {0});
  Progress(0, 9);
  Subscribe(client_, /*snapshot=*/true);
  Interest(9);
  client_.Take();
  Events({10});
  Fail(1, 0, 9);
  EXPECT_THAT(client_.Take(), ElementsAre("snapshot failed 0:10"));
  Events({11});
  EXPECT_THAT(client_.Take(), ElementsAre("0:11"));
}

TEST_F(HubSnapshot, HalfASnapshotIsNone) {
  for (const SlotNumber fails : {0u, 1u}) {
    Build();
    Slots(2, {0, 1});
    Progress(0, 9);
    Progress(1, 9);
    FakeSubscriber client;
    Subscribe(client, /*snapshot=*/true);
    Interest(9, 0);
    Interest(9, 1);
    client.Take();
    for (const SlotNumber slot : {0u, 1u}) {
      EXPECT_THAT(client.Take(), IsEmpty());
      if (slot == fails) {
        Fail(1, slot, 9);
      } else {
        Answer(1, slot, {2}, 9);
      }
    }
    EXPECT_THAT(client.Take(), ElementsAre("snapshot failed 0:9 1:9"));
    Events({10}, 1);
    EXPECT_THAT(client.Take(), ElementsAre("1:10"));
  }
}

TEST_F(HubSnapshot, ASnapshotWaitsForPartitionsThatNobodyServesYet) {
  Slots(2, {0, 1});
  Progress(0, 9);
  Progress(1, 9);
  Subscribe(client_, /*snapshot=*/true);
  Interest(9, 0);
  Pass(milliseconds(1'000));
  EXPECT_THAT(client_.Take(), ElementsAre("subscribed c snapshot 0:pending 1:pending"));
  EXPECT_THAT(upstream_.Take(), ElementsAre("add c"));  // half of one would look whole
  Events({10}, 0);
  Interest(9, 1);
  EXPECT_THAT(upstream_.Take(), ElementsAre("snapshot 1 c 0:10 1:9"));
  Answer(1, 0, {10}, 10);
  Answer(1, 1, {3}, 9);
  EXPECT_THAT(client_.Take(), ElementsAre("snapshot 0:10 1:3 as of 0:10 1:9 complete"));
}

TEST_F(HubSnapshot, ASnapshotDoesNotWaitForThemForEver) {
  Slots(2, {0, 1});
  Progress(0, 9);
  Subscribe(client_, /*snapshot=*/true);
  Interest(9, 0);
  Pass(milliseconds(1'000));
  client_.Take();
  Events({10}, 0);
  Pass(milliseconds(3'999));
  EXPECT_THAT(client_.Take(), IsEmpty());
  Pass(milliseconds(1));
  EXPECT_THAT(client_.Take(), ElementsAre("joined 0:9", "snapshot failed 0:9 1:pending", "0:10"));
  Events({11}, 0);
  Interest(9, 1);
  EXPECT_THAT(client_.Take(), ElementsAre("0:11", "joined 1:9"));
  Events({12}, 1);
  EXPECT_THAT(client_.Take(), ElementsAre("1:12"));
  EXPECT_THAT(upstream_.Take(), ElementsAre("add c"));
}

TEST_F(HubSnapshot, ASnapshotLeavesOutTheSourcesOfTopicsThatAreGone) {
  HubShard::Options options;
  options.snapshot_piece_events = 1;
  Build(options);
  Slots(2, {0, 1});
  Progress(0, 9);
  Progress(1, 9);
  Subscribe(client_, /*snapshot=*/true);
  Interest(9, 0);
  Interest(9, 1);
  client_.can_pull = false;
  Answer(1, 0, {1}, 9);
  Answer(1, 1, {2}, 9);
  Slots(1, {0});  // the table with slot 1 goes, and the name of its source with it
  client_.Take();
  client_.can_pull = true;
  hub_->OnWritable(&client_, now_);
  EXPECT_THAT(client_.Take(), ElementsAre("snapshot 0:1", "snapshot 1:2 as of 0:9 complete"));
}

TEST_F(HubSnapshot, ALongSnapshotComesInPieces) {
  SubscribeWithSmallPieces();
  Answer(1, 0, {1, 2, 3, 4, 5}, 9);
  EXPECT_THAT(client_.Take(), ElementsAre("snapshot 0:1 0:2", "snapshot 0:3 0:4",
                                          "snapshot 0:5 as of 0:9 complete"));
}

TEST_F(HubSnapshot, ASlowClientPullsItsSnapshot) {
  SubscribeWithSmallPieces();
  client_.pulls = 1;
  Answer(1, 0, {1, 2, 3}, 9);
  EXPECT_THAT(client_.Take(), ElementsAre("snapshot 0:1 0:2"));
  Events({10, 11});
  EXPECT_THAT(client_.Take(), IsEmpty());
  client_.pulls = 2;
  hub_->OnWritable(&client_, now_);
  EXPECT_THAT(client_.Take(), ElementsAre("snapshot 0:3 as of 0:9 complete", "0:10"));
  client_.pulls = -1;
  hub_->OnWritable(&client_, now_);
  EXPECT_THAT(client_.Take(), ElementsAre("0:11"));
}

}  // namespace
}  // namespace spillway::edge
