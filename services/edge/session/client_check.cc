#include "services/edge/session/client_check.h"

#include <chrono>
#include <memory>
#include <utility>

namespace spillway::edge {
namespace {

constexpr int kRetryAfterClosing = 5;  // seconds
// Those who could not be checked are told different times, so that they do not come back at once.
constexpr int kLongestRetry = 5;

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

AuthQuestion QuestionOf(const KeptRequest& request, std::string_view ip, std::string token,
                        std::string_view user, std::string_view correlation_id) {
  return {.token = std::move(token),
          .user = std::string(user),
          .path = request.path,
          .ip = std::string(ip),
          .origin = request.origin,
          .user_agent = request.user_agent,
          .params = request.params,
          .correlation_id = std::string(correlation_id)};
}

std::optional<Refusal> RefusalBy(const AuthVerdict& verdict, const Endpoint& endpoint,
                                 SessionContext& context) {
  using Kind = AuthVerdict::Kind;
  if (verdict.kind == Kind::kAllowed) return std::nullopt;
  // Not those that are too many: whoever brings many along would let himself in.
  if (verdict.kind == Kind::kUnavailable && endpoint.options().auth.accept_unchecked) {
    return std::nullopt;
  }
  Refusal refusal = RefusalOf(verdict);
  if (refusal.status == 503) {
    uint8_t random = 0;
    context.random(&random, 1);
    refusal.retry_after += 1 + random % kLongestRetry;
  }
  return refusal;
}

std::optional<Refusal> RefusalOfFailed(std::string_view ip, ConnectionLimits& limits) {
  const auto blocked = limits.ips.BlockedFor(ip);
  if (blocked.count() <= 0) return std::nullopt;
  return Refusal{
      .status = 403,
      .code = "ip_blocked",
      .message = "too many attempts from this address were refused: try again later",
      .retry_after = static_cast<int>(std::chrono::ceil<std::chrono::seconds>(blocked).count()),
      .counter = &SessionCounters::refused_blocked};
}

ClientCheck::ClientCheck(const Endpoint& endpoint, SessionContext& context,
                         ConnectionLimits* limits, ConnectionPlace its_place, ClientRequest request)
    : place(std::move(its_place)),
      endpoint_(endpoint),
      context_(context),
      limits_(limits),
      candidate_{.request = std::move(request)},
      ip_(candidate_.request.ip),
      redirected_(candidate_.request.redirected) {}

ClientCheck::~ClientCheck() {
  if (decided_ == nullptr) return;
  ticket_.Leave([&context = context_, limits = limits_, ip = ip_,
                 endpoint = endpoint_.options().path,
                 user = candidate_.token.claims.sub()](const AuthVerdict& verdict) {
    CountRefusal(RefusalOf(verdict), {.ip = ip, .endpoint = endpoint, .user_id = user}, context,
                 limits);
  });
}

bool ClientCheck::Begin(std::string_view token, std::string_view correlation_id,
                        std::function<void()> decided) {
  std::optional<auth::JwtError> outcome;
  refusal = Examine(endpoint_, token, &candidate_, &outcome);
  if (outcome.has_value()) context_.counters.tokens[static_cast<size_t>(*outcome)].Add();
  if (refusal.has_value()) return true;
  if (!AsksService(endpoint_, candidate_)) {
    Finish(nullptr);
    return true;
  }
  const std::string& user = candidate_.token.claims.sub();
  // Nobody is asked about who is kept out in any case.
  if (limits_ != nullptr) {
    const SessionToken verified = VerifiedToken(endpoint_, candidate_);
    if (const auto denial = limits_->blocks.Check(SubjectOf(ip_, user, verified))) {
      refusal = RefusalOf(*denial);
      return true;
    }
  }
  auto wait = std::make_shared<AuthWait>([this](const AuthVerdict& verdict) {
    Finish(&verdict);
    // The last that is done here: whoever is told may end this.
    const std::function<void()> told = std::exchange(decided_, nullptr);
    told();
  });
  const AuthVerdictRef known = context_.auth->Ask(
      QuestionOf(candidate_.request.kept, ip_, std::move(candidate_.text), user, correlation_id),
      context_.worker, wait);
  if (known != nullptr) {
    Finish(known.get());
    return true;
  }
  decided_ = std::move(decided);
  ticket_ = AuthTicket(std::move(wait));
  return false;
}

void ClientCheck::Finish(const AuthVerdict* verdict) {
  if (verdict != nullptr) {
    refusal = RefusalBy(*verdict, endpoint_, context_);
    if (refusal.has_value()) {
      identity.user_id = candidate_.token.claims.sub();  // for those who read of it
      return;
    }
    if (verdict->kind != AuthVerdict::Kind::kAllowed) verdict = nullptr;
  }
  // By its token's name; below by that which the service gave it.
  if (verdict != nullptr && limits_ != nullptr) {
    const SessionToken verified = VerifiedToken(endpoint_, candidate_);
    if (const auto denial =
            limits_->blocks.Check(SubjectOf(ip_, candidate_.token.claims.sub(), verified))) {
      refusal = RefusalOf(*denial);
      return;
    }
  }
  Admission admission =
      Admit(endpoint_, std::move(candidate_), verdict, ToUnixMillis(context_.clock.WallNow()));
  refusal = std::move(admission.refusal);
  if (refusal.has_value()) return;
  identity = std::move(admission.identity);
  if (limits_ == nullptr) return;
  // Others from there may have failed meanwhile: many at once are no way to try more.
  if (ticket_) refusal = RefusalOfFailed(ip_, *limits_);
  if (!refusal.has_value()) TakePlace();
}

void ClientCheck::TakePlace() {
  if (const auto denial =
          limits_->blocks.Check(SubjectOf(identity.ip, identity.user_id, identity.token))) {
    refusal = RefusalOf(*denial);
    return;
  }
  std::optional<UserLimits::Place> user = limits_->users.Enter(identity.user_id);
  if (!user.has_value()) {
    refusal = Refusal{.status = 429,
                      .code = "too_many_connections_of_user",
                      .message = "this user has as many connections as it may have: close others",
                      .retry_after = kRetryAfterClosing,
                      .counter = &SessionCounters::refused_user};
    return;
  }
  place.user = *std::move(user);
}

void CountRefusal(const Refusal& refusal, const RefusedClient& client, SessionContext& context,
                  ConnectionLimits* limits) {
  CounterOf(context.counters, refusal).Add();
  if (context.events != nullptr) context.events->OnRefused(refusal.code, client);
  if (limits == nullptr || !IsFailure(refusal) || !limits->ips.CountFailure(client.ip)) return;
  if (context.events != nullptr) context.events->OnAddressBlocked(client);
}

}  // namespace spillway::edge
