#include "services/edge/session/admission.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/base/json_text.h"
#include "common/base/strings.h"
#include "common/channel/channel_name.h"
#include "services/edge/session/token_grants.h"

namespace spillway::edge {
namespace {

constexpr size_t kMaxParamBytes = kMaxChannelBytes;
// Of what a service is told of a client, which is kept as long as its connection.
constexpr size_t kMaxKeptPath = 1024;
constexpr size_t kMaxKeptHeader = 512;

Admission Refuse(int status, std::string_view code, std::string message, std::string detail = {}) {
  Admission admission;
  admission.refusal = Refusal{
      .status = status, .code = code, .message = std::move(message), .detail = std::move(detail)};
  return admission;
}

// What a token of any form is made of: nothing that is told apart by its ends or in a line.
bool IsTokenCharacter(char c) { return c > ' ' && c < 0x7F; }

// Whether the claim grants the value; nothing if there is no claim.
std::optional<bool> Granted(const auth::Claims* claims, const std::string& name,
                            std::string_view value) {
  const auth::Claim* claim = claims == nullptr ? nullptr : claims->Find(name);
  if (claim == nullptr || claim->type == auth::Claim::Type::kNull) return std::nullopt;
  const std::vector<std::string> granted = claim->AsList();
  return std::find(granted.begin(), granted.end(), value) != granted.end();
}

// What the token says beside its claims' values.
std::optional<Admission> ReadToken(const Endpoint& endpoint, ClientValues* client) {
  const AuthOptions& auth = endpoint.options().auth;
  if (endpoint.policy().looks_at_roles()) {
    client->roles = RolesOf(*client->claims, auth.roles_claim);
  }
  if (!endpoint.policy().looks_at_tokens_list()) return std::nullopt;
  auto granted = GrantedChannels(*client->claims, auth.channels_claim);
  if (!granted.ok()) {
    return Refuse(403, "claim_invalid",
                  absl::StrCat("the token's claim '", auth.channels_claim,
                               "' is not a list of channels: ", granted.status().message()));
  }
  client->granted = std::move(granted->subscribe);
  client->granted_publish = std::move(granted->publish);
  return std::nullopt;
}

// Checks one parameter; the refusal if it is not as it must be.
std::optional<Admission> CheckParam(const ParamOptions& param, std::string_view value,
                                    const auth::Claims* claims) {
  if (value.empty()) {
    if (!param.required) return std::nullopt;
    return Refuse(400, "param_missing",
                  absl::StrCat("the parameter '", param.name, "' is missing"));
  }
  if (value.size() > kMaxParamBytes) {
    return Refuse(400, "param_invalid",
                  absl::StrCat("the parameter '", param.name, "' is too long"));
  }
  if (!param.claim.empty()) {
    const std::optional<bool> granted = Granted(claims, param.claim, value);
    if (granted.has_value() && !*granted) {
      return Refuse(403, "param_not_allowed",
                    absl::StrCat("the token is not for this '", param.name, "'"));
    }
    if (granted.has_value()) return std::nullopt;
    if (!param.allow_ungranted) {
      return Refuse(403, "claim_missing",
                    absl::StrCat("the token has no claim '", param.claim,
                                 "', which must grant the '", param.name, "'"));
    }
  }
  if (!IsChannelSegment(value)) {
    return Refuse(
        400, "param_invalid",
        absl::StrCat("the parameter '", param.name,
                     "' must be one segment of a channel's name: no '.', ':', '/' or '*'"));
  }
  return std::nullopt;
}

}  // namespace

http::Response Refusal::ToResponse() const {
  http::Response response;
  response.status = status;
  response.content_type = "application/json";
  response.body = absl::StrCat("{\"error\":{\"code\":", JsonString(code),
                               ",\"message\":", JsonString(message), "}}\n");
  response.headers.emplace_back("Cache-Control", "no-store");
  // RFC 9110, section 11.6.1: a 401 says how to authenticate.
  if (status == 401) response.headers.emplace_back("WWW-Authenticate", "Bearer");
  if (const int seconds = retry_after == 0 && status == 503 ? 5 : retry_after; seconds > 0) {
    response.headers.emplace_back("Retry-After", absl::StrCat(seconds));
  }
  return response;
}

Refusal RefusalOf(const Blocks::Denial& denial) {
  using Counters = SessionCounters;
  // At most a day: the block may be lifted before it ends.
  const auto left = std::min<std::chrono::milliseconds>(denial.left, std::chrono::hours(24));
  Refusal refusal{
      .status = 403,
      .code = denial.code,
      .message = "this address is blocked",
      .retry_after = static_cast<int>(std::chrono::ceil<std::chrono::seconds>(left).count()),
      .counter = &Counters::refused_blocked,
      .close = &kCloseBlocked};
  if (denial.kind == Blocks::Kind::kUser) {
    refusal.message = "this user is blocked";
    refusal.counter = &Counters::refused_user_blocked;
  } else if (denial.kind == Blocks::Kind::kToken) {
    refusal.status = 401;
    refusal.message = "the token was revoked: get a new one";
    refusal.retry_after = 0;
    refusal.counter = &Counters::refused_revoked;
    refusal.close = &kCloseTokenRevoked;
  }
  return refusal;
}

Refusal RefusalOf(const AuthVerdict& verdict) {
  if (verdict.kind == AuthVerdict::Kind::kRefused) {
    return {.status = verdict.status,
            .code = "auth_refused",
            .message = "this client may not connect: get another token",
            .detail = verdict.reason,
            .counter = &SessionCounters::refused_by_service};
  }
  Refusal refusal{.status = 503,
                  .code = "auth_service_unavailable",
                  .message = "whether this client may connect could not be found out: try again",
                  .retry_after = static_cast<int>(
                      std::chrono::ceil<std::chrono::seconds>(verdict.retry_after).count()),
                  .counter = &SessionCounters::refused_unchecked};
  if (verdict.kind == AuthVerdict::Kind::kBusy) {
    refusal.code = "auth_service_busy";
    refusal.message = "too many clients connect at once: try again after a wait";
  }
  return refusal;
}

std::optional<Refusal> Examine(const Endpoint& endpoint, std::string_view token,
                               Candidate* candidate, std::optional<auth::JwtError>* outcome) {
  const AuthOptions& auth = endpoint.options().auth;
  candidate->given = endpoint.takes_tokens() && (auth.required || !token.empty());
  if (!candidate->given) return std::nullopt;
  auth::JwtResult& result = candidate->token;
  if (endpoint.verifier() != nullptr) {
    result = endpoint.verifier()->Verify(token);
    *outcome = result.error;
  } else if (token.empty()) {
    result.error = auth::JwtError::kMissing;
  } else if (token.size() > auth::JwtVerifier::kMaxTokenBytes ||
             !std::all_of(token.begin(), token.end(), IsTokenCharacter)) {
    result.error = auth::JwtError::kMalformed;
  }
  if (result.ok()) {
    if (auth.service != AuthServiceUse::kOff) candidate->text = token;
    return std::nullopt;
  }
  return Refusal{// Without keys the token may be good, and nothing is wrong with the client.
                 .status = result.error == auth::JwtError::kKeysUnavailable ? 503 : 401,
                 .code = auth::JwtErrorCode(result.error),
                 .message = std::string(auth::JwtErrorMessage(result.error)),
                 .detail = std::move(result.detail),
                 .counter = &SessionCounters::refused_token};
}

bool AsksService(const Endpoint& endpoint, const Candidate& candidate) {
  const AuthOptions& auth = endpoint.options().auth;
  return auth.service != AuthServiceUse::kOff && (candidate.given || auth.service_anonymous);
}

namespace {

// What is known of a client by its token and by the service; null: nothing, it is anonymous.
std::optional<auth::Claims> ClaimsOf(Candidate* candidate, const AuthVerdict* verdict) {
  std::optional<auth::Claims> claims;
  if (candidate->given) claims = std::move(candidate->token.claims);
  if (verdict == nullptr) return claims;
  if (verdict->claims.has_value()) {
    if (claims.has_value() && !claims->all().empty()) {
      claims->Overlay(*verdict->claims);
    } else {
      claims = *verdict->claims;
    }
  }
  if (verdict->user.has_value()) {
    if (!claims.has_value()) claims.emplace();
    claims->SetSub(*verdict->user);
  }
  return claims;
}

SessionToken Kept(const Endpoint& endpoint, const Candidate& candidate, const auth::Claims* claims,
                  const AuthVerdict* verdict) {
  SessionToken kept;
  kept.given = candidate.given;
  const bool ends = endpoint.options().auth.end_at_expiry;
  if (ends && verdict != nullptr) kept.expires_ms = verdict->expires_ms;
  if (claims == nullptr) return kept;
  kept.issuer = static_cast<uint32_t>(candidate.token.issuer);
  kept.id = Blocks::TokenId(claims->jti());
  if (const auto iat = claims->iat(); iat.has_value() && std::abs(*iat) < auth::kLatestSeconds) {
    kept.issued_us = static_cast<int64_t>(*iat * 1e6);
  }
  const std::optional<double> exp = claims->exp();
  if (ends && exp.has_value() && *exp < auth::kLatestSeconds) {
    kept.expires_ms = std::min(kept.expires_ms, static_cast<int64_t>(*exp * 1000));
  }
  return kept;
}

// All that depends on what is known of a client, and on parameters.
Admission AdmitClient(const Endpoint& endpoint, const auth::Claims* claims,
                      const ParamValues& params, const LabelRules::Inputs& labels = {}) {
  Admission admission;
  ClientValues client;
  SessionIdentity& identity = admission.identity;
  if (claims != nullptr) {
    client.claims = claims;
    if (auto refused = ReadToken(endpoint, &client)) return *std::move(refused);
    identity.user_id = claims->sub();
  }
  for (size_t i = 0; i < params.size(); ++i) {
    const auto& [name, value] = params[i];
    if (auto refused = CheckParam(endpoint.options().params[i], value, client.claims)) {
      return *std::move(refused);
    }
    client.params.emplace_back(name, value);
  }
  for (const ChannelTemplate& channel : endpoint.subscribe()) {
    bool unfit = false;
    for (std::string& name : channel.Expand(client, &unfit)) {
      unfit = unfit || !IsValidChannelName(name);
      if (std::find(identity.channels.begin(), identity.channels.end(), name) ==
          identity.channels.end()) {
        identity.channels.push_back(std::move(name));
      }
    }
    if (unfit) {
      return Refuse(400, "param_invalid",
                    absl::StrCat("'", channel.text(), "' is no valid channel for this client"));
    }
  }
  identity.labels = endpoint.labels().Expand(client, labels);
  if (endpoint.affinity().has_value()) {
    std::vector<std::string> keys = endpoint.affinity()->Expand(client);
    // Of a claim that is a list the least, in whatever order the token has them.
    const auto least = std::min_element(keys.begin(), keys.end());
    if (least != keys.end()) identity.affinity = std::move(*least);
  }
  identity.grants = endpoint.policy().GrantsOf(std::move(client));
  return admission;
}

}  // namespace

ParamValues ParamsOf(const Endpoint& endpoint, const http::Request& request) {
  ParamValues params;
  if (endpoint.options().params.empty()) return params;
  const http::PathTemplate::Values in_path =
      endpoint.path().Match(request.path).value_or(http::PathTemplate::Values());
  for (const ParamOptions& param : endpoint.options().params) {
    // Never of the query when it is one of the path's.
    std::string_view value;
    if (param.in_path) {
      for (const auto& [name, given] : in_path) value = name == param.name ? given : value;
    } else {
      value = request.Query(param.name);
    }
    params.emplace_back(param.name, value);
  }
  return params;
}

ClientRequest ClientRequestOf(const Endpoint& endpoint, const http::Request& request) {
  KeptRequest kept{.params = ParamsOf(endpoint, request)};
  if (endpoint.options().auth.service != AuthServiceUse::kOff) {
    kept.path = std::string_view(request.path).substr(0, kMaxKeptPath);
    kept.origin = request.Header("origin").substr(0, kMaxKeptHeader);
    kept.user_agent = request.Header("user-agent").substr(0, kMaxKeptHeader);
  }
  return {
      .kept = std::move(kept),
      .ip = request.remote_ip,
      .labels = endpoint.labels().InputsOf(request),
      .redirected = std::any_of(request.query.begin(), request.query.end(), [&](const auto& one) {
        return one.first == endpoint.options().affinity_param;
      })};
}

SessionToken VerifiedToken(const Endpoint& endpoint, const Candidate& candidate) {
  const bool verified = candidate.given && endpoint.verifier() != nullptr;
  return verified ? Kept(endpoint, candidate, &candidate.token.claims, nullptr) : SessionToken();
}

namespace {

// The service may say of a token that it has ended, as nobody else does.
bool HasEnded(const Endpoint& endpoint, const AuthVerdict* verdict, int64_t now_ms) {
  return verdict != nullptr && verdict->expires_ms != AuthVerdict::kNever &&
         now_ms >= verdict->expires_ms + std::chrono::milliseconds(endpoint.leeway()).count();
}

Admission RefuseEnded() {
  Admission refused = Refuse(401, auth::JwtErrorCode(auth::JwtError::kExpired),
                             std::string(auth::JwtErrorMessage(auth::JwtError::kExpired)));
  refused.refusal->counter = &SessionCounters::refused_token;
  return refused;
}

}  // namespace

Admission Admit(const Endpoint& endpoint, Candidate candidate, const AuthVerdict* verdict,
                int64_t now_ms) {
  if (HasEnded(endpoint, verdict, now_ms)) return RefuseEnded();
  ClientRequest& request = candidate.request;
  const std::optional<auth::Claims> known = ClaimsOf(&candidate, verdict);
  const auth::Claims* claims = known.has_value() ? &*known : nullptr;
  Admission admission = AdmitClient(endpoint, claims, request.kept.params, request.labels);
  if (admission.refusal.has_value()) return admission;
  SessionIdentity& identity = admission.identity;
  identity.token = Kept(endpoint, candidate, claims, verdict);
  if (candidate.given &&
      (!request.kept.params.empty() || endpoint.options().auth.service != AuthServiceUse::kOff)) {
    identity.token.request = std::make_unique<const KeptRequest>(std::move(request.kept));
  }
  identity.ip = std::move(request.ip);
  return admission;
}

Admission AdmitAgain(const Endpoint& endpoint, Candidate candidate, const AuthVerdict* verdict,
                     int64_t now_ms, std::string_view user_id, const SessionToken& before) {
  if (HasEnded(endpoint, verdict, now_ms)) return RefuseEnded();
  const std::optional<auth::Claims> known = ClaimsOf(&candidate, verdict);
  if (!known.has_value() || known->sub() != user_id || candidate.token.issuer != before.issuer) {
    return Refuse(403, "token_other_user",
                  "the token is another user's or issuer's than the connection's");
  }
  Admission admission = AdmitClient(
      endpoint, &*known, before.request == nullptr ? ParamValues() : before.request->params);
  admission.identity.token = Kept(endpoint, candidate, &*known, verdict);
  return admission;
}

}  // namespace spillway::edge
