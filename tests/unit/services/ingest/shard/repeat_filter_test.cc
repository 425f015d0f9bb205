#include "services/ingest/shard/repeat_filter.h"

#include <gtest/gtest.h>

#include <random>
#include <vector>

namespace spillway::ingest {
namespace {

TEST(RepeatFilterTest, AKeyThatWasMetWithinTheWindowIsARepeat) {
  RepeatFilter filter(10);
  EXPECT_FALSE(filter.IsRepeat("a", 0));
  EXPECT_FALSE(filter.IsRepeat("b", 1));
  EXPECT_TRUE(filter.IsRepeat("a", 9));
  EXPECT_FALSE(filter.IsRepeat("b", 11)) << "10 offsets before is too far";
}

TEST(RepeatFilterTest, ARepeatKeepsItsKeyInMind) {
  RepeatFilter filter(10);
  EXPECT_FALSE(filter.IsRepeat("a", 0));
  EXPECT_TRUE(filter.IsRepeat("a", 8));
  EXPECT_TRUE(filter.IsRepeat("a", 16));
}

TEST(RepeatFilterTest, RecordsWithoutAKeyAreNone) {
  RepeatFilter filter(10);
  EXPECT_FALSE(filter.IsRepeat("", 0));
  EXPECT_FALSE(filter.IsRepeat("", 1));
  const std::string longer(RepeatFilter::kMaxKeyBytes + 1, 'x');
  EXPECT_FALSE(filter.IsRepeat(longer, 2));
  EXPECT_FALSE(filter.IsRepeat(longer, 3));
  EXPECT_EQ(filter.size(), 0u);
}

TEST(RepeatFilterTest, HoldsNoMoreThanItsWindow) {
  RepeatFilter filter(100);
  for (int i = 0; i < 10'000; ++i) filter.IsRepeat(std::to_string(i), i);
  EXPECT_LE(filter.size(), 100u);
}

// Whoever begins a window earlier says the same of every record.
TEST(RepeatFilterTest, SaysTheSameWhereverReadingBegan) {
  constexpr int64_t kWindow = 20;
  std::mt19937 random(7);
  std::vector<std::string> keys;
  for (int i = 0; i < 500; ++i) {
    keys.push_back(random() % 4 == 0 ? std::string() : std::to_string(random() % 30));
  }
  std::vector<bool> whole;
  RepeatFilter all(kWindow);
  for (size_t i = 0; i < keys.size(); ++i) {
    whole.push_back(all.IsRepeat(keys[i], static_cast<int64_t>(i)));
  }
  for (size_t from = kWindow; from < keys.size(); from += 13) {
    RepeatFilter later(kWindow);
    for (size_t i = from - kWindow + 1; i < keys.size(); ++i) {
      const bool repeat = later.IsRepeat(keys[i], static_cast<int64_t>(i));
      if (i >= from) {
        ASSERT_EQ(repeat, whole[i]) << from << " " << i;
      }
    }
  }
}

}  // namespace
}  // namespace spillway::ingest
