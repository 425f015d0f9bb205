#pragma once

#include <optional>
#include <string>
#include <utility>

#include "services/edge/session/admission.h"
#include "services/edge/session/affinity.h"
#include "services/edge/session/connection_limits.h"
#include "services/edge/session/endpoint.h"
#include "services/edge/session/session_context.h"
#include "services/edge/session/transport.h"

namespace spillway::edge {

// Where a client belongs, if it is to be sent there; counts what becomes of it. One that was sent
// here is taken. On the worker's thread of `context`.
std::optional<AffinityNode> RedirectOf(const SessionIdentity& identity, bool redirected,
                                       SessionContext& context);

// Tells a client where it belongs, and closes its connection with 1008.
void Redirect(const Endpoint& endpoint, const AffinityNode& owner, SessionContext& context,
              Transport& transport);

// A connection of a client that belongs on another node. Belongs to one worker thread. Owned by its
// connection; must not outlive its context.
class RedirectedConnection final : public TransportHandler {
 public:
  RedirectedConnection(SessionContext& context, const Endpoint& endpoint, AffinityNode owner,
                       ConnectionPlace place)
      : context_(context),
        endpoint_(endpoint),
        owner_(std::move(owner)),
        place_(std::move(place)) {}

  void OnOpen(Transport* transport) override { Redirect(endpoint_, owner_, context_, *transport); }
  void OnMessage(std::string_view, bool) override {}
  void OnPong() override {}
  Ref<Frame> EncodeGap(const ChannelTraits&, const LostEvents&) override { return {}; }
  void OnWritable() override {}
  void OnClosed(uint16_t, std::string_view) override { place_ = ConnectionPlace(); }

 private:
  SessionContext& context_;
  const Endpoint& endpoint_;
  const AffinityNode owner_;
  ConnectionPlace place_;
};

}  // namespace spillway::edge
