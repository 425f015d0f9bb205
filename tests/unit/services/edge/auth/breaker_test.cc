#include "services/edge/auth/breaker.h"

#include <gtest/gtest.h>

namespace spillway::edge {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using State = Breaker::State;

class BreakerTest : public ::testing::Test {
 protected:
  void Fail(int times) {
    for (int i = 0; i < times; ++i) {
      EXPECT_TRUE(breaker_.Allow(now_));
      breaker_.OnFailure(now_);
    }
  }

  MonoTime now_{seconds(100)};
  Breaker breaker_{{.failures = 3, .pause = seconds(10)}};
};

TEST_F(BreakerTest, OpensAfterFailuresInARowAlone) {
  Fail(2);
  breaker_.OnGood();
  Fail(2);
  EXPECT_EQ(breaker_.state(), State::kClosed);
  EXPECT_EQ(breaker_.Left(now_), milliseconds(0));
  Fail(1);
  EXPECT_EQ(breaker_.state(), State::kOpen);
  EXPECT_FALSE(breaker_.Allow(now_));
  EXPECT_EQ(breaker_.Left(now_ + milliseconds(1)), milliseconds(9'999));
}

TEST_F(BreakerTest, OneQuestionDecidesWhenThePauseEnds) {
  Fail(3);
  now_ += seconds(10);
  EXPECT_EQ(breaker_.Left(now_), milliseconds(0));
  EXPECT_TRUE(breaker_.Allow(now_));
  EXPECT_EQ(breaker_.state(), State::kProbing);
  EXPECT_FALSE(breaker_.Allow(now_));
  breaker_.OnFailure(now_);
  EXPECT_EQ(breaker_.state(), State::kOpen);
  EXPECT_FALSE(breaker_.Allow(now_ + seconds(9)));
  now_ += seconds(10);
  EXPECT_TRUE(breaker_.Allow(now_));
  breaker_.OnGood();
  EXPECT_EQ(breaker_.state(), State::kClosed);
  Fail(2);
  EXPECT_EQ(breaker_.state(), State::kClosed);
}

// Those that were under way when it opened.
TEST_F(BreakerTest, LateFailuresDoNotProlongThePauseAndLateAnswersEndIt) {
  Fail(3);
  breaker_.OnFailure(now_ + seconds(5));
  EXPECT_TRUE(breaker_.Allow(now_ + seconds(10)));
  breaker_.OnFailure(now_ + seconds(10));
  breaker_.OnGood();
  EXPECT_EQ(breaker_.state(), State::kClosed);
}

TEST_F(BreakerTest, AProbeThatIsNotPutLeavesItToTheNext) {
  Fail(3);
  now_ += seconds(10);
  EXPECT_TRUE(breaker_.Allow(now_));
  breaker_.OnAbandoned();
  EXPECT_TRUE(breaker_.Allow(now_));
  EXPECT_EQ(breaker_.state(), State::kProbing);
  breaker_.OnGood();
  breaker_.OnAbandoned();
  EXPECT_EQ(breaker_.state(), State::kClosed);
}

}  // namespace
}  // namespace spillway::edge
