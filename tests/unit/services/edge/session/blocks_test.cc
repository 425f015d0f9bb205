#include "services/edge/session/blocks.h"

#include <gtest/gtest.h>

#include <string>

#include "tests/unit/services/edge/session/session_fixture.h"

namespace spillway::edge {
namespace {

using std::chrono::hours;
using std::chrono::seconds;

class BlocksTest : public SessionTest {
 protected:
  v1::ControlEntry Entry(v1::ControlKind kind, const std::string& subject,
                         seconds ttl = seconds(0)) {
    v1::ControlEntry entry;
    entry.set_kind(kind);
    entry.set_subject(*control::CanonicalSubject(kind, subject));
    entry.set_issued_us(ToUnixMicros(clock_.WallNow()) + ++issued_);
    if (ttl.count() > 0) entry.set_expires_us(ToUnixMicros(clock_.WallNow() + ttl));
    return entry;
  }
  v1::ControlEntry Removal(v1::ControlKind kind, const std::string& subject) {
    v1::ControlEntry entry = Entry(kind, subject, seconds(86'400));
    entry.set_removed(true);
    return entry;
  }
  static std::string CodeOf(const std::optional<Blocks::Denial>& denial) {
    return denial.has_value() ? std::string(denial->code) : "";
  }
  std::string Check(const Blocks& blocks, const BlockSubject& subject) {
    return CodeOf(blocks.Check(subject));
  }
  void Limit() {
    limits_ = std::make_unique<ConnectionLimits>(ConnectionLimits::Options{.ips = {.failures = 2}},
                                                 clock_);
    context_.blocks = &limits_->blocks;
  }

  int64_t issued_ = 0;
};

TEST_F(BlocksTest, TheLongestAndTheShortestNetworkCount) {
  Blocks blocks({}, clock_);
  EXPECT_EQ(CodeOf(blocks.CheckIp("10.1.2.3")), "");
  blocks.Merge(Entry(v1::CONTROL_KIND_IP_BLOCK, "10.0.0.0/8"));
  blocks.Merge(Entry(v1::CONTROL_KIND_IP_BLOCK, "10.1.2.3"));
  blocks.Merge(Entry(v1::CONTROL_KIND_IP_BLOCK, "2001:db8::7"));
  EXPECT_EQ(CodeOf(blocks.CheckIp("10.9.9.9")), "ip_blocked");
  EXPECT_EQ(CodeOf(blocks.CheckIp("::ffff:10.9.9.9")), "ip_blocked");
  EXPECT_EQ(CodeOf(blocks.CheckIp("11.0.0.0")), "");
  EXPECT_EQ(CodeOf(blocks.CheckIp("2001:db8::ffff:1")), "ip_blocked");
  EXPECT_EQ(CodeOf(blocks.CheckIp("2001:db8:0:1::1")), "");
  EXPECT_EQ(CodeOf(blocks.CheckIp("not an address")), "");
  blocks.Merge(Removal(v1::CONTROL_KIND_IP_BLOCK, "10.0.0.0/8"));
  EXPECT_EQ(CodeOf(blocks.CheckIp("10.9.9.9")), "");
  EXPECT_EQ(CodeOf(blocks.CheckIp("10.1.2.3")), "ip_blocked");
}

TEST_F(BlocksTest, UsersAndTokens) {
  Blocks blocks({}, clock_);
  blocks.Merge(Entry(v1::CONTROL_KIND_USER_BLOCK, "u1"));
  blocks.Merge(Entry(v1::CONTROL_KIND_TOKEN_REVOCATION, "t1"));
  v1::ControlEntry tokens = Entry(v1::CONTROL_KIND_USER_TOKENS_REVOCATION, "u2");
  tokens.set_before_us(2'000);
  blocks.Merge(tokens);
  const auto subject = [](std::string_view user, std::string_view jti, int64_t issued_us) {
    return BlockSubject{.ip = "10.0.0.1",
                        .user_id = user,
                        .token = true,
                        .token_id = Blocks::TokenId(jti),
                        .issued_us = issued_us};
  };
  EXPECT_EQ(Check(blocks, subject("u1", "", 5'000)), "user_blocked");
  EXPECT_EQ(Check(blocks, subject("u3", "t1", 5'000)), "token_revoked");
  EXPECT_EQ(Check(blocks, subject("u3", "t2", 5'000)), "");
  EXPECT_EQ(Check(blocks, subject("u2", "", 1'999)), "token_revoked");
  EXPECT_EQ(Check(blocks, subject("u2", "", 2'000)), "");
  EXPECT_EQ(Check(blocks, subject("u2", "", BlockSubject::kNotSaid)), "token_revoked");
  EXPECT_EQ(Check(blocks, {.ip = "10.0.0.1"}), "") << "an anonymous client";
}

TEST_F(BlocksTest, EntriesEnd) {
  Blocks blocks({}, clock_);
  blocks.Merge(Entry(v1::CONTROL_KIND_USER_BLOCK, "u1", seconds(10)));
  const BlockSubject subject{.ip = "10.0.0.1", .user_id = "u1"};
  const auto denial = blocks.Check(subject);
  ASSERT_TRUE(denial.has_value());
  EXPECT_EQ(denial->left, seconds(10));
  clock_.Advance(seconds(10));
  EXPECT_EQ(Check(blocks, subject), "") << "also before it is cleared";
  EXPECT_EQ(blocks.size(), 1u);
  blocks.Expire();
  EXPECT_EQ(blocks.size(), 0u);
  EXPECT_TRUE(blocks.List(std::nullopt, "", 10).empty());
}

TEST_F(BlocksTest, IsBounded) {
  Blocks blocks({.max_entries = 2}, clock_);
  for (int i = 0; i < 3; ++i) {
    blocks.Merge(Entry(v1::CONTROL_KIND_USER_BLOCK, "u" + std::to_string(i)));
  }
  EXPECT_TRUE(blocks.full());
  EXPECT_EQ(blocks.dropped().Value(), 1u);
  EXPECT_EQ(Check(blocks, {.ip = "10.0.0.1", .user_id = "u0"}), "user_blocked")
      << "what is in force stays";
  EXPECT_EQ(Check(blocks, {.ip = "10.0.0.1", .user_id = "u2"}), "");
}

TEST_F(BlocksTest, PagesAreInOrder) {
  Blocks blocks({}, clock_);
  for (const char* user : {"c", "a", "b"}) blocks.Merge(Entry(v1::CONTROL_KIND_USER_BLOCK, user));
  blocks.Merge(Entry(v1::CONTROL_KIND_IP_BLOCK, "10.0.0.1"));
  const auto first = blocks.List(v1::CONTROL_KIND_USER_BLOCK, "", 2);
  ASSERT_EQ(first.size(), 2u);
  EXPECT_EQ(first[1].subject(), "b");
  const auto rest = blocks.List(v1::CONTROL_KIND_USER_BLOCK, "user_block:b", 2);
  ASSERT_EQ(rest.size(), 1u);
  EXPECT_EQ(rest[0].subject(), "c");
  EXPECT_EQ(blocks.List(std::nullopt, "", 10).size(), 4u);
}

TEST_F(BlocksTest, IsRefusedAtTheDoor) {
  Limit();
  Build(EndpointOptions());
  limits_->blocks.Merge(Entry(v1::CONTROL_KIND_IP_BLOCK, "10.0.0.9", seconds(90)));
  limits_->blocks.Merge(Entry(v1::CONTROL_KIND_USER_BLOCK, "u1"));
  const auto from = [&](const std::string& ip, const std::string& user) {
    return RequestOf({{"token", Token(user)}}, "/ws", ip);
  };
  EXPECT_EQ(RefusalOf(from("10.0.0.9", "u2")), "403 ip_blocked");
  EXPECT_EQ(RefusalOf(from("10.0.0.1", "u2")), "");
  for (int i = 0; i < 5; ++i) {
    EXPECT_EQ(RefusalOf(from("10.0.0.1", "u1")), "403 user_blocked");
  }
  EXPECT_EQ(RefusalOf(from("10.0.0.1", "u2")), "")
      << "a blocked user is no attempt to get in: others at the address do not pay for it";
  EXPECT_EQ(counters_.refused_blocked.Value(), 1u);
  EXPECT_EQ(counters_.refused_user_blocked.Value(), 5u);
}

// The block comes after the upgrade was checked and before the session can be found.
TEST_F(BlocksTest, NoneSlipsBetween) {
  Limit();
  Build(Open());
  auto decision = acceptor_->OnUpgrade(RequestOf({}, "/ws", "10.0.0.1"), 0);
  ASSERT_FALSE(decision.refusal.has_value());
  limits_->blocks.Merge(Entry(v1::CONTROL_KIND_IP_BLOCK, "10.0.0.1"));
  for (Session* session : registry_.All()) session->CloseIfBlocked(limits_->blocks);
  FakeTransport transport;
  decision.handler->OnOpen(&transport);
  EXPECT_TRUE(transport.closed);
  EXPECT_EQ(transport.close_code, 4010);
  EXPECT_EQ(transport.close_reason, "ip_blocked");
  EXPECT_TRUE(transport.sent.empty()) << "it is told nothing else";
  EXPECT_EQ(counters_.block_closes.Value(), 1u);
  decision.handler->OnClosed(4010, "");
  EXPECT_EQ(registry_.size(), 0u);
}

TEST_F(BlocksTest, NobodyIsLetInWhileItIsNotKnown) {
  Limit();
  Build(Open());
  gate_.Hold(true);
  EXPECT_EQ(RefusalOf(RequestOf({})), "503 control_pending");
  EXPECT_EQ(counters_.refused_pending.Value(), 1u);
  gate_.Hold(false);
  EXPECT_EQ(RefusalOf(RequestOf({})), "");
}

TEST_F(BlocksTest, LiftingAnAddressForgetsItsFailedAttempts) {
  Limit();
  for (const char* ip : {"10.0.0.1", "10.0.0.2", "11.0.0.1"}) {
    limits_->ips.CountFailure(ip);
    limits_->ips.CountFailure(ip);
  }
  EXPECT_EQ(limits_->ips.blocked(), 3u);
  limits_->ips.Lift(*IpNetwork::Parse("10.0.0.0/8"));
  EXPECT_EQ(limits_->ips.blocked(), 1u);
  EXPECT_EQ(limits_->ips.BlockedFor("10.0.0.1").count(), 0);
  EXPECT_GT(limits_->ips.BlockedFor("11.0.0.1").count(), 0);
}

}  // namespace
}  // namespace spillway::edge
