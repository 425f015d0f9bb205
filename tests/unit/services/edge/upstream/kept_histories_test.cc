#include "services/edge/upstream/kept_histories.h"

#include <gtest/gtest.h>

namespace spillway::edge {
namespace {

using std::chrono::milliseconds;

class KeptHistoriesTest : public ::testing::Test {
 protected:
  // Of slot 3, with one event of so many bytes.
  static KeptHistories::Result ResultUpTo(int64_t upto, size_t bytes = 10) {
    const std::string payload(bytes, 'x');
    wire::EventView view;
    view.channels.push_back("c");
    view.offset = upto;
    view.payload = payload;
    auto result = std::make_shared<EdgeReadResult>();
    result->events.push_back(EdgeEvent::Make(view, 3));
    result->as_of.push_back({3, upto, 0});
    return result;
  }
  size_t EventCost(size_t bytes) { return ResultUpTo(1, bytes)->events[0]->cost(); }

  MonoTime now_ = MonoTime() + std::chrono::hours(1);
};

TEST_F(KeptHistoriesTest, ServesThoseBetweenItsBeginningAndItsEnd) {
  const KeptHistories::Result result = ResultUpTo(20);
  const KeptHistories::Offsets asked = {{3, 10}};
  EXPECT_TRUE(KeptHistories::Serves(asked, *result, {{3, 10}}));
  EXPECT_TRUE(KeptHistories::Serves(asked, *result, {{3, 19}}));
  EXPECT_FALSE(KeptHistories::Serves(asked, *result, {{3, 9}})) << "missed more";
  EXPECT_FALSE(KeptHistories::Serves(asked, *result, {{3, 20}})) << "would not come on";
  EXPECT_FALSE(KeptHistories::Serves(asked, *result, {{4, 15}}));
  EXPECT_FALSE(KeptHistories::Serves(asked, *result, {{3, 15}, {4, 1}}));
}

TEST_F(KeptHistoriesTest, GapsAndFailuresAreNobodyElses) {
  EdgeReadResult gap = *ResultUpTo(20);
  gap.gaps.push_back({3, 11, 12, "limit"});
  EXPECT_FALSE(KeptHistories::Serves({{3, 10}}, gap, {{3, 10}}));
  EdgeReadResult failed = *ResultUpTo(20);
  failed.failed = true;
  EXPECT_FALSE(KeptHistories::Serves({{3, 10}}, failed, {{3, 10}}));
}

TEST_F(KeptHistoriesTest, FindsThePieceThatServes) {
  KeptHistories kept({});
  const auto first = ResultUpTo(20);
  const auto second = ResultUpTo(30);
  kept.Keep("c", {{3, 10}}, first, now_);
  kept.Keep("c", {{3, 20}}, second, now_);
  EXPECT_EQ(kept.Find("c", {{3, 12}}), first);
  EXPECT_EQ(kept.Find("c", {{3, 20}}), second);
  EXPECT_EQ(kept.Find("c", {{3, 30}}), nullptr);
  EXPECT_EQ(kept.Find("d", {{3, 12}}), nullptr);
}

TEST_F(KeptHistoriesTest, HoldsNoMoreThanItsBounds) {
  KeptHistories kept({.bytes = 2 * EventCost(100), .age = milliseconds(50)});
  kept.Keep("a", {{3, 1}}, ResultUpTo(2, 100), now_);
  kept.Keep("b", {{3, 1}}, ResultUpTo(2, 100), now_);
  kept.Keep("c", {{3, 1}}, ResultUpTo(2, 100), now_);
  EXPECT_EQ(kept.Find("a", {{3, 1}}), nullptr) << "the oldest went";
  EXPECT_NE(kept.Find("b", {{3, 1}}), nullptr);
  EXPECT_EQ(kept.bytes(), 2 * EventCost(100));
  kept.Keep("d", {{3, 1}}, ResultUpTo(2, 1'000), now_);
  EXPECT_EQ(kept.Find("d", {{3, 1}}), nullptr) << "larger than all the room";
  EXPECT_NE(kept.Find("b", {{3, 1}}), nullptr);
  kept.Expire(now_ + milliseconds(50));
  EXPECT_EQ(kept.bytes(), 0u);
  EXPECT_EQ(kept.Find("c", {{3, 1}}), nullptr);
}

}  // namespace
}  // namespace spillway::edge
