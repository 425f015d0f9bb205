#include "services/edge/session/endpoint_acceptor.h"

#include <chrono>
#include <memory>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "common/base/strings.h"
#include "common/log/log.h"
#include "services/edge/session/awaited_session.h"
#include "services/edge/session/client_check.h"
#include "services/edge/session/session.h"
#include "services/edge/session/token_source.h"

namespace spillway::edge {
namespace {

constexpr size_t kMaxOriginLogged = 200;
// Seconds. Those who come all at once are told different times, so that they do not come back so.
constexpr int kLongestRetry = 5;
constexpr int kRetryAfterClosing = 5;

UpgradeDecision Refuse(const http::Request& request, const Refusal& refusal) {
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
    ConnectionGate& gate, ConnectionLimits* limits) {
  auto acceptor =
      std::unique_ptr<EndpointAcceptor>(new EndpointAcceptor(std::move(workers), gate, limits));
  for (const Endpoint* endpoint : endpoints) {
    const std::string& path = endpoint->options().path;
    if (!acceptor->endpoints_.emplace(endpoint->path().Shape(), endpoint).second) {
      return absl::InvalidArgumentError(
          absl::StrCat("endpoint '", path, "': another endpoint has this path"));
    }
    if (endpoint->path().has_placeholders()) acceptor->templates_.push_back(endpoint);
  }
  return acceptor;
}

const Endpoint* EndpointAcceptor::Find(std::string_view path) const {
  const auto found = endpoints_.find(Abs(path));
  // What looks like a template's shape is none: {} is no literal.
  if (found != endpoints_.end() && !found->second->path().has_placeholders()) return found->second;
  for (const Endpoint* endpoint : templates_) {
    if (endpoint->path().Match(path).has_value()) return endpoint;
  }
  return nullptr;
}

std::optional<Refusal> EndpointAcceptor::CheckDoor(const http::Request& request,
                                                   SessionContext& context,
                                                   const Endpoint** endpoint,
                                                   ConnectionPlace* place) {
  using Counters = SessionCounters;
  if (limits_ != nullptr) {
    if (const auto denial = limits_->blocks.CheckIp(request.remote_ip)) return RefusalOf(*denial);
    const auto blocked = limits_->ips.BlockedFor(request.remote_ip);
    if (blocked.count() > 0) {
      return Refusal{
          .status = 403,
          .code = "ip_blocked",
          .message = "too many attempts from this address were refused: try again later",
          .retry_after = static_cast<int>(std::chrono::ceil<std::chrono::seconds>(blocked).count()),
          .counter = &Counters::refused_blocked};
    }
  }
  *endpoint = Find(request.path);
  if (*endpoint == nullptr) {
    return Refusal{.status = 404,
                   .code = "unknown_endpoint",
                   .message = "there is no WebSocket endpoint at this path"};
  }
  // Before the token is verified: a node that is full or going away spends nothing on those it
  // sends elsewhere.
  if (gate_.shut()) {
    return Refusal{.status = 503,
                   .code = "shutting_down",
                   .message = "this node is going away: connect again"};
  }
  if (gate_.held()) {
    return Refusal{.status = 503,
                   .code = "control_pending",
                   .message = "this node does not know yet who is blocked: connect again",
                   .retry_after = 1,
                   .counter = &Counters::refused_pending};
  }
  if (!(*endpoint)->origins().Allows(request)) {
    return Refusal{.status = 403,
                   .code = "origin_not_allowed",
                   .message = "pages of this origin may not connect here",
                   .detail = std::string(request.Header("origin").substr(0, kMaxOriginLogged)),
                   .counter = &Counters::refused_origin};
  }
  if (limits_ != nullptr && !limits_->TakeHandshake(context.clock.Now())) {
    uint8_t random = 0;
    context.random(&random, 1);
    return Refusal{.status = 503,
                   .code = "too_many_handshakes",
                   .message = "too many clients connect at once: try again after a wait",
                   .retry_after = 1 + random % kLongestRetry,
                   .counter = &Counters::refused_rate};
  }
  place->node = gate_.Enter();
  if (!place->node) {
    return Refusal{.status = 503,
                   .code = "too_many_connections",
                   .message = "this node is full: try again later"};
  }
  if (limits_ == nullptr) return std::nullopt;
  std::optional<IpLimits::Place> ip = limits_->ips.Enter(request.remote_ip);
  if (!ip.has_value()) {
    return Refusal{.status = 429,
                   .code = "too_many_connections_of_ip",
                   .message = "this address has as many connections as it may have: close others",
                   .retry_after = kRetryAfterClosing,
                   .counter = &Counters::refused_ip};
  }
  place->ip = *std::move(ip);
  return std::nullopt;
}

bool EndpointAcceptor::Await(const Endpoint& endpoint, const http::Request& request,
                             SessionContext& context, ConnectionPlace* place,
                             std::optional<Refusal>* refusal, UpgradeDecision* decision) {
  const AuthOptions& auth = endpoint.options().auth;
  if (!auth.message || !TokenOf(auth, request).empty()) return false;
  AwaitedSession::Client client{.params = ParamsOf(endpoint, request),
                                .ip = request.remote_ip,
                                .place = std::move(*place),
                                .unauthenticated = {}};
  if (limits_ != nullptr) {
    client.unauthenticated = limits_->unauthenticated.Enter();
    if (!client.unauthenticated) {
      *refusal = Refusal{.status = 503,
                         .code = "too_many_unauthenticated",
                         .message =
                             "too many clients have yet to say who they are: try again "
                             "later, or connect with a token",
                         .counter = &SessionCounters::refused_unauthenticated};
      return true;
    }
  }
  decision->handler =
      std::make_unique<AwaitedSession>(context, endpoint, limits_, std::move(client));
  return true;
}

UpgradeDecision EndpointAcceptor::OnUpgrade(const http::Request& request, size_t worker) {
  SessionContext& context = *workers_[worker];
  const Endpoint* endpoint = nullptr;
  ConnectionPlace place;
  SessionIdentity identity;
  UpgradeDecision decision;
  std::optional<Refusal> refusal = CheckDoor(request, context, &endpoint, &place);
  const bool awaited =
      !refusal.has_value() && Await(*endpoint, request, context, &place, &refusal, &decision);
  if (!refusal.has_value() && !awaited) {
    refusal = CheckClient(*endpoint, TokenOf(endpoint->options().auth, request),
                          ParamsOf(*endpoint, request), request.remote_ip, context, limits_,
                          &identity, &place);
  }
  if (refusal.has_value()) {
    CountRefusal(*refusal, request.remote_ip, context, limits_);
    return Refuse(request, *refusal);
  }
  decision.deflate = endpoint->options().compression.Admits(request);
  const std::string_view protocol = endpoint->dialect().name();
  if (OffersSubprotocol(request, protocol)) decision.subprotocol = protocol;
  if (!awaited) {
    decision.handler =
        std::make_unique<Session>(context, *endpoint, std::move(identity), std::move(place));
  }
  return decision;
}

}  // namespace spillway::edge
