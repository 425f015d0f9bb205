#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/status.h"

namespace spillway::rpc {

// Decides whether a call may reach its handler. `method` is the path
// ("/spillway.v1.AdminService/GetStats"), `authorization` the metadata entry of that name (""
// without one). Called on gRPC's threads, several at a time: thread-safe, does not block. Another
// status than OK ends the call with it.
using Authorizer =
    std::function<absl::Status(std::string_view method, std::string_view authorization)>;

// "spillway.v1.AdminService" of "/spillway.v1.AdminService/GetStats"; "" when it is no method path.
std::string_view ServiceOfMethod(std::string_view method);

// Wants "authorization: Bearer <token>" (RFC 6750, section 2.1) for calls of the named services and
// lets all others pass: health and reflection stay open. Unauthenticated says what is missing or
// wrong. The comparison takes the same time wherever the tokens differ. `token` must not be empty.
Authorizer BearerAuthorizer(std::string_view token, std::vector<std::string> services);

// The same for several services, each with a token of its own: pairs of token and service. A
// service whose token is empty is open; empty, as ServerOptions takes it, if all are.
Authorizer BearerAuthorizers(
    const std::vector<std::pair<std::string, std::string>>& tokens_and_services);

// The token of "Bearer <token>", the scheme in any case; "" for anything else.
std::string_view BearerToken(std::string_view authorization);

}  // namespace spillway::rpc
