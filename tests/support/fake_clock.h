#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>

#include "common/base/clock.h"

namespace spillway::test {

// A clock that moves only when told. Wall time starts at 2026-01-01T00:00:00Z, monotonic time at
// 1000 s. Thread-safe.
class FakeClock final : public Clock {
 public:
  MonoTime Now() const override;
  WallTime WallNow() const override;

  // Moves both.
  void Advance(std::chrono::nanoseconds by);
  // Moves the wall clock alone, also backwards, as an operator or NTP would.
  void ShiftWall(std::chrono::nanoseconds by);

 private:
  std::atomic<int64_t> mono_ns_{1'000'000'000'000};
  std::atomic<int64_t> wall_ns_{1'767'225'600'000'000'000};
};

}  // namespace spillway::test
