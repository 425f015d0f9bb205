#include "services/edge/control/node_drain.h"

#include <gtest/gtest.h>

#include <string>

#include "tests/support/fake_clock.h"

namespace spillway::edge {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

class NodeDrainTest : public testing::Test {
 protected:
  v1::DrainStage Stage() const { return drain_.status().stage; }
  std::string Done() { return std::exchange(done_, ""); }

  test::FakeClock clock_;
  std::string done_;
  bool place_gone_ = false;
  bool handed_over_ = false;
  NodeDrain drain_{
      {.tell = [this](bool draining) { done_ += draining ? "unready " : "ready "; },
       .shut = [this](bool shut) { done_ += shut ? "shut " : "open "; },
       .hand_over =
           [this](milliseconds spread) { done_ += "over " + std::to_string(spread.count()) + " "; },
       .take_back = [this] { done_ += "back "; },
       .place_gone = [this] { return std::exchange(place_gone_, false); },
       .handed_over = [this] { return handed_over_; }},
      clock_};
};

TEST_F(NodeDrainTest, GoesFromStageToStage) {
  EXPECT_EQ(Stage(), v1::DRAIN_STAGE_SERVING);
  EXPECT_TRUE(drain_.Drain({.lead = seconds(2), .spread = seconds(3)}));
  EXPECT_EQ(Stage(), v1::DRAIN_STAGE_LEAD);
  EXPECT_EQ(drain_.status().left, seconds(5));
  EXPECT_EQ(Done(), "unready ");
  clock_.Advance(milliseconds(1'999));
  drain_.Update();
  EXPECT_EQ(Done(), "") << "it accepts until the lead is over";
  clock_.Advance(milliseconds(1));
  drain_.Update();
  EXPECT_EQ(Stage(), v1::DRAIN_STAGE_HANDING_OVER);
  EXPECT_EQ(Done(), "shut over 3000 ");
  clock_.Advance(seconds(4));
  drain_.Update();
  EXPECT_EQ(Stage(), v1::DRAIN_STAGE_HANDING_OVER) << "as long as there is one to go";
  EXPECT_EQ(drain_.status().left, milliseconds(0));
  handed_over_ = true;
  drain_.Update();
  EXPECT_EQ(Stage(), v1::DRAIN_STAGE_DRAINED);
  EXPECT_TRUE(drain_.Drain({}));
  EXPECT_EQ(Done(), "") << "there is nobody left";
}

TEST_F(NodeDrainTest, WithoutALeadItBeginsAtOnce) {
  drain_.Drain({.lead = seconds(0), .spread = seconds(1)});
  EXPECT_EQ(Done(), "unready shut over 1000 ");
}

// A watch that is a little late takes nothing from the whole.
TEST_F(NodeDrainTest, WhatTheLeadTookTooLongTheHandOverHasLess) {
  drain_.Drain({.lead = seconds(1), .spread = seconds(1)});
  Done();
  clock_.Advance(milliseconds(1'200));
  drain_.Update();
  EXPECT_EQ(Done(), "shut over 800 ");
}

// Of two edges that drain one after the other the second is no place to go to.
TEST_F(NodeDrainTest, WhereAPlaceThatWasToldIsGoneItBeginsAnew) {
  drain_.Drain({.lead = seconds(1), .spread = seconds(10)});
  place_gone_ = true;
  drain_.Update();
  Done();
  clock_.Advance(seconds(1));
  place_gone_ = false;
  drain_.Update();
  EXPECT_EQ(Done(), "shut over 10000 ");
  clock_.Advance(seconds(4));
  drain_.Update();
  EXPECT_EQ(Done(), "");
  place_gone_ = true;
  drain_.Update();
  EXPECT_EQ(Done(), "over 6000 ") << "with what is left of the time";
  place_gone_ = true;
  handed_over_ = true;
  drain_.Update();
  EXPECT_EQ(Done(), "") << "there is nobody to tell";
}

TEST_F(NodeDrainTest, IsTakenBackAtAnyStage) {
  const auto in_lead = [this] { drain_.Drain({.lead = seconds(1), .spread = seconds(1)}); };
  const auto handing_over = [this] { drain_.Drain({.lead = seconds(0), .spread = seconds(1)}); };
  in_lead();
  Done();
  EXPECT_TRUE(drain_.Undrain());
  EXPECT_EQ(Done(), "back open ready ");
  clock_.Advance(seconds(5));
  drain_.Update();
  EXPECT_EQ(Done(), "") << "nothing of it goes on";
  handing_over();
  Done();
  EXPECT_TRUE(drain_.Undrain());
  EXPECT_EQ(Done(), "back open ready ");
  handing_over();
  handed_over_ = true;
  drain_.Update();
  Done();
  EXPECT_TRUE(drain_.Undrain());
  EXPECT_EQ(Done(), "back open ready ");
  EXPECT_EQ(Stage(), v1::DRAIN_STAGE_SERVING);
  EXPECT_TRUE(drain_.Undrain());
  EXPECT_EQ(Done(), "") << "it serves already";
}

TEST_F(NodeDrainTest, AskedAgainItGoesByTheNewTimes) {
  drain_.Drain({.lead = seconds(10), .spread = seconds(10)});
  Done();
  drain_.Drain({.lead = seconds(1), .spread = seconds(2)});
  EXPECT_EQ(drain_.status().left, seconds(3));
  EXPECT_EQ(Done(), "") << "it is not ready already";
  clock_.Advance(seconds(1));
  drain_.Update();
  EXPECT_EQ(Done(), "shut over 2000 ");
  drain_.Drain({.lead = seconds(10), .spread = seconds(20)});
  EXPECT_EQ(Done(), "over 20000 ") << "the lead does not come again";
}

TEST_F(NodeDrainTest, ANodeThatStopsIsNotChanged) {
  drain_.Drain({.lead = seconds(3), .spread = seconds(1)});
  clock_.Advance(seconds(1));
  Done();
  EXPECT_EQ(drain_.Stop(), seconds(2)) << "of the lead";
  EXPECT_FALSE(drain_.Undrain());
  EXPECT_FALSE(drain_.Drain({}));
  clock_.Advance(seconds(5));
  drain_.Update();
  EXPECT_EQ(Done(), "");
}

TEST_F(NodeDrainTest, AStopKnowsWhetherThereWasALead) { EXPECT_EQ(drain_.Stop(), std::nullopt); }

}  // namespace
}  // namespace spillway::edge
