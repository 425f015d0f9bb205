// A connection whose peer reads too slowly: what is left out, what is told, when it ends.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <string>
#include <vector>

#include "tests/unit/services/edge/ws/connection_fixture.h"

namespace spillway::edge::ws {
namespace {

using std::chrono::milliseconds;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::StartsWith;

class SlowConnectionTest : public ConnectionTest {
 protected:
  SlowConnectionTest() {
    options_.backlog = {.bytes = 100'000, .messages = 5};
    options_.write_timeout = milliseconds(3000);
    Rebuild();
    Open();
  }

  void Event(const Ref<const ChannelTraits>& traits, int64_t offset, uint64_t key = 0) {
    Ref<Frame> frame = EventFrame(traits->name, 1, offset, key);
    script_.transport->Send(*frame, traits.get());
    set_->Keep(std::move(frame));
  }
  void Answer(const Ref<const ChannelTraits>& traits, std::string_view text) {
    Ref<Frame> frame = Frame::Make(Opcode::kText, text);
    script_.transport->Send(*frame, traits.get());
    set_->Keep(std::move(frame));
  }
  std::vector<std::string> Received() { return TakeMessages(&peer_.written); }
  std::string Outcome() { return script_.log.back(); }

  const Ref<const ChannelTraits> strict_ = Traits("strict", SlowPolicy::kDisconnect);
  const Ref<const ChannelTraits> quotes_ = Traits("quotes", SlowPolicy::kConflate);
  const Ref<const ChannelTraits> oldest_ = Traits("oldest", SlowPolicy::kDropOldest);
  const Ref<const ChannelTraits> newest_ = Traits("newest", SlowPolicy::kDropNewest);
  const Ref<const ChannelTraits> fills_ = Traits("fills", SlowPolicy::kDisconnect, Priority::kHigh);
};

TEST_F(SlowConnectionTest, NothingIsLeftOutWhileTheKernelTakesIt) {
  Turn([&] {
    for (int i = 1; i <= 20; ++i) Event(quotes_, i, 11);
  });
  EXPECT_EQ(Received().size(), 20u);
}

TEST_F(SlowConnectionTest, WhatOneWriteLeavesIsQueuedByItsChannel) {
  peer_.room = 3;
  Turn([&] {
    Event(strict_, 1);
    Event(quotes_, 1, 11);
    Event(quotes_, 2, 11);
    Event(fills_, 1);
  });
  Writable(1 << 20);
  EXPECT_THAT(Received(), ElementsAre("strict 1:1", "fills 1:1", "gap quotes 1:1-1", "quotes 1:2"));
}

TEST_F(SlowConnectionTest, GapsStandWhereEventsWereDropped) {
  peer_.room = 0;
  Turn([&] {
    Event(oldest_, 1);  // the stream may have begun it
    for (int i = 2; i <= 7; ++i) Event(oldest_, i);
    Answer(oldest_, "checkpoint 7");
    Event(oldest_, 8);
  });
  Writable(1 << 20);
  EXPECT_THAT(Received(), ElementsAre("oldest 1:1", "gap oldest 1:2-5", "oldest 1:6", "oldest 1:7",
                                      "checkpoint 7", "oldest 1:8"));
  EXPECT_FALSE(loop_.writes_watched);
  EXPECT_EQ(counters_.backlog.bytes.Value(), 0);
  EXPECT_EQ(script_.log, Log{"open"});
}

TEST_F(SlowConnectionTest, AStrictChannelEndsItWhenNothingCanGiveWay) {
  peer_.room = 0;
  Turn([&] {
    for (int i = 1; i <= 3; ++i) Event(quotes_, i, static_cast<uint64_t>(i));
    for (int i = 1; i <= 2; ++i) Event(strict_, i);
  });
  Turn([&] {
    for (int i = 3; i <= 4; ++i) Event(strict_, i);  // quotes give way, but for the first
  });
  EXPECT_EQ(script_.log, Log{"open"});
  Turn([&] { Event(strict_, 5); });
  EXPECT_THAT(Outcome(), StartsWith("closed:4008:too slow"));
  EXPECT_EQ(counters_.slow_closes.Value(), 1u);
}

TEST_F(SlowConnectionTest, AWriteThatTakesNothingForTooLongEndsIt) {
  peer_.room = 100;
  Turn([&] { Answer(strict_, std::string(500, 'x')); });
  Pass(milliseconds(2000));
  Writable(50);  // it does take something
  Pass(milliseconds(2000));
  EXPECT_EQ(script_.log, Log{"open"});
  Pass(milliseconds(1200));
  EXPECT_EQ(Outcome(), "closed:4008:too slow: nothing was read for too long");
  EXPECT_EQ(counters_.write_timeouts.Value(), 1u);
  EXPECT_EQ(counters_.slow_closes.Value(), 1u);
  EXPECT_FALSE(peer_.closed);
  Pass(milliseconds(1200));  // nor does it take the close frame
  EXPECT_TRUE(peer_.closed);
}

TEST_F(SlowConnectionTest, OneThatReadsAgainHasNoDeadline) {
  peer_.room = 100;
  Turn([&] { Answer(strict_, std::string(500, 'x')); });
  Writable(1 << 20);
  EXPECT_EQ(wheel_.size(), 0u);
  Pass(milliseconds(10'000));
  EXPECT_EQ(script_.log, Log{"open"});
}

TEST_F(SlowConnectionTest, ADeadlineOfZeroIsNone) {
  options_.write_timeout = milliseconds(0);
  Rebuild();
  Open();
  peer_.room = 0;
  Turn([&] { Send("x"); });
  EXPECT_EQ(wheel_.size(), 0u);
}

TEST_F(SlowConnectionTest, ClosingComesLastAndHasItsOwnDeadline) {
  peer_.room = 0;
  Turn([&] {
    Event(quotes_, 1, 11);
    Event(quotes_, 2, 12);
    Event(quotes_, 3, 12);
  });
  Turn([&] { script_.transport->Close(1001, "bye"); });
  Writable(1 << 20);
  std::vector<std::string> got = Received();
  ASSERT_EQ(got.size(), 4u);
  EXPECT_EQ(got[1], "gap quotes 1:2-2");  // the handler is there to the end
  EXPECT_THAT(got[3], ::testing::EndsWith("bye"));
  Pass(milliseconds(1200));
  EXPECT_EQ(Outcome(), "closed:1001:bye");
}

TEST_F(SlowConnectionTest, ClosedInTheTurnThatFillsIt) {
  peer_.room = 5;
  Turn([&] {
    for (int i = 1; i <= 5; ++i) Event(strict_, i);
    script_.transport->Close(1001, "bye");
  });
  Writable(1 << 20);
  EXPECT_THAT(Received().back(), ::testing::EndsWith("bye"));
}

// Its handler goes at once, so gaps could not be told; nor does anyone listen.
TEST_F(SlowConnectionTest, APeerThatClosesIsSentNoMoreThanTheEcho) {
  peer_.room = 0;
  Turn([&] {
    for (int i = 1; i <= 5; ++i) Event(quotes_, i, 11);
  });
  Receive(ClientFrame(0x88, ClosePayload(1000)));
  EXPECT_EQ(Outcome(), "closed:1000:");
  Writable(1 << 20);
  std::vector<std::string> got = Received();
  ASSERT_EQ(got.size(), 2u);
  EXPECT_EQ(got[0], "quotes 1:1");
  EXPECT_TRUE(peer_.closed);
}

TEST_F(SlowConnectionTest, AStalledOneLeavesNothingBehind) {
  peer_.room = 0;
  Turn([&] {
    for (int i = 1; i <= 5; ++i) Event(newest_, i);
  });
  EXPECT_GT(counters_.backlog.bytes.Value(), 0);
  EXPECT_EQ(counters_.backlog.messages.Value(), 5);
  Turn([&] { set_->AbortAll(kCloseGoingAway); });
  EXPECT_EQ(counters_.backlog.bytes.Value(), 0);
  EXPECT_EQ(counters_.backlog.messages.Value(), 0);
}

}  // namespace
}  // namespace spillway::edge::ws
