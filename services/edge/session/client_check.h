#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "services/edge/session/admission.h"
#include "services/edge/session/auth_service.h"
#include "services/edge/session/connection_limits.h"
#include "services/edge/session/endpoint.h"
#include "services/edge/session/session_context.h"
#include "services/edge/session/session_events.h"

namespace spillway::edge {

// A client's way in: who it is, by its token and by the authentication service, and what its user
// may. Belongs to the worker's thread of `context`; what it refers to outlives it.
class ClientCheck {
 public:
  // `limits` null: there are none. `place`: of the node and the address.
  ClientCheck(const Endpoint& endpoint, SessionContext& context, ConnectionLimits* limits,
              ConnectionPlace place, ClientRequest request);
  // Whoever goes before it is decided is forgotten, unless the service refuses him: else bad tokens
  // would cost nothing to those who hang up at once.
  ~ClientCheck();
  ClientCheck(const ClientCheck&) = delete;
  ClientCheck& operator=(const ClientCheck&) = delete;

  // True: it is decided. False: the service is asked, and `decided` is called in a later turn, from
  // which on this may be destroyed; if it is before, nobody is told.
  bool Begin(std::string_view token, std::string_view correlation_id,
             std::function<void()> decided);

  // Once it is decided: why not, or who it is and its place. To be taken away.
  std::optional<Refusal> refusal;
  SessionIdentity identity;
  ConnectionPlace place;
  // Before and after.
  const std::string& ip() const { return ip_; }
  bool redirected() const { return redirected_; }

 private:
  void Finish(const AuthVerdict* verdict);
  void TakePlace();

  const Endpoint& endpoint_;
  SessionContext& context_;
  ConnectionLimits* const limits_;
  Candidate candidate_;
  const std::string ip_;
  const bool redirected_;
  std::function<void()> decided_;
  AuthTicket ticket_;
};

// What the service is asked about a client that has shown this token; `user`: by the keys.
AuthQuestion QuestionOf(const KeptRequest& request, std::string_view ip, std::string token,
                        std::string_view user, std::string_view correlation_id);

// Why the service's verdict keeps a client out; nothing: it does not.
std::optional<Refusal> RefusalBy(const AuthVerdict& verdict, const Endpoint& endpoint,
                                 SessionContext& context);

// Of an address from which too many failed.
std::optional<Refusal> RefusalOfFailed(std::string_view ip, ConnectionLimits& limits);

// Counts a refusal: by its reason and, if it may be an attempt to get in, against the address.
void CountRefusal(const Refusal& refusal, const RefusedClient& client, SessionContext& context,
                  ConnectionLimits* limits);

}  // namespace spillway::edge
