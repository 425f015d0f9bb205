#include "services/edge/net/trusted_proxies.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace spillway::edge::net {
namespace {

// Where the client is, by proxies in 10.0.0.0/8 and fd00::/8.
std::string ClientOf(const std::string& peer, const std::vector<std::string>& headers) {
  const auto proxies = TrustedProxies::Parse({"10.0.0.0/8", "fd00::/8"});
  EXPECT_TRUE(proxies.ok()) << proxies.status();
  http::Request request;
  request.headers.emplace_back("host", "1.1.1.1");
  for (const std::string& header : headers) {
    request.headers.emplace_back("x-forwarded-for", header);
  }
  request.headers.emplace_back("forwarded", "for=1.1.1.1");
  return proxies->ClientOf(peer, request);
}

TEST(TrustedProxies, TheLastOneThatIsNoProxy) {
  EXPECT_EQ(ClientOf("10.0.0.1", {"203.0.113.7"}), "203.0.113.7");
  EXPECT_EQ(ClientOf("10.0.0.1", {"203.0.113.7, 10.0.0.2"}), "203.0.113.7");
  EXPECT_EQ(ClientOf("10.0.0.1", {"203.0.113.7,10.0.0.2 ,\tfd00::1"}), "203.0.113.7");
  EXPECT_EQ(ClientOf("fd00::1", {"2001:db8::1"}), "2001:db8::1");
  EXPECT_EQ(ClientOf("::ffff:10.0.0.1", {"203.0.113.7"}), "203.0.113.7");
  EXPECT_EQ(ClientOf("10.0.0.1", {"203.0.113.7", "10.0.0.2"}), "203.0.113.7");
}

TEST(TrustedProxies, WhatAClientSaysOfItselfDoesNotCount) {
  // It spoke to the edge itself.
  EXPECT_EQ(ClientOf("203.0.113.7", {"10.0.0.1"}), "203.0.113.7");
  EXPECT_EQ(ClientOf("203.0.113.7", {"198.51.100.1, 10.0.0.1"}), "203.0.113.7");
  // It sent a header of its own, to which the proxy added.
  EXPECT_EQ(ClientOf("10.0.0.1", {"198.51.100.1, 203.0.113.7"}), "203.0.113.7");
  EXPECT_EQ(ClientOf("10.0.0.1", {"198.51.100.1", "203.0.113.7"}), "203.0.113.7");
  EXPECT_EQ(ClientOf("10.0.0.1", {"10.9.9.9, 203.0.113.7, 10.0.0.2"}), "203.0.113.7");
  EXPECT_EQ(ClientOf("10.0.0.1", {"junk, 203.0.113.7"}), "203.0.113.7");
}

TEST(TrustedProxies, WhatIsNoAddressEndsTheSearch) {
  for (const char* wrong : {"", " ", ",", "unknown", "_hidden", "203.0.113.7;x", "203.0.113.999",
                            "[2001:db8::1", "[2001:db8::1]x", "203.0.113.7,", "\"203.0.113.7\""}) {
    EXPECT_EQ(ClientOf("10.0.0.1", {wrong}), "10.0.0.1") << wrong;
  }
  EXPECT_EQ(ClientOf("10.0.0.1", {"203.0.113.7, unknown, 10.0.0.2"}), "10.0.0.2");
}

TEST(TrustedProxies, Ports) {
  EXPECT_EQ(ClientOf("10.0.0.1", {"203.0.113.7:4711"}), "203.0.113.7");
  EXPECT_EQ(ClientOf("10.0.0.1", {"[2001:db8::1]:4711"}), "2001:db8::1");
  EXPECT_EQ(ClientOf("10.0.0.1", {"[2001:db8::1]"}), "2001:db8::1");
}

TEST(TrustedProxies, WithoutAHeaderOrWithProxiesOnly) {
  EXPECT_EQ(ClientOf("10.0.0.1", {}), "10.0.0.1");
  EXPECT_EQ(ClientOf("10.0.0.1", {"10.0.0.3, 10.0.0.2"}), "10.0.0.3");
  EXPECT_EQ(TrustedProxies().ClientOf("10.0.0.1", {}), "10.0.0.1");
  EXPECT_FALSE(TrustedProxies().Trust("10.0.0.1"));
}

TEST(TrustedProxies, MistakesAreTold) {
  EXPECT_FALSE(TrustedProxies::Parse({"10.0.0.0/8", "proxy.example"}).ok());
}

}  // namespace
}  // namespace spillway::edge::net
