#include "services/edge/session/user_limits.h"

#include <gtest/gtest.h>

#include <atomic>
#include <string>
#include <thread>
#include <vector>

#include "tests/support/fake_clock.h"

namespace spillway::edge {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

class UserLimitsTest : public ::testing::Test {
 protected:
  MonoTime Now() const { return clock_.Now(); }

  test::FakeClock clock_;
};

TEST_F(UserLimitsTest, ConnectionsOfAUser) {
  UserLimits limits({.connections = 2}, clock_);
  auto first = limits.Enter("u1");
  auto second = limits.Enter("u1");
  ASSERT_TRUE(first.has_value() && second.has_value());
  EXPECT_FALSE(limits.Enter("u1").has_value());
  EXPECT_TRUE(limits.Enter("u2").has_value());  // and gone again
  EXPECT_EQ(limits.size(), 1u);
  second = UserLimits::Place();
  EXPECT_TRUE(limits.Enter("u1").has_value());
  first.reset();
  second.reset();
  EXPECT_EQ(limits.size(), 0u);
}

TEST_F(UserLimitsTest, ClientsWithoutANameAreNotOneUser) {
  UserLimits limits({.connections = 1, .messages = Rate::Of(1, seconds(1), 1)}, clock_);
  auto first = limits.Enter("");
  auto second = limits.Enter("");
  ASSERT_TRUE(first.has_value() && second.has_value());
  EXPECT_TRUE(first->TakeMessage(Now()));
  EXPECT_TRUE(second->TakeMessage(Now()));
  EXPECT_FALSE(first->TakeMessage(Now()));
  EXPECT_EQ(limits.size(), 0u);
}

TEST_F(UserLimitsTest, ConnectionsShareTheirUsersBuckets) {
  UserLimits limits({.messages = Rate::Of(1, seconds(1), 3),
                     .subscribes = Rate::Of(1, seconds(1), 2),
                     .channel_rates = 2},
                    clock_);
  auto first = limits.Enter("u1");
  auto second = limits.Enter("u1");
  auto other = limits.Enter("u2");
  EXPECT_TRUE(first->TakeMessage(Now()));
  EXPECT_TRUE(second->TakeMessage(Now()));
  EXPECT_TRUE(first->TakeMessage(Now()));
  EXPECT_FALSE(second->TakeMessage(Now()));
  EXPECT_TRUE(other->TakeMessage(Now()));
  EXPECT_TRUE(first->TakeSubscribe(Now()));
  EXPECT_TRUE(second->TakeSubscribe(Now()));
  EXPECT_FALSE(first->TakeSubscribe(Now()));
  const Rate once = Rate::Of(1, seconds(1), 1);
  EXPECT_TRUE(first->TakeByRule(Now(), 0, once));
  EXPECT_FALSE(second->TakeByRule(Now(), 0, once));
  EXPECT_TRUE(second->TakeByRule(Now(), 1, once));
}

TEST_F(UserLimitsTest, ComingBackDoesNotFillABucket) {
  UserLimits limits({.messages = Rate::Of(1, seconds(10), 1)}, clock_);
  {
    auto place = limits.Enter("u1");
    EXPECT_TRUE(place->TakeMessage(Now()));
  }
  EXPECT_EQ(limits.size(), 1u);  // remembered
  auto back = limits.Enter("u1");
  EXPECT_FALSE(back->TakeMessage(Now()));
  back.reset();
  clock_.Advance(seconds(10));
  back = limits.Enter("u2");
  EXPECT_EQ(limits.Enter("u1")->TakeMessage(Now()), true);
}

TEST_F(UserLimitsTest, ThoseWhoLeftAreForgottenWhenTheirBucketsAreFull) {
  UserLimits limits({.messages = Rate::Of(1, seconds(1), 5)}, clock_);
  for (int i = 0; i < 100; ++i) {
    EXPECT_TRUE(limits.Enter("u" + std::to_string(i))->TakeMessage(Now()));
  }
  EXPECT_EQ(limits.size(), 100u);
  clock_.Advance(seconds(2));
  // Each shard looks when somebody comes or goes.
  for (int i = 0; i < 500; ++i) limits.Enter("v" + std::to_string(i));
  EXPECT_EQ(limits.size(), 0u);
}

TEST_F(UserLimitsTest, ThoseWhoLeftAreBounded) {
  UserLimits limits({.messages = Rate::Of(1, std::chrono::hours(1), 5)}, clock_);
  const int many = static_cast<int>(UserLimits::kMaxLeft) + 20'000;
  for (int i = 0; i < many; ++i) limits.Enter("u" + std::to_string(i))->TakeMessage(Now());
  EXPECT_LE(limits.size(), UserLimits::kMaxLeft);
  EXPECT_GT(limits.size(), UserLimits::kMaxLeft / 2);
}

TEST_F(UserLimitsTest, WithoutLimitsNothingIsKept) {
  UserLimits limits({}, clock_);
  auto place = limits.Enter("u1");
  ASSERT_TRUE(place.has_value());
  for (int i = 0; i < 10'000; ++i) EXPECT_TRUE(place->TakeMessage(Now()));
  EXPECT_TRUE(place->TakeSubscribe(Now()));
  EXPECT_EQ(limits.size(), 0u);
}

TEST_F(UserLimitsTest, ThreadsTogetherStayBelowTheBounds) {
  UserLimits limits({.connections = 2, .messages = Rate::Of(1, std::chrono::hours(1), 100)},
                    clock_);
  auto keeper = limits.Enter("u1");
  std::atomic<int> messages{0};
  std::atomic<int> inside{0};
  std::atomic<bool> too_many{false};
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 2000; ++i) {
        auto place = limits.Enter("u1");
        if (!place.has_value()) continue;
        if (inside.fetch_add(1) > 0) too_many = true;
        messages += place->TakeMessage(Now()) ? 1 : 0;
        inside.fetch_sub(1);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_FALSE(too_many.load());
  EXPECT_LE(messages.load(), 100);
  EXPECT_GT(messages.load(), 0);
  keeper.reset();
  EXPECT_EQ(limits.size(), 1u);
}

}  // namespace
}  // namespace spillway::edge
