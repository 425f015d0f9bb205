#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace spillway::http {

// A parsed HTTP request as handlers see it: plain data, independent of the server that received it.
struct Request {
  std::string method;                                        // "GET", ...
  std::string path;                                          // decoded, without the query
  std::vector<std::pair<std::string, std::string>> query;    // decoded, in order
  std::vector<std::pair<std::string, std::string>> headers;  // names in lower case
  std::string body;
  std::string remote_ip;

  // The first value of a query parameter or header (name in lower case); empty when absent.
  std::string_view Query(std::string_view name) const {
    for (const auto& [key, value] : query)
      if (key == name) return value;
    return {};
  }
  std::string_view Header(std::string_view name) const {
    for (const auto& [key, value] : headers)
      if (key == name) return value;
    return {};
  }
};

struct Response {
  int status = 200;
  std::string content_type = "text/plain; charset=utf-8";
  std::string body;
  std::vector<std::pair<std::string, std::string>> headers;
};

// Answers a request at once. Called on the serving thread: must not block.
using Handler = std::function<Response(const Request&)>;

}  // namespace spillway::http
