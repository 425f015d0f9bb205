#pragma once

#include "common/base/clock.h"
#include "common/rpc/access.h"
#include "services/edge/control/event_bus.h"
#include "services/edge/session/rate.h"

namespace spillway::edge {

// Tells those who watch of calls of the admin API that were refused for who made them: at most
// kPerSecond, since whoever reaches the port can cause them. All are counted. Thread-safe. Owned by
// the composition root; what it is given outlives it.
class AdminRefusals {
 public:
  static constexpr uint32_t kPerSecond = 20;

  AdminRefusals(EventBus& events, const Clock& clock) : events_(events), clock_(clock) {}

  void OnRefused(const rpc::Access::Refusal& refusal);

 private:
  EventBus& events_;
  const Clock& clock_;
  SharedBucket told_;
};

}  // namespace spillway::edge
