#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "common/http/http_types.h"

namespace spillway::edge {

// The web pages that may connect to an endpoint, by the Origin that browsers send with the upgrade
// (RFC 6454, section 7). Programs send none, or any they like: it keeps out other pages in a user's
// browser, nobody else. Immutable after Compile: usable from any thread.
class OriginList {
 public:
  // "https://app.example.com", "http://localhost:3000", "https://*.example.com" (every name below
  // that one, not itself), "null" (files and sandboxed frames). InvalidArgument says what is wrong.
  static absl::StatusOr<OriginList> Compile(const std::vector<std::string>& origins);

  // Whether the request's origin is listed, or it has none; always if nothing is listed.
  bool Allows(const http::Request& request) const;

 private:
  struct Origin {
    std::string scheme;  // with "://"
    bool below = false;  // `host` begins with the dot, and something stands before it
    std::string host;    // with the port, unless it is the scheme's own
  };

  bool Lists(std::string_view origin) const;

  std::vector<Origin> origins_;
  bool null_ = false;
};

}  // namespace spillway::edge
