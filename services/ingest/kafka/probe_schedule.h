#pragma once

#include <chrono>

#include "common/base/clock.h"

namespace spillway::ingest {

// When to ask Kafka what, and when to believe that it is gone. Pure: given the time, no I/O; owned
// and called by the prober's thread.
class ProbeSchedule {
 public:
  struct Options {
    std::chrono::milliseconds refresh{10'000};      // full listing, all being well
    std::chrono::milliseconds fast_refresh{1'000};  // while down, or while a topic is missing
    std::chrono::milliseconds liveness{2'000};      // a cheap question, since the last answer
  };
  enum class Action { kNone, kRefresh, kLiveness };

  explicit ProbeSchedule(const Options& options) : options_(options) {}

  Action Due(MonoTime now) const;
  MonoTime NextDeadline() const;

  // A full listing was answered by a cluster of that many brokers; `complete`: no wanted topic is
  // missing.
  void OnRefreshed(MonoTime now, int brokers, bool complete);
  void OnAlive(MonoTime now);
  // A question of any kind was not answered. With several brokers one failure may be that broker's
  // alone, and the next question goes to another: then it takes two, the second at once.
  void OnFailure(MonoTime now);
  void RefreshSoon() { refresh_at_ = MonoTime(); }

  bool up() const { return up_; }

 private:
  const Options options_;
  MonoTime refresh_at_;
  MonoTime liveness_at_ = MonoTime::max();  // the first question is a refresh
  int brokers_ = 1;
  int failures_ = 0;
  bool up_ = false;
};

}  // namespace spillway::ingest
