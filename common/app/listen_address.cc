#include "common/app/listen_address.h"

#include <netdb.h>
#include <sys/socket.h>
#include <unistd.h>

#include <charconv>
#include <memory>

#include "absl/strings/str_cat.h"
#include "common/base/strings.h"

namespace spillway::app {

absl::StatusOr<ListenAddress> ParseListenAddress(const std::string& text) {
  const auto wrong = [&text](const std::string& what) {
    return absl::InvalidArgumentError(absl::StrCat("'", text, "': ", what));
  };
  const size_t colon = text.rfind(':');
  if (colon == std::string::npos) return wrong("host:port is expected");
  ListenAddress address;
  const char* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data() + colon + 1, end, address.port);
  if (error != std::errc() || stop != end) return wrong("the port must be 0 to 65535");
  std::string host = text.substr(0, colon);
  if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_PASSIVE;
  addrinfo* found = nullptr;
  if (const int failed = ::getaddrinfo(host.c_str(), nullptr, &hints, &found); failed != 0) {
    return wrong(absl::StrCat("the host cannot be resolved: ", ::gai_strerror(failed)));
  }
  const std::unique_ptr<addrinfo, void (*)(addrinfo*)> owner(found, ::freeaddrinfo);
  char ip[NI_MAXHOST];
  if (::getnameinfo(found->ai_addr, found->ai_addrlen, ip, sizeof ip, nullptr, 0, NI_NUMERICHOST) !=
      0) {
    return wrong("the host has no address to listen on");
  }
  address.ip = ip;
  return address;
}

absl::StatusOr<ListenAddress> ListenAddressAt(std::string_view key, const std::string& text) {
  auto address = ParseListenAddress(text);
  if (address.ok()) return address;
  return absl::InvalidArgumentError(absl::StrCat(Abs(key), ": ", address.status().message()));
}

std::string HostName() {
  char name[256] = {};
  if (::gethostname(name, sizeof name - 1) != 0 || name[0] == '\0') return "localhost";
  return name;
}

std::string HostPort(const std::string& host, int port) {
  return host.find(':') == std::string::npos ? absl::StrCat(host, ":", port)
                                             : absl::StrCat("[", host, "]:", port);
}

}  // namespace spillway::app
