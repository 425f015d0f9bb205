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
#include "services/edge/session/auth_service.h"
#include "services/edge/session/blocks.h"
#include "services/edge/session/connection_id.h"
#include "services/edge/session/endpoint.h"
#include "services/edge/session/labels.h"
#include "services/edge/session/session_counters.h"

namespace spillway::edge {

// The parameters that an endpoint knows, of query and path, as the client gave them.
using ParamValues = std::vector<std::pair<std::string, std::string>>;

// What a session keeps of its request, to have another token checked.
struct KeptRequest {
  ParamValues params;
  // For endpoints whose clients a service is asked about.
  std::string path = {};
  std::string origin = {};
  std::string user_agent = {};
};

// What a session keeps of its token: small, since every session has one.
struct SessionToken {
  static constexpr int64_t kNever = INT64_MAX;

  int64_t expires_ms = kNever;  // Unix, as the token says; never: the session outlives it
  std::unique_ptr<const KeptRequest> request = nullptr;  // null: there is nothing to keep
  uint64_t id = 0;                                       // Blocks::TokenId(): of `jti`
  int64_t issued_us = BlockSubject::kNotSaid;            // `iat`
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
  std::string correlation_id = {};    // that the client gave; empty: the connection's id will do
  ConnectionId id = {};               // all 0: one is made
  LabelList labels = {};
  std::string affinity = {};  // what it belongs with; empty: it belongs nowhere
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

// Of one whom the service does not let in.
Refusal RefusalOf(const AuthVerdict& verdict);

// Of one who is kept out by an operator.
Refusal RefusalOf(const Blocks::Denial& denial);

struct Admission {
  std::optional<Refusal> refusal;
  SessionIdentity identity;  // without a refusal
};

// The parameters of an upgrade request that `endpoint` knows, in the order of its options.
ParamValues ParamsOf(const Endpoint& endpoint, const http::Request& request);

// What an upgrade request says of its client.
struct ClientRequest {
  KeptRequest kept;
  std::string ip;
  LabelRules::Inputs labels = {};
  bool redirected = false;  // it was sent here by another node
};
ClientRequest ClientRequestOf(const Endpoint& endpoint, const http::Request& request);

// A client on its way in, whose token was looked at as far as that can be done here.
struct Candidate {
  ClientRequest request;
  std::string text = {};       // of the token, where the service decides about it or is asked, too
  bool given = false;          // there is one
  auth::JwtResult token = {};  // where keys decide: verified
};

// Looks at a token. The refusal if it is not good, or missing where it must not be; `*outcome`:
// what the keys say of it, where there are any. Any thread.
std::optional<Refusal> Examine(const Endpoint& endpoint, std::string_view token,
                               Candidate* candidate, std::optional<auth::JwtError>* outcome);

// What would be kept of its token, by what the keys say of it.
SessionToken VerifiedToken(const Endpoint& endpoint, const Candidate& candidate);

// Whether the service is asked about it.
bool AsksService(const Endpoint& endpoint, const Candidate& candidate);

// Checks all that depends on a client's token and parameters. `verdict`: the service's, which
// allows it; null: it was not asked. `now_ms`: Unix. Any thread.
Admission Admit(const Endpoint& endpoint, Candidate candidate, const AuthVerdict* verdict,
                int64_t now_ms);

// The same for a token that is to take the place of a session's: of the same user, by the same
// issuer, for the same parameters. Its identity has the grants and the channels of the new token,
// and the token without parameters.
Admission AdmitAgain(const Endpoint& endpoint, Candidate candidate, const AuthVerdict* verdict,
                     int64_t now_ms, std::string_view user_id, const SessionToken& before);

}  // namespace spillway::edge
