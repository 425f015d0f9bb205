// Session: its token's end, and the one that takes its place.

#include <algorithm>
#include <chrono>
#include <string>
#include <utility>
#include <vector>

#include "services/edge/session/admission.h"
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
  const int64_t end = token_.expires_ms + milliseconds(endpoint_.verifier()->leeway()).count();
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
  int64_t next = token_.expires_ms + milliseconds(endpoint_.verifier()->leeway()).count();
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
  Admission fresh = AdmitAgain(endpoint_, command.token, user_id_, token_);
  if (fresh.token.has_value()) {
    context_.counters.tokens[static_cast<size_t>(*fresh.token)].Add();
  }
  if (fresh.refusal.has_value()) {
    SendError(command.id, fresh.refusal->code, fresh.refusal->message);
    // Checking a signature costs far more than sending it does. Missing keys are not its fault.
    if (fresh.refusal->status != 503) CountMisuse(now);
    return;
  }
  if (context_.blocks != nullptr) {
    if (const auto denial =
            context_.blocks->Check(SubjectOf(ip_, user_id_, fresh.identity.token))) {
      const Refusal refusal = RefusalOf(*denial);
      (context_.counters.*refusal.counter).Add();
      return SendError(command.id, refusal.code, refusal.message);
    }
  }
  context_.counters.tokens_refreshed.Add();
  grants_ = std::move(fresh.identity.grants);
  token_.expires_ms = fresh.identity.token.expires_ms;
  token_.id = fresh.identity.token.id;
  token_.issued_us = fresh.identity.token.issued_us;
  warned_ = false;
  Send(endpoint_.dialect().EncodeRefreshed(command.id, token_.expires()));
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
