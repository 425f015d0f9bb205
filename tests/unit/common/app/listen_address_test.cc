#include "common/app/listen_address.h"

#include <gtest/gtest.h>

namespace spillway::app {
namespace {

TEST(ListenAddressTest, NamesAndAddresses) {
  const auto v6 = ParseListenAddress("[::1]:80");
  ASSERT_TRUE(v6.ok());
  EXPECT_EQ(v6->ip, "::1");
  EXPECT_EQ(v6->port, 80);
  EXPECT_EQ(HostPort(v6->ip, v6->port), "[::1]:80");
  const auto name = ParseListenAddress("localhost:0");
  ASSERT_TRUE(name.ok());
  EXPECT_TRUE(name->ip == "127.0.0.1" || name->ip == "::1");
  EXPECT_EQ(HostPort("localhost", 80), "localhost:80");
}

TEST(ListenAddressTest, SaysWhatIsWrong) {
  EXPECT_EQ(ParseListenAddress("127.0.0.1").status().message(),
            "'127.0.0.1': host:port is expected");
  EXPECT_EQ(ParseListenAddress("127.0.0.1:65536").status().message(),
            "'127.0.0.1:65536': the port must be 0 to 65535");
  EXPECT_EQ(ParseListenAddress("127.0.0.1:8x").status().message(),
            "'127.0.0.1:8x': the port must be 0 to 65535");
  EXPECT_FALSE(ParseListenAddress("no host:1").ok());
  EXPECT_EQ(ListenAddressAt("ingest.ops_listen", "here").status().message(),
            "ingest.ops_listen: 'here': host:port is expected");
}

}  // namespace
}  // namespace spillway::app
