#pragma once

#include <chrono>
#include <cstddef>
#include <string>
#include <vector>

#include "common/base/clock.h"
#include "services/edge/session/session_registry.h"
#include "services/edge/timer/timing_wheel.h"

namespace spillway::edge {

// Ends the sessions of one worker evenly over a time, so that they do not all come to other nodes
// at once; each is told before, within what time and where to go on. Then it sees to it that there
// are none: who was let in just before, and had yet to say who he is, comes later. Does a bounded
// piece of all that at a time. Belongs to the worker's thread.
class HandOver {
 public:
  static constexpr std::chrono::milliseconds kStep{20};
  static constexpr std::chrono::milliseconds kSweep{500};  // from one look for more to the next
  static constexpr size_t kToldAtOnce = 500;               // in a step

  HandOver(SessionRegistry& registry, TimingWheel& wheel, const Clock& clock);

  struct Plan {
    std::chrono::milliseconds spread{0};
    std::vector<std::string> addresses = {};         // of other nodes, taken in turn; may be empty
    std::string reason = "server is shutting down";  // of the closes
  };
  // Of the sessions that there are now, and of any that come. Under way it begins anew: those that
  // are left are told again.
  void Begin(Plan plan);
  // Ends it: those that were told, and are there yet, are told that they may stay.
  void Cancel();
  // Every session of Begin() was closed, or has gone.
  bool done() const { return state_ == State::kSweeping; }

 private:
  enum class State { kIdle, kClosing, kSweeping, kTakingBack };

  void Step();
  void TellAndClose();
  void Sweep();
  void TakeBack();
  MonoTime DueAt(size_t index) const;

  SessionRegistry& registry_;
  TimingWheel& wheel_;
  const Clock& clock_;
  State state_ = State::kIdle;
  MonoTime begin_;
  Plan plan_;
  std::vector<std::string> sessions_;  // by id, in the order in which they go
  size_t told_ = 0;
  bool again_ = false;  // clients were told to go by an earlier plan, too
  size_t next_ = 0;
  Timer step_ = Timer::Of<&HandOver::Step>(this);
};

}  // namespace spillway::edge
