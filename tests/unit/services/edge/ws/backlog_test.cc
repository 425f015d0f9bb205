#include "services/edge/ws/backlog.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tests/unit/services/edge/ws/backlog_fixture.h"

namespace spillway::edge::ws {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

class BacklogTest : public ::testing::Test {
 protected:
  ~BacklogTest() override {
    backlog_.Clear(pool_);
    EXPECT_EQ(counters_.bytes.Value(), 0);
    EXPECT_EQ(counters_.messages.Value(), 0);
  }

  bool Push(const Ref<Frame>& frame, const Ref<const ChannelTraits>& traits) {
    return backlog_.Push(pool_, limits_, *frame, traits.get());
  }
  // An event of `traits` at the offset.
  bool Event(const Ref<const ChannelTraits>& traits, int64_t offset, uint64_t key = 0,
             uint32_t slot = 1, size_t padding = 0) {
    return Push(EventFrame(traits->name, slot, offset, key, padding), traits);
  }
  bool Other(std::string_view text, const Ref<const ChannelTraits>& traits = {}) {
    return Push(Frame::Make(Opcode::kText, text), traits);
  }
  // The kernel takes up to `room` bytes.
  std::vector<std::string> Write(size_t room = 1 << 30) {
    iovec pieces[100];
    for (;;) {
      const size_t count = backlog_.Gather(pool_, limits_, gaps_, pieces, 100);
      if (count == 0) break;
      size_t size = 0;
      size_t taken = 0;
      for (size_t i = 0; i < count; ++i) {
        const size_t part = std::min(pieces[i].iov_len, room - taken);
        stream_.append(static_cast<const char*>(pieces[i].iov_base), part);
        taken += part;
        size += pieces[i].iov_len;
      }
      room -= taken;
      backlog_.Consume(pool_, taken, taken < size);
      if (taken < size) break;
    }
    return TakeMessages(&stream_);
  }

