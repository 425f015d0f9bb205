#include "services/edge/auth/answer_cache.h"

#include <gtest/gtest.h>

#include <memory>

namespace spillway::edge {
namespace {

using std::chrono::seconds;

AuthVerdictRef Allowed() {
  auto verdict = std::make_shared<AuthVerdict>();
  verdict->kind = AuthVerdict::Kind::kAllowed;
  return verdict;
}

constexpr MonoTime kNow{seconds(100)};

TEST(AnswerCacheTest, GivesAnAnswerForItsTime) {
  AnswerCache cache({.entries = 10, .bytes = 1000});
  EXPECT_EQ(cache.Find("a", kNow), nullptr);
  const AuthVerdictRef verdict = Allowed();
  cache.Put("a", verdict, 100, kNow + seconds(10));
  EXPECT_EQ(cache.Find("a", kNow + seconds(9)), verdict);
  EXPECT_EQ(cache.Find("b", kNow), nullptr);
  EXPECT_EQ(cache.bytes(), 100u);
  EXPECT_EQ(cache.Find("a", kNow + seconds(10)), nullptr);
  EXPECT_EQ(cache.size(), 0u);
  EXPECT_EQ(cache.bytes(), 0u);
  EXPECT_EQ(cache.evictions(), 0u);
}

TEST(AnswerCacheTest, AnotherAnswerTakesTheFirstOnesPlace) {
  AnswerCache cache({.entries = 10, .bytes = 1000});
  cache.Put("a", Allowed(), 100, kNow + seconds(10));
  const AuthVerdictRef second = Allowed();
  cache.Put("a", second, 200, kNow + seconds(20));
  EXPECT_EQ(cache.Find("a", kNow + seconds(15)), second);
  EXPECT_EQ(cache.bytes(), 200u);
}

TEST(AnswerCacheTest, TheOneUsedLongestAgoGoesFirst) {
  AnswerCache cache({.entries = 3, .bytes = 1000});
  for (const char* name : {"a", "b", "c"}) cache.Put(name, Allowed(), 10, kNow + seconds(10));
  EXPECT_NE(cache.Find("a", kNow), nullptr);
  cache.Put("d", Allowed(), 10, kNow + seconds(10));
  EXPECT_EQ(cache.Find("b", kNow), nullptr);
  EXPECT_NE(cache.Find("a", kNow), nullptr);
  EXPECT_EQ(cache.size(), 3u);
  EXPECT_EQ(cache.evictions(), 1u);
}

TEST(AnswerCacheTest, IsBoundedInBytes) {
  AnswerCache cache({.entries = 100, .bytes = 1000});
  for (const char* name : {"a", "b", "c"}) cache.Put(name, Allowed(), 400, kNow + seconds(10));
  EXPECT_EQ(cache.size(), 2u);
  EXPECT_EQ(cache.bytes(), 800u);
  cache.Put("large", Allowed(), 1001, kNow + seconds(10));
  EXPECT_EQ(cache.size(), 2u);
  cache.Put("all", Allowed(), 1000, kNow + seconds(10));
  EXPECT_EQ(cache.size(), 1u);
  EXPECT_EQ(cache.evictions(), 3u);
  AnswerCache none({.entries = 0, .bytes = 1000});
  none.Put("a", Allowed(), 1, kNow + seconds(10));
  EXPECT_EQ(none.size(), 0u);
}

}  // namespace
}  // namespace spillway::edge
