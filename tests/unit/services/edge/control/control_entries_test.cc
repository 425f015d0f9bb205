#include "services/edge/control/control_entries.h"

#include <gtest/gtest.h>

#include <string>

#include "common/control/control_entry.h"
#include "tests/support/fake_clock.h"

namespace spillway::edge {
namespace {

using std::chrono::hours;
using std::chrono::microseconds;
using std::chrono::minutes;

class ControlEntriesTest : public testing::Test {
 protected:
  int64_t NowUs() const { return ToUnixMicros(clock_.WallNow()); }
  template <typename Request>
  std::string Problem(const Request& request) {
    const auto entry = entries_.Of(request);
    return entry.ok() ? "" : std::string(entry.status().message());
  }

  test::FakeClock clock_;
  Blocks blocks_{{}, clock_};
  ControlEntries entries_{{.node_id = "edge-1", .revocation_ttl = hours(48)}, blocks_, clock_};
};

TEST_F(ControlEntriesTest, BlocksLastUntilLiftedOrForAWhile) {
  v1::BlockIpRequest ip;
  ip.set_ip("::ffff:192.0.2.1");
  ip.set_reason("scraping");
  const auto entry = entries_.Of(ip);
  ASSERT_TRUE(entry.ok()) << entry.status();
  EXPECT_EQ(entry->subject(), "192.0.2.1/32");
  EXPECT_EQ(entry->expires_us(), 0);
  EXPECT_EQ(entry->issued_us(), NowUs());
  EXPECT_EQ(entry->node_id(), "edge-1");
  EXPECT_TRUE(control::Check(*entry).ok());
  ip.set_ttl_ms(1'000);
  EXPECT_EQ(entries_.Of(ip)->expires_us(), NowUs() + 1'000'000);
  ip.set_ttl_ms(-1);
  EXPECT_EQ(Problem(ip), "ttl_ms must be a number of milliseconds, or 0");
  v1::BlockUserRequest user;
  EXPECT_EQ(Problem(user), "user_id: it is empty");
  ip.set_ip("10.0.0.1/8");
  EXPECT_NE(Problem(ip).find("ip: '10.0.0.1/8'"), std::string::npos);
}

TEST_F(ControlEntriesTest, ARevocationDiesWithItsToken) {
  v1::RevokeTokenRequest request;
  request.set_jti("t1");
  EXPECT_EQ(entries_.Of(request)->expires_us(), NowUs() + microseconds(hours(48)).count());
  const int64_t end_ms = NowUs() / 1'000 + 60'000;
  request.set_token_expires_ms(end_ms);
  EXPECT_EQ(entries_.Of(request)->expires_us(),
            end_ms * 1'000 + microseconds(ControlEntries::kTokenMargin).count())
      << "not before verifiers refuse it for its end";
  request.set_token_expires_ms(1'000);
  EXPECT_NE(Problem(request).find("the token has ended"), std::string::npos);
}

TEST_F(ControlEntriesTest, RevokingAgainTakesNothingBack) {
  v1::RevokeUserTokensRequest request;
  request.set_user_id("u1");
  const auto first = entries_.Of(request);
  ASSERT_TRUE(first.ok()) << first.status();
  EXPECT_EQ(first->before_us(), NowUs());
  blocks_.Merge(*first);
  clock_.Advance(minutes(1));
  request.set_issued_before_ms(5);
  request.set_ttl_ms(1'000);
  const auto second = entries_.Of(request);
  EXPECT_EQ(second->before_us(), first->before_us());
  EXPECT_EQ(second->expires_us(), first->expires_us());
  EXPECT_TRUE(control::Later(*second, *first));
}

// The node that blocked has a clock that is ahead.
TEST_F(ControlEntriesTest, WhatIsAskedLaterCountsWhateverTheClocksSay) {
  v1::BlockUserRequest block;
  block.set_user_id("u1");
  v1::ControlEntry entry = *entries_.Of(block);
  entry.set_issued_us(NowUs() + microseconds(minutes(5)).count());
  entry.set_node_id("edge-2");
  blocks_.Merge(entry);
  v1::UnblockRequest lift;
  lift.set_user_id("u1");
  const auto removal = entries_.Of(lift);
  ASSERT_TRUE(removal.ok()) << removal.status();
  EXPECT_TRUE(removal->removed());
  EXPECT_TRUE(control::Later(*removal, entry));
  EXPECT_TRUE(control::Check(*removal).ok());
  blocks_.Merge(*removal);
  EXPECT_EQ(blocks_.size(), 0u);
}

TEST_F(ControlEntriesTest, OnlyWhatIsInForceCanBeLifted) {
  v1::UnblockRequest lift;
  EXPECT_EQ(Problem(lift), "no target: set ip, user_id, jti or tokens_of_user");
  lift.set_jti("t1");
  EXPECT_EQ(entries_.Of(lift).status().code(), absl::StatusCode::kNotFound);
  lift.set_ip("192.0.2.1");
  EXPECT_TRUE(entries_.Of(lift).ok()) << "there may be blocks for failed attempts";
}

}  // namespace
}  // namespace spillway::edge
