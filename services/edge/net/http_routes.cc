#include "services/edge/net/http_routes.h"

#include <utility>

#include "services/edge/ws/handshake.h"

namespace spillway::edge::net {

void HttpRoutes::Add(std::string method, std::string path, http::Handler handler) {
  paths_[std::move(path)][std::move(method)] = std::move(handler);
}

http::Response HttpRoutes::Serve(const http::Request& request) const {
  const auto path = paths_.find(request.path);
  if (path == paths_.end()) return ws::JsonError(404, "not_found", "there is nothing at this path");
  const auto& methods = path->second;
  auto method = methods.find(request.method);
  if (method == methods.end() && request.method == "HEAD") method = methods.find("GET");
  if (method != methods.end()) return method->second(request);
  http::Response response =
      ws::JsonError(405, "method_not_allowed", "this path does not answer to this method");
  std::string allow;
  for (const auto& [name, handler] : methods) allow += (allow.empty() ? "" : ", ") + name;
  response.headers.emplace_back("Allow", std::move(allow));
  return response;
}

}  // namespace spillway::edge::net
