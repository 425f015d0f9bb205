#include "common/channel/channel_hash.h"

#include <gtest/gtest.h>

#include <set>
#include <string>

namespace spillway {
namespace {

// Published vectors of XXH64 with seed 0.
TEST(ChannelHashTest, KnownValues) {
  EXPECT_EQ(ChannelHash(""), 0xEF46DB3751D8E999U);
  EXPECT_EQ(ChannelHash("a"), 0xD24EC4F1A98C6E5BU);
  EXPECT_EQ(ChannelHash("abc"), 0x44BC2CF5AD770999U);
  EXPECT_EQ(ChannelHash("Nobody inspects the spammish repetition"), 0xFBCEA83C8A378BF1U);
}

TEST(ChannelHashTest, EveryLengthDiffers) {
  std::set<uint64_t> seen;
  for (size_t length = 0; length <= 255; ++length) {
    EXPECT_TRUE(seen.insert(ChannelHash(std::string(length, 'x'))).second) << length;
  }
}

}  // namespace
}  // namespace spillway
