#pragma once

#include <string_view>

#include "common/http/http_types.h"

namespace spillway::edge::net {

// Fills in path and query of a request from its target in origin form (RFC 9112, section 3.2.1),
// decoded:
// "/a%20b?x=1&y=2+3". False when it is anything else, or badly encoded. Pure.
bool ParseTarget(std::string_view target, http::Request* request);

}  // namespace spillway::edge::net
