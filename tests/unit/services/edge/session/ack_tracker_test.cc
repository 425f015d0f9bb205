#include "services/edge/session/ack_tracker.h"

#include <gtest/gtest.h>

namespace spillway::edge {
namespace {

constexpr uint64_t kChannel = 7;
constexpr uint64_t kOther = 8;
constexpr MonoTime kStart = MonoTime() + std::chrono::hours(1);

MonoTime At(int ms) { return kStart + std::chrono::milliseconds(ms); }

TEST(AckTrackerTest, CountsWhatWasSentAndNotAcknowledged) {
  AckTracker acks;
  EXPECT_EQ(acks.oldest(), std::nullopt);
  for (int i = 0; i < 5; ++i) acks.OnSent(kChannel, 1, 10 + 2 * i, At(i));
  EXPECT_EQ(acks.events(), 5u);
  EXPECT_EQ(acks.oldest(), At(0));
  EXPECT_EQ(acks.AckedOf(kChannel, 1), std::nullopt);
  acks.OnAck(kChannel, 1, 13);  // between two
  EXPECT_EQ(acks.events(), 3u);
  EXPECT_EQ(acks.oldest(), At(2));
  EXPECT_EQ(acks.AckedOf(kChannel, 1), 13);
  acks.OnAck(kChannel, 1, 18);
  EXPECT_EQ(acks.events(), 0u);
  EXPECT_EQ(acks.oldest(), std::nullopt);
}

TEST(AckTrackerTest, NeverGoesBackAndNeverBeyondWhatWasSent) {
  AckTracker acks;
  acks.OnSent(kChannel, 1, 10, At(0));
  acks.OnAck(kChannel, 1, 1'000'000);
  EXPECT_EQ(acks.AckedOf(kChannel, 1), 10);
  acks.OnSent(kChannel, 1, 11, At(1));
  EXPECT_EQ(acks.events(), 1u) << "what a client claimed ahead of its time does not count";
  acks.OnAck(kChannel, 1, 5);
  EXPECT_EQ(acks.AckedOf(kChannel, 1), 10);
  EXPECT_EQ(acks.events(), 1u);
}

TEST(AckTrackerTest, SlotsAndChannelsAreApart) {
  AckTracker acks;
  acks.OnSent(kChannel, 1, 10, At(0));
  acks.OnSent(kChannel, 2, 10, At(1));
  acks.OnSent(kOther, 1, 10, At(2));
  acks.OnAck(kChannel, 1, 10);
  EXPECT_EQ(acks.events(), 2u);
  EXPECT_EQ(acks.oldest(), At(1));
  acks.Forget(kChannel);
  EXPECT_EQ(acks.events(), 1u);
  EXPECT_EQ(acks.AckedOf(kChannel, 1), std::nullopt);
}

TEST(AckTrackerTest, WhatNothingWasSentOfIsNotRemembered) {
  AckTracker acks;
  acks.OnAck(kChannel, 1, 10);
  EXPECT_EQ(acks.AckedOf(kChannel, 1), std::nullopt);
}

TEST(AckTrackerTest, BeyondTheBoundItCounts) {
  AckTracker acks;
  constexpr int kMost = static_cast<int>(AckTracker::kMost);
  for (int i = 0; i < kMost + 100; ++i) acks.OnSent(kChannel, 1, i, At(i));
  EXPECT_EQ(acks.events(), AckTracker::kMost + 100);
  acks.OnAck(kChannel, 1, kMost - 1);
  EXPECT_EQ(acks.events(), 100u);
  acks.OnAck(kChannel, 1, kMost + 50);
  EXPECT_EQ(acks.events(), 100u) << "they were not timed";
  acks.OnSent(kChannel, 1, kMost + 100, At(0));
  EXPECT_EQ(acks.events(), 101u);
  acks.OnAck(kChannel, 1, kMost + 100);
  EXPECT_EQ(acks.events(), 0u);
  acks.OnSent(kChannel, 1, kMost + 101, At(9));
  EXPECT_EQ(acks.oldest(), At(9)) << "and all is as at first";
}

}  // namespace
}  // namespace spillway::edge
