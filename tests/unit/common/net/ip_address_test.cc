#include "common/net/ip_address.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

namespace spillway {
namespace {

using ::testing::HasSubstr;

IpAddress Ip(std::string_view text) {
  const auto address = IpAddress::Parse(text);
  EXPECT_TRUE(address.has_value()) << text;
  return address.value_or(IpAddress());
}

TEST(IpAddress, ReadsAndWrites) {
  for (const char* text : {"127.0.0.1", "0.0.0.0", "255.255.255.255", "::1", "2001:db8::5"}) {
    EXPECT_EQ(Ip(text).ToString(), text);
  }
  EXPECT_EQ(Ip("2001:0DB8:0:0:0:0:0:5").ToString(), "2001:db8::5");
  EXPECT_TRUE(Ip("10.1.2.3").is_v4());
  EXPECT_FALSE(Ip("::").is_v4());
}

TEST(IpAddress, OneOfIpv4IsTheSameInEitherForm) {
  EXPECT_EQ(Ip("::ffff:10.1.2.3"), Ip("10.1.2.3"));
  EXPECT_EQ(Ip("::ffff:10.1.2.3").ToString(), "10.1.2.3");
  EXPECT_NE(Ip("::10.1.2.3"), Ip("10.1.2.3"));
}

TEST(IpAddress, WhatIsNone) {
  for (std::string_view text :
       {"", "1", "1.2.3", "1.2.3.4.5", "256.1.1.1", "1.2.3.4:80", "[::1]", "::1%eth0", " 1.2.3.4",
        "1.2.3.4 ", "01.2.3.4x", "unknown", "fe80:::1",
        "1111:2222:3333:4444:5555:6666:7777:8888:9999:aaaa:bbbb"}) {
    EXPECT_FALSE(IpAddress::Parse(text).has_value()) << text;
  }
  EXPECT_FALSE(IpAddress::Parse(std::string_view("1.2.3.4\0x", 9)).has_value());
}

TEST(IpAddress, OfOneClient) {
  EXPECT_EQ(Ip("2001:db8:1:2:3:4:5:6").OfOneClient(), Ip("2001:db8:1:2:ffff::").OfOneClient());
  EXPECT_NE(Ip("2001:db8:1:2::").OfOneClient(), Ip("2001:db8:1:3::").OfOneClient());
  EXPECT_EQ(Ip("2001:db8:1:2:3:4:5:6").OfOneClient().ToString(), "2001:db8:1:2::");
  EXPECT_NE(Ip("10.0.0.1").OfOneClient(), Ip("10.0.0.2").OfOneClient());
}

TEST(IpNetwork, Contains) {
  const auto in = [](std::string_view network, std::string_view address) {
    const auto parsed = IpNetwork::Parse(network);
    EXPECT_TRUE(parsed.ok()) << parsed.status();
    return parsed.ok() && parsed->Contains(Ip(address));
  };
  EXPECT_TRUE(in("10.0.0.0/8", "10.255.0.1"));
  EXPECT_FALSE(in("10.0.0.0/8", "11.0.0.1"));
  EXPECT_TRUE(in("10.0.0.0/8", "::ffff:10.0.0.1"));
  EXPECT_TRUE(in("192.168.4.0/22", "192.168.7.255"));
  EXPECT_FALSE(in("192.168.4.0/22", "192.168.8.0"));
  EXPECT_TRUE(in("10.1.2.3", "10.1.2.3"));
  EXPECT_FALSE(in("10.1.2.3", "10.1.2.4"));
  EXPECT_TRUE(in("0.0.0.0/0", "8.8.8.8"));
  EXPECT_FALSE(in("0.0.0.0/0", "2001:db8::1"));
  EXPECT_TRUE(in("::/0", "2001:db8::1"));
  EXPECT_TRUE(in("2001:db8::/33", "2001:db8:7fff::1"));
  EXPECT_FALSE(in("2001:db8::/33", "2001:db8:8000::1"));
}

TEST(IpNetwork, ErrorsSayWhatIsWrong) {
  const auto error = [](std::string_view text) {
    return std::string(IpNetwork::Parse(text).status().message());
  };
  EXPECT_THAT(error("x"), HasSubstr("'x': not an IP address or network"));
  EXPECT_THAT(error("10.0.0.0/33"), HasSubstr("0 to 32"));
  EXPECT_THAT(error("10.0.0.0/"), HasSubstr("0 to 32"));
  EXPECT_THAT(error("10.0.0.0/8x"), HasSubstr("0 to 32"));
  EXPECT_THAT(error("::/129"), HasSubstr("0 to 128"));
  EXPECT_THAT(error("10.1.0.0/8"), HasSubstr("10.0.0.0 is meant"));
}

}  // namespace
}  // namespace spillway
