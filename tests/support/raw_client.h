#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <cstdint>
#include <string>

namespace spillway {

// A blocking client that speaks bytes, so that it can also speak wrongly.
class RawClient {
 public:
  explicit RawClient(uint16_t port) : fd_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    timeval limit{10, 0};  // so that a defect fails the test in place of hanging it
    setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    connected_ = connect(fd_, reinterpret_cast<sockaddr*>(&address), sizeof(address)) == 0;
  }
  ~RawClient() { close(fd_); }
  RawClient(const RawClient&) = delete;
  RawClient& operator=(const RawClient&) = delete;

  bool connected() const { return connected_; }
  void Send(const std::string& bytes) { ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL); }
  // Up to and with the first `end`, or all until the server closes.
  std::string ReadUntil(const std::string& end) {
    std::string text;
    char byte;
    while (recv(fd_, &byte, 1, 0) == 1) {
      text.push_back(byte);
      if (!end.empty() && text.ends_with(end)) break;
    }
    return text;
  }
  std::string ReadAll() { return ReadUntil(""); }

 private:
  const int fd_;
  bool connected_ = false;
};

}  // namespace spillway
