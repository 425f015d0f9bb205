// HubShard: subscriptions to patterns.

#include <gmock/gmock.h>

#include "common/channel/channel_hash.h"
#include "tests/unit/services/edge/hub/hub_fakes.h"

namespace spillway::edge {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::UnorderedElementsAre;

// Slot 0 feeds "c" and "c2", as the link thread sees it: events carry the patterns in use.
class HubPatterns : public HubTest {
 protected:
  static Ref<EdgeEvent> Matched(int64_t offset, std::vector<std::string_view> channels,
                                std::vector<std::pair<std::string_view, uint32_t>> patterns,
                                std::string_view key = {}, SlotNumber slot = 0) {
    wire::EventView view;
    view.offset = offset;
    for (const std::string_view channel : channels) view.channels.push_back(channel);
    view.payload = "{}";
    view.key = key;
    std::vector<PatternMatch> matches;
    for (const auto& [pattern, channel] : patterns) {
      matches.push_back({pattern, ChannelHash(pattern), channel});
    }
    return EdgeEvent::Make(view, slot, kMaxVariants, matches);
  }
  void Take(std::vector<Ref<EdgeEvent>> events) {
    EdgeBatch batch;
    batch.progress.push_back({0, events.back()->offset(), 0});
    batch.events = std::move(events);
    hub_->OnBatch(batch, now_);
  }
  void Live(FakeSubscriber& subscriber, std::string_view name) {
    Subscribe(subscriber, false, name);
    hub_->OnInterest(name, 0, 9, now_);
    subscriber.Take();
  }
};

TEST_F(HubPatterns, IsFedByEverySlotThatSharesChannelsWithIt) {
  Slots(2);
  Subscribe(client_, false, "c*");
  EXPECT_THAT(upstream_.Take(), ElementsAre("add c*"));
  hub_->OnInterest("c*", 0, 4, now_);
  hub_->OnInterest("c*", 1, 7, now_);
  EXPECT_THAT(client_.Take(), ElementsAre("subscribed c* 0:4 1:7"));
  FakeSubscriber other;
  Subscribe(other, false, "d*");
  EXPECT_THAT(other.Take(), ElementsAre("subscribed d*")) << "nothing feeds it";
}

TEST_F(HubPatterns, IsSentWhatMatchesOnce) {
  Slots(1);
  Live(client_, "c*");
  Take({Matched(10, {"c"}, {{"c*", 0}}), Matched(11, {"c", "c2"}, {{"c*", 0}})});
  EXPECT_THAT(client_.Take(), ElementsAre("0:10", "0:11"));
}

TEST_F(HubPatterns, BesideAChannelOfItsItIsAnotherSubscription) {
  Slots(1);
  Live(client_, "c*");
  Live(client_, "c");
  EXPECT_EQ(hub_->SubscriptionCount(&client_), 2u);
  EXPECT_EQ(hub_->PatternCount(&client_), 1u);
  Take({Matched(10, {"c"}, {{"c*", 0}}), Matched(11, {"c2"}, {{"c*", 0}})});
  EXPECT_THAT(client_.Take(), UnorderedElementsAre("0:10", "0:10", "0:11"));
  EXPECT_TRUE(hub_->Unsubscribe(&client_, "c"));
  Take({Matched(12, {"c"}, {{"c*", 0}})});
  EXPECT_THAT(client_.Take(), ElementsAre("0:12"));
}

TEST_F(HubPatterns, TheRingServesWhoJoinsLater) {
  Slots(1);
  Live(keeper_, "c*");
  Take({Matched(10, {"c"}, {{"c*", 0}}), Matched(11, {"c2"}, {{"c*", 0}})});
  auto shown = std::make_unique<Resume>();
  shown->push_back({.source = "t0/0@0", .offset = 10});
  hub_->Subscribe(&client_, "c*", false, now_, Frequency::kHigh, std::move(shown));
  EXPECT_THAT(client_.Take(), ElementsAre("subscribed c* 0:10", "0:11"));
}

TEST_F(HubPatterns, ReadsAreOfThePattern) {
  Slots(1, {0});
  Subscribe(client_, true, "c*");
  hub_->OnInterest("c*", 0, 9, now_);
  EXPECT_THAT(upstream_.Take(), ElementsAre("add c*", "snapshot 1 c* 0:9"));
  EdgeReadResult result;
  result.events = {Matched(3, {"c"}, {{"c*", 0}}), Matched(5, {"c2"}, {{"c*", 0}})};
  result.as_of.push_back({0, 9, 0});
  hub_->OnRead(1, result, now_);
  EXPECT_THAT(client_.Take(), ElementsAre("subscribed c* snapshot 0:pending",
                                          "snapshot 0:3 0:5 as of 0:9 complete"));
}

TEST_F(HubPatterns, HistoryThatWasReadIsSent) {
  Slots(1);
  Subscribe(keeper_, false, "c*");
  hub_->OnInterest("c*", 0, 20, now_);
  upstream_.Take();
  auto shown = std::make_unique<Resume>();
  shown->push_back({.source = "t0/0@0", .offset = 10});
  hub_->Subscribe(&client_, "c*", false, now_, Frequency::kHigh, std::move(shown));
  EXPECT_THAT(upstream_.Take(), ElementsAre("history 1 c* 0:10"));
  EdgeReadResult result;
  result.events = {Matched(12, {"c2"}, {{"c*", 0}})};
  result.as_of.push_back({0, 20, 0});
  hub_->OnRead(1, result, now_);
  EXPECT_THAT(client_.Take(), ElementsAre("subscribed c* 0:10", "0:12"));
}

TEST_F(HubPatterns, InALaneAKeyIsOneOfItsChannel) {
  Slots(1);
  Subscribe(client_, false, "c*");
  hub_->OnInterest("c*", 0, 9, now_);
  Progress(0, 9);
  hub_->SetFrequency(&client_, "c*", Frequency::kLow);
  client_.Take();
  Take({Matched(10, {"c"}, {{"c*", 0}}, "k"), Matched(11, {"c2"}, {{"c*", 0}}, "k"),
        Matched(12, {"c"}, {{"c*", 0}}, "k"), Matched(13, {"x", "c2"}, {{"c*", 1}}, "j")});
  EXPECT_THAT(client_.Take(), IsEmpty());
  Pass(std::chrono::milliseconds(5'000));
  EXPECT_THAT(client_.Take(), ElementsAre("0:11", "0:12", "0:13", "checkpoint 0:13"));
  EXPECT_EQ(hub_->counters().conflated[static_cast<size_t>(Frequency::kLow)], 1u);
}

TEST_F(HubPatterns, FramesForPatternsHaveKeysOfTheirOwn) {
  const Ref<EdgeEvent> one = Matched(10, {"c", "c2"}, {{"c*", 0}, {"*2", 1}}, "k");
  const Ref<EdgeEvent> two = Matched(11, {"c2"}, {{"c*", 0}}, "k");
  EXPECT_EQ(one->key_hash(0), one->key_hash());
  EXPECT_EQ(one->key_hash(1), one->key_hash());
  EXPECT_NE(one->key_hash(2), one->key_hash(3)) << "of c, and of c2";
  EXPECT_EQ(one->key_hash(3), two->key_hash(1)) << "of c2 both";
  EXPECT_EQ(Matched(12, {"c"}, {{"c*", 0}})->key_hash(1), 0u);
  EXPECT_EQ(one->channel_in(2), "c");
  EXPECT_EQ(one->channel_in(3), "c2");
  EXPECT_EQ(one->channel_hash(3), ChannelHash("*2"));
  EXPECT_EQ(one->FindChannel("*2"), 3u);
  EXPECT_EQ(one->FindChannel("c3"), one->channel_count());
}

TEST_F(HubPatterns, GapsAndCheckpointsAreTold) {
  Slots(1);
  Live(client_, "c*");
  hub_->OnGap(0, 10, 19, "retention", now_);
  EXPECT_THAT(client_.Take(), ElementsAre("gap 0:10..19 retention"));
  Progress(0, 30);
  Pass(std::chrono::milliseconds(20'000));
  EXPECT_THAT(client_.Take(), ElementsAre("checkpoint 0:30"));
}

TEST_F(HubPatterns, EphemeralEventsAndBroadcastsReachIt) {
  Slots(1);
  Live(client_, "c*");
  EXPECT_EQ(hub_->DeliverEphemeral(*Matched(0, {"c", "c2"}, {{"c*", 0}}, {}, kNoSlot)), 1u);
  EXPECT_THAT(client_.Take(), ElementsAre("ephemeral"));
  // Nobody has asked which patterns match.
  EXPECT_EQ(hub_->Broadcast(*Matched(0, {"c", "c2"}, {}, {}, kNoSlot)), 1u);
  EXPECT_THAT(client_.Take(), ElementsAre("ephemeral"));
  Live(keeper_, "c2");
  EXPECT_EQ(hub_->Broadcast(*Matched(0, {"c", "c2"}, {}, {}, kNoSlot)), 2u);
  EXPECT_EQ(hub_->Broadcast(*Matched(0, {"d"}, {}, {}, kNoSlot)), 0u);
  client_.Take();
  hub_->Unsubscribe(&client_, "c*");
  EXPECT_EQ(hub_->Broadcast(*Matched(0, {"c"}, {}, {}, kNoSlot)), 0u);
}

TEST_F(HubPatterns, DifferentOnesAreBounded) {
  PatternLimit limit(1);
  HubShard::Options options;
  options.patterns = &limit;
  Build(options);
  HubShard another(options, variants_, upstream_);
  FakeSubscriber other;
  EXPECT_EQ(Subscribe(client_, false, "c*"), HubShard::SubscribeResult::kOk);
  EXPECT_EQ(Subscribe(client_, false, "d*"), HubShard::SubscribeResult::kTooManyPatterns);
  EXPECT_EQ(Subscribe(client_, false, "d"), HubShard::SubscribeResult::kOk);
  EXPECT_EQ(another.Subscribe(&other, "c*", false, now_), HubShard::SubscribeResult::kOk)
      << "the same one";
  EXPECT_EQ(limit.in_use(), 1u);
  EXPECT_EQ(limit.refused(), 1u);
  EXPECT_EQ(hub_->pattern_count(), 1u);
  EXPECT_EQ(hub_->SubscriptionCount(&client_), 2u);
  hub_->Remove(&client_);
  EXPECT_EQ(Subscribe(client_, false, "d*"), HubShard::SubscribeResult::kTooManyPatterns);
  another.Remove(&other);
  EXPECT_EQ(limit.in_use(), 0u);
  EXPECT_EQ(Subscribe(client_, false, "d*"), HubShard::SubscribeResult::kOk);
}

}  // namespace
}  // namespace spillway::edge
