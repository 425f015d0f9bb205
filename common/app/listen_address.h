#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"

namespace spillway::app {

// Where to listen.
struct ListenAddress {
  std::string ip;
  uint16_t port = 0;  // 0: any free one
};

// Of "host:port"; a name is resolved, now. InvalidArgument says what is wrong with it.
absl::StatusOr<ListenAddress> ParseListenAddress(const std::string& text);

// The same of a configuration's key, which the error begins with.
absl::StatusOr<ListenAddress> ListenAddressAt(std::string_view key, const std::string& text);

// "host:port", the host in brackets if it is an IPv6 address.
std::string HostPort(const std::string& host, int port);
// Of this machine, as others may know it; "localhost" if it has none.
std::string HostName();

}  // namespace spillway::app
