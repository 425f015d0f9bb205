#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "common/http/http_types.h"
#include "services/edge/ws/extension.h"

namespace spillway::edge::ws {

// The server's half of the opening handshake (RFC 6455, section 4.2). Pure functions.

// Whether the request asks for a WebSocket at all (an Upgrade header that names it).
bool IsUpgradeRequest(const http::Request& request);

// Why such a request cannot become a connection; nothing when it can. `http11` is false below
// HTTP/1.1. 405 not a GET, 426 another protocol version, 400 anything else; the body is
// {"error":{"code","message"}}.
std::optional<http::Response> CheckUpgrade(const http::Request& request, bool http11);

// The 101 response, whole. `key` is the request's Sec-WebSocket-Key; an empty subprotocol or
// correlation id is left out.
std::string SwitchingProtocols(std::string_view key, std::string_view subprotocol,
                               std::string_view correlation_id,
                               const std::optional<DeflateAgreement>& deflate);

// A response with the body {"error":{"code":"...","message":"..."}}. Both texts are literals
// without anything that JSON escapes.
http::Response JsonError(int status, std::string_view code, std::string_view message);

// Sec-WebSocket-Accept for a key.
std::string AcceptKey(std::string_view key);

}  // namespace spillway::edge::ws
