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
// at once; each is told before, within what time and where to go on. Does a bounded piece of it at
// a time. Belongs to the worker's thread.
class HandOver {
 public:
  static constexpr std::chrono::milliseconds kStep{20};
  static constexpr size_t kToldAtOnce = 500;  // in a step

  HandOver(SessionRegistry& registry, TimingWheel& wheel, const Clock& clock);

  // Of the sessions that there are now. `addresses`: of other nodes, taken in turn; may be empty.
  // Once.
  void Begin(std::chrono::milliseconds spread, std::vector<std::string> addresses);
  // Every one of them was closed, or has gone.
  bool done() const { return begun_ && next_ == sessions_.size(); }

 private:
  void Step();
  MonoTime DueAt(size_t index) const;

  SessionRegistry& registry_;
  TimingWheel& wheel_;
  const Clock& clock_;
  bool begun_ = false;
  MonoTime begin_;
  std::chrono::milliseconds spread_{0};
  std::vector<std::string> addresses_;
  std::vector<std::string> sessions_;  // by id, in the order in which they go
  size_t told_ = 0;
  size_t next_ = 0;
  Timer step_ = Timer::Of<&HandOver::Step>(this);
};

}  // namespace spillway::edge
