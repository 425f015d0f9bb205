#include "tests/support/fake_clock.h"

namespace spillway::test {

using std::chrono::duration_cast;
using std::chrono::nanoseconds;

MonoTime FakeClock::Now() const {
  return MonoTime(duration_cast<MonoTime::duration>(nanoseconds(mono_ns_.load())));
}

WallTime FakeClock::WallNow() const {
  return WallTime(duration_cast<WallTime::duration>(nanoseconds(wall_ns_.load())));
}

void FakeClock::Advance(nanoseconds by) {
  mono_ns_.fetch_add(by.count());
  wall_ns_.fetch_add(by.count());
}

void FakeClock::ShiftWall(nanoseconds by) { wall_ns_.fetch_add(by.count()); }

}  // namespace spillway::test
