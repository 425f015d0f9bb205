#include "services/edge/session/endpoint_upgrade.h"

#include <memory>
#include <utility>

#include "common/base/correlation_id.h"
#include "common/log/log.h"
#include "services/edge/session/redirect.h"
#include "services/edge/session/session.h"

namespace spillway::edge {

UpgradeDecision RefuseUpgrade(const Refusal& refusal, std::string_view path, std::string_view ip,
                              std::string correlation_id) {
  // Anyone can cause this line at any rate: not above debug. The query, which may hold a token, is
  // left out.
  log::Debug("upgrade refused", {{"code", refusal.code},
                                 {"path", path},
                                 {"ip", ip},
                                 {"correlation_id", correlation_id},
                                 {"detail", refusal.detail}});
  UpgradeDecision decision;
  decision.refusal = refusal.ToResponse();
  decision.refusal->headers.emplace_back(kCorrelationHeader, std::move(correlation_id));
  return decision;
}

EndpointUpgrade::EndpointUpgrade(const Endpoint& endpoint, SessionContext& context,
                                 ConnectionGate& gate, ConnectionLimits* limits,
                                 ConnectionPlace place, const http::Request& request,
                                 UpgradeDecision decision)
    : endpoint_(endpoint),
      context_(context),
      gate_(gate),
      limits_(limits),
      path_(request.path),
      decision_(std::move(decision)),
      check_(endpoint, context, limits, std::move(place), ClientRequestOf(endpoint, request)) {}

bool EndpointUpgrade::Begin(std::string_view token) {
  return check_.Begin(token, decision_.correlation_id, [this] { OnChecked(); });
}

void EndpointUpgrade::OnChecked() {
  // Things may have changed while it was waited for.
  if (!check_.refusal.has_value() && gate_.shut()) {
    check_.refusal = Refusal{.status = 503,
                             .code = "shutting_down",
                             .message = "this node is going away: connect again",
                             .counter = &SessionCounters::refused_shut};
  }
  // The last that is done here: whoever is told may end this.
  const Decided decided = std::move(decided_);
  UpgradeDecision decision = Take();
  if (decided != nullptr) decided(std::move(decision));
}

UpgradeDecision EndpointUpgrade::Take() {
  SessionIdentity& identity = check_.identity;
  std::string& correlation_id = decision_.correlation_id;
  if (check_.refusal.has_value()) {
    if (correlation_id.empty()) correlation_id = TextOf(NewConnectionId(context_.random));
    CountRefusal(*check_.refusal,
                 {.ip = check_.ip(),
                  .endpoint = endpoint_.options().path,
                  .user_id = identity.user_id,
                  .correlation_id = correlation_id},
                 context_, limits_);
    return RefuseUpgrade(*check_.refusal, path_, check_.ip(), std::move(correlation_id));
  }
  if (auto owner = RedirectOf(identity, check_.redirected(), context_)) {
    if (correlation_id.empty()) correlation_id = TextOf(NewConnectionId(context_.random));
    decision_.handler = std::make_unique<RedirectedConnection>(
        context_, endpoint_, *std::move(owner), std::move(check_.place));
  } else {
    identity.correlation_id = correlation_id;
    auto session = std::make_unique<Session>(context_, endpoint_, std::move(identity),
                                             std::move(check_.place));
    correlation_id = std::string(session->correlation_id());
    decision_.handler = std::move(session);
  }
  return std::move(decision_);
}

}  // namespace spillway::edge
