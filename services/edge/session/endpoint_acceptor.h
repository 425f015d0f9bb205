#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/statusor.h"
#include "services/edge/session/acceptor.h"
#include "services/edge/session/admission.h"
#include "services/edge/session/connection_limits.h"
#include "services/edge/session/endpoint.h"
#include "services/edge/session/session_context.h"

namespace spillway::edge {

// Lets clients in: finds the endpoint by its path, checks token and parameters, makes the session.
// Immutable; each worker's thread calls it with its own index. Owned by the composition root, which
// owns everything it refers to, too.
class EndpointAcceptor final : public Acceptor {
 public:
  // `workers`: the context of each, by index. `limits` null: there are none. InvalidArgument if two
  // endpoints have one path. A path without placeholders comes first, then the others in order.
  static absl::StatusOr<std::unique_ptr<EndpointAcceptor>> Create(
      const std::vector<const Endpoint*>& endpoints, std::vector<SessionContext*> workers,
      ConnectionGate& gate, ConnectionLimits* limits = nullptr);

  UpgradeDecision OnUpgrade(const http::Request& request, size_t worker) override;

 private:
  EndpointAcceptor(std::vector<SessionContext*> workers, ConnectionGate& gate,
                   ConnectionLimits* limits)
      : workers_(std::move(workers)), gate_(gate), limits_(limits) {}

  const Endpoint* Find(std::string_view path) const;
  // What comes before the client is known: bounds, path and origin. Takes the node's place and the
  // address's.
  std::optional<Refusal> CheckDoor(const http::Request& request, SessionContext& context,
                                   const Endpoint** endpoint, ConnectionPlace* place);
  // Whether the client is to send its token as a message; then there is a handler, or a refusal.
  bool Await(const Endpoint& endpoint, const http::Request& request, SessionContext& context,
             ConnectionPlace* place, std::optional<Refusal>* refusal, UpgradeDecision* decision);

  absl::flat_hash_map<std::string, const Endpoint*> endpoints_;  // by their paths
  std::vector<const Endpoint*> templates_;                       // whose paths have placeholders
  const std::vector<SessionContext*> workers_;
  ConnectionGate& gate_;
  ConnectionLimits* const limits_;
};

}  // namespace spillway::edge
