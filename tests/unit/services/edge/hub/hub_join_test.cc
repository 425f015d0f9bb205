// HubShard: how a subscription becomes live.

#include <gmock/gmock.h>

#include "tests/unit/services/edge/hub/hub_fakes.h"

namespace spillway::edge {
namespace {

using std::chrono::milliseconds;
using testing::ElementsAre;
using testing::IsEmpty;

class HubJoin : public HubTest {};

TEST_F(HubJoin, WaitsUntilItsCoverageIsKnown) {
  Slots(1);
  Progress(0, 9);
  Subscribe(client_);
  EXPECT_THAT(upstream_.Take(), ElementsAre("add c"));
  EXPECT_THAT(client_.Take(), IsEmpty());
  Interest(9);
  EXPECT_THAT(client_.Take(), ElementsAre("subscribed c 0:9"));
  Events({10, 11});
  EXPECT_THAT(client_.Take(), ElementsAre("0:10", "0:11"));
}

// The link thread may be far behind: what it answers was said of an interest that it is yet to hear
// the end of.
TEST_F(HubJoin, WhatAnswersAnEarlierInterestIsNotItsCoverage) {
  Slots(1);
  Progress(0, 9);
  Subscribe(client_);
  hub_->Remove(&client_);
  Subscribe(client_);
  hub_->OnInterest("c", 0, 9, now_, /*interest=*/1);
  EXPECT_THAT(client_.Take(), IsEmpty());
  hub_->OnInterest("c", 0, 12, now_, /*interest=*/2);
  EXPECT_THAT(client_.Take(), ElementsAre("subscribed c 0:12"));
}

TEST_F(HubJoin, AnotherSubscriberOfAKnownChannelIsLiveAtOnce) {
  Slots(1);
  KeepOpen(9);
  Events({10});
  Subscribe(client_);
  EXPECT_THAT(client_.Take(), ElementsAre("subscribed c 0:10"));
  Events({11});
  EXPECT_THAT(client_.Take(), ElementsAre("0:11"));
  EXPECT_THAT(upstream_.Take(), IsEmpty());
}

TEST_F(HubJoin, CoverageThatBeginsAheadOfTheWorkerHoldsBackWhatIsBefore) {
  Slots(1);
  Progress(0, 5);
  Subscribe(client_);
  Interest(9);  // another batch is still in the mailbox
  EXPECT_THAT(client_.Take(), ElementsAre("subscribed c 0:9"));
  Events({8, 9, 10});
  EXPECT_THAT(client_.Take(), ElementsAre("0:10"));
}

TEST_F(HubJoin, CoverageBehindTheWorkerBeginsWithTheWorker) {
  // Another worker has had the channel for long: the edge holds it after 3, this worker took
  // everything up to 20 in before it knew of it.
  Slots(1);
  Progress(0, 20);
  Subscribe(client_);
  Interest(3);
  EXPECT_THAT(client_.Take(), ElementsAre("subscribed c 0:20"));
  EXPECT_THAT(upstream_.Take(), ElementsAre("add c"));  // and reads no history
}

TEST_F(HubJoin, WithoutAPartitionItGoesOnAfterAWhile) {
  Slots(2);
  Subscribe(client_);
  Interest(9, 0);
  Pass(milliseconds(999));
  EXPECT_THAT(client_.Take(), IsEmpty());
  Pass(milliseconds(1));
  EXPECT_THAT(client_.Take(), ElementsAre("subscribed c 0:9 1:pending"));
  Interest(40, 1);
  EXPECT_THAT(client_.Take(), ElementsAre("joined 1:40"));
  Progress(0, 9);
  Progress(1, 40);
  Events({41}, 1);
  EXPECT_THAT(client_.Take(), ElementsAre("1:41"));
}

TEST_F(HubJoin, WaitsForTheWholeCatalogue) {
  Slots(0, {}, /*complete=*/false);
  Subscribe(client_);
  EXPECT_THAT(client_.Take(), IsEmpty());
  Slots(1);
  EXPECT_THAT(client_.Take(), IsEmpty());
  Interest(9);
  EXPECT_THAT(client_.Take(), ElementsAre("subscribed c 0:9"));
}

TEST_F(HubJoin, NothingFeedsTheChannel) {
  Slots(1);
  Subscribe(client_, false, "other");
  EXPECT_THAT(client_.Take(), ElementsAre("subscribed other"));
}

TEST_F(HubJoin, APartitionThatAppearsIsToldToLiveSubscribers) {
  Slots(1);
  KeepOpen(9);
  Progress(0, 9);
  Slots(2);
  Interest(-1, 1);
  EXPECT_THAT(keeper_.Take(), ElementsAre("joined 1:-1"));
  Events({0}, 1);
  EXPECT_THAT(keeper_.Take(), ElementsAre("1:0"));
}

// A pattern of somebody else may bring them before the answer to this channel's own interest.
TEST_F(HubJoin, EventsOfAPartitionThatAppearsComeAfterItsPlace) {
  Slots(1);
  KeepOpen(9);
  Progress(0, 9);
  Slots(2);
  Events({3, 5, 6}, 1);
  Events({10}, 0);
  EXPECT_THAT(keeper_.Take(), ElementsAre("0:10"));
  Interest(3, 1);
  EXPECT_THAT(keeper_.Take(), ElementsAre("joined 1:3", "1:5", "1:6"));
  Events({7}, 1);
  EXPECT_THAT(keeper_.Take(), ElementsAre("1:7"));
}

TEST_F(HubJoin, OneThatNothingFedIsToldThePlaceOfWhatAppearsFirst) {
  Slots(0);
  Subscribe(client_);
  EXPECT_THAT(client_.Take(), ElementsAre("subscribed c"));
  Slots(1);
  Events({4}, 0);
  EXPECT_THAT(client_.Take(), IsEmpty());
  Interest(-1, 0);
  EXPECT_THAT(client_.Take(), ElementsAre("joined 0:-1", "0:4"));
}

// Events of a slot may pass before this worker was told from where on it has all of them: then the
// joiner gets them from the ring.
TEST_F(HubJoin, EventsBeforeTheCoverageIsKnownAreNotLost) {
  Slots(2);
  Progress(0, 9);
  Subscribe(client_);
  Interest(9, 0);
  Events({41}, 1);
  Pass(milliseconds(1'000));
  client_.Take();
  Interest(40, 1);
  EXPECT_THAT(client_.Take(), ElementsAre("joined 1:40", "1:41"));
}

class SmallRing : public HubTest {
 protected:
  void SetUp() override {
    HubShard::Options options;
    options.ring_events = 2;
    Build(options);
  }
};

TEST_F(SmallRing, BeyondTheRingHistoryIsRead) {
  Slots(1, {0});
  KeepOpen(9);
  Progress(0, 9);
  Subscribe(client_, /*snapshot=*/true);
  client_.Take();
  client_.can_pull = false;
  Answer(1, 0, {2}, 9);
  Events({10, 11, 12, 13, 14});  // the ring holds the last two
  client_.can_pull = true;
  upstream_.Take();
  hub_->OnWritable(&client_, now_);
  EXPECT_THAT(client_.Take(), ElementsAre("snapshot 0:2 as of 0:9 complete"));
  EXPECT_THAT(upstream_.Take(), ElementsAre("history 2 c 0:9"));
  Events({15});
  Answer(2, 0, {10, 11, 12, 13, 14}, 14);
  EXPECT_THAT(client_.Take(), ElementsAre("0:10", "0:11", "0:12", "0:13", "0:14", "0:15"));
  Events({16});
  EXPECT_THAT(client_.Take(), ElementsAre("0:16"));
}

TEST_F(SmallRing, WhatHistoryNoLongerHasIsAGap) {
  Slots(1, {0});
  KeepOpen(9);
  Progress(0, 9);
  Subscribe(client_, /*snapshot=*/true);
  client_.can_pull = false;
  Answer(1, 0, {}, 9);
  Events({10, 11, 12, 13, 14});
  client_.can_pull = true;
  hub_->OnWritable(&client_, now_);
  client_.Take();
  EdgeReadResult result;
  result.gaps.push_back({0, 10, 12, "limit"});
  result.events.push_back(Event(0, 13));
  result.events.push_back(Event(0, 14));
  result.as_of.push_back({0, 14, 0});
  hub_->OnRead(2, result, now_);
  EXPECT_THAT(client_.Take(), ElementsAre("gap 0:10..12 limit", "0:13", "0:14"));
}

TEST_F(SmallRing, HistoryThatCannotBeReadIsAGapUpToTheRing) {
  Slots(1, {0});
  KeepOpen(9);
  Progress(0, 9);
  Subscribe(client_, /*snapshot=*/true);
  client_.can_pull = false;
  Answer(1, 0, {}, 9);
  Events({10, 11, 12, 13, 14});
  client_.can_pull = true;
  hub_->OnWritable(&client_, now_);
  client_.Take();
  Fail(2, 0, 9);
  EXPECT_THAT(client_.Take(), ElementsAre("gap 0:10..12 limit", "0:13", "0:14"));
}

TEST_F(SmallRing, JoinersReadTheRingBeforeItIsTrimmed) {
  Slots(1, {0});
  KeepOpen(9);
  Progress(0, 9);
  Subscribe(client_, /*snapshot=*/true);
  Answer(1, 0, {}, 10);  // ahead: waits for the worker
  client_.Take();
  Events({10, 11, 12, 13, 14});
  EXPECT_THAT(client_.Take(), ElementsAre("0:11", "0:12", "0:13", "0:14"));
}

TEST_F(HubJoin, AnAnswerForSomebodyWhoLeftIsDropped) {
  Slots(1, {0});
  KeepOpen(9);
  Subscribe(client_, /*snapshot=*/true);
  hub_->Unsubscribe(&client_, "c");
  client_.Take();
  Answer(1, 0, {2}, 9);
  EXPECT_THAT(client_.Take(), IsEmpty());
}

}  // namespace
}  // namespace spillway::edge
