#include "services/edge/session/endpoint_acceptor.h"

#include <memory>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "common/base/strings.h"
#include "common/log/log.h"
#include "services/edge/session/session.h"

namespace spillway::edge {
namespace {

metrics::Counter& CounterOf(SessionCounters& counters, const Refusal& refusal) {
  switch (refusal.status) {
    case 401:
      return counters.refused_token;
    case 404:
      return counters.refused_path;
    case 503:
      return counters.refused_capacity;
    default:
      return counters.refused_param;
  }
}

UpgradeDecision Refuse(SessionContext& context, const http::Request& request,
                       const Refusal& refusal) {
  CounterOf(context.counters, refusal).Add();
  // Anyone can cause this line at any rate: not above debug. The query, which may hold a token, is
  // left out.
  log::Debug("upgrade refused", {{"code", refusal.code},
                                 {"path", request.path},
                                 {"ip", request.remote_ip},
                                 {"detail", refusal.detail}});
  UpgradeDecision decision;
  decision.refusal = refusal.ToResponse();
  return decision;
}

}  // namespace

absl::StatusOr<std::unique_ptr<EndpointAcceptor>> EndpointAcceptor::Create(
    const std::vector<const Endpoint*>& endpoints, std::vector<SessionContext*> workers,
    ConnectionGate& gate) {
  auto acceptor = std::unique_ptr<EndpointAcceptor>(new EndpointAcceptor(std::move(workers), gate));
  for (const Endpoint* endpoint : endpoints) {
    const std::string& path = endpoint->options().path;
    if (!acceptor->endpoints_.emplace(path, endpoint).second) {
      return absl::InvalidArgumentError(
          absl::StrCat("endpoint '", path, "': another endpoint has this path"));
    }
  }
  return acceptor;
}

UpgradeDecision EndpointAcceptor::OnUpgrade(const http::Request& request, size_t worker) {
  SessionContext& context = *workers_[worker];
  const auto found = endpoints_.find(Abs(request.path));
  if (found == endpoints_.end()) {
    return Refuse(context, request,
                  {404, "unknown_endpoint", "there is no WebSocket endpoint at this path", {}});
  }
  // Before the token is verified: a node that is full or going away spends nothing on those it
  // sends elsewhere.
  if (gate_.shut()) {
    return Refuse(context, request,
                  {503, "shutting_down", "this node is going away: connect again", {}});
  }
  ConnectionGate::Slot slot = gate_.Enter();
  if (!slot) {
    return Refuse(context, request,
                  {503, "too_many_connections", "this node is full: try again later", {}});
  }
  Admission admission = Admit(*found->second, request);
  if (admission.refusal.has_value()) return Refuse(context, request, *admission.refusal);
  UpgradeDecision decision;
  decision.deflate = found->second->options().compression.Admits(request);
  decision.handler = std::make_unique<Session>(context, *found->second,
                                               std::move(admission.identity), std::move(slot));
  return decision;
}

}  // namespace spillway::edge
