// HubShard: delivery, gaps, checkpoints, rings, and who is subscribed to what.

#include <gmock/gmock.h>

#include "tests/unit/services/edge/hub/hub_fakes.h"

namespace spillway::edge {
namespace {

using std::chrono::milliseconds;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::UnorderedElementsAre;

class HubDelivery : public HubTest {};

TEST_F(HubDelivery, AGapIsToldInItsPlaceToLiveSubscribers) {
  Slots(1);
  KeepOpen(9);
  Progress(0, 9);
  Events({10});
  hub_->OnGap(0, 11, 19, "retention", now_);
  Events({20});
  EXPECT_THAT(keeper_.Take(), ElementsAre("0:10", "gap 0:11..19 retention", "0:20"));
}

TEST_F(HubDelivery, AGapStandsInItsPlaceForAJoiner) {
  Slots(1, {0});
  KeepOpen(9);
  Progress(0, 9);
  Subscribe(client_, /*snapshot=*/true);
  client_.Take();
  Events({10});
  hub_->OnGap(0, 11, 19, "retention", now_);
  Events({20});
  EXPECT_THAT(client_.Take(), IsEmpty());
  Answer(1, 0, {}, 9);
  EXPECT_THAT(client_.Take(),
              ElementsAre("snapshot as of 0:9 complete", "0:10", "gap 0:11..19 retention", "0:20"));
}

TEST_F(HubDelivery, AJoinerBeyondAGapIsNotToldOfIt) {
  Slots(1, {0});
  KeepOpen(9);
  Progress(0, 9);
  Subscribe(client_, /*snapshot=*/true);
  hub_->OnGap(0, 10, 19, "retention", now_);
  client_.Take();
  Answer(1, 0, {}, 25);
  Events({26});
  EXPECT_THAT(client_.Take(), ElementsAre("snapshot as of 0:25 complete", "0:26"));
}

TEST_F(HubDelivery, AJoinerInsideAGapIsToldOfItsRest) {
  Slots(1, {0});
  KeepOpen(9);
  Progress(0, 9);
  Subscribe(client_, /*snapshot=*/true);
  hub_->OnGap(0, 10, 19, "retention", now_);
  client_.Take();
  Answer(1, 0, {}, 14);
  EXPECT_THAT(client_.Take(),
              ElementsAre("snapshot as of 0:14 complete", "gap 0:15..19 retention"));
}

TEST_F(HubDelivery, WhatWasToldAsAGapIsTakenIn) {
  Slots(1);
  KeepOpen(9);
  Progress(0, 9);
  hub_->OnGap(0, 10, 19, "retention", now_);
  Subscribe(client_);
  EXPECT_THAT(client_.Take(), ElementsAre("subscribed c 0:19"));
}

TEST_F(HubDelivery, CoverageThatIsNotKnownYetBeginsAfterTheGap) {
  Slots(1);
  Progress(0, 9);
  Subscribe(client_);
  hub_->OnGap(0, 10, 19, "retention", now_);
  Interest(9);  // asked before the gap
  EXPECT_THAT(client_.Take(), ElementsAre("subscribed c 0:19"));
}

TEST_F(HubDelivery, CheckpointsHoldWhatChanged) {
  Slots(2);
  Subscribe(keeper_);
  Interest(-1, 0);
  Interest(-1, 1);
  keeper_.Take();
  Progress(0, 5);
  Pass(milliseconds(10'000));
  EXPECT_THAT(keeper_.Take(), ElementsAre("checkpoint 0:5"));
  Pass(milliseconds(10'000));
  EXPECT_THAT(keeper_.Take(), IsEmpty());
  Progress(0, 6);
  Progress(1, 7);
  Pass(milliseconds(5'000));
  EXPECT_THAT(keeper_.Take(), IsEmpty());
  Pass(milliseconds(5'000));
  EXPECT_THAT(keeper_.Take(), ElementsAre("checkpoint 0:6 1:7"));
}

TEST_F(HubDelivery, JoinersGetNoCheckpoint) {
  Slots(1, {0});
  KeepOpen(-1);
  Subscribe(client_, /*snapshot=*/true);
  client_.Take();
  Progress(0, 5);
  Pass(milliseconds(10'000));
  EXPECT_THAT(keeper_.Take(), ElementsAre("checkpoint 0:5"));
  EXPECT_THAT(client_.Take(), IsEmpty());
}

TEST_F(HubDelivery, AnEventOfSeveralChannelsGoesToAllOfThem) {
  Slots(1);
  FakeSubscriber other;
  Subscribe(client_);
  Subscribe(other, false, "c2");
  Interest(-1);
  hub_->OnInterest("c2", 0, -1, now_);
  client_.Take();
  other.Take();
  EdgeBatch batch;
  batch.events.push_back(Event(0, 3, {"c", "c2", "nobody"}));
  batch.progress.push_back({0, 3, 0});
  hub_->OnBatch(batch, now_);
  EXPECT_THAT(client_.Take(), ElementsAre("0:3"));
  EXPECT_THAT(other.Take(), ElementsAre("0:3"));
  EXPECT_EQ(hub_->counters().deliveries, 2u);
}

TEST_F(HubDelivery, EphemeralEventsGoToLiveAndJoining) {
  Slots(1, {0});
  KeepOpen(-1);
  FakeSubscriber unannounced;
  Subscribe(client_, /*snapshot=*/true);
  client_.Take();
  Slots(2, {0});
  Subscribe(unannounced);  // slot 1 is not known: nothing was said to it yet
  EXPECT_EQ(hub_->DeliverEphemeral(*Event(kNoSlot, 0)), 2u);
  EXPECT_THAT(keeper_.Take(), ElementsAre("ephemeral"));
  EXPECT_THAT(client_.Take(), ElementsAre("ephemeral"));
  EXPECT_THAT(unannounced.Take(), IsEmpty());
  EXPECT_EQ(hub_->ring_bytes(), 0u);  // and are not kept
}

TEST_F(HubDelivery, ThatEphemeralEventsWereLostIsToldWhereItIsWanted) {
  HubShard::Options options;
  options.settings_of = [](std::string_view channel) {
    return ChannelSettings{.ephemeral = channel == "c"};
  };
  Build(options);
  Slots(1, {0});
  KeepOpen(-1);
  FakeSubscriber lane;
  FakeSubscriber other;
  FakeSubscriber unannounced;
  hub_->Subscribe(&lane, "c", false, now_, Frequency::kNormal);
  Subscribe(other, false, "c2");
  hub_->OnInterest("c2", 0, -1, now_);
  Subscribe(client_, /*snapshot=*/true);  // which is still read
  Slots(2, {0});
  Subscribe(unannounced);
  for (FakeSubscriber* one : {&lane, &other, &client_}) one->Take();
  hub_->DeliverEphemeral(*Event(kNoSlot, 0));
  hub_->OnEphemeralGap();
  EXPECT_THAT(keeper_.Take(), ElementsAre("ephemeral", "ephemeral gap c"));
  EXPECT_THAT(lane.Take(), ElementsAre("ephemeral", "ephemeral gap c")) << "in its place";
  EXPECT_THAT(client_.Take(), ElementsAre("ephemeral", "ephemeral gap c"));
  EXPECT_THAT(other.Take(), IsEmpty()) << "not marked for it";
  EXPECT_THAT(unannounced.Take(), IsEmpty());
  EXPECT_EQ(hub_->counters().ephemeral_gaps, 3u);
  EXPECT_EQ(hub_->counters().gaps, 0u);
}

TEST_F(HubDelivery, SubscribingTwiceIsSaid) {
  Slots(1);
  EXPECT_EQ(Subscribe(client_), HubShard::SubscribeResult::kOk);
  EXPECT_EQ(Subscribe(client_), HubShard::SubscribeResult::kAlready);
  EXPECT_EQ(hub_->subscription_count(), 1u);
}

TEST_F(HubDelivery, TheLastSubscriberEndsTheInterest) {
  Slots(1);
  KeepOpen(-1);
  Events({1, 2});
  Subscribe(client_);
  EXPECT_TRUE(hub_->Unsubscribe(&keeper_, "c"));
  EXPECT_FALSE(hub_->Unsubscribe(&keeper_, "c"));
  EXPECT_FALSE(hub_->Unsubscribe(&keeper_, "nothing"));
  EXPECT_THAT(upstream_.Take(), IsEmpty());
  EXPECT_GT(hub_->ring_bytes(), 0u);
  hub_->Remove(&client_);
  EXPECT_THAT(upstream_.Take(), ElementsAre("remove c"));
  EXPECT_EQ(hub_->ring_bytes(), 0u);
  EXPECT_EQ(hub_->channel_count(), 0u);
  EXPECT_EQ(hub_->subscription_count(), 0u);
  hub_->Remove(&client_);
}

TEST_F(HubDelivery, WhoLeavesTakesNobodyElsesPlace) {
  // Places are filled with the last one: every order in which two of four can leave.
  for (size_t first = 0; first < 4; ++first) {
    for (size_t second = 0; second < 4; ++second) {
      if (second == first) continue;
      Build();
      Slots(1);
      FakeSubscriber clients[4];
      for (FakeSubscriber& client : clients) Subscribe(client);
      Interest(-1);
      hub_->Remove(&clients[first]);
      hub_->Unsubscribe(&clients[second], "c");
      for (FakeSubscriber& client : clients) client.Take();
      Events({5});
      for (size_t n = 0; n < 4; ++n) {
        EXPECT_EQ(clients[n].Take().size(), n == first || n == second ? 0u : 1u);
      }
    }
  }
}

TEST_F(HubDelivery, KnowsTheChannelsOfASubscriber) {
  Slots(1);
  Subscribe(client_);
  Subscribe(client_, false, "c2");
  EXPECT_THAT(hub_->ChannelsOf(&client_), UnorderedElementsAre("c", "c2"));
  EXPECT_THAT(hub_->SubscribersOf("c2"), ElementsAre(&client_));
  hub_->Unsubscribe(&client_, "c");
  EXPECT_THAT(hub_->ChannelsOf(&client_), ElementsAre("c2"));
  EXPECT_EQ(hub_->SubscriptionCount(&client_), 1u);
  EXPECT_EQ(hub_->SubscriptionCount(&keeper_), 0u);
}

TEST_F(HubDelivery, RingsAreBoundedInEvents) {
  HubShard::Options options;
  options.ring_events = 3;
  Build(options);
  Slots(1);
  KeepOpen(-1);
  const size_t each = Event(0, 1)->cost();
  Events({1, 2, 3, 4, 5, 6});
  EXPECT_EQ(hub_->ring_bytes(), 3 * each);
  EXPECT_EQ(hub_->counters().ring_evictions, 3u);
}

TEST_F(HubDelivery, RingsAreBoundedInBytesTogether) {
  HubShard::Options options;
  options.ring_bytes = 4 * Event(0, 1)->cost();
  Build(options);
  Slots(1);
  KeepOpen(-1);
  for (int64_t offset = 1; offset <= 20; ++offset) Events({offset});
  EXPECT_LE(hub_->ring_bytes(), options.ring_bytes);
  EXPECT_EQ(hub_->counters().ring_evictions, 16u);
}

TEST_F(HubDelivery, ASlotThatIsGoneIsForgotten) {
  Slots(2);
  Subscribe(client_);
  Interest(3, 0);
  Interest(4, 1);
  client_.Take();
  Slots(1);  // the table of a later version: slot 1 is no more
  FakeSubscriber next;
  Progress(0, 3);
  Subscribe(next);
  EXPECT_THAT(next.Take(), ElementsAre("subscribed c 0:3"));
}

TEST_F(HubDelivery, AllOfAChannelGoesUnderItsTraits) {
  HubShard::Options options;
  options.settings_of = [](std::string_view channel) {
    return channel == "c" ? ChannelSettings{SlowPolicy::kConflate, Priority::kLow}
                          : ChannelSettings();
  };
  Build(options);
  EXPECT_EQ(hub_->TraitsOf("c"), nullptr);
  Slots(1);
  KeepOpen(-1);
  const ChannelTraits* traits = hub_->TraitsOf("c");
  ASSERT_NE(traits, nullptr);
  EXPECT_EQ(traits->name, "c");
  EXPECT_EQ(traits->slow, SlowPolicy::kConflate);
  EXPECT_EQ(traits->priority, Priority::kLow);
  EXPECT_FALSE(traits->silent);
  const auto expect_traits = [&] {
    EXPECT_EQ(std::exchange(keeper_.last_traits, nullptr), traits);
    EXPECT_FALSE(keeper_.Take().empty());
  };
  Events({1});
  expect_traits();
  hub_->OnGap(0, 2, 3, "retention", now_);
  expect_traits();
  Progress(0, 9);
  Pass(std::chrono::seconds(20));
  expect_traits();
  Subscribe(client_, false, "c2");
  EXPECT_EQ(hub_->TraitsOf("c2")->slow, SlowPolicy::kDisconnect);
}

TEST_F(HubDelivery, TraitsOutliveTheirChannelByATurn) {
  Slots(1);
  KeepOpen(-1);
  const Ref<const ChannelTraits> traits(hub_->TraitsOf("c"));
  const auto shared = [&] { return !traits->unshared(); };
  hub_->Remove(&keeper_);
  EXPECT_EQ(hub_->TraitsOf("c"), nullptr);
  EXPECT_TRUE(shared());
  Pass(std::chrono::milliseconds(100));  // perhaps in the same turn
  EXPECT_TRUE(shared());
  Pass(std::chrono::milliseconds(100));
  EXPECT_FALSE(shared());
}

TEST_F(HubDelivery, ConflatingWhatHasNoKeyIsToldOnce) {
  std::vector<std::string> told;
  HubShard::Options options;
  options.settings_of = [](std::string_view channel) {
    return ChannelSettings{.slow =
                               channel == "c" ? SlowPolicy::kConflate : SlowPolicy::kDropOldest};
  };
  options.on_keyless = [&](std::string_view channel) { told.emplace_back(channel); };
  Build(options);
  Slots(1);
  KeepOpen(-1);
  Subscribe(client_, false, "c2");
  EdgeBatch batch;
  wire::EventView view;
  view.key = "k";
  view.channels = {"c"};
  batch.events.push_back(EdgeEvent::Make(view, 0));
  batch.progress.push_back({0, 0, 0});
  hub_->OnBatch(batch, now_);
  EXPECT_THAT(told, ElementsAre());
  Events({1, 2});
  EXPECT_THAT(told, ElementsAre("c"));
}

}  // namespace
}  // namespace spillway::edge
