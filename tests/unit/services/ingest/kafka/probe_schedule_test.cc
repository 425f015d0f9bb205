#include "services/ingest/kafka/probe_schedule.h"

#include <gtest/gtest.h>

namespace spillway::ingest {
namespace {

using std::chrono::milliseconds;
using Action = ProbeSchedule::Action;

class ProbeScheduleTest : public ::testing::Test {
 protected:
  ProbeSchedule schedule_{ProbeSchedule::Options{}};
  MonoTime now_ = MonoTime() + std::chrono::hours(1);
};

TEST_F(ProbeScheduleTest, StartsWithAListing) {
  EXPECT_EQ(schedule_.Due(now_), Action::kRefresh);
  EXPECT_FALSE(schedule_.up());
}

TEST_F(ProbeScheduleTest, ListsEveryTenSecondsAndChecksEveryTwo) {
  schedule_.OnRefreshed(now_, 1, true);
  EXPECT_TRUE(schedule_.up());
  EXPECT_EQ(schedule_.Due(now_ + milliseconds(1999)), Action::kNone);
  EXPECT_EQ(schedule_.Due(now_ + milliseconds(2000)), Action::kLiveness);
  schedule_.OnAlive(now_ + milliseconds(2000));
  EXPECT_EQ(schedule_.Due(now_ + milliseconds(3999)), Action::kNone);
  EXPECT_EQ(schedule_.NextDeadline(), now_ + milliseconds(4000));
  EXPECT_EQ(schedule_.Due(now_ + milliseconds(10'000)), Action::kRefresh);
}

TEST_F(ProbeScheduleTest, ListsEverySecondWhileATopicIsMissing) {
  schedule_.OnRefreshed(now_, 1, false);
  EXPECT_TRUE(schedule_.up());
  EXPECT_EQ(schedule_.Due(now_ + milliseconds(999)), Action::kNone);
  EXPECT_EQ(schedule_.Due(now_ + milliseconds(1000)), Action::kRefresh);
}

TEST_F(ProbeScheduleTest, OneBrokerThatDoesNotAnswerIsDown) {
  schedule_.OnRefreshed(now_, 1, true);
  schedule_.OnFailure(now_);
  EXPECT_FALSE(schedule_.up());
  EXPECT_EQ(schedule_.Due(now_ + milliseconds(999)), Action::kNone);
  EXPECT_EQ(schedule_.Due(now_ + milliseconds(1000)), Action::kRefresh);
  schedule_.OnRefreshed(now_ + milliseconds(1000), 1, true);
  EXPECT_TRUE(schedule_.up());
}

TEST_F(ProbeScheduleTest, OneOfSeveralGetsASecondChanceAtOnce) {
  schedule_.OnRefreshed(now_, 3, true);
  schedule_.OnFailure(now_);
  EXPECT_TRUE(schedule_.up());
  EXPECT_EQ(schedule_.Due(now_), Action::kLiveness);
  schedule_.OnAlive(now_);
  schedule_.OnFailure(now_);
  EXPECT_TRUE(schedule_.up()) << "failures in a row count, not all";
  schedule_.OnFailure(now_);
  EXPECT_FALSE(schedule_.up());
}

TEST_F(ProbeScheduleTest, DownFromTheStartIsAskedEverySecond) {
  schedule_.OnFailure(now_);
  EXPECT_FALSE(schedule_.up());
  EXPECT_EQ(schedule_.NextDeadline(), now_ + milliseconds(1000));
}

TEST_F(ProbeScheduleTest, RefreshSoonIsAtOnce) {
  schedule_.OnRefreshed(now_, 1, true);
  schedule_.RefreshSoon();
  EXPECT_EQ(schedule_.Due(now_), Action::kRefresh);
}

}  // namespace
}  // namespace spillway::ingest
