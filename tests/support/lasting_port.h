#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <string>

namespace spillway::test {

// A port of loopback for what ends and comes back where it was: below those that the system gives
// out, so that meanwhile nobody gets it by chance. 0 if there is none.
inline int LastingPort() {
  constexpr int kFirst = 12'000;
  constexpr int kCount = 20'000;
  static int next = static_cast<int>(getpid()) * 97;
  for (int tries = 0; tries < kCount; ++tries) {
    const int port = kFirst + next++ % kCount;
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const int yes = 1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes));
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<uint16_t>(port));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    const bool free = bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof(address)) == 0;
    close(fd);
    if (free) return port;
  }
  return 0;
}
inline std::string LastingAddress() { return "127.0.0.1:" + std::to_string(LastingPort()); }

}  // namespace spillway::test
