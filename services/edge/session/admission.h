#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/auth/jwt.h"
#include "common/http/http_types.h"
#include "services/edge/session/endpoint.h"
#include "services/edge/session/session_counters.h"

namespace spillway::edge {

// What a session keeps of the client that was let in.
struct SessionIdentity {
  std::string user_id;  // the token's `sub`; empty: anonymous
  std::string ip;
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

  http::Response ToResponse() const;
};

struct Admission {
  std::optional<Refusal> refusal;
  std::optional<auth::JwtError> token;  // what became of the token, where one was looked at
  SessionIdentity identity;             // without a refusal
};

// Checks token and parameters of an upgrade request to `endpoint`. Pure: any thread.
Admission Admit(const Endpoint& endpoint, const http::Request& request);

}  // namespace spillway::edge
