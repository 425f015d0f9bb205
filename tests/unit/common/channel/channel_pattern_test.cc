#include "common/channel/channel_pattern.h"

#include <gtest/gtest.h>

#include <random>
#include <string>

#include "common/channel/channel_name.h"

namespace spillway {
namespace {

bool Matches(const std::string& pattern, const std::string& name) {
  const auto parsed = ChannelPattern::Parse(pattern);
  EXPECT_TRUE(parsed.ok()) << pattern << ": " << parsed.status();
  return parsed.ok() && parsed->Matches(name);
}

TEST(ChannelPatternTest, Matching) {
  EXPECT_TRUE(Matches("price", "price"));
  EXPECT_FALSE(Matches("price", "prices"));
  EXPECT_TRUE(Matches("price:*", "price:BTC"));
  EXPECT_FALSE(Matches("price:*", "price:BTC/USD"));
  EXPECT_FALSE(Matches("price:*", "price:"));
  EXPECT_FALSE(Matches("price:*", "price"));
  EXPECT_TRUE(Matches("price:**", "price:BTC/USD"));
  EXPECT_FALSE(Matches("price:**", "price:"));
  EXPECT_TRUE(Matches("**", "a.b:c"));
  EXPECT_FALSE(Matches("*", "a.b"));
  EXPECT_TRUE(Matches("*.ticks", "btc.ticks"));
  EXPECT_FALSE(Matches("*.ticks", "a.btc.ticks"));
  EXPECT_TRUE(Matches("**.ticks", "a.btc.ticks"));
  EXPECT_TRUE(Matches("a*c", "abbc"));
  EXPECT_FALSE(Matches("a*c", "ac"));
  EXPECT_TRUE(Matches("**:*:x", "a:b:c:x"));
  EXPECT_TRUE(Matches("*-*", "a-b-c"));
}

TEST(ChannelPatternTest, Bad) {
  for (const char* bad : {"", "a..b", "***", "a\n", ":*", "a:"}) {
    EXPECT_FALSE(ChannelPattern::Parse(bad).ok()) << bad;
  }
  EXPECT_FALSE(ChannelPattern::Parse("price")->has_wildcard());
  EXPECT_TRUE(ChannelPattern::Parse("price:*")->has_wildcard());
}

// The obvious recursive matcher, as the model.
bool Model(const std::string& pattern, size_t p, const std::string& name, size_t n) {
  if (p == pattern.size()) return n == name.size();
  if (pattern[p] != '*') {
    return n < name.size() && name[n] == pattern[p] && Model(pattern, p + 1, name, n + 1);
  }
  const bool any = p + 1 < pattern.size() && pattern[p + 1] == '*';
  for (size_t end = n + 1; end <= name.size(); ++end) {
    if (!any && IsChannelSeparator(name[end - 1])) return false;
    if (Model(pattern, p + (any ? 2 : 1), name, end)) return true;
  }
  return false;
}

TEST(ChannelPatternTest, AgreesWithTheModel) {
  std::mt19937 random(20260131);
  const auto text = [&](const char* letters, size_t count, size_t longest) {
    std::string out;
    for (size_t i = 1 + random() % longest; i > 0; --i) out += letters[random() % count];
    return out;
  };
  int matched = 0;
  for (int i = 0; i < 50000; ++i) {
    const std::string pattern = text("ab.**", 5, 7);
    const auto parsed = ChannelPattern::Parse(pattern);
    if (!parsed.ok()) continue;
    const std::string name = text("ab.", 3, 9);
    if (!IsValidChannelName(name)) continue;
    const bool expected = Model(pattern, 0, name, 0);
    ASSERT_EQ(parsed->Matches(name), expected) << pattern << " " << name;
    matched += expected ? 1 : 0;
  }
  EXPECT_GT(matched, 500);
}

TEST(ChannelPatternTest, WorstCaseIsBounded) {
  std::string pattern;
  for (int i = 0; i < 80; ++i) pattern += "**a";
  EXPECT_FALSE(Matches(pattern, std::string(254, 'a') + "b"));
}

}  // namespace
}  // namespace spillway
