#include "services/edge/session/client_check.h"

#include <utility>

namespace spillway::edge {
namespace {

constexpr int kRetryAfterClosing = 5;  // seconds

// Whether whoever tries for long enough might get in by such attempts. A token that has run out was
// a good one, as was one that is revoked or its user's who is blocked: no attempt at another's. Nor
// is what a page of another origin does the fault of the user whose browser it is in: it could have
// the user blocked.
bool IsFailure(const Refusal& refusal) {
  return (refusal.status == 401 && refusal.code != "token_expired" &&
          refusal.code != "token_not_yet_valid" && refusal.code != "token_revoked") ||
         (refusal.status == 403 && refusal.code != "ip_blocked" && refusal.code != "user_blocked" &&
          refusal.code != "origin_not_allowed");
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

}  // namespace

std::optional<Refusal> CheckClient(const Endpoint& endpoint, std::string_view token,
                                   ParamValues params, std::string_view ip, SessionContext& context,
                                   ConnectionLimits* limits, SessionIdentity* identity,
                                   ConnectionPlace* place) {
  Admission admission = Admit(endpoint, token, std::move(params), ip);
  if (admission.token.has_value()) {
    context.counters.tokens[static_cast<size_t>(*admission.token)].Add();
  }
  if (admission.refusal.has_value()) return std::move(admission.refusal);
  *identity = std::move(admission.identity);
  if (limits == nullptr) return std::nullopt;
  if (const auto denial = limits->blocks.Check(SubjectOf(ip, identity->user_id, identity->token))) {
    return RefusalOf(*denial);
  }
  std::optional<UserLimits::Place> user = limits->users.Enter(identity->user_id);
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

void CountRefusal(const Refusal& refusal, const std::string& ip, SessionContext& context,
                  ConnectionLimits* limits) {
  CounterOf(context.counters, refusal).Add();
  if (context.events != nullptr) context.events->OnRefused(refusal.code, ip);
  if (limits != nullptr && IsFailure(refusal)) limits->ips.CountFailure(ip);
}

}  // namespace spillway::edge
