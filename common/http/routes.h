#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "common/http/exchange.h"
#include "common/http/http_types.h"

namespace spillway::http {

// The table of a server's paths. Filled before the server starts, then read-only: any thread.
class Routes {
 public:
  // `path` as a whole. `methods` are the ones answered; HEAD comes with GET.
  void Add(std::string path, Handler handler, std::vector<std::string> methods = {"GET"});
  // Everything below `prefix`, which ends with '/'. The longest prefix wins, an exact path over
  // all.
  void AddPrefix(std::string prefix, Handler handler, std::vector<std::string> methods = {"GET"});

  // As a whole, answered later.
  void AddAsync(std::string path, AsyncHandler handler, std::vector<std::string> methods);
  // The same for all paths for which `matches` holds, and that are no other route's as a whole; the
  // first such route wins.
  void AddMatching(std::function<bool(std::string_view path)> matches, AsyncHandler handler,
                   std::vector<std::string> methods);

  // The handler that answers the request later; null if it is not such a one (or not by that
  // method).
  const AsyncHandler* FindAsync(const Request& request) const;
  // Calls the handler of the request, or answers 404 or 405. A handler that throws is answered as
  // 500.
  Response Dispatch(const Request& request) const;

 private:
  struct Route {
    std::string path;
    bool prefix;
    Handler handler;
    std::vector<std::string> methods;
    AsyncHandler async = nullptr;                                  // in place of the handler
    std::function<bool(std::string_view path)> matches = nullptr;  // in place of the path
  };

  const Route* Find(std::string_view path) const;

  std::vector<Route> routes_;
};

}  // namespace spillway::http
