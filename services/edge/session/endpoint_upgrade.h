#pragma once

#include <string>
#include <string_view>

#include "common/http/http_types.h"
#include "services/edge/session/acceptor.h"
#include "services/edge/session/client_check.h"
#include "services/edge/session/connection_gate.h"
#include "services/edge/session/connection_limits.h"
#include "services/edge/session/endpoint.h"
#include "services/edge/session/session_context.h"

namespace spillway::edge {

// The decision that refuses an upgrade. `correlation_id` is given back.
UpgradeDecision RefuseUpgrade(const Refusal& refusal, std::string_view path, std::string_view ip,
                              std::string correlation_id);

// An upgrade whose client has passed the door: it is checked, and becomes a session or is sent to
// where it belongs. Belongs to the worker's thread of `context`; what it refers to outlives it.
class EndpointUpgrade final : public PendingUpgrade {
 public:
  // `decision`: what is known of it already. `request` is not kept.
  EndpointUpgrade(const Endpoint& endpoint, SessionContext& context, ConnectionGate& gate,
                  ConnectionLimits* limits, ConnectionPlace place, const http::Request& request,
                  UpgradeDecision decision);

  // True: it is decided, and Take() has the decision. False: it is pending.
  bool Begin(std::string_view token);
  UpgradeDecision Take();
  void Await(Decided decided) override { decided_ = std::move(decided); }
  const UpgradeDecision& known() const { return decision_; }

 private:
  void OnChecked();

  const Endpoint& endpoint_;
  SessionContext& context_;
  ConnectionGate& gate_;
  ConnectionLimits* const limits_;
  const std::string path_;
  UpgradeDecision decision_;
  ClientCheck check_;
  Decided decided_;
};

}  // namespace spillway::edge
