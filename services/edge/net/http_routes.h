#pragma once

#include <map>
#include <string>
#include <string_view>

#include "common/http/http_types.h"

namespace spillway::edge::net {

// What plain HTTP requests are answered with: handlers by method and path (whole, no patterns).
// Filled before the workers start and constant from then on: every worker reads it, and calls
// handlers on its own thread.
class HttpRoutes {
 public:
  // A GET handler answers HEAD, too.
  void Add(std::string method, std::string path, http::Handler handler);
  // The handler's response; 404 or 405 with a JSON error when there is none.
  http::Response Serve(const http::Request& request) const;

 private:
  std::map<std::string, std::map<std::string, http::Handler>, std::less<>> paths_;
};

}  // namespace spillway::edge::net
