#include "common/channel/pattern_map.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"

namespace spillway {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

using Map = PatternMap<int>;

void Add(Map& map, const std::string& text, int value = 0) {
  map.Add(*ChannelPattern::Parse(text), value);
}
std::vector<std::string> MatchesOf(Map& map, const std::string& channel) {
  std::vector<std::string> texts;
  map.ForEachMatch(channel,
                   [&](const ChannelPattern& pattern, int&) { texts.push_back(pattern.text()); });
  return texts;
}

TEST(PatternMapTest, FindsWhatMatchesInTheOrderInWhichItCame) {
  Map map;
  EXPECT_THAT(MatchesOf(map, "a.b"), IsEmpty());
  EXPECT_EQ(map.channels(), 0u) << "nothing to remember";
  Add(map, "a.*");
  Add(map, "b.*");
  Add(map, "**");
  EXPECT_THAT(MatchesOf(map, "a.b"), ElementsAre("a.*", "**"));
  EXPECT_TRUE(map.MatchesAny("c"));
}

TEST(PatternMapTest, WhatIsRememberedFollowsPatternsThatComeAndGo) {
  Map map;
  Add(map, "a.*");
  EXPECT_THAT(MatchesOf(map, "a.b"), ElementsAre("a.*"));
  EXPECT_FALSE(map.MatchesAny("x"));
  Add(map, "*");
  Add(map, "a.b*");
  EXPECT_THAT(MatchesOf(map, "a.b"), ElementsAre("a.*")) << "b* needs one more";
  EXPECT_THAT(MatchesOf(map, "x"), ElementsAre("*"));
  EXPECT_TRUE(map.Remove("a.*"));
  EXPECT_FALSE(map.Remove("a.*"));
  EXPECT_THAT(MatchesOf(map, "a.b"), IsEmpty());
  Add(map, "a.*");
  EXPECT_THAT(MatchesOf(map, "a.b"), ElementsAre("a.*"));
}

TEST(PatternMapTest, AnOlderValueStays) {
  Map map;
  Add(map, "a.*", 1);
  Add(map, "a.*", 2);
  EXPECT_EQ(map.size(), 1u);
  EXPECT_EQ(*map.Find("a.*"), 1);
  EXPECT_EQ(map.Find("b.*"), nullptr);
}

TEST(PatternMapTest, ForgetsAllChannelsAtTheBound) {
  PatternMap<int> map(2);
  map.Add(*ChannelPattern::Parse("*"), 0);
  for (const char* channel : {"a", "b", "a"}) EXPECT_TRUE(map.MatchesAny(channel));
  EXPECT_EQ(map.channels(), 2u);
  EXPECT_EQ(map.forgotten(), 0u);
  EXPECT_TRUE(map.MatchesAny("c"));
  EXPECT_EQ(map.channels(), 1u);
  EXPECT_EQ(map.forgotten(), 1u);
}

// Against trying every pattern every time.
TEST(PatternMapTest, AgreesWithTryingThemAll) {
  std::mt19937 random(20261122);
  Map map(64);
  std::set<std::string> there;
  std::vector<std::string> texts;
  for (int i = 0; i < 90; ++i) texts.push_back(absl::StrCat(i % 9, i % 2 == 0 ? ".*" : "*", i));
  for (int i = 0; i < 9; ++i) texts.push_back(absl::StrCat(i, ".**"));
  for (int step = 0; step < 20'000; ++step) {
    const std::string& text = texts[random() % texts.size()];
    if (random() % 4 == 0) {
      if (there.erase(text) > 0) {
        EXPECT_TRUE(map.Remove(text));
      } else {
        Add(map, text);
        there.insert(text);
      }
    }
    const std::string channel = absl::StrCat(random() % 9, ".x", random() % 90);
    std::set<std::string> expected;
    for (const std::string& one : there) {
      if (ChannelPattern::Parse(one)->Matches(channel)) expected.insert(one);
    }
    const std::vector<std::string> found = MatchesOf(map, channel);
    ASSERT_EQ(std::set<std::string>(found.begin(), found.end()), expected) << channel;
    ASSERT_EQ(found.size(), expected.size());
  }
  EXPECT_GT(map.forgotten(), 0u);
}

}  // namespace
}  // namespace spillway
