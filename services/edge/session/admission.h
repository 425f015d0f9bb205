#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "common/auth/jwt.h"
#include "common/http/http_types.h"
#include "services/edge/session/blocks.h"
#include "services/edge/session/endpoint.h"
#include "services/edge/session/session_counters.h"

namespace spillway::edge {

// The parameters that an endpoint knows, of query and path, as the client gave them.
using ParamValues = std::vector<std::pair<std::string, std::string>>;

// What a session keeps of its token: small, since every session has one.
struct SessionToken {
  static constexpr int64_t kNever = INT64_MAX;

  int64_t expires_ms = kNever;  // Unix, as the token says; never: the session outlives it
  std::unique_ptr<const ParamValues> params = nullptr;  // null: the endpoint knows none
  uint64_t id = 0;                                      // Blocks::TokenId(): of `jti`
  int64_t issued_us = BlockSubject::kNotSaid;           // `iat`
  uint32_t issuer = 0;
  bool given = false;  // false: the client is anonymous

  // For clients.
  std::optional<int64_t> expires() const {
    return expires_ms == kNever ? std::nullopt : std::optional(expires_ms);
  }
};

// What a session keeps of the client that was let in.
struct SessionIdentity {
  std::string user_id;  // the token's `sub`; empty: anonymous
  std::string ip;
  SessionToken token;
  ChannelPolicy::Grants grants;
  std::vector<std::string> channels;  // subscribed to on connect
};

// Why an upgrade is refused.
struct Refusal {
  int status = 400;
  std::string_view code = {};  // stable (docs/protocol-json.md)
  std::string message = {};
  std::string detail = {};  // for the log
  int retry_after = 0;      // seconds; 0: 5 with a 503, else not said
  // What it counts as; null: by the status.
  metrics::Counter SessionCounters::*counter = nullptr;
  // Of a client that sent its token as a message; null: by the status.
  const CloseCode* close = nullptr;

  http::Response ToResponse() const;
};

// As blocks and revocations see it. Refers to what it is given.
inline BlockSubject SubjectOf(std::string_view ip, std::string_view user_id,
                              const SessionToken& token) {
  return {.ip = ip,
          .user_id = user_id,
          .token = token.given,
          .token_id = token.id,
          .issued_us = token.issued_us};
}

// Of one who is kept out by an operator.
Refusal RefusalOf(const Blocks::Denial& denial);

struct Admission {
  std::optional<Refusal> refusal;
  std::optional<auth::JwtError> token;  // what became of the token, where one was looked at
  SessionIdentity identity;             // without a refusal
};

// The parameters of an upgrade request that `endpoint` knows, in the order of its options.
ParamValues ParamsOf(const Endpoint& endpoint, const http::Request& request);

// Checks token and parameters of a client of `endpoint`. Any thread.
Admission Admit(const Endpoint& endpoint, std::string_view token, ParamValues params,
                std::string_view ip);

// Checks a token that is to take the place of a session's: of the same user, by the same issuer,
// for the same parameters. Its identity has the grants and the channels of the new token, and the
// token without parameters. Any thread.
Admission AdmitAgain(const Endpoint& endpoint, std::string_view token, std::string_view user_id,
                     const SessionToken& before);

}  // namespace spillway::edge
