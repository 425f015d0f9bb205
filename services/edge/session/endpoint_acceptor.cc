#include "services/edge/session/endpoint_acceptor.h"

#include <chrono>
#include <memory>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "common/base/correlation_id.h"
#include "common/base/strings.h"
#include "services/edge/session/awaited_session.h"
#include "services/edge/session/client_check.h"
#include "services/edge/session/endpoint_upgrade.h"
#include "services/edge/session/token_source.h"

namespace spillway::edge {
namespace {

constexpr size_t kMaxOriginLogged = 200;
// Seconds. Those who come all at once are told different times, so that they do not come back so.
constexpr int kLongestRetry = 5;
constexpr int kRetryAfterClosing = 5;

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
    for (const SessionContext* context : acceptor->workers_) {
      if (endpoint->options().auth.service != AuthServiceUse::kOff && context->auth == nullptr) {
        return absl::InvalidArgumentError(
            absl::StrCat("endpoint '", path, "': auth.service: there is no service to ask"));
      }
    }
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
    if (auto refusal = RefusalOfFailed(request.remote_ip, *limits_)) return refusal;
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
                   .message = "this node is going away: connect again",
                   .counter = &Counters::refused_shut};
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
  AwaitedSession::Client client{.request = ClientRequestOf(endpoint, request),
                                .place = std::move(*place),
                                .unauthenticated = {},
                                .correlation_id = decision->correlation_id};
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
  auto session = std::make_unique<AwaitedSession>(context, endpoint, limits_, std::move(client));
  decision->correlation_id = std::string(session->correlation_id());
  decision->handler = std::move(session);
  return true;
}

UpgradeDecision EndpointAcceptor::OnUpgrade(const http::Request& request, size_t worker) {
  SessionContext& context = *workers_[worker];
  const Endpoint* endpoint = nullptr;
  ConnectionPlace place;
  UpgradeDecision decision;
  decision.correlation_id = std::string(
      GivenCorrelationId([&request](std::string_view name) { return request.Header(name); }));
  std::optional<Refusal> refusal = CheckDoor(request, context, &endpoint, &place);
  const bool awaited =
      !refusal.has_value() && Await(*endpoint, request, context, &place, &refusal, &decision);
  if (refusal.has_value()) {
    std::string& correlation_id = decision.correlation_id;
    if (correlation_id.empty()) correlation_id = TextOf(NewConnectionId(context.random));
    // A path that no endpoint has is anything that somebody made up: it is not shown.
    CountRefusal(*refusal,
                 {.ip = request.remote_ip,
                  .endpoint = endpoint == nullptr ? std::string_view() : endpoint->options().path,
                  .user_id = {},
                  .correlation_id = correlation_id},
                 context, limits_);
    return RefuseUpgrade(*refusal, request.path, request.remote_ip, std::move(correlation_id));
  }
  decision.deflate = endpoint->options().compression.Admits(request);
  const std::string_view protocol = endpoint->dialect().name();
  if (OffersSubprotocol(request, protocol)) decision.subprotocol = protocol;
  if (awaited) return decision;
  auto upgrade = std::make_unique<EndpointUpgrade>(*endpoint, context, gate_, limits_,
                                                   std::move(place), request, std::move(decision));
  if (upgrade->Begin(TokenOf(endpoint->options().auth, request))) return upgrade->Take();
  UpgradeDecision later;
  later.deflate = upgrade->known().deflate;
  later.pending = std::move(upgrade);
  return later;
}

}  // namespace spillway::edge
