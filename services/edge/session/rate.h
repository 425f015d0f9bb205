#pragma once

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>

#include "common/base/clock.h"

namespace spillway::edge {

// How often something may happen: once each `step` for as long as one likes, and `burst` times at
// once. A token bucket kept as the one time until which it is empty (the generic cell rate
// algorithm, ITU-T I.371, annex A). A plain value.
struct Rate {
  MonoTime::duration step{0};  // zero: any number of times
  uint32_t burst = 1;

  // `count` in each `per`, and `burst` at once; 0: `count`. Without a count there is no limit.
  static Rate Of(uint32_t count, std::chrono::milliseconds per, uint32_t burst) {
    if (count == 0) return {};
    return {.step = std::chrono::duration_cast<MonoTime::duration>(per) / count,
            .burst = burst == 0 ? count : burst};
  }

  // One of so many equal parts of it, each used for itself.
  Rate Share(size_t parts) const {
    const auto count = static_cast<uint32_t>(parts);
    return {.step = step * static_cast<int64_t>(parts), .burst = std::max(1U, burst / count)};
  }

  bool limits() const { return step > MonoTime::duration::zero(); }
  // The bucket after one more; nothing if that is too many.
  std::optional<MonoTime> Take(MonoTime empty_until, MonoTime now) const {
    const MonoTime next = std::max(empty_until, now) + step;
    if (next - now > step * burst) return std::nullopt;
    return next;
  }
};

// A bucket that several threads take from, without a lock.
class SharedBucket {
 public:
  // False: that would be too many.
  bool Take(MonoTime now, const Rate& rate) {
    if (!rate.limits()) return true;
    MonoTime was = empty_until_.load(std::memory_order_relaxed);
    for (;;) {
      const std::optional<MonoTime> next = rate.Take(was, now);
      if (!next.has_value()) return false;
      if (empty_until_.compare_exchange_weak(was, *next, std::memory_order_relaxed)) return true;
    }
  }
  // From then on it is as if it had never been used.
  MonoTime full_at() const { return empty_until_.load(std::memory_order_relaxed); }

 private:
  std::atomic<MonoTime> empty_until_{};
};

}  // namespace spillway::edge
