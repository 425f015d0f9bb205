#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "common/net/ip_address.h"

namespace spillway::edge::net {

// Reads the header that a proxy puts before the bytes of its client: the PROXY protocol, version 2
// (HAProxy's proxy-protocol.txt, section 2.2). Incremental, without sockets. Belongs to one
// connection.
class ProxyHeader {
 public:
  enum class Result {
    kMore,
    kDone,
    kBad,  // not such a header, of another version, or too long
  };
  // With what a header may carry beside addresses.
  static constexpr size_t kMaxBytes = 4096;

  // How many bytes come next. No more may be given: what follows the header is the client's.
  size_t wanted() const;
  // Takes 1 to wanted() bytes. After anything but kMore it is done with.
  Result Feed(std::string_view bytes);

  // After kDone: the client's address; nothing if the proxy speaks for itself (a health check), or
  // knows of none.
  const std::optional<IpAddress>& client() const { return client_; }

 private:
  Result Fixed();
  Result Addresses();

  std::string bytes_;
  size_t size_ = 0;  // of the whole header; 0: not known yet
  std::optional<IpAddress> client_;
};

}  // namespace spillway::edge::net
