#include "common/http/routes.h"

#include <algorithm>
#include <exception>
#include <utility>

#include "common/http/json_error.h"
#include "common/log/log.h"

namespace spillway::http {

void Routes::Add(std::string path, Handler handler, std::vector<std::string> methods) {
  routes_.push_back({std::move(path), false, std::move(handler), std::move(methods)});
}

void Routes::AddPrefix(std::string prefix, Handler handler, std::vector<std::string> methods) {
  routes_.push_back({std::move(prefix), true, std::move(handler), std::move(methods)});
}

void Routes::AddAsync(std::string path, AsyncHandler handler, std::vector<std::string> methods) {
  routes_.push_back({std::move(path), false, nullptr, std::move(methods), std::move(handler)});
}

void Routes::AddMatching(std::function<bool(std::string_view)> matches, AsyncHandler handler,
                         std::vector<std::string> methods) {
  routes_.push_back(
      {"", false, nullptr, std::move(methods), std::move(handler), std::move(matches)});
}

const AsyncHandler* Routes::FindAsync(const Request& request) const {
  const Route* route = Find(request.path);
  if (route == nullptr || route->async == nullptr) return nullptr;
  const auto& methods = route->methods;
  const bool taken = std::find(methods.begin(), methods.end(), request.method) != methods.end();
  return taken ? &route->async : nullptr;
}

const Routes::Route* Routes::Find(std::string_view path) const {
  const Route* best = nullptr;
  const Route* matching = nullptr;
  for (const Route& route : routes_) {
    if (route.matches != nullptr) {
      if (matching == nullptr && route.matches(path)) matching = &route;
      continue;
    }
    if (!route.prefix && path == route.path) return &route;
    if (route.prefix && path.starts_with(route.path) &&
        (best == nullptr || route.path.size() > best->path.size())) {
      best = &route;
    }
  }
  if (matching != nullptr) return matching;
  return best;
}

Response Routes::Dispatch(const Request& request) const {
  const Route* route = Find(request.path);
  if (route == nullptr) {
    return JsonError(404, "not_found", "There is nothing at this path.");
  }
  const std::string method = request.method == "HEAD" ? "GET" : request.method;
  if (std::find(route->methods.begin(), route->methods.end(), method) == route->methods.end()) {
    std::string allowed;
    for (const std::string& one : route->methods) allowed += (allowed.empty() ? "" : ", ") + one;
    Response response = JsonError(405, "method_not_allowed", "Use " + allowed + " on this path.");
    response.headers.emplace_back("Allow", allowed);
    return response;
  }
  try {
    return route->handler(request);
  } catch (const std::exception& error) {
    log::Error("http handler failed", {{"path", request.path}, {"error", error.what()}});
    return JsonError(500, "internal", "The request failed; the server's log says why.");
  }
}

}  // namespace spillway::http
