#include "common/channel/channel_name.h"

#include <gtest/gtest.h>

#include <string>

namespace spillway {
namespace {

TEST(ChannelNameTest, Good) {
  for (const char* name : {"a", "price:BTC", "price:BTC/USD", "a.b:c/d", "user:#1", "two words",
                           "z\u00fcrich:\u4e2d\u6587", "\U0001F600", "-", "$private"}) {
    EXPECT_TRUE(IsValidChannelName(name)) << name;
    EXPECT_TRUE(ValidateChannelName(name).ok()) << name;
  }
  EXPECT_TRUE(IsValidChannelName(std::string(255, 'a')));
}

TEST(ChannelNameTest, Bad) {
  const struct {
    std::string name;
    const char* message;
  } cases[] = {
      {"", "a channel name must not be empty"},
      {std::string(256, 'a'), "a channel name has at most 255 bytes, this one has 256"},
      {"a\nb", "a channel name must not contain control characters"},
      {std::string("a\0b", 3), "a channel name must not contain control characters"},
      {"a\x7F", "a channel name must not contain control characters"},
      {"a\xC2\x85", "a channel name must not contain control characters"},
      {"price:*", "a channel name must not contain '*'"},
      {"\xFF", "a channel name must be UTF-8"},
      {"\xC0\x80", "a channel name must be UTF-8"},
      {"\xED\xA0\x80", "a channel name must be UTF-8"},
      {"\xE4\xB8", "a channel name must be UTF-8"},
  };
  for (const auto& [name, message] : cases) {
    EXPECT_FALSE(IsValidChannelName(name));
    EXPECT_EQ(std::string(ValidateChannelName(name).message()), message);
  }
  for (const char* name : {":", "a:", ":a", "a..b", "a:/b"}) {
    EXPECT_FALSE(IsValidChannelName(name)) << name;
    EXPECT_EQ(std::string(ValidateChannelName(name).message()),
              "a channel name must not have an empty segment (at its ends or between '.', ':' and "
              "'/')");
  }
}

}  // namespace
}  // namespace spillway
