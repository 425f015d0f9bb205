#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "services/edge/session/admission.h"
#include "services/edge/session/connection_limits.h"
#include "services/edge/session/endpoint.h"
#include "services/edge/session/session_context.h"

namespace spillway::edge {

// Who a client is, and what its user may: the refusal, or its identity and its user's place. Counts
// what became of the token. `limits` null: there are none. On the worker's thread of `context`.
std::optional<Refusal> CheckClient(const Endpoint& endpoint, std::string_view token,
                                   ParamValues params, std::string_view ip, SessionContext& context,
                                   ConnectionLimits* limits, SessionIdentity* identity,
                                   ConnectionPlace* place);

// Counts a refusal: by its reason and, if it may be an attempt to get in, against the address.
void CountRefusal(const Refusal& refusal, const std::string& ip, SessionContext& context,
                  ConnectionLimits* limits);

}  // namespace spillway::edge
