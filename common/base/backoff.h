#pragma once

#include <chrono>
#include <cstdint>
#include <functional>

namespace spillway {

// Exponential waits between attempts, with jitter so that many peers do not come back at the same
// moment. Not thread-safe: belongs to whoever makes the attempts.
class Backoff {
 public:
  struct Options {
    std::chrono::milliseconds initial{100};
    std::chrono::milliseconds max{10'000};
    double multiplier = 2.0;
    // The share of a wait that is random: 0.2 gives 80 % to 120 %. In [0, 1]. The result stays <=
    // max.
    double jitter = 0.2;
  };
  // Uniform in [0, 1).
  using Random = std::function<double()>;

  Backoff(const Options& options, Random random);

  // The wait before the next attempt; each call counts as a failed attempt.
  std::chrono::milliseconds Next();
  // After a success: the next wait is the initial one again.
  void Reset();
  uint64_t attempts() const { return attempts_; }

 private:
  const Options options_;
  const Random random_;
  double base_ms_;
  uint64_t attempts_ = 0;
};

}  // namespace spillway
