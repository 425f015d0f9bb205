#pragma once

#include <string_view>

#include "common/http/http_types.h"
#include "services/edge/session/endpoint.h"

namespace spillway::edge {

// The token of an upgrade request, from the first place that has one: query, header, subprotocol,
// cookie; "" if none has. Lives as long as the request. Pure; any thread.
std::string_view TokenOf(const AuthOptions& auth, const http::Request& request);

// Whether the client offers this subprotocol (RFC 6455, section 11.3.4).
bool OffersSubprotocol(const http::Request& request, std::string_view name);

}  // namespace spillway::edge
