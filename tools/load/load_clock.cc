#include "tools/load/load_clock.h"

#include <time.h>

namespace spillway::load {
namespace {

clockid_t the_clock = CLOCK_MONOTONIC;

constexpr int64_t kSecond = 1'000'000'000;

}  // namespace

void UseClock(ClockKind kind) {
  the_clock = kind == ClockKind::kMonotonic ? CLOCK_MONOTONIC : CLOCK_REALTIME;
}

int64_t NowNs() {
  timespec now;
  clock_gettime(the_clock, &now);
  return int64_t{now.tv_sec} * kSecond + now.tv_nsec;
}

void SleepUntil(int64_t ns) {
  const timespec until{static_cast<time_t>(ns / kSecond), static_cast<long>(ns % kSecond)};
  clock_nanosleep(the_clock, TIMER_ABSTIME, &until, nullptr);
}

}  // namespace spillway::load
