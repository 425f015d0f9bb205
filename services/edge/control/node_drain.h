#pragma once

#include <chrono>
#include <functional>
#include <optional>
#include <utility>

#include "common/base/clock.h"
#include "common/base/mutex.h"
#include "spillway/v1/admin.pb.h"

namespace spillway::edge {

// How this node lets its clients go when an operator wants it to, and takes them again: not ready
// and accepting for a lead, then accepting nobody while one client after the other goes, then there
// for nobody. Pure but for what its parts do. Thread-safe. Owned by the composition root.
class NodeDrain {
 public:
  // What it works with. Called under its lock, so one at a time and in order; must not call back.
  struct Parts {
    // Readiness, and the cluster.
    std::function<void(bool draining)> tell;
    // Whether nobody is let in.
    std::function<void(bool shut)> shut;
    std::function<void(std::chrono::milliseconds spread)> hand_over;
    std::function<void()> take_back;
    // Whether a place that clients were told at hand_over to go to takes nobody any more.
    std::function<bool()> place_gone;
    // All clients that there were at hand_over have been told to end.
    std::function<bool()> handed_over;
  };
  struct Times {
    std::chrono::milliseconds lead{0};
    std::chrono::milliseconds spread{0};
  };
  struct Status {
    v1::DrainStage stage = v1::DRAIN_STAGE_SERVING;
    std::chrono::milliseconds left{0};  // until the last client is to have gone
  };

  // `clock` outlives it.
  NodeDrain(Parts parts, const Clock& clock) : parts_(std::move(parts)), clock_(clock) {}

  // Begins, or, if it has begun, goes on with these times from now on. What was done of it stays
  // done: a lead that is over does not begin again. False: the node stops.
  bool Drain(Times times);
  // Takes it back. False: the node stops.
  bool Undrain();
  // A few times a second: from one stage to the next.
  void Update();
  // The node stops: nothing changes any more. Returns what is left of the lead; nothing, if there
  // was none or it is over.
  std::optional<std::chrono::milliseconds> Stop();

  Status status() const;

 private:
  void Advance(MonoTime now) SPILLWAY_REQUIRES(mutex_);
  // Begins the hand-over, or begins it anew, with what is left of the time.
  void HandOver(MonoTime now) SPILLWAY_REQUIRES(mutex_);

  const Parts parts_;
  const Clock& clock_;
  mutable Mutex mutex_;
  v1::DrainStage stage_ SPILLWAY_GUARDED_BY(mutex_) = v1::DRAIN_STAGE_SERVING;
  MonoTime lead_ends_ SPILLWAY_GUARDED_BY(mutex_);
  MonoTime ends_ SPILLWAY_GUARDED_BY(mutex_);
  bool stopped_ SPILLWAY_GUARDED_BY(mutex_) = false;
};

}  // namespace spillway::edge
