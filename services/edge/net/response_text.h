#pragma once

#include <string>

#include "common/http/http_types.h"

namespace spillway::edge::net {

// A response as it is sent, HTTP/1.1. `head`: without its body, which is announced all the same.
// `keep_alive` false says that the connection ends with it. Pure.
std::string ResponseText(const http::Response& response, bool keep_alive, bool head);

}  // namespace spillway::edge::net
