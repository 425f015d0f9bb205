#include "services/edge/session/rate.h"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>
#include <vector>

namespace spillway::edge {
namespace {

using std::chrono::milliseconds;

const MonoTime kStart = MonoTime(std::chrono::hours(1));

// How many of `tries` at one time succeed.
int Taken(SharedBucket& bucket, MonoTime now, const Rate& rate, int tries) {
  int taken = 0;
  for (int i = 0; i < tries; ++i) taken += bucket.Take(now, rate) ? 1 : 0;
  return taken;
}

TEST(Rate, ABurstThenTheSustainedRate) {
  const Rate rate = Rate::Of(10, milliseconds(1000), 4);
  SharedBucket bucket;
  EXPECT_EQ(Taken(bucket, kStart, rate, 10), 4);
  EXPECT_EQ(Taken(bucket, kStart + milliseconds(99), rate, 10), 0);
  EXPECT_EQ(Taken(bucket, kStart + milliseconds(100), rate, 10), 1);
  EXPECT_EQ(Taken(bucket, kStart + milliseconds(350), rate, 10), 2);
  EXPECT_EQ(bucket.full_at(), kStart + milliseconds(700));
  EXPECT_EQ(Taken(bucket, kStart + milliseconds(10'000), rate, 10), 4);
}

TEST(Rate, LongPeriodsAndTheLargestNumbers) {
  SharedBucket bucket;
  const Rate slow = Rate::Of(1, std::chrono::hours(1), 1'000'000);
  EXPECT_EQ(Taken(bucket, kStart, slow, 1'000'001), 1'000'000);
  SharedBucket other;
  const Rate fast = Rate::Of(1'000'000, milliseconds(100), 1);
  EXPECT_EQ(fast.step, std::chrono::nanoseconds(100));
  EXPECT_EQ(Taken(other, kStart, fast, 3), 1);
}

TEST(Rate, NoneIsNoLimit) {
  SharedBucket bucket;
  EXPECT_FALSE(Rate::Of(0, milliseconds(1000), 5).limits());
  EXPECT_EQ(Taken(bucket, kStart, {}, 1000), 1000);
  EXPECT_EQ(bucket.full_at(), MonoTime());
  EXPECT_EQ(Rate::Of(7, milliseconds(1000), 0).burst, 7u);
}

TEST(Rate, ThreadsTogetherTakeNoMore) {
  const Rate rate = Rate::Of(1, milliseconds(1000), 1000);
  SharedBucket bucket;
  std::atomic<int> taken{0};
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] { taken += Taken(bucket, kStart, rate, 1000); });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(taken.load(), 1000);
}

TEST(RateTest, SharesAddUpToTheWhole) {
  const Rate whole = Rate::Of(100, std::chrono::seconds(1), 10);
  const Rate share = whole.Share(4);
  EXPECT_EQ(share.step, whole.step * 4);
  EXPECT_EQ(share.burst, 2u);
  EXPECT_EQ(whole.Share(64).burst, 1u) << "or it would let nothing pass";
  EXPECT_FALSE(Rate().Share(4).limits());
}

}  // namespace
}  // namespace spillway::edge
