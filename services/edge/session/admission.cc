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
// The year 9999 is about to end: later ones do not fit everywhere.
constexpr double kLatestSeconds = 253'402'300'799;

Admission Refuse(int status, std::string_view code, std::string message, std::string detail = {}) {
  Admission admission;
  admission.refusal = Refusal{
      .status = status, .code = code, .message = std::move(message), .detail = std::move(detail)};
  return admission;
}

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
  client->granted = *std::move(granted);
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

namespace {

// Verifies the token; the refusal if it is not good.
std::optional<Admission> CheckToken(const Endpoint& endpoint, std::string_view text,
                                    auth::JwtResult* token) {
  *token = endpoint.verifier()->Verify(text);
  if (token->ok()) return std::nullopt;
  // Without keys the token may be good, and nothing is wrong with the client.
  const int status = token->error == auth::JwtError::kKeysUnavailable ? 503 : 401;
  Admission refused = Refuse(status, auth::JwtErrorCode(token->error),
                             std::string(auth::JwtErrorMessage(token->error)), token->detail);
  refused.token = token->error;
  refused.refusal->counter = &SessionCounters::refused_token;
  return refused;
}

SessionToken Kept(const Endpoint& endpoint, const auth::JwtResult& token) {
  SessionToken kept;
  kept.given = true;
  kept.issuer = static_cast<uint32_t>(token.issuer);
  kept.id = Blocks::TokenId(token.claims.jti());
  if (const auto iat = token.claims.iat(); iat.has_value() && std::abs(*iat) < kLatestSeconds) {
    kept.issued_us = static_cast<int64_t>(*iat * 1e6);
  }
  const std::optional<double> exp = token.claims.exp();
  if (endpoint.options().auth.end_at_expiry && exp.has_value() && *exp < kLatestSeconds) {
    kept.expires_ms = static_cast<int64_t>(*exp * 1000);
  }
  return kept;
}

// All that depends on a verified token, if there is one, and on parameters.
Admission AdmitClient(const Endpoint& endpoint, const auth::JwtResult* token,
                      const ParamValues& params) {
  Admission admission;
  ClientValues client;
  SessionIdentity& identity = admission.identity;
  if (token != nullptr) {
    client.claims = &token->claims;
    if (auto refused = ReadToken(endpoint, &client)) return *std::move(refused);
    identity.user_id = token->claims.sub();
    identity.token = Kept(endpoint, *token);
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
  identity.grants = endpoint.policy().GrantsOf(std::move(client));
  return admission;
}

}  // namespace

ParamValues ParamsOf(const Endpoint& endpoint, const http::Request& request) {
  ParamValues params;
  if (endpoint.options().params.empty()) return params;
  const EndpointPath::Values in_path =
      endpoint.path().Match(request.path).value_or(EndpointPath::Values());
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

Admission Admit(const Endpoint& endpoint, std::string_view token, ParamValues params,
                std::string_view ip) {
  auth::JwtResult verified;
  // Without a verifier no token can be told from another: everyone is anonymous.
  const bool given =
      endpoint.verifier() != nullptr && (endpoint.options().auth.required || !token.empty());
  if (given) {
    if (auto refused = CheckToken(endpoint, token, &verified)) return *std::move(refused);
  }
  Admission admission = AdmitClient(endpoint, given ? &verified : nullptr, params);
  if (given) admission.token = verified.error;
  SessionIdentity& identity = admission.identity;
  if (given && !params.empty()) {
    identity.token.params = std::make_unique<const ParamValues>(std::move(params));
  }
  identity.ip = ip;
  return admission;
}

Admission AdmitAgain(const Endpoint& endpoint, std::string_view token, std::string_view user_id,
                     const SessionToken& before) {
  if (!before.given) {
    return Refuse(403, "token_other_user",
                  "this connection was made without a token: connect again with one");
  }
  auth::JwtResult verified;
  if (auto refused = CheckToken(endpoint, token, &verified)) return *std::move(refused);
  Admission admission;
  if (verified.claims.sub() != user_id || verified.issuer != before.issuer) {
    admission = Refuse(403, "token_other_user",
                       "the token is another user's or issuer's than the connection's");
  } else {
    admission =
        AdmitClient(endpoint, &verified, before.params == nullptr ? ParamValues() : *before.params);
  }
  admission.token = verified.error;
  return admission;
}

}  // namespace spillway::edge
