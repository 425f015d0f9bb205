#include "services/edge/session/endpoint_acceptor.h"

#include <chrono>
#include <memory>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "common/base/strings.h"
#include "common/log/log.h"
#include "services/edge/session/session.h"

namespace spillway::edge {
namespace {

constexpr size_t kMaxOriginLogged = 200;
// Seconds. Those who come all at once are told different times, so that they do not come back so.
constexpr int kLongestRetry = 5;
constexpr int kRetryAfterClosing = 5;

// Whether whoever tries for long enough might get in by such attempts. A token that has run out was
// a good one: it is no attempt at another's.
bool IsFailure(const Refusal& refusal) {
  return (refusal.status == 401 && refusal.code != "token_expired" &&
          refusal.code != "token_not_yet_valid") ||
         (refusal.status == 403 && refusal.code != "ip_blocked");
}

metrics::Counter& CounterOf(SessionCounters& counters, const Refusal& refusal) {
  if (refusal.counter != nullptr) return counters.*refusal.counter;
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

std::optional<Refusal> EndpointAcceptor::CheckClient(const Endpoint& endpoint,
                                                     const http::Request& request,
                                                     SessionContext& context,
                                                     SessionIdentity* identity,
                                                     ConnectionPlace* place) {
  Admission admission = Admit(endpoint, request);
  if (admission.token.has_value()) {
    context.counters.tokens[static_cast<size_t>(*admission.token)].Add();
  }
  if (admission.refusal.has_value()) return std::move(admission.refusal);
  *identity = std::move(admission.identity);
  if (limits_ == nullptr) return std::nullopt;
  std::optional<UserLimits::Place> user = limits_->users.Enter(identity->user_id);
  if (!user.has_value()) {
    return Refusal{.status = 429,
                   .code = "too_many_connections_of_user",
                   .message = "this user has as many connections as it may have: close others",
                   .retry_after = kRetryAfterClosing,
                   .counter = &SessionCounters::refused_user};
  }
  place->user = *std::move(user);
  return std::nullopt;
}

UpgradeDecision EndpointAcceptor::OnUpgrade(const http::Request& request, size_t worker) {
  SessionContext& context = *workers_[worker];
  const Endpoint* endpoint = nullptr;
  ConnectionPlace place;
  SessionIdentity identity;
  std::optional<Refusal> refusal = CheckDoor(request, context, &endpoint, &place);
  if (!refusal.has_value()) refusal = CheckClient(*endpoint, request, context, &identity, &place);
  if (refusal.has_value()) {
    if (limits_ != nullptr && IsFailure(*refusal)) limits_->ips.CountFailure(request.remote_ip);
    return Refuse(context, request, *refusal);
  }
  UpgradeDecision decision;
  decision.deflate = endpoint->options().compression.Admits(request);
  decision.handler =
      std::make_unique<Session>(context, *endpoint, std::move(identity), std::move(place));
  return decision;
}

}  // namespace spillway::edge
