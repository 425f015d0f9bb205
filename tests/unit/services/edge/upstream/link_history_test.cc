// LinkCore: what to read of a channel's history for an operator.

#include <gtest/gtest.h>

#include "tests/unit/services/edge/upstream/link_core_fakes.h"

namespace spillway::edge {
namespace {

class LinkHistory : public LinkCoreTest {};

TEST_F(LinkHistory, AHistoryForAnOperatorIsPlannedByWhatFeedsTheChannel) {
  EXPECT_EQ(core_->PlanHistory({.channel = "c", .places = {}, .back = 5}).outcome,
            HistoryAnswer::Outcome::kUnknown);
  Want(0, "c");
  Open(1, {0, 1});
  Attached(1, 10, 1, 9);
  Attached(1, 11, 2, 2);
  const HistoryAnswer plan = core_->PlanHistory({.channel = "c", .places = {}, .back = 5});
  EXPECT_EQ(plan.outcome, HistoryAnswer::Outcome::kRead);
  ASSERT_EQ(plan.places.size(), 2u);
  EXPECT_EQ(plan.places[0].source, "t/0@0");
  EXPECT_EQ(plan.places[0].after, 4);
  EXPECT_EQ(plan.places[0].until, 9);
  EXPECT_EQ(plan.places[0].slot, 0u);
  EXPECT_EQ(plan.places[1].after, -1) << "it does not go back further than the beginning";
  EXPECT_EQ(plan.places[1].until, 2);

  const HistoryAnswer next =
      core_->PlanHistory({.channel = "c",
                          .places = {{.source = "gone/0@0", .after = 1, .until = 3},
                                     {.source = "t/0@0", .after = 6, .until = 9}}});
  ASSERT_EQ(next.places.size(), 2u) << "what has come since has nothing of before";
  EXPECT_EQ(next.places[0].slot, kNoSlot);
  EXPECT_EQ(next.places[1].slot, 0u);
  EXPECT_EQ(next.places[1].after, 6);
  EXPECT_EQ(core_->PlanHistory({.channel = "nobody:feeds:it", .places = {}, .back = 0}).outcome,
            HistoryAnswer::Outcome::kNotFed);
}

}  // namespace
}  // namespace spillway::edge