  BacklogCounters counters_;
  BacklogPool pool_{counters_};
  BacklogLimits limits_{.bytes = 100'000, .messages = 5};
  Backlog backlog_;
  TextGaps gaps_;
  std::string stream_;
  const Ref<const ChannelTraits> strict_ = Traits("strict", SlowPolicy::kDisconnect);
  const Ref<const ChannelTraits> conflated_ = Traits("quotes", SlowPolicy::kConflate);
  const Ref<const ChannelTraits> oldest_ = Traits("oldest", SlowPolicy::kDropOldest);
  const Ref<const ChannelTraits> newest_ = Traits("newest", SlowPolicy::kDropNewest);
  const Ref<const ChannelTraits> low_ = Traits("low", SlowPolicy::kDropOldest, Priority::kLow);
  const Ref<const ChannelTraits> high_ = Traits("high", SlowPolicy::kDisconnect, Priority::kHigh);
};

TEST_F(BacklogTest, EmptyIsOnePointer) {
  EXPECT_EQ(sizeof(Backlog), sizeof(void*));
  EXPECT_TRUE(backlog_.empty());
  EXPECT_EQ(backlog_.bytes(), 0u);
  Other("x");
  EXPECT_FALSE(backlog_.empty());
  EXPECT_EQ(backlog_.bytes(), 3 + Backlog::kNodeCost + Backlog::kStateCost);
  EXPECT_EQ(counters_.bytes.Value(), static_cast<int64_t>(backlog_.bytes()));
  EXPECT_THAT(Write(), ElementsAre("x"));
  EXPECT_TRUE(backlog_.empty());
}

TEST_F(BacklogTest, HigherPrioritiesLeaveFirstInTheirOrder) {
  const auto low = Traits("low", SlowPolicy::kDisconnect, Priority::kLow);
  limits_.messages = 100;
  Other("begun");
  EXPECT_THAT(Write(3), IsEmpty());
  Event(low, 1);
  Event(strict_, 1);
  Other("reply");
  Event(high_, 1);
  backlog_.PushLast(pool_, *Frame::Make(Opcode::kText, "close"));
  Other("subscribed", high_);
  Event(high_, 2);
  EXPECT_THAT(Write(), ElementsAre("begun", "high 1:1", "subscribed", "high 1:2", "strict 1:1",
                                   "reply", "low 1:1", "close"));
}

TEST_F(BacklogTest, WhatTheStreamMayHaveBegunStaysFirst) {
  Other("offered");
  EXPECT_THAT(Write(0), IsEmpty());
  Event(high_, 1);
  EXPECT_THAT(Write(), ElementsAre("offered", "high 1:1"));
}

TEST_F(BacklogTest, AtTheBoundNothingGivesWayToAStrictChannelButWhatMay) {
  for (int i = 1; i <= 5; ++i) EXPECT_TRUE(Event(strict_, i));
  EXPECT_FALSE(Event(strict_, 6));
  EXPECT_FALSE(Other("reply"));
  EXPECT_FALSE(Event(high_, 1));
}

TEST_F(BacklogTest, OneFrameIsTakenWhateverItsSizeWhenNothingWaits) {
  limits_.bytes = 1000;
  EXPECT_TRUE(Event(strict_, 1, 0, 1, 5000));
  EXPECT_FALSE(Event(strict_, 2));
}

TEST_F(BacklogTest, DropOldestLeavesAGapInPlace) {
  for (int i = 1; i <= 7; ++i) EXPECT_TRUE(Event(oldest_, i));
  EXPECT_EQ(backlog_.gaps(), 1u);
  EXPECT_THAT(Write(), ElementsAre("gap oldest 1:1-2", "oldest 1:3", "oldest 1:4", "oldest 1:5",
                                   "oldest 1:6", "oldest 1:7"));
  EXPECT_EQ(counters_.dropped_oldest.Value(), 2u);
  EXPECT_EQ(counters_.gaps.Value(), 1u);
}

TEST_F(BacklogTest, DropNewestLeavesAGapAtTheEnd) {
  for (int i = 1; i <= 7; ++i) EXPECT_TRUE(Event(newest_, i));
  EXPECT_THAT(Write(8 * 2 + 8 * 2 + 4 * 4), testing::SizeIs(testing::Ge(2u)));
  EXPECT_TRUE(Event(newest_, 8));
  EXPECT_TRUE(Event(newest_, 9));
  Other("checkpoint", newest_);
  EXPECT_THAT(Write(), ::testing::Contains("gap newest 1:6-7"));
  EXPECT_EQ(counters_.dropped_newest.Value(), 2u);
}

TEST_F(BacklogTest, ConflationTakesTheOlderOutAndAppendsTheNewer) {
  limits_.messages = 100;
  Event(conflated_, 1, 11);
  Event(conflated_, 2, 12);
  Event(conflated_, 3, 13);
  Event(conflated_, 4, 11);
  EXPECT_EQ(counters_.conflated.Value(), 1u);
  EXPECT_THAT(Write(), ElementsAre("gap quotes 1:1-1", "quotes 1:2", "quotes 1:3", "quotes 1:4"));
}

TEST_F(BacklogTest, KeysAreOfTheirChannel) {
  limits_.messages = 100;
  const auto other = Traits("other", SlowPolicy::kConflate);
  Event(conflated_, 1, 11);
  Event(other, 2, 11);
  EXPECT_THAT(Write(), ElementsAre("quotes 1:1", "other 1:2"));
}

TEST_F(BacklogTest, ABegunEventIsNotReplaced) {
  Event(conflated_, 1, 11);
  EXPECT_THAT(Write(2), IsEmpty());
  Event(conflated_, 2, 11);
  Event(conflated_, 3, 11);
  EXPECT_THAT(Write(), ElementsAre("quotes 1:1", "gap quotes 1:2-2", "quotes 1:3"));
}

TEST_F(BacklogTest, GapsBecomeOneWhenWhatStoodBetweenGoes) {
  limits_.messages = 100;
  for (int i = 1; i <= 4; ++i) Event(conflated_, i, static_cast<uint64_t>(10 + i));
  Event(conflated_, 5, 11);
  Event(conflated_, 6, 13);
  EXPECT_EQ(backlog_.gaps(), 2u);
  Event(conflated_, 7, 12);
  EXPECT_EQ(backlog_.gaps(), 1u);
  EXPECT_THAT(Write(), ElementsAre("gap quotes 1:1-3", "quotes 1:4", "quotes 1:5", "quotes 1:6",
                                   "quotes 1:7"));
}

TEST_F(BacklogTest, GapsAreOfASlot) {
  limits_.messages = 3;
  Event(oldest_, 1, 0, 1);
  Event(oldest_, 50, 0, 2);
  Event(oldest_, 2, 0, 1);
  Event(oldest_, 51, 0, 2);
  Event(oldest_, 52, 0, 2);
  Event(oldest_, 53, 0, 2);
  EXPECT_EQ(backlog_.gaps(), 2u);
  EXPECT_THAT(Write(), ElementsAre("gap oldest 1:1-2", "gap oldest 2:50-50", "oldest 2:51",
                                   "oldest 2:52", "oldest 2:53"));
}

TEST_F(BacklogTest, AFrameOfTheChannelKeepsGapsApart) {
  limits_.messages = 100;
  Event(conflated_, 1, 11);
  Other("unsubscribed", conflated_);
  Event(conflated_, 2, 12);
  Event(conflated_, 3, 12);
  Event(conflated_, 4, 11);
  EXPECT_THAT(Write(), ElementsAre("gap quotes 1:1-1", "unsubscribed", "gap quotes 1:2-2",
                                   "quotes 1:3", "quotes 1:4"));
}

TEST_F(BacklogTest, SilentConflationLeavesNoGap) {
  limits_.messages = 100;
  const auto silent = Traits("quotes", SlowPolicy::kConflate, Priority::kNormal, true);
  Event(silent, 1, 11);
  Event(silent, 2, 11);
  EXPECT_THAT(Write(), ElementsAre("quotes 1:2"));
  EXPECT_EQ(counters_.conflated.Value(), 1u);
}

TEST_F(BacklogTest, WhatWasQueuedBeforeSilenceWasAskedForIsTold) {
  limits_.messages = 100;
  const auto silent = Traits("quotes", SlowPolicy::kConflate, Priority::kNormal, true);
  Event(conflated_, 1, 11);
  Event(conflated_, 2, 12);
  Event(silent, 3, 11);
  Event(silent, 4, 11);
  Event(conflated_, 5, 11);  // nor is silence asked for any more
  EXPECT_THAT(Write(),
              ElementsAre("gap quotes 1:1-1", "quotes 1:2", "gap quotes 1:4-4", "quotes 1:5"));
}

TEST_F(BacklogTest, WhatSilentConflationStillLosesIsTold) {
  limits_.messages = 2;
  const auto silent = Traits("quotes", SlowPolicy::kConflate, Priority::kNormal, true);
  for (int i = 1; i <= 3; ++i) Event(silent, i, static_cast<uint64_t>(10 + i));
  EXPECT_THAT(Write(), ElementsAre("gap quotes 1:1-1", "quotes 1:2", "quotes 1:3"));
}

TEST_F(BacklogTest, SilentConflationBetweenGapsJoinsThem) {
  limits_.messages = 3;
  const auto silent = Traits("quotes", SlowPolicy::kConflate, Priority::kNormal, true);
  Event(conflated_, 1, 11);
  Event(conflated_, 2, 12);
  Event(conflated_, 3, 13);
  Event(conflated_, 4, 11);
  Event(conflated_, 5, 13);
  EXPECT_EQ(backlog_.gaps(), 2u);
  Event(silent, 6, 12);
  EXPECT_EQ(backlog_.gaps(), 1u);
  EXPECT_THAT(Write(), ElementsAre("gap quotes 1:1-3", "quotes 1:4", "quotes 1:5", "quotes 1:6"));
}

TEST_F(BacklogTest, AConflatingChannelOfManyKeysDropsItsOldest) {
  for (int i = 1; i <= 7; ++i) Event(conflated_, i, static_cast<uint64_t>(10 + i));
  EXPECT_THAT(Write(), ElementsAre("gap quotes 1:1-2", "quotes 1:3", "quotes 1:4", "quotes 1:5",
                                   "quotes 1:6", "quotes 1:7"));
}

TEST_F(BacklogTest, EventsWithoutAKeyAreNotConflated) {
  for (int i = 1; i <= 6; ++i) Event(conflated_, i);
  EXPECT_EQ(counters_.conflated.Value(), 0u);
  EXPECT_EQ(counters_.dropped_oldest.Value(), 1u);
}

TEST_F(BacklogTest, TheLeastPriorityGivesWayFirst) {
  Event(oldest_, 1);
  Event(low_, 1);
  Event(strict_, 1);
  Event(low_, 2);
  Event(high_, 1);
  EXPECT_TRUE(Event(high_, 2));
  EXPECT_TRUE(Event(newest_, 1));
  EXPECT_TRUE(Event(high_, 3));
  EXPECT_TRUE(Event(high_, 4));
  EXPECT_FALSE(Event(strict_, 2));
  EXPECT_THAT(Write(),
              ElementsAre("high 1:1", "high 1:2", "high 1:3", "high 1:4", "gap oldest 1:1-1",
                          "strict 1:1", "gap newest 1:1-1", "gap low 1:1-2"));
  EXPECT_EQ(counters_.dropped_yielding.Value(), 4u);
}

TEST_F(BacklogTest, NothingGivesWayToALowerPriority) {
  const auto high = Traits("high", SlowPolicy::kDropOldest, Priority::kHigh);
  for (int i = 1; i <= 5; ++i) Event(high, i);
  EXPECT_FALSE(Event(strict_, 1));
  EXPECT_TRUE(Event(oldest_, 1));  // it gives way itself
  EXPECT_FALSE(Other("reply"));
  EXPECT_THAT(Write(), ::testing::Contains("gap oldest 1:1-1"));
}

TEST_F(BacklogTest, EventsThatNeverWereInKafkaAreCounted) {
  for (int i = 1; i <= 8; ++i) Event(oldest_, 0, 0, kNoSlotOfTest);
  std::vector<std::string> got = Write();
  ASSERT_FALSE(got.empty());
  EXPECT_EQ(got[0], "gap oldest of 3");
}

TEST_F(BacklogTest, BytesAreBounded) {
  limits_ = {.bytes = 10'000, .messages = 1000};
  for (int i = 1; i <= 200; ++i) {
    EXPECT_TRUE(Event(oldest_, i, 0, 1, 300));
    EXPECT_TRUE(Event(conflated_, i, static_cast<uint64_t>(i % 40 + 1), 1, 300));
    EXPECT_LE(backlog_.bytes(), limits_.bytes);
  }
  EXPECT_TRUE(Event(oldest_, 201, 0, 1, 20'000));  // too large for any room: it alone is lost
  EXPECT_GE(backlog_.messages(), 20u);
}

TEST_F(BacklogTest, OnlyTheFirstGapMayPassTheBound) {
  limits_ = {.bytes = Backlog::kStateCost + 2 * Backlog::kChannelCost + 6 * Backlog::kNodeCost + 30,
             .messages = 1000};
  for (int i = 1; i <= 9; ++i) {
    EXPECT_TRUE(Event(oldest_, i));
    EXPECT_TRUE(Event(newest_, i));
  }
  iovec pieces[100];
  backlog_.Gather(pool_, limits_, gaps_, pieces, 100);
  EXPECT_LE(backlog_.bytes(), limits_.bytes + 40);
}

TEST_F(BacklogTest, AGapThatCannotBeMadeIsLeftOut) {
  for (int i = 1; i <= 6; ++i) Event(oldest_, i);
  gaps_.able = false;
  EXPECT_THAT(Write(), testing::SizeIs(5));
  EXPECT_TRUE(backlog_.empty());
}

TEST_F(BacklogTest, DropsWhatWasNotBegunButTheCloseFrame) {
  Event(oldest_, 1);
  Write(3);
  Event(oldest_, 2);
  Event(high_, 3);
  Other("reply");
  backlog_.PushLast(pool_, *Frame::Make(Opcode::kText, "close"));
  backlog_.DropUnstarted(pool_);
  EXPECT_THAT(Write(), ElementsAre("oldest 1:1", "close"));
}

TEST_F(BacklogTest, TraitsAndFramesLiveAsLongAsTheyWait) {
  auto traits = Traits("gone", SlowPolicy::kDropOldest);
  limits_.messages = 1;
  Event(traits, 1);
  Event(traits, 2);
  traits = {};
  EXPECT_THAT(Write(), ElementsAre("gap gone 1:1-1", "gone 1:2"));
}

// Another lane of a channel, or the channel opened anew, has traits of its own.
TEST_F(BacklogTest, AChannelsTraitsMayChange) {
  limits_.messages = 100;
  const auto silent = Traits("quotes", SlowPolicy::kConflate, Priority::kNormal, true);
  Event(conflated_, 1, 11);
  Event(silent, 2, 12);
  Event(conflated_, 3, 11);
  Event(silent, 4, 11);
  EXPECT_THAT(Write(),
              ElementsAre("gap quotes 1:1-1", "quotes 1:2", "gap quotes 1:3-3", "quotes 1:4"));
}

TEST_F(BacklogTest, MemoryIsThatOfABoundedNumberOfNodes) {
  // 1 % of 10,000 clients, stalled for long: in all no more than their bounds.
  limits_ = {.bytes = 64 * 1024, .messages = 4096};
  std::vector<Backlog> all(100);
  for (int i = 1; i <= 2000; ++i) {
    const Ref<Frame> event = EventFrame("oldest", 1, i, 0, 100);
    for (Backlog& backlog : all) backlog.Push(pool_, limits_, *event, oldest_.get());
  }
  EXPECT_LE(counters_.bytes.Value(), 100 * 64 * 1024);
  EXPECT_GE(counters_.bytes.Value(), 100 * 63 * 1024);
  for (Backlog& backlog : all) backlog.Clear(pool_);
}

}  // namespace
}  // namespace spillway::edge::ws
