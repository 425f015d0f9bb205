// Session: its token's end, and the one that takes its place.

#include <algorithm>
#include <chrono>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "services/edge/session/admission.h"
#include "services/edge/session/client_check.h"
#include "services/edge/session/session.h"

namespace spillway::edge {
namespace {

using std::chrono::milliseconds;

// The wall clock may be set: it is looked at this often.
constexpr std::chrono::hours kLongestWait{1};

}  // namespace

// A connection lives as long as a new one would be let in with its token: for the leeway after
// `exp`, too.
bool Session::CheckToken() {
  if (token_.expires_ms == SessionToken::kNever) return true;
  const AuthOptions& options = endpoint_.options().auth;
  const int64_t now = ToUnixMillis(context_.clock.WallNow());
  const int64_t end = token_.expires_ms + milliseconds(endpoint_.leeway()).count();
  if (now >= end) {
    context_.counters.token_expiries.Add();
    Close(kCloseTokenExpired.code, "the token has expired");
    return false;
  }
  if (!warned_ && options.expiry_warning.count() > 0 &&
      now >= token_.expires_ms - options.expiry_warning.count()) {
    warned_ = true;
    Send(endpoint_.dialect().EncodeExpiring(token_.expires_ms));
  }
  return true;
}

MonoTime Session::NextTokenCheck(MonoTime now) const {
  if (token_.expires_ms == SessionToken::kNever) return MonoTime::max();
  const AuthOptions& options = endpoint_.options().auth;
  const int64_t wall = ToUnixMillis(context_.clock.WallNow());
  int64_t next = token_.expires_ms + milliseconds(endpoint_.leeway()).count();
  if (!warned_ && options.expiry_warning.count() > 0) {
    next = token_.expires_ms - options.expiry_warning.count();
  }
  return now + std::clamp(milliseconds(next - wall), milliseconds(0), milliseconds(kLongestWait));
}

bool Session::CloseIfBlocked(const Blocks& blocks) {
  const auto denial = blocks.Check(SubjectOf(ip_, user_id_, token_));
  if (!denial.has_value() || !Close(denial->close.code, denial->code)) return false;
  context_.counters.block_closes.Add();
  return true;
}

bool Session::IsBlocked(const Blocks& blocks) const {
  return !closing_ && blocks.Check(SubjectOf(ip_, user_id_, token_)).has_value();
}

void Session::Refresh(const Command& command, MonoTime now) {
  if (!token_.given) {
    return RefuseRefresh(
        command.id,
        {.status = 403,
         .code = "token_other_user",
         .message = "this connection was made without a token: connect again with one"},
        now);
  }
  if (extra_ != nullptr && extra_->refreshing != nullptr) {
    return RefuseRefresh(command.id,
                         {.code = "refresh_under_way",
                          .message = "another token is being checked: wait for the answer"},
                         now);
  }
  Candidate candidate;
  std::optional<auth::JwtError> outcome;
  std::optional<Refusal> refusal = Examine(endpoint_, command.token, &candidate, &outcome);
  if (outcome.has_value()) context_.counters.tokens[static_cast<size_t>(*outcome)].Add();
  if (refusal.has_value()) return RefuseRefresh(command.id, *refusal, now);
  if (!AsksService(endpoint_, candidate)) {
    return Replace(command.id, std::move(candidate), nullptr, now);
  }
  auto wait = std::make_shared<AuthWait>([this](const AuthVerdict& verdict) {
    const std::unique_ptr<Refreshing> done = std::move(extra_->refreshing);
    OnAsked(done->id, std::move(done->candidate), verdict);
  });
  AuthQuestion question =
      QuestionOf(token_.request == nullptr ? KeptRequest() : *token_.request, ip_,
                 std::move(candidate.text), candidate.token.claims.sub(), correlation_id());
  const AuthVerdictRef known = context_.auth->Ask(std::move(question), context_.worker, wait);
  if (known != nullptr) return OnAsked(command.id, std::move(candidate), *known);
  if (extra_ == nullptr) extra_ = std::make_unique<Extra>();
  extra_->refreshing =
      std::make_unique<Refreshing>(Refreshing{.id = command.id, .candidate = std::move(candidate)});
  extra_->refreshing->ticket = AuthTicket(std::move(wait));
}

void Session::OnAsked(std::optional<int64_t> id, Candidate candidate, const AuthVerdict& verdict) {
  if (closing_) return;
  const MonoTime now = context_.clock.Now();
  if (const auto refusal = RefusalBy(verdict, endpoint_, context_)) {
    return RefuseRefresh(id, *refusal, now);
  }
  // Nobody says now whether the service's name of before and the token's are one user's.
  if (verdict.kind != AuthVerdict::Kind::kAllowed && candidate.token.claims.sub() != user_id_) {
    return RefuseRefresh(id, RefusalOf(verdict), now);
  }
  Replace(id, std::move(candidate),
          verdict.kind == AuthVerdict::Kind::kAllowed ? &verdict : nullptr, now);
}

void Session::RefuseRefresh(std::optional<int64_t> id, const Refusal& refusal, MonoTime now) {
  if (context_.events != nullptr) {
    context_.events->OnDenied(*this, "refresh_refused", refusal.code, {});
  }
  SendError(id, refusal.code, refusal.message);
  // Checking a signature costs far more than sending it does. What is missing here is not its
  // fault.
  if (refusal.status != 503) CountMisuse(now);
}

void Session::Replace(std::optional<int64_t> id, Candidate candidate, const AuthVerdict* verdict,
                      MonoTime now) {
  Admission fresh = AdmitAgain(endpoint_, std::move(candidate), verdict,
                               ToUnixMillis(context_.clock.WallNow()), user_id_, token_);
  if (fresh.refusal.has_value()) return RefuseRefresh(id, *fresh.refusal, now);
  if (context_.blocks != nullptr) {
    if (const auto denial =
            context_.blocks->Check(SubjectOf(ip_, user_id_, fresh.identity.token))) {
      const Refusal refusal = RefusalOf(*denial);
      (context_.counters.*refusal.counter).Add();
      if (context_.events != nullptr) {
        context_.events->OnDenied(*this, "refresh_refused", refusal.code, {});
      }
      return SendError(id, refusal.code, refusal.message);
    }
  }
  context_.counters.tokens_refreshed.Add();
  grants_ = std::move(fresh.identity.grants);
  token_.expires_ms = fresh.identity.token.expires_ms;
  token_.id = fresh.identity.token.id;
  token_.issued_us = fresh.identity.token.issued_us;
  warned_ = false;
  Send(endpoint_.dialect().EncodeRefreshed(id, token_.expires()));
  EndUnallowed(fresh.identity.channels);
  SetHeartbeat(now);
}

void Session::EndUnallowed(const std::vector<std::string>& own) {
  for (const std::string& channel : Channels()) {
    if (std::find(own.begin(), own.end(), channel) != own.end() ||
        endpoint_.policy().Check(channel, grants_).allowed) {
      continue;
    }
    const ChannelTraits* traits = context_.hub.TraitsOf(channel);
    SendError({}, "no_longer_allowed", "the new token does not allow the channel", channel, traits);
    End({}, channel);
  }
}

}  // namespace spillway::edge
