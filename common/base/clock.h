#pragma once

#include <chrono>

namespace spillway {

// Monotonic time: deadlines, intervals, timeouts. Never shown to anyone.
using MonoTime = std::chrono::steady_clock::time_point;
// Wall time: what goes into messages, logs and tokens' checks.
using WallTime = std::chrono::system_clock::time_point;

// Where every module gets the time from, so that a test can move it by hand.
// Implementations are thread-safe; a Clock outlives everything that was given it.
class Clock {
 public:
  virtual ~Clock() = default;
  virtual MonoTime Now() const = 0;
  virtual WallTime WallNow() const = 0;

  // The process-wide real clock.
  static Clock& Real();
};

inline int64_t ToUnixMicros(WallTime time) {
  return std::chrono::duration_cast<std::chrono::microseconds>(time.time_since_epoch()).count();
}
inline int64_t ToUnixMillis(WallTime time) {
  return std::chrono::duration_cast<std::chrono::milliseconds>(time.time_since_epoch()).count();
}

}  // namespace spillway
