#include "common/control/control_entry.h"

#include <gtest/gtest.h>

#include <string>

namespace spillway::control {
namespace {

std::string Canonical(v1::ControlKind kind, const std::string& subject) {
  const auto canonical = CanonicalSubject(kind, subject);
  return canonical.ok() ? *canonical : "refused: " + std::string(canonical.status().message());
}

TEST(ControlEntryTest, NamesOfKindsAreStable) {
  EXPECT_EQ(KindName(v1::CONTROL_KIND_IP_BLOCK), "ip_block");
  EXPECT_EQ(KindName(v1::CONTROL_KIND_USER_BLOCK), "user_block");
  EXPECT_EQ(KindName(v1::CONTROL_KIND_TOKEN_REVOCATION), "token_revocation");
  EXPECT_EQ(KindName(v1::CONTROL_KIND_USER_TOKENS_REVOCATION), "user_tokens_revocation");
  EXPECT_EQ(KindName(v1::CONTROL_KIND_UNSPECIFIED), "");
  EXPECT_EQ(KindOfName("user_block"), v1::CONTROL_KIND_USER_BLOCK);
  EXPECT_FALSE(KindOfName("").has_value());
  EXPECT_EQ(KeyOf(v1::CONTROL_KIND_USER_BLOCK, "u:1"), "user_block:u:1");
}

TEST(ControlEntryTest, AnAddressIsANetworkInOneForm) {
  const auto ip = [](const std::string& text) {
    return Canonical(v1::CONTROL_KIND_IP_BLOCK, text);
  };
  EXPECT_EQ(ip("192.0.2.1"), "192.0.2.1/32");
  EXPECT_EQ(ip("192.0.2.1/32"), "192.0.2.1/32");
  EXPECT_EQ(ip("::ffff:192.0.2.1"), "192.0.2.1/32");
  EXPECT_EQ(ip("::ffff:192.0.2.0/120"), "192.0.2.0/24");
  EXPECT_EQ(ip("2001:DB8:0:0:1::7"), "2001:db8::/64");
  EXPECT_EQ(ip("2001:db8::7/128"), "2001:db8::7/128");
  EXPECT_EQ(ip("2001:db8::/32"), "2001:db8::/32");
  EXPECT_EQ(ip("0.0.0.0/0"), "0.0.0.0/0");
  EXPECT_EQ(ip("::/0"), "::/0");
  EXPECT_EQ(ip("192.0.2.1/24").substr(0, 8), "refused:");
  EXPECT_EQ(ip("u1").substr(0, 8), "refused:");
  EXPECT_EQ(ip("").substr(0, 8), "refused:");
}

TEST(ControlEntryTest, SubjectsAreBounded) {
  EXPECT_EQ(Canonical(v1::CONTROL_KIND_USER_BLOCK, "u1@example.com"), "u1@example.com");
  EXPECT_FALSE(CanonicalSubject(v1::CONTROL_KIND_USER_BLOCK, "").ok());
  EXPECT_FALSE(CanonicalSubject(v1::CONTROL_KIND_TOKEN_REVOCATION, std::string(513, 'x')).ok());
  EXPECT_FALSE(CanonicalSubject(v1::CONTROL_KIND_USER_BLOCK, "u\n1").ok());
  EXPECT_FALSE(CanonicalSubject(v1::CONTROL_KIND_UNSPECIFIED, "u1").ok());
  EXPECT_TRUE(CanonicalSubject(v1::CONTROL_KIND_USER_BLOCK, "\xC3\xA9").ok());
  EXPECT_FALSE(CanonicalSubject(v1::CONTROL_KIND_USER_BLOCK, "u\xDB").ok())
      << "no edge could read it";
}

TEST(ControlEntryTest, WhatAnotherNodeSaysIsChecked) {
  v1::ControlEntry entry;
  entry.set_kind(v1::CONTROL_KIND_IP_BLOCK);
  entry.set_subject("192.0.2.1/32");
  entry.set_issued_us(1);
  EXPECT_TRUE(Check(entry).ok());
  entry.set_subject("192.0.2.1");
  EXPECT_FALSE(Check(entry).ok()) << "not in its one form";
  entry.set_subject("192.0.2.1/32");
  entry.set_issued_us(0);
  EXPECT_FALSE(Check(entry).ok());
  entry.set_issued_us(1);
  entry.set_expires_us(-1);
  EXPECT_FALSE(Check(entry).ok());
  entry.set_expires_us(0);
  entry.set_reason(std::string(kMaxReasonBytes + 1, 'x'));
  EXPECT_FALSE(Check(entry).ok());
  entry.clear_reason();
  entry.set_kind(static_cast<v1::ControlKind>(99));
  EXPECT_FALSE(Check(entry).ok());
}

}  // namespace
}  // namespace spillway::control
