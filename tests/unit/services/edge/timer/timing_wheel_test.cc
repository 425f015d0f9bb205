#include "services/edge/timer/timing_wheel.h"

#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <random>
#include <vector>

#include "tests/support/fake_clock.h"

namespace spillway::edge {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kTick{100};

class Probe {
 public:
  explicit Probe(std::function<void()> action = [] {}) : action_(std::move(action)) {}
  Timer timer = Timer::Of<&Probe::Fire>(this);
  int fired = 0;

 private:
  void Fire() {
    ++fired;
    const auto action = action_;  // it may destroy this
    action();
  }
  std::function<void()> action_;
};

class TimingWheelTest : public testing::Test {
 protected:
  void Pass(milliseconds time) {
    clock_.Advance(time);
    wheel_.Advance();
  }
  test::FakeClock clock_;
  TimingWheel wheel_{clock_, kTick};
};

TEST_F(TimingWheelTest, FiresOnceNeverEarlyAtMostATickLate) {
  for (const int delay : {0, 1, 99, 100, 101, 250, 51199, 51200, 51201, 200000}) {
    Probe probe;
    Pass(milliseconds(33));
    wheel_.Set(probe.timer, milliseconds(delay));
    for (int passed = 0; passed < delay; ++passed) {
      ASSERT_EQ(probe.fired, 0) << delay << " after " << passed;
      Pass(milliseconds(1));
    }
    Pass(kTick);
    EXPECT_EQ(probe.fired, 1) << delay;
    EXPECT_FALSE(probe.timer.pending());
    Pass(milliseconds(300000));
    EXPECT_EQ(probe.fired, 1);
  }
}

TEST_F(TimingWheelTest, SettingAgainMovesIt) {
  Probe probe;
  wheel_.Set(probe.timer, milliseconds(200));
  Pass(milliseconds(150));
  wheel_.Set(probe.timer, milliseconds(500));
  EXPECT_EQ(wheel_.size(), 1u);
  Pass(milliseconds(400));
  EXPECT_EQ(probe.fired, 0);
  Pass(milliseconds(200));
  EXPECT_EQ(probe.fired, 1);
}

TEST_F(TimingWheelTest, CancelledOrDestroyedNeverFires) {
  Probe probe;
  wheel_.Set(probe.timer, kTick);
  probe.timer.Cancel();
  {
    Probe gone;
    wheel_.Set(gone.timer, kTick);
  }
  EXPECT_EQ(wheel_.size(), 0u);
  Pass(milliseconds(1000));
  EXPECT_EQ(probe.fired, 0);
}

TEST_F(TimingWheelTest, ALongStallFiresEverythingDueAndNothingElse) {
  Probe soon;
  Probe late;
  wheel_.Set(soon.timer, milliseconds(700));
  wheel_.Set(late.timer, std::chrono::hours(2));
  Pass(std::chrono::hours(1));
  EXPECT_EQ(soon.fired, 1);
  EXPECT_EQ(late.fired, 0);
  Pass(std::chrono::hours(1) + kTick);
  EXPECT_EQ(late.fired, 1);
}

TEST_F(TimingWheelTest, ATimerSetAfterIdlenessCountsFromThen) {
  clock_.Advance(std::chrono::hours(5));  // nobody advances an empty wheel
  Probe probe;
  wheel_.Set(probe.timer, milliseconds(300));
  Pass(milliseconds(299));
  EXPECT_EQ(probe.fired, 0);
  Pass(kTick);
  EXPECT_EQ(probe.fired, 1);
}

TEST_F(TimingWheelTest, CallbacksMaySetCancelAndDestroy) {
  Probe other;
  std::unique_ptr<Probe> doomed = std::make_unique<Probe>();
  std::unique_ptr<Probe> suicidal;
  Probe* periodic_self = nullptr;
  Probe periodic([&] { wheel_.Set(periodic_self->timer, kTick); });
  periodic_self = &periodic;
  suicidal = std::make_unique<Probe>([&] {
    suicidal.reset();
    doomed.reset();
    other.timer.Cancel();
  });
  // The same slot; the last one set is looked at first.
  wheel_.Set(other.timer, kTick);
  wheel_.Set(doomed->timer, kTick);
  wheel_.Set(periodic.timer, kTick);
  wheel_.Set(suicidal->timer, kTick);
  Pass(kTick);
  EXPECT_EQ(other.fired, 0);
  EXPECT_EQ(periodic.fired, 1);
  for (int i = 0; i < 10; ++i) Pass(kTick);
  EXPECT_EQ(periodic.fired, 11);
  EXPECT_EQ(wheel_.size(), 1u);
}

TEST_F(TimingWheelTest, AgreesWithAPlainListOfDeadlines) {
  std::mt19937 random(1);
  std::vector<std::unique_ptr<Probe>> probes;
  std::vector<std::chrono::milliseconds> due(50, milliseconds(-1));
  std::chrono::milliseconds now{0};
  for (int i = 0; i < 50; ++i) probes.push_back(std::make_unique<Probe>());
  for (int step = 0; step < 20000; ++step) {
    const size_t i = random() % probes.size();
    if (random() % 3 == 0) {
      probes[i]->timer.Cancel();
      due[i] = milliseconds(-1);
    } else {
      const milliseconds delay(random() % 100000);
      wheel_.Set(probes[i]->timer, delay);
      due[i] = now + delay;
    }
    const milliseconds pass(random() % 400);
    Pass(pass);
    now += pass;
    for (size_t j = 0; j < probes.size(); ++j) {
      if (due[j].count() < 0) {
        ASSERT_EQ(probes[j]->fired, 0);
      } else if (probes[j]->fired > 0) {
        ASSERT_GE(now, due[j]);
        due[j] = milliseconds(-1);
      } else {
        ASSERT_LT(now, due[j] + kTick);
      }
      probes[j]->fired = 0;
    }
  }
}

}  // namespace
}  // namespace spillway::edge
