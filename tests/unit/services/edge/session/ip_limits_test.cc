#include "services/edge/session/ip_limits.h"

#include <gtest/gtest.h>

#include <string>
#include <thread>
#include <vector>

#include "tests/support/fake_clock.h"

namespace spillway::edge {
namespace {

using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

class IpLimitsTest : public ::testing::Test {
 protected:
  static constexpr IpLimits::Options kThreeAMinute{
      .connections = 0, .failures = 3, .window = seconds(60), .block = minutes(10)};

  static void Fail(IpLimits& limits, std::string_view ip, int times) {
    for (int i = 0; i < times; ++i) limits.CountFailure(ip);
  }

  test::FakeClock clock_;
};

TEST_F(IpLimitsTest, ConnectionsOfAnAddress) {
  IpLimits limits({.connections = 2}, clock_);
  auto first = limits.Enter("10.0.0.1");
  auto second = limits.Enter("::ffff:10.0.0.1");
  ASSERT_TRUE(first.has_value() && second.has_value());
  EXPECT_FALSE(limits.Enter("10.0.0.1").has_value());
  EXPECT_TRUE(limits.Enter("10.0.0.2").has_value());
  first.reset();
  EXPECT_TRUE(limits.Enter("10.0.0.1").has_value());
}

TEST_F(IpLimitsTest, OfIpv6TheFirstHalfCounts) {
  IpLimits limits({.connections = 1}, clock_);
  auto first = limits.Enter("2001:db8:1:2::1");
  ASSERT_TRUE(first.has_value());
  EXPECT_FALSE(limits.Enter("2001:db8:1:2:ffff::7").has_value());
  EXPECT_TRUE(limits.Enter("2001:db8:1:3::1").has_value());
}

TEST_F(IpLimitsTest, TooManyFailuresBlockForAWhile) {
  IpLimits limits(kThreeAMinute, clock_);
  Fail(limits, "10.0.0.1", 2);
  EXPECT_EQ(limits.BlockedFor("10.0.0.1"), seconds(0));
  EXPECT_EQ(limits.failed(), 1u);
  Fail(limits, "10.0.0.1", 1);
  EXPECT_EQ(limits.BlockedFor("10.0.0.1"), minutes(10));
  EXPECT_EQ(limits.BlockedFor("10.0.0.2"), seconds(0));
  EXPECT_EQ(limits.blocks().Value(), 1u);
  EXPECT_EQ(limits.blocked(), 1u);
  EXPECT_EQ(limits.failed(), 0u);
  // Further attempts do not make it longer.
  clock_.Advance(minutes(4));
  Fail(limits, "10.0.0.1", 10);
  EXPECT_EQ(limits.BlockedFor("10.0.0.1"), minutes(6));
  clock_.Advance(minutes(6));
  EXPECT_EQ(limits.BlockedFor("10.0.0.1"), seconds(0));
  EXPECT_EQ(limits.blocked(), 0u);
  // And it begins anew.
  Fail(limits, "10.0.0.1", 2);
  EXPECT_EQ(limits.BlockedFor("10.0.0.1"), seconds(0));
  Fail(limits, "10.0.0.1", 1);
  EXPECT_EQ(limits.blocks().Value(), 2u);
}

TEST_F(IpLimitsTest, OldFailuresDoNotCount) {
  IpLimits limits(kThreeAMinute, clock_);
  for (int i = 0; i < 10; ++i) {
    Fail(limits, "10.0.0.1", 2);
    clock_.Advance(seconds(61));
  }
  EXPECT_EQ(limits.blocks().Value(), 0u);
}

TEST_F(IpLimitsTest, AnIpv6ClientCannotHideInItsNetwork) {
  IpLimits limits(kThreeAMinute, clock_);
  for (int i = 1; i <= 3; ++i) limits.CountFailure("2001:db8::" + std::to_string(i));
  EXPECT_GT(limits.BlockedFor("2001:db8::99").count(), 0);
}

TEST_F(IpLimitsTest, AnAddressWithConnectionsKeepsThemWhenItsFailuresAreForgotten) {
  IpLimits limits({.connections = 1, .failures = 2, .window = seconds(60), .block = minutes(1)},
                  clock_);
  auto place = limits.Enter("10.0.0.1");
  Fail(limits, "10.0.0.1", 2);
  EXPECT_GT(limits.BlockedFor("10.0.0.1").count(), 0);
  clock_.Advance(minutes(2));
  EXPECT_EQ(limits.BlockedFor("10.0.0.1").count(), 0);
  EXPECT_FALSE(limits.Enter("10.0.0.1").has_value());
  Fail(limits, "10.0.0.1", 1);
  place.reset();  // while its failures are remembered
  Fail(limits, "10.0.0.1", 1);
  EXPECT_GT(limits.BlockedFor("10.0.0.1").count(), 0);
}

// Whoever has many addresses fills the table: blocks stay, as long as there is anything else.
TEST_F(IpLimitsTest, TheTableIsBoundedAndBlocksStayLongest) {
  IpLimits limits(kThreeAMinute, clock_);
  Fail(limits, "192.0.2.1", 3);
  const int many = static_cast<int>(IpLimits::kMaxFailed) + 40'000;
  for (int i = 0; i < many; ++i) {
    limits.CountFailure("10." + std::to_string(i / 65536) + "." + std::to_string(i / 256 % 256) +
                        "." + std::to_string(i % 256));
  }
  EXPECT_LE(limits.failed() + limits.blocked(), IpLimits::kMaxFailed);
  EXPECT_GT(limits.failed(), IpLimits::kMaxFailed / 2);
  EXPECT_GE(limits.forgotten().Value(), 40'000u);
  EXPECT_GT(limits.BlockedFor("192.0.2.1").count(), 0);
}

TEST_F(IpLimitsTest, WithoutLimitsNothingIsKept) {
  IpLimits limits({}, clock_);
  auto place = limits.Enter("10.0.0.1");
  Fail(limits, "10.0.0.1", 1000);
  EXPECT_TRUE(limits.Enter("10.0.0.1").has_value());
  EXPECT_EQ(limits.BlockedFor("10.0.0.1").count(), 0);
  EXPECT_EQ(limits.failed(), 0u);
}

TEST_F(IpLimitsTest, ThreadsTogether) {
  IpLimits limits({.connections = 3, .failures = 50, .window = seconds(60), .block = minutes(1)},
                  clock_);
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < 1000; ++i) {
        const std::string ip = "10.0.0." + std::to_string((i + t) % 50);
        auto place = limits.Enter(ip);
        limits.CountFailure(ip);
        limits.BlockedFor(ip);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(limits.blocks().Value(), 50u);
  EXPECT_EQ(limits.blocked(), 50u);
  for (int i = 0; i < 50; ++i) {
    EXPECT_TRUE(limits.Enter("10.0.0." + std::to_string(i)).has_value());
  }
}

}  // namespace
}  // namespace spillway::edge
