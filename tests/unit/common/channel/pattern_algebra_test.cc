// Whether patterns share names and contain each other, held against trying all short names.

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "common/channel/channel_name.h"
#include "common/channel/channel_pattern.h"

namespace spillway {
namespace {

ChannelPattern Pattern(const std::string& text) {
  auto pattern = ChannelPattern::Parse(text);
  EXPECT_TRUE(pattern.ok()) << text << ": " << pattern.status();
  return *std::move(pattern);
}
bool Contains(const std::string& all, const std::string& part) {
  return Pattern(all).Contains(Pattern(part));
}
bool Intersects(const std::string& a, const std::string& b) {
  const bool one = Pattern(a).Intersects(Pattern(b));
  EXPECT_EQ(one, Pattern(b).Intersects(Pattern(a))) << a << " " << b;
  return one;
}

TEST(PatternAlgebraTest, Contains) {
  EXPECT_TRUE(Contains("prices.*", "prices.*"));
  EXPECT_TRUE(Contains("prices.*", "prices.BTC"));
  EXPECT_TRUE(Contains("prices.**", "prices.*"));
  EXPECT_FALSE(Contains("prices.*", "prices.**"));
  EXPECT_TRUE(Contains("**", "prices.*"));
  EXPECT_TRUE(Contains("prices.*", "prices.B*"));
  EXPECT_TRUE(Contains("prices.*", "prices.*-*"));
  EXPECT_FALSE(Contains("prices.B*", "prices.*"));
  EXPECT_FALSE(Contains("user:u1", "user:*"));
  EXPECT_FALSE(Contains("user:u1:*", "user:*:x"));
  EXPECT_FALSE(Contains("user:u1:*", "user:u1*"));
  EXPECT_FALSE(Contains("user:u1:**", "user:**"));
  EXPECT_FALSE(Contains("user:u1:*", "**"));
  EXPECT_TRUE(Contains("*:*", "user:*"));
  EXPECT_FALSE(Contains("*:*", "user*"));
  EXPECT_FALSE(Contains("*:*", "**:x"));
  EXPECT_TRUE(Contains("**:*", "**:x"));
  EXPECT_TRUE(Contains("**a**", "*a*a*"));
  EXPECT_FALSE(Contains("a.*.**", "a.**.b")) << "a.x:y.b";
  EXPECT_FALSE(Contains("**", "a.*") && Contains("*", "a.*"));
}

TEST(PatternAlgebraTest, Intersects) {
  EXPECT_TRUE(Intersects("prices.*", "**.BTC"));
  EXPECT_TRUE(Intersects("user:*", "**"));
  EXPECT_TRUE(Intersects("user:u1", "user:*"));
  EXPECT_FALSE(Intersects("user:u1", "user:u2*"));
  EXPECT_FALSE(Intersects("prices.*", "trades.*"));
  EXPECT_FALSE(Intersects("*.BTC", "prices.*.BTC"));
  EXPECT_TRUE(Intersects("**.BTC", "prices.*.BTC"));
  EXPECT_TRUE(Intersects("a*", "*a"));
  EXPECT_FALSE(Intersects("a*b", "*.b"));
  EXPECT_FALSE(Intersects("*", "**.**"));
  EXPECT_TRUE(Intersects("price:room-*", "price:*-7"));
}

TEST(PatternAlgebraTest, Wildcards) {
  EXPECT_EQ(Pattern("a.b").wildcards(), 0u);
  EXPECT_EQ(Pattern("a.*.b**").wildcards(), 2u);
  EXPECT_TRUE(IsChannelPattern("a.*"));
  EXPECT_FALSE(IsChannelPattern("a.b"));
}

// All texts of up to so many of these pieces.
std::vector<std::string> Texts(const std::vector<std::string>& pieces, size_t most) {
  std::vector<std::string> all;
  std::vector<std::string> last = {""};
  for (size_t n = 0; n < most; ++n) {
    std::vector<std::string> longer;
    for (const std::string& text : last) {
      for (const std::string& piece : pieces) longer.push_back(text + piece);
    }
    all.insert(all.end(), longer.begin(), longer.end());
    last = std::move(longer);
  }
  return all;
}

// Every pair of patterns of up to four pieces, against every name of up to seven characters: what
// tells two such patterns apart is no longer than that.
TEST(PatternAlgebraTest, AgreesWithAllShortNames) {
  std::vector<std::string> names = Texts({"a", "b", ".", ":"}, 7);
  std::erase_if(names, [](const std::string& name) { return !IsValidChannelName(name); });
  ASSERT_GT(names.size(), 1000u);
  std::vector<std::string> texts = Texts({"a", ".", "*", "**"}, 4);
  std::sort(texts.begin(), texts.end());
  texts.erase(std::unique(texts.begin(), texts.end()), texts.end());
  struct One {
    ChannelPattern pattern;
    std::vector<bool> matches;
  };
  std::vector<One> patterns;
  for (const std::string& text : texts) {
    auto pattern = ChannelPattern::Parse(text);
    if (!pattern.ok()) continue;
    One one{*std::move(pattern), {}};
    for (const std::string& name : names) one.matches.push_back(one.pattern.Matches(name));
    patterns.push_back(std::move(one));
  }
  ASSERT_GT(patterns.size(), 60u);
  size_t contained = 0;
  size_t apart = 0;
  for (const One& a : patterns) {
    for (const One& b : patterns) {
      bool share = false;
      bool all = true;
      for (size_t n = 0; n < names.size() && (all || !share); ++n) {
        share = share || (a.matches[n] && b.matches[n]);
        all = all && (a.matches[n] || !b.matches[n]);
      }
      ASSERT_EQ(a.pattern.Intersects(b.pattern), share)
          << a.pattern.text() << " and " << b.pattern.text();
      ASSERT_EQ(a.pattern.Contains(b.pattern), all)
          << b.pattern.text() << " in " << a.pattern.text();
      contained += all ? 1 : 0;
      apart += share ? 0 : 1;
    }
  }
  EXPECT_GT(contained, patterns.size());
  EXPECT_GT(apart, patterns.size());
}

// What anybody may send is answered in bounded time, on the safe side.
TEST(PatternAlgebraTest, IntricatePatternsAreNotContained) {
  std::string nasty;
  for (int i = 0; i < 40; ++i) nasty += i % 2 == 0 ? "*ab" : "**ba";
  std::string other;
  for (int i = 0; i < 40; ++i) other += i % 2 == 0 ? "**a" : "*b";
  EXPECT_FALSE(Contains(nasty, other));
  EXPECT_TRUE(Contains("**", nasty));
  Intersects(nasty, other);  // ends
}

}  // namespace
}  // namespace spillway
