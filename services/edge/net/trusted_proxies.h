#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "common/http/http_types.h"
#include "common/net/ip_address.h"

namespace spillway::edge::net {

// Whose word is taken for where a client is. Immutable: usable from any thread.
class TrustedProxies {
 public:
  TrustedProxies() = default;  // nobody's
  // Networks and addresses. InvalidArgument says what is wrong.
  static absl::StatusOr<TrustedProxies> Parse(const std::vector<std::string>& networks);

  bool Trust(std::string_view ip) const;
  // The address of who made a request that came over a socket from `peer`: of a trusted proxy the
  // last one of X-Forwarded-For that is no trusted proxy's either, since those before it were said
  // by the client or by somebody unknown. What is no address there ends the search.
  std::string ClientOf(const std::string& peer, const http::Request& request) const;

 private:
  bool Trusts(const IpAddress& address) const;

  std::vector<IpNetwork> networks_;
};

}  // namespace spillway::edge::net
