// HubShard: subscribers who are sent the latest of each key at a rate.

#include <gmock/gmock.h>

#include "tests/unit/services/edge/hub/hub_lanes_fixture.h"

namespace spillway::edge {
namespace {

using std::chrono::milliseconds;
using testing::ElementsAre;
using testing::IsEmpty;

TEST_F(HubLanes, SendTheLatestOfEachKeyAtTheirTurn) {
  Join(client_, Frequency::kNormal);
  Keys({{1, "a"}, {2, "b"}, {3, "a"}});
  Keys({{4, "c"}, {5, "a"}});
  EXPECT_THAT(keeper_.Take(), ElementsAre("0:1", "0:2", "0:3", "0:4", "0:5"));
  Pass(milliseconds(200));
  EXPECT_THAT(client_.Take(), IsEmpty());
  Pass(milliseconds(50));
  EXPECT_THAT(client_.Take(), ElementsAre("0:2", "0:4", "0:5"));
  EXPECT_EQ(hub_->counters().conflated[1], 2u);
  EXPECT_EQ(hub_->counters().lane_flushes[1], 1u);
  Pass(milliseconds(250));
  EXPECT_THAT(client_.Take(), IsEmpty());
  EXPECT_EQ(hub_->counters().lane_flushes[1], 1u);
  Keys({{6, "a"}});
  Pass(milliseconds(250));
  EXPECT_THAT(client_.Take(), ElementsAre("0:6"));
}

TEST_F(HubLanes, HaveTheirOwnRates) {
  FakeSubscriber clients[3];
  const Frequency frequencies[] = {Frequency::kNormal, Frequency::kLow, Frequency::kBackground};
  for (size_t i = 0; i < 3; ++i) Join(clients[i], frequencies[i]);
  size_t counts[3] = {};
  for (int64_t offset = 1; offset <= 100; ++offset) {
    Keys({{offset, "a"}});
    Pass(milliseconds(100));
    for (size_t i = 0; i < 3; ++i) counts[i] += clients[i].Take().size();
  }
  EXPECT_THAT(counts, ElementsAre(40, 10, 2));
}

TEST_F(HubLanes, FlushTogether) {
  FakeSubscriber late;
  Join(client_, Frequency::kLow);
  Keys({{1, "a"}});
  Pass(milliseconds(900));
  Join(late, Frequency::kLow);
  Keys({{2, "b"}});
  Pass(milliseconds(100));
  EXPECT_THAT(client_.Take(), ElementsAre("0:1", "0:2"));
  EXPECT_THAT(late.Take(), ElementsAre("0:2"));
}

TEST_F(HubLanes, GiveWayInABacklogWithoutAGap) {
  HubShard::Options options = Options();
  options.settings_of = [](std::string_view) {
    return ChannelSettings{.slow = SlowPolicy::kDropOldest, .priority = Priority::kHigh};
  };
  Build(options);
  Begin();
  Join(client_, Frequency::kNormal);
  Keys({{1, "a"}});
  EXPECT_EQ(keeper_.last_traits, hub_->TraitsOf("c"));
  Pass(milliseconds(250));
  const ChannelTraits& traits = *client_.last_traits;
  EXPECT_TRUE(traits.silent);
  EXPECT_EQ(traits.slow, SlowPolicy::kConflate);
  EXPECT_EQ(traits.priority, Priority::kHigh);
  EXPECT_EQ(traits.name, "c");
  EXPECT_EQ(traits.hash, hub_->TraitsOf("c")->hash);
  hub_->OnGap(0, 2, 3, "limit", now_);
  EXPECT_EQ(client_.last_traits, &traits);
  Change(client_, Frequency::kHigh);
  Keys({{4, "a"}});
  EXPECT_EQ(client_.last_traits, hub_->TraitsOf("c"));
  EXPECT_EQ(traits.name, "c");  // kept beyond the lane's end
}

TEST_F(HubLanes, AGapComesAfterWhatIsHeld) {
  Join(client_, Frequency::kLow);
  Keys({{1, "a"}, {2, "a"}});
  hub_->OnGap(0, 3, 9, "retention", now_);
  EXPECT_THAT(client_.Take(), ElementsAre("0:2", "gap 0:3..9 retention"));
  Keys({{10, "a"}});
  Pass(milliseconds(1'000));
  EXPECT_THAT(client_.Take(), ElementsAre("0:10"));
}

TEST_F(HubLanes, APartitionThatJoinsIsToldAfterWhatIsHeld) {
  Join(client_, Frequency::kLow);
  Keys({{1, "a"}});
  Slots(2);
  Interest(6, 1);
  EXPECT_THAT(client_.Take(), ElementsAre("0:1", "joined 1:6"));
}

TEST_F(HubLanes, WhatCameBeforeAPartitionsPlaceIsHeldAfterIt) {
  Join(client_, Frequency::kLow);
  Slots(2);
  Events({6, 7}, 1);
  Interest(6, 1);
  EXPECT_THAT(client_.Take(), ElementsAre("joined 1:6"));
  Pass(milliseconds(5'000));
  EXPECT_THAT(client_.Take(), ElementsAre("1:7"));
}

TEST_F(HubLanes, ACheckpointComesAfterWhatIsHeld) {
  HubShard::Options options;
  options.checkpoint_interval = milliseconds(1'000);
  Build(options);
  Begin();
  Join(client_, Frequency::kBackground);
  Pass(milliseconds(1'000));
  Keys({{1, "a"}, {2, "b"}, {3, "a"}});
  client_.Take();
  Pass(milliseconds(1'000));
  EXPECT_THAT(client_.Take(), ElementsAre("0:2", "0:3", "checkpoint 0:3"));
}

TEST_F(HubLanes, WhoEntersGetsNothingTwice) {
  Join(client_, Frequency::kNormal);
  Keys({{1, "a"}, {2, "b"}});
  Change(keeper_, Frequency::kNormal);
  EXPECT_THAT(keeper_.Take(), ElementsAre("0:1", "0:2"));
  Keys({{3, "a"}});
  Pass(milliseconds(250));
  EXPECT_THAT(client_.Take(), ElementsAre("0:2", "0:3"));
  EXPECT_THAT(keeper_.Take(), ElementsAre("0:3"));
  Keys({{4, "b"}});  // in the next window there is no difference between them
  Pass(milliseconds(250));
  EXPECT_THAT(client_.Take(), ElementsAre("0:4"));
  EXPECT_THAT(keeper_.Take(), ElementsAre("0:4"));
}

TEST_F(HubLanes, WhoLeavesGetsWhatIsHeldFirst) {
  Join(client_, Frequency::kLow);
  Join(other_, Frequency::kLow);
  Keys({{1, "a"}, {2, "b"}, {3, "a"}});
  Change(client_, Frequency::kHigh);
  EXPECT_THAT(client_.Take(), ElementsAre("0:2", "0:3"));
  Keys({{4, "b"}});
  EXPECT_THAT(client_.Take(), ElementsAre("0:4"));
  Pass(milliseconds(1'000));
  EXPECT_THAT(client_.Take(), IsEmpty());
  EXPECT_THAT(other_.Take(), ElementsAre("0:3", "0:4"));  // the other one's lane is as it was
}

TEST_F(HubLanes, FromLaneToLane) {
  Join(client_, Frequency::kNormal);
  Join(other_, Frequency::kLow);
  Keys({{1, "a"}, {2, "b"}});
  Change(client_, Frequency::kLow);
  EXPECT_THAT(client_.Take(), ElementsAre("0:1", "0:2"));
  EXPECT_EQ(hub_->lane_events(), 2u);  // the lane that has nobody any more holds nothing
  Keys({{3, "b"}});
  Change(other_, Frequency::kNormal);
  EXPECT_THAT(other_.Take(), ElementsAre("0:1", "0:3"));
  Keys({{4, "a"}});
  Pass(milliseconds(250));
  EXPECT_THAT(other_.Take(), ElementsAre("0:4"));
  Pass(milliseconds(750));
  EXPECT_THAT(client_.Take(), ElementsAre("0:3", "0:4"));
}

TEST_F(HubLanes, ThereAndBackRepeatsNothing) {
  Join(client_, Frequency::kLow);
  Join(other_, Frequency::kLow);
  Keys({{1, "a"}});
  Change(client_, Frequency::kHigh);
  Change(client_, Frequency::kLow);
  Change(client_, Frequency::kNormal);
  EXPECT_THAT(client_.Take(), ElementsAre("0:1"));
  Keys({{2, "b"}});
  Change(client_, Frequency::kLow);
  EXPECT_THAT(client_.Take(), ElementsAre("0:2"));
  Pass(milliseconds(1'000));
  EXPECT_THAT(client_.Take(), IsEmpty());
  EXPECT_THAT(other_.Take(), ElementsAre("0:1", "0:2"));
}

TEST_F(HubLanes, WhoUnsubscribesGetsNothingMore) {
  Join(client_, Frequency::kNormal);
  Join(other_, Frequency::kNormal);
  Keys({{1, "a"}});
  hub_->Unsubscribe(&client_, "c");
  Pass(milliseconds(250));
  EXPECT_THAT(client_.Take(), IsEmpty());
  EXPECT_THAT(other_.Take(), ElementsAre("0:1"));
  Keys({{2, "a"}});
  EXPECT_GT(hub_->lane_bytes(), 0u);
  hub_->Remove(&other_);
  EXPECT_EQ(hub_->lane_bytes(), 0u);
  EXPECT_EQ(hub_->lane_events(), 0u);
  Pass(milliseconds(250));
  EXPECT_THAT(other_.Take(), IsEmpty());
  EXPECT_EQ(hub_->channel_count(), 1u);
  hub_->Remove(&keeper_);
  EXPECT_EQ(hub_->channel_count(), 0u);
}

TEST_F(HubLanes, TheLastSubscriberOfTheChannelMayBeInALane) {
  Join(client_, Frequency::kNormal);
  hub_->Remove(&keeper_);
  Keys({{1, "a"}});
  EXPECT_THAT(upstream_.Take(), IsEmpty());
  EXPECT_THAT(hub_->SubscribersOf("c"), ElementsAre(&client_));
  hub_->Remove(&client_);
  EXPECT_THAT(upstream_.Take(), ElementsAre("remove c"));
  Pass(milliseconds(250));
  EXPECT_THAT(client_.Take(), IsEmpty());
}

TEST_F(HubLanes, AJoinerGoesToItsLaneOnceItHasCaughtUp) {
  Build(Options());
  Begin({0});
  Progress(0, 9);
  Join(other_, Frequency::kLow);
  Answer(1, 0, {}, 9);
  hub_->Subscribe(&client_, "c", /*snapshot=*/true, now_, Frequency::kLow);
  client_.Take();
  Keys({{10, "a"}, {11, "a"}});
  EXPECT_THAT(client_.Take(), IsEmpty());
  Answer(1, 0, {5}, 9);
  // What it catches up with is not conflated, and not in the lane for it.
  EXPECT_THAT(client_.Take(), ElementsAre("snapshot 0:5 as of 0:9 complete", "0:10", "0:11"));
  Keys({{12, "b"}});
  EXPECT_THAT(client_.Take(), IsEmpty());
  Pass(milliseconds(1'000));
  EXPECT_THAT(client_.Take(), ElementsAre("0:12"));
  EXPECT_THAT(other_.Take(), ElementsAre("0:11", "0:12"));
}

TEST_F(HubLanes, AFrequencyThatIsChangedWhileJoiningCountsThen) {
  Build(Options());
  Begin({0});
  Progress(0, 9);
  hub_->Subscribe(&client_, "c", /*snapshot=*/true, now_);
  EXPECT_TRUE(hub_->SetFrequency(&client_, "c", Frequency::kNormal));
  client_.Take();
  Answer(1, 0, {}, 9);
  client_.Take();
  Keys({{10, "a"}});
  EXPECT_THAT(client_.Take(), IsEmpty());
  Pass(milliseconds(250));
  EXPECT_THAT(client_.Take(), ElementsAre("0:10"));
}

TEST_F(HubLanes, OnlySubscribersHaveAFrequency) {
  EXPECT_FALSE(hub_->SetFrequency(&client_, "c", Frequency::kLow));
  EXPECT_FALSE(hub_->SetFrequency(&keeper_, "nothing", Frequency::kLow));
  EXPECT_TRUE(hub_->SetFrequency(&keeper_, "c", Frequency::kHigh));
  Keys({{1, "a"}});
  EXPECT_THAT(keeper_.Take(), ElementsAre("0:1"));
}

TEST_F(HubLanes, ALaneThatHoldsTooManyIsSentEarly) {
  HubShard::Options options = Options();
  options.lane_events = 3;
  Build(options);
  Begin();
  Join(client_, Frequency::kBackground);
  Keys({{1, "a"}, {2, "b"}, {3, "a"}, {4, "b"}});
  EXPECT_THAT(client_.Take(), IsEmpty());
  Keys({{5, "c"}, {6, "a"}});
  EXPECT_THAT(client_.Take(), ElementsAre("0:3", "0:4", "0:5"));
  EXPECT_EQ(hub_->counters().lane_early_flushes, 1u);
  Keys({{7, ""}, {8, ""}});  // without a key all count
  EXPECT_THAT(client_.Take(), ElementsAre("0:6", "0:7", "0:8"));
}

TEST_F(HubLanes, TheBytesOfAllLanesAreBounded) {
  HubShard::Options options = Options();
  const size_t each = Keyed(0, 1, "a")->cost();
  options.lane_bytes = 4 * each;
  Build(options);
  Begin();
  Join(client_, Frequency::kLow);
  Join(other_, Frequency::kBackground);
  Keys({{1, "a"}, {2, "b"}});
  EXPECT_EQ(hub_->lane_bytes(), 4 * each);
  EXPECT_THAT(client_.Take(), IsEmpty());
  Keys({{3, "c"}});
  EXPECT_THAT(client_.Take(), ElementsAre("0:1", "0:2", "0:3"));
  EXPECT_THAT(other_.Take(), IsEmpty());
  EXPECT_LE(hub_->lane_bytes(), 4 * each);
}

TEST_F(HubLanes, EphemeralEventsPassThemToo) {
  Join(client_, Frequency::kNormal);
  Keys({{1, "a"}});
  EXPECT_EQ(hub_->DeliverEphemeral(*Keyed(kNoSlot, 0, "a")), 2u);
  EXPECT_THAT(keeper_.Take(), ElementsAre("0:1", "ephemeral"));
  EXPECT_THAT(client_.Take(), IsEmpty());
  EXPECT_EQ(hub_->DeliverEphemeral(*Keyed(kNoSlot, 0, "a")), 2u);
  Pass(milliseconds(250));
  EXPECT_THAT(client_.Take(), ElementsAre("0:1", "ephemeral"));
}

}  // namespace
}  // namespace spillway::edge
